"""Scores of single objects of one submission on one scenario, and how they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.errors import FileFormatError
from pzcenter.validation.streamed_metrics import MetricChunk, ObjectScores, score_chunks, score_points
from pzcenter.validation.submissions import aligned_chunks
from pzcenter.validation.submissions.scoring import pdf_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.validation.submissions import Alignment, Submission

__all__ = ["read_scores", "score_objects", "table_of_scores"]

FIXED_COLUMNS = ("object_id", "source_id", "source_row", "z_spec")
"""Of a truth table; all others are covariates."""
_POINT, _PDF = "point:", "pdf:"


def score_objects(submission: Submission, alignment: Alignment, truth: pa.Table) -> ObjectScores:
    """Hold a submission against the truth of its scenario.

    Parameters
    ----------
    submission : Submission
    alignment : Alignment
        Of it, to the rows of the truth table.
    truth : pa.Table
        ``z_spec``, and what metrics shall be functions of.

    Returns
    -------
    ObjectScores
        With the scores of p(z) where there are densities.

    Raises
    ------
    EmptyTableError
        No object has both a true redshift and an estimate.
    """
    ids = np.asarray(truth.column("object_id"))
    z_spec = np.asarray(truth.column("z_spec"), dtype=np.float64)
    covariates = {
        name: np.asarray(truth.column(name).to_numpy()) for name in truth.column_names if name not in FIXED_COLUMNS
    }
    if submission.has_pdf:
        return score_chunks(_chunks(submission, alignment, ids, z_spec, covariates))
    points: dict[str, NDArray[np.float64]] = {}
    for chunk, place in aligned_chunks(submission, alignment):
        for name in submission.points:
            values = points.setdefault(name, np.full(z_spec.size, np.nan))
            values[place] = chunk.extra[name]
    first = submission.z_point_name
    ordered = {name: points[name] for name in sorted(points, key=lambda name: name != first)}
    return score_points(ordered, z_spec, object_id=ids, covariates=covariates)


def _chunks(
    submission: Submission,
    alignment: Alignment,
    ids: NDArray[np.int64],
    z_spec: NDArray[np.float64],
    covariates: dict[str, NDArray[Any]],
) -> Iterator[MetricChunk]:
    """The densities with what metrics are functions of."""
    order = np.argsort(ids, kind="stable")
    for chunk in pdf_chunks(submission, alignment, z_spec):
        assert chunk.object_id is not None
        place = order[np.searchsorted(ids[order], chunk.object_id)]
        yield MetricChunk(
            chunk.pdf,
            chunk.z_grid,
            chunk.z_spec,
            points=chunk.points,
            object_id=chunk.object_id,
            covariates={name: values[place] for name, values in covariates.items()},
        )


def table_of_scores(scores: ObjectScores) -> pa.Table:
    """Columns of the scores of single objects, without true redshifts.

    Parameters
    ----------
    scores : ObjectScores

    Returns
    -------
    pa.Table
    """
    columns: dict[str, NDArray[Any]] = {"object_id": scores.object_id}
    columns |= {_POINT + name: values for name, values in scores.points.items()}
    columns |= {_PDF + name: values for name, values in scores.pdf.items()}
    counts = {name: str(getattr(scores, name)) for name in ("n_in", "n_no_truth", "n_no_estimate")}
    return pa.table(columns).replace_schema_metadata(counts)


def read_scores(path: Path, truth: pa.Table) -> ObjectScores:
    """Read what :func:`table_of_scores` made, as far as ranks need it: no covariates and no sums of p(z).

    Parameters
    ----------
    path : Path
    truth : pa.Table
        Of the scenario.

    Returns
    -------
    ObjectScores

    Raises
    ------
    FileFormatError
        The file is damaged, or of another truth.
    """
    try:
        table = pq.read_table(path, partitioning=None)
        counts = {key.decode(): int(value) for key, value in (table.schema.metadata or {}).items()}
        found = np.asarray(table.column("object_id"))
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise FileFormatError(f"{path} cannot be read: {error}") from error
    ids = np.asarray(truth.column("object_id"))
    order = np.argsort(ids, kind="stable")
    place = order[np.minimum(np.searchsorted(ids[order], found), ids.size - 1)]
    if not np.array_equal(ids[place], found):
        raise FileFormatError(f"{path} has objects that are not in the truth table; score again")

    def columns(prefix: str) -> dict[str, NDArray[Any]]:
        names = [name for name in table.column_names if name.startswith(prefix)]
        return {name.removeprefix(prefix): np.asarray(table.column(name)) for name in names}

    return ObjectScores(
        object_id=found,
        z_spec=np.asarray(truth.column("z_spec"), dtype=np.float64)[place],
        points=columns(_POINT),
        pdf=columns(_PDF),
        covariates={},
        z_grid=np.empty(0),
        stack=np.zeros((0, 0)),
        n_in=counts.get("n_in", found.size),
        n_no_truth=counts.get("n_no_truth", 0),
        n_no_estimate=counts.get("n_no_estimate", 0),
    )
