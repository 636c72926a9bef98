"""From a submission to the chunks that :func:`pzcenter.validation.collect_sample` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import FileFormatError, ShapeError
from pzcenter.validation.sample import POINTS, PdfChunk

from .alignment import aligned_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .alignment import Alignment
    from .submission import Submission

__all__ = ["pdf_chunks"]


def pdf_chunks(
    submission: Submission,
    alignment: Alignment,
    z_spec: NDArray[np.floating[Any]],
    *,
    mag: NDArray[np.floating[Any]] | None = None,
    size: int | None = None,
) -> Iterator[PdfChunk]:
    """Densities of a submission beside the truth, in the order of the submission.

    Parameters
    ----------
    submission : Submission
    alignment : Alignment
        Of it.
    z_spec : ndarray, (n_truth,)
        True redshifts in the order of the truth set.
    mag : ndarray, (n_truth,), optional
        AB magnitudes, for metrics in bins.
    size : int, optional
        Objects at a time.

    Yields
    ------
    PdfChunk
        Without the objects that the submission lacks: their number is ``alignment.coverage``. An object without
        estimate is a row of NaN, which is counted where it is scored.

    Raises
    ------
    FileFormatError
        The submission has point estimates only.
    ShapeError
        ``z_spec`` or ``mag`` is not one number per object of the truth set.
    """
    if not submission.has_pdf:
        raise FileFormatError(f"{submission.name} has point estimates only; densities are needed here")
    for name, values in (("z_spec", z_spec), ("mag", mag)):
        if values is not None and values.shape != (alignment.n_truth,):
            raise ShapeError(
                f"{name} must be ({alignment.n_truth},), one per object of the truth set; got {values.shape}"
            )
    for chunk, place in aligned_chunks(submission, alignment, size):
        assert chunk.pz is not None
        yield PdfChunk(
            pdf=chunk.pz,
            z_grid=submission.z_grid,
            z_spec=np.asarray(z_spec[place], dtype=np.float64),
            points={name: chunk.extra[name] for name in POINTS if name in chunk.extra},
            object_id=chunk.object_id,
            mag=None if mag is None else mag[place],
        )
