"""Does what participants get tell what is withheld? Names, values, ids, order of the rows, and stray files.

The checks are made on the files as they would leave, with the truth in hand. A correlation counts when chance would
give it once in a million times.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.catalogs.columns import float_column
from pzcenter.catalogs.photometry import DEREDDENED_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["column_leaks", "forbidden_columns", "leaks_of", "order_leaks"]

N_SIGMA = 5.0
"""Of a rank correlation, whose standard error without any relation is 1/sqrt(n - 1)."""
SAME_SHARE = 0.01
"""Of the rows that have the same value as the truth: more is no accident."""
SAME_ROWS = 10
LEAST_ROWS = 20
"""With fewer, photometry is in the order of redshift by chance."""
NEARLY_THE_SAME = 0.98
"""Rank correlation with the redshift that no photometry has, and every copy of the redshift does."""
_FORBIDDEN = re.compile(
    r"z|z_.*|.*_z|.*redshift.*|.*z_?spec.*|.*spec_?z.*|.*z_?phot.*|.*photo_?z.*|.*truth.*|.*true.*|source_id|source_row"
    r"|measurement_id|group_id|survey|ra|dec|coord_.*|_healpix.*|separation.*|split|template.*|abs_mag.*",
    re.IGNORECASE,
)
_PHOTOMETRY = re.compile(r"(flux|flux_err|mag|mag_err)_\w+")


def forbidden_columns(names: Iterable[str]) -> list[str]:
    """Columns that no test set may have: redshifts, whatever leads back to the source, and positions.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    list of str
        Photometry in the band z is no redshift.
    """
    return [name for name in names if _FORBIDDEN.fullmatch(name) and not _PHOTOMETRY.fullmatch(name)]


def leaks_of(test_path: Path, truth: pa.Table, *, training_paths: Iterable[Path] = ()) -> list[str]:
    """Say all that a blind test file tells.

    Parameters
    ----------
    test_path : Path
    truth : pa.Table
        ``object_id``, ``source_id``, ``source_row``, ``z_spec``, one row for each of the test set in any order.
    training_paths : iterable of Path
        Files with redshifts that participants get with it.

    Returns
    -------
    list of str
        Sentences; empty where there is no leak.
    """
    table = pq.read_table(test_path, partitioning=None)
    told = [f"column {name!r} has a name of what is withheld" for name in forbidden_columns(table.column_names)]
    known = {DEREDDENED_KEY.encode(), b"ARROW:schema"}
    stray = sorted(key.decode("utf-8", "replace") for key in table.schema.metadata or {} if key not in known)
    told += [f"the file has texts under {stray}, which nobody has looked at"] if stray else []
    if "objectId" not in table.column_names:
        return [*told, "there is no column objectId"]
    ids = np.asarray(table.column("objectId"))
    place = np.argsort(np.asarray(truth.column("object_id")), kind="stable")
    if not np.array_equal(np.sort(ids), np.asarray(truth.column("object_id"))[place]):
        return [*told, "its ids are not those of the truth table"]
    rows = place[np.searchsorted(np.asarray(truth.column("object_id"))[place], ids)]
    withheld = {name: np.asarray(truth.column(name))[rows] for name in ("z_spec", "source_id", "source_row")}
    told += order_leaks(ids, withheld)
    for name in table.column_names:
        if name != "objectId":
            told += column_leaks(name, table.column(name), withheld)
    for path in training_paths:
        shared = _shared_objects(table, pq.read_table(path, partitioning=None))
        told += (
            [f"{shared} objects of {path.parent.name}/{path.name} have the same photometry as one of the test set"]
            if shared
            else []
        )
    return [f"{test_path.parent.name}/{test_path.name}: {sentence}" for sentence in told]


def order_leaks(ids: NDArray[np.int64], withheld: dict[str, NDArray[Any]]) -> list[str]:
    """Whether ids or the order of rows go with something withheld, all in the order of the file."""
    told = []
    for what, values in (("the order of the rows", np.arange(ids.size)), ("the id", ids)):
        for name, secret in withheld.items():
            if _is_related(values, secret):
                told.append(f"{what} goes with {name}")
    same = int(np.count_nonzero(ids == withheld["source_id"]))
    if _is_no_accident(same, ids.size):
        told.append(f"{same} ids are those of the source")
    return told


def column_leaks(name: str, column: pa.ChunkedArray, withheld: dict[str, NDArray[Any]]) -> list[str]:
    """Whether the values of a column are those of something withheld, or nearly."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        if pa.types.is_boolean(column.type):
            return []
        return [f"column {name!r} is of type {column.type}, whose content nobody has looked at; accepted are numbers"]
    values = float_column(column)
    n_different = np.unique(values).size
    is_plain = not _PHOTOMETRY.fullmatch(name) and n_different > 0.5 * values.size
    told = []
    for what, hidden in withheld.items():
        same = int(np.count_nonzero(np.isclose(values, hidden.astype(np.float64), rtol=1e-6, atol=1e-6)))
        if what != "source_row" and _is_no_accident(same, values.size) and n_different > SAME_ROWS:
            told.append(f"column {name!r} has the {what} of {same} objects")
        elif values.size >= LEAST_ROWS and abs(_rank_correlation(values, hidden)) > NEARLY_THE_SAME:
            told.append(f"column {name!r} is in the order of {what}")
        elif what != "z_spec" and is_plain and _is_related(values, hidden):
            told.append(f"column {name!r} goes with {what}")
    return told


def _is_no_accident(same: int, n_obj: int) -> bool:
    return same > max(SAME_ROWS, SAME_SHARE * n_obj) or (n_obj <= SAME_ROWS and same == n_obj > 1)


def _is_related(values: NDArray[Any], secret: NDArray[Any]) -> bool:
    n = int(np.count_nonzero(np.isfinite(secret.astype(np.float64))))
    return n > 2 and abs(_rank_correlation(values, secret)) * np.sqrt(n - 1) > N_SIGMA


def _rank_correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Spearman's coefficient over the rows where both are known; 0 where one does not vary."""
    from scipy.stats import rankdata

    x, y = (np.asarray(values, dtype=np.float64) for values in (first, second))
    both = np.isfinite(x) & np.isfinite(y)
    if np.count_nonzero(both) < 3:
        return 0.0
    x, y = rankdata(x[both]), rankdata(y[both])
    if x.std() == 0.0 or y.std() == 0.0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _shared_objects(test: pa.Table, other: pa.Table) -> int:
    """Objects of which every flux is that of one of the test set."""
    names = [name for name in test.column_names if re.fullmatch(r"flux_\w+", name) and name in other.column_names]
    if not names:
        return 0
    rows = []
    for table in (test, other):
        flux = np.stack([float_column(table.column(name), np.float32) for name in names], axis=1)
        flux = np.ascontiguousarray(flux[np.isfinite(flux).any(axis=1)])
        rows.append(np.unique(flux.view([("", flux.dtype)] * len(names)).ravel()))
    return int(np.intersect1d(rows[0].view(f"V{4 * len(names)}"), rows[1].view(f"V{4 * len(names)}")).size)
