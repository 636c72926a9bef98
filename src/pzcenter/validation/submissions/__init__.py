"""What participants hand in, in whatever form, as one container with ids, densities on one grid and point estimates."""

from __future__ import annotations

from .alignment import Alignment, GridCover, align, aligned_chunks, grid_cover
from .archives import ArchiveLimits, unpack
from .opening import FORMATS, OpenedSubmissions, open_submission, open_submissions
from .submission import Submission, SubmissionChunk
from .tally import ReadingTally

__all__ = [
    "FORMATS",
    "Alignment",
    "ArchiveLimits",
    "GridCover",
    "OpenedSubmissions",
    "ReadingTally",
    "Submission",
    "SubmissionChunk",
    "align",
    "aligned_chunks",
    "grid_cover",
    "open_submission",
    "open_submissions",
    "unpack",
]
