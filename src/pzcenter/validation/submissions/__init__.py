"""What participants hand in, in whatever form, as one container with ids, densities on one grid and point estimates."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "alignment": ("Alignment", "GridCover", "align", "aligned_chunks", "grid_cover"),
    "archives": ("ArchiveLimits", "unpack"),
    "challenge": (
        "ChallengeFile",
        "challenge_entries",
        "check_challenge_file",
        "open_challenge_submission",
        "write_challenge_submission",
    ),
    "nz_challenge": (
        "BinAssignment",
        "NzEstimate",
        "read_bin_assignment",
        "read_nz_estimate",
        "write_bin_assignment",
        "write_nz_estimate",
    ),
    "opening": ("FORMATS", "OpenedSubmissions", "open_submission", "open_submissions"),
    "scoring": ("pdf_chunks",),
    "submission": ("Submission", "SubmissionChunk"),
    "tally": ("ReadingTally",),
}
"""Where each name comes from: imported when it is asked for, so that what looks at files compiles no kernels."""


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
