"""Object ids that appear twice, found over any number of rows in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.catalogs.runs import SORTED_IDS
from pzcenter.errors import DuplicateIdError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from pzcenter.catalogs.runs import Run

__all__ = ["N_NAMED", "repeated_ids", "repeated_in_runs", "require_no_repeated", "require_unique_ids"]

IDS_AT_ONCE = 4_000_000
SAMPLES_PER_RUN = 1_000
N_NAMED = 5


def repeated_ids(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ids that appear more than once, each once, increasing.

    Parameters
    ----------
    ids : ndarray of int64, (n_obj,)
    """
    return _repeated(np.sort(ids))


def require_no_repeated(repeated: NDArray[np.int64], where: str) -> None:
    """Check that there are no ids that appear more than once.

    Parameters
    ----------
    repeated : ndarray of int64
        From :func:`repeated_ids`.
    where : str
        The table's name in the message.

    Raises
    ------
    DuplicateIdError
        With their number, and some of them.
    """
    if repeated.size:
        raise DuplicateIdError(_message(where, repeated.size, repeated[:N_NAMED].tolist()))


def require_unique_ids(runs: Sequence[Run], where: str) -> None:
    """Check that each object id appears once in all runs together.

    Parameters
    ----------
    runs : sequence of Run
    where : str
        The catalogue's name in the message.

    Raises
    ------
    DuplicateIdError
        With the number of ids that appear more than once, and some of them.
    """
    n_double, named = 0, list[int]()
    for double, _ in repeated_in_runs(runs):
        n_double += double.size
        named += double[: N_NAMED - len(named)].tolist()
    if n_double:
        raise DuplicateIdError(_message(where, n_double, named, " after the cuts"))


def repeated_in_runs(runs: Sequence[Run]) -> Iterator[tuple[NDArray[np.int64], list[NDArray[np.int64]]]]:
    """Ids that appear more than once in all runs together, one range of ids after the other.

    The sorted ids of the runs are cut at common values into ranges that fit in memory; each range is sorted and
    searched for equal neighbours.

    Parameters
    ----------
    runs : sequence of Run

    Yields
    ------
    repeated : ndarray of int64
        Each id once, increasing; of a range that has some.
    parts : list of ndarray of int64
        Ids of this range in each run, sorted.
    """
    if not any(run.n_rows for run in runs):
        return
    cuts = np.array([run.bounds(_range_limits(runs), SORTED_IDS) for run in runs])
    cuts = np.column_stack([np.zeros(len(runs), dtype=np.int64), cuts, [run.n_rows for run in runs]])
    for start, stop in zip(cuts.T[:-1], cuts.T[1:], strict=True):
        parts = [run.column(SORTED_IDS, *ends) for run, *ends in zip(runs, start, stop, strict=True)]
        double = _repeated(np.sort(np.concatenate(parts)) if len(parts) > 1 else parts[0])
        if double.size:
            yield double, parts


def _repeated(ordered: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _message(where: str, n_double: int, named: list[int], when: str = "") -> str:
    return (
        f"{where}: {n_double} object ids appear more than once{when}, such as "
        f"{', '.join(map(str, named))}; each object must have its own id"
    )


def _range_limits(runs: Sequence[Run]) -> NDArray[np.int64]:
    """Ids that cut all ids into ranges of about the same number."""
    n_ranges = -(-sum(run.n_rows for run in runs) // IDS_AT_ONCE)
    if n_ranges == 1:
        return np.empty(0, dtype=np.int64)
    samples = []
    for run in runs:
        if run.n_rows == 0:
            continue
        # Each run counts in proportion to its rows.
        n_samples = max(1, min(SAMPLES_PER_RUN, run.n_rows))
        at = np.linspace(0, run.n_rows - 1, n_samples).astype(np.int64)
        samples.append(np.asarray(run.mapped(SORTED_IDS)[at]))
    pool = np.sort(np.concatenate(samples))
    return np.unique(pool[np.linspace(0, pool.size, n_ranges + 1).astype(np.int64)[1:-1]])
