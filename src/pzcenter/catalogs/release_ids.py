"""That no object is in two partitions of a release, whose partitions are never in memory together."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.catalogs.runs import write_ids
from pzcenter.catalogs.unique_ids import N_NAMED, repeated_in_runs
from pzcenter.errors import DuplicateIdError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["overlapping_tracts", "require_ids_once"]


def require_ids_once(
    plan: pa.Table, read_ids: Callable[[int], NDArray[np.int64]], *, work: str | Path | None = None
) -> int:
    """Check that no object is in two tracts.

    The ids of Rubin begin with the tract, so that no ranges overlap and nothing is read. Where ranges overlap, the ids
    of those tracts are read once, one tract after the other, sorted on disk (8 bytes each), and compared range by range
    in bounded memory.

    Parameters
    ----------
    plan : pa.Table
        ``tract``, ``id_min`` and ``id_max``.
    read_ids : callable
        Gives the ids of a tract.
    work : path, optional
        Directory for the sorted ids; the system's by default.

    Returns
    -------
    int
        Tracts whose ids were read.

    Raises
    ------
    DuplicateIdError
        Ids that are in two tracts, or twice in one; some are named, with their tracts.
    StorageError
        No space is left for the sorted ids.
    """
    n_read = 0
    for tracts in overlapping_tracts(plan):
        n_read += len(tracts)
        with tempfile.TemporaryDirectory(prefix="pz-ids-", dir=work) as folder:
            runs = [write_ids(Path(folder) / f"{tract}.bin", read_ids(tract)) for tract in tracts]
            n_double, named = 0, list[str]()
            for double, parts in repeated_in_runs(runs):
                n_double += double.size
                named += [_named(each, tracts, parts) for each in double[: N_NAMED - len(named)].tolist()]
        if n_double:
            raise DuplicateIdError(
                f"{n_double} objects are more than once in the release, such as {', '.join(named)}; "
                "each must be there once"
            )
    return n_read


def overlapping_tracts(plan: pa.Table) -> list[list[int]]:
    """Groups of tracts whose ranges of ids overlap.

    Parameters
    ----------
    plan : pa.Table
        ``tract``, ``id_min`` and ``id_max``; null in tracts without objects.

    Returns
    -------
    list of list of int
        Of two tracts or more.
    """
    rows = plan.select(["id_min", "id_max", "tract"]).to_pylist()
    ranges = sorted((row["id_min"], row["id_max"], row["tract"]) for row in rows if row["id_min"] is not None)
    groups: list[list[int]] = []
    end = None
    for first, last, tract in ranges:
        if end is None or first > end:
            groups.append([])
            end = last
        groups[-1].append(tract)
        end = max(end, last)
    return [group for group in groups if len(group) > 1]


def _named(identity: int, tracts: Sequence[int], parts: Sequence[NDArray[np.int64]]) -> str:
    holders = [tract for tract, ids in zip(tracts, parts, strict=True) for _ in range(int((ids == identity).sum()))]
    return f"{identity} (tracts {' and '.join(map(str, holders))})"
