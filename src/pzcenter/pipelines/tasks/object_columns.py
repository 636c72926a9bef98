"""Read of an object table what a task needs of it, which is a few of a thousand columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pzcenter.catalogs.skinny_partition import columns_needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

__all__ = ["read_needed"]


def read_needed(handle: Any, mapping: str, *, cuts: Sequence[str] = (), where: str) -> pa.Table:
    """Columns of an object table that its skinny rows are made of.

    Parameters
    ----------
    handle : DeferredDatasetHandle
        Of the object table.
    mapping : str
        Name or file; empty: the one that fits.
    cuts : sequence of str
    where : str
        Name of the table, for messages.

    Returns
    -------
    pa.Table

    Raises
    ------
    ColumnError
        Columns are missing.
    """
    columns = columns_needed(list(handle.get(component="columns")), mapping or None, cuts=tuple(cuts), where=where)
    table: pa.Table = handle.get(parameters={"columns": list(columns)})
    return table
