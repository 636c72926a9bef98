"""What participants hand in, in whatever form, as one container with ids, densities on one grid and point estimates."""

from __future__ import annotations

from .alignment import Alignment, GridCover, align, aligned_chunks, grid_cover
from .archives import ArchiveLimits, unpack
from .challenge import (
    ChallengeFile,
    challenge_entries,
    check_challenge_file,
    open_challenge_submission,
    write_challenge_submission,
)
from .nz_challenge import (
    BinAssignment,
    NzEstimate,
    read_bin_assignment,
    read_nz_estimate,
    write_bin_assignment,
    write_nz_estimate,
)
from .opening import FORMATS, OpenedSubmissions, open_submission, open_submissions
from .scoring import pdf_chunks
from .submission import Submission, SubmissionChunk
from .tally import ReadingTally

__all__ = [
    "FORMATS",
    "Alignment",
    "ArchiveLimits",
    "BinAssignment",
    "ChallengeFile",
    "GridCover",
    "NzEstimate",
    "OpenedSubmissions",
    "ReadingTally",
    "Submission",
    "SubmissionChunk",
    "align",
    "aligned_chunks",
    "challenge_entries",
    "check_challenge_file",
    "grid_cover",
    "open_challenge_submission",
    "open_submission",
    "open_submissions",
    "pdf_chunks",
    "read_bin_assignment",
    "read_nz_estimate",
    "unpack",
    "write_bin_assignment",
    "write_challenge_submission",
    "write_nz_estimate",
]
