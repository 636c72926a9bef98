"""The skinny table of one partition, in memory: the unit of work of a production.

The same conversion as :func:`pzcenter.catalogs.make_skinny`. There every row of the object table must reach the PZ
table, so nothing is cut unless it is asked for, and a row that cannot be placed is an error and not a cut.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs.columns import require_columns
from pzcenter.catalogs.conversion import POSITION_CUT
from pzcenter.catalogs.readers import BATCH_SIZE
from pzcenter.catalogs.skinny_rows import check_flux_levels, converter_for, count_flags, skinny_schema, skinny_table
from pzcenter.catalogs.unique_ids import repeated_ids, require_no_repeated
from pzcenter.errors import EmptyTableError, SchemaError
from pzcenter.schema import check_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.schema.mapping import Cut, Mapping

__all__ = ["SkinnyPartition", "columns_needed", "skinny_partition"]


@dataclass(frozen=True)
class SkinnyPartition:
    """Skinny rows, and what became of the others.

    Parameters
    ----------
    table : pa.Table
        Along the sky, where there are positions.
    n_in, n_out : int
    n_cut : dict of str to int
        Rows removed by each cut.
    n_flagged : dict of str to int
        Rows with each flag that occurs.
    mapping : str
    bands : tuple of str
    notes : tuple of str
    """

    table: pa.Table
    n_in: int
    n_out: int
    n_cut: dict[str, int]
    n_flagged: dict[str, int]
    mapping: str
    bands: tuple[str, ...]
    notes: tuple[str, ...]

    def report(self) -> dict[str, Any]:
        """Counts as plain numbers and texts, for JSON."""
        return {
            "n_in": self.n_in, "n_out": self.n_out, "n_cut": self.n_cut, "n_flagged": self.n_flagged,
            "mapping": self.mapping, "bands": list(self.bands), "notes": list(self.notes),
        }  # fmt: skip


def columns_needed(
    names: Sequence[str],
    mapping: Mapping | str | None = None,
    *,
    cuts: Sequence[Cut | str] = (),
    where: str = "the table",
) -> tuple[str, ...]:
    """Columns of an object table that :func:`skinny_partition` reads.

    Raises
    ------
    ColumnError
        Columns are missing.
    """
    converter, _ = converter_for(names, where, mapping, cuts=cuts)
    require_columns(converter.columns, list(names), where)
    return converter.columns


def skinny_partition(
    table: pa.Table,
    mapping: Mapping | str | None = None,
    *,
    cuts: Sequence[Cut | str] = (),
    deredden: bool = True,
    check_magnitudes: bool = True,
    tract: int | None = None,
    where: str = "the table",
) -> SkinnyPartition:
    """Skinny rows of an object table.

    Parameters
    ----------
    table : pa.Table
        With the columns of :func:`columns_needed`.
    mapping : Mapping, str, optional
        Found from the columns when not given.
    cuts : sequence of Cut or str
        Conditions that rows must fulfil; none by default, also where the mapping has some.
    deredden : bool
    check_magnitudes : bool
        Refuse fluxes whose magnitudes show that their unit is not the declared one.
    tract : int, optional
        For tables without a column for it.
    where : str
        Name of the table, for messages.

    Returns
    -------
    SkinnyPartition

    Raises
    ------
    ColumnError, UnitError, SchemaError
        The columns are not what the mapping says; or a row has no position.
    DuplicateIdError
        An object is there twice.
    EmptyTableError
        No row is there, or left.
    """
    converter, notes = converter_for(table.column_names, where, mapping, cuts=cuts)
    converter = replace(converter, deredden=deredden)
    require_columns(converter.columns, table.column_names, where)
    if table.num_rows == 0:
        raise EmptyTableError(f"{where} has no rows")
    parts: list[dict[str, NDArray[Any]]] = []
    n_cut: Counter[str] = Counter(dict.fromkeys(converter.cut_names, 0))
    first = 0
    for batch in table.select(list(converter.columns)).combine_chunks().to_batches(max_chunksize=BATCH_SIZE):
        if first == 0:
            converter.check_units(batch)
        part, cut = converter.convert(batch, first)
        parts.append(part)
        n_cut.update(cut)
        first += batch.num_rows
    if n_cut[POSITION_CUT]:
        raise SchemaError(
            f"{where}: {n_cut[POSITION_CUT]} rows have no position, and no place in a catalogue of the sky"
        )
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    n_out = columns["objectId"].size
    if n_out == 0:
        raise EmptyTableError(f"{where}: none of {first} rows is left after the cuts {dict(n_cut)}")
    require_no_repeated(repeated_ids(columns["objectId"]), where)
    if check_magnitudes:
        check_flux_levels(columns, converter.mapping, where)
    if tract is not None and "tract" not in columns:
        columns["tract"] = np.full(n_out, tract, dtype=np.int32)
    skinny = skinny_table(columns, skinny_schema(converter, tuple(columns)))
    check_table(skinny, "skinny")
    return SkinnyPartition(
        table=skinny,
        n_in=table.num_rows,
        n_out=n_out,
        n_cut={name: n for name, n in n_cut.items() if name != POSITION_CUT},
        n_flagged=count_flags(columns["flags"]),
        mapping=converter.mapping.name,
        bands=converter.mapping.bands,
        notes=tuple(notes),
    )
