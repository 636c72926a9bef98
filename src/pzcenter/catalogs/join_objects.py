"""Estimates of a partition joined with its objects: one row for each object, none lost and none invented."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import float_column, int_column, require_columns
from pzcenter.catalogs.runs import sky_order
from pzcenter.errors import ColumnError, DuplicateIdError, SchemaError
from pzcenter.schema import PZFlag, arrow_schema, check_table
from pzcenter.science.sky import healpix29

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.schema import Mapping

__all__ = ["JoinCounts", "join_objects", "object_positions"]

MAX_OFFSET_DEG = 1e-6
"""Positions of an object in the two tables may differ by this: 4 milliarcseconds."""
N_NAMED = 5

_POSITION = ("ra", "dec", "_healpix_29", "tract")
_FILLERS: dict[str, Any] = {
    "template_id": -1,
    "phys_template_id": -1,
    "band_mask": 0,
    "n_bands": 0,
    "flags": int(PZFlag.no_estimate),
}
"""Of an object that was not estimated; every other column is missing."""


@dataclass(frozen=True)
class JoinCounts:
    """What a join met.

    Parameters
    ----------
    n_object : int
        Objects, and so rows of the result.
    n_joined : int
        Objects that have a row of estimates.
    n_added : int
        Objects that have none, and were added with ``no_estimate``.
    n_estimate : int
        Objects with a redshift.
    """

    n_object: int
    n_joined: int
    n_added: int
    n_estimate: int

    def as_dict(self) -> dict[str, int]:
        """Plain values."""
        return asdict(self)


def object_positions(table: pa.Table, mapping: Mapping, *, tract: int | None = None) -> pa.Table:
    """Ids and positions of a survey's object table, in the form of :func:`join_objects`.

    Parameters
    ----------
    table : pa.Table
    mapping : Mapping
        Names the columns.
    tract : int, optional
        Of all rows, where the table has no column for it.

    Returns
    -------
    pa.Table
        ``objectId, ra, dec`` and, where it is known, ``tract``.

    Raises
    ------
    ColumnError
        The mapping has no positions, or the table lacks a column.
    SchemaError
        A column is not what the mapping says.
    """
    if mapping.ra is None or mapping.dec is None:
        raise ColumnError(f"mapping {mapping.name!r} names no position; a join with the objects needs ra and dec")
    require_columns([mapping.object_id, mapping.ra, mapping.dec], table.column_names, "the object table")
    columns: dict[str, Any] = {
        "objectId": int_column(table.column(mapping.object_id), mapping.object_id),
        "ra": np.mod(float_column(table.column(mapping.ra)), 360.0),
        "dec": float_column(table.column(mapping.dec)),
    }
    if mapping.tract is not None and mapping.tract in table.column_names:
        columns["tract"] = table.column(mapping.tract).cast(pa.int32())
    elif tract is not None:
        columns["tract"] = np.full(table.num_rows, tract, dtype=np.int32)
    return pa.table(columns)


def join_objects(objects: pa.Table, pz: pa.Table, *, model_id: int = 0) -> tuple[pa.Table, JoinCounts]:
    """Give each object its estimate, or the flag ``no_estimate``.

    Parameters
    ----------
    objects : pa.Table
        ``objectId, ra, dec`` and, optionally, ``tract``: every object of the partition.
    pz : pa.Table
        Core table of some or all of these objects, in any order.
    model_id : int
        Row of ``pz_model`` that made the estimates.

    Returns
    -------
    joined : pa.Table
        Definition ``pz``: exactly one row per object, in order along the sky.
    counts : JoinCounts

    Raises
    ------
    DuplicateIdError
        An object is twice in a table.
    SchemaError
        ``pz`` has rows of objects that are not there, or other positions for them; an object has no position.
    ColumnError
        A column is missing.
    """
    require_columns(["objectId", "ra", "dec"], objects.column_names, "the object table")
    ids = int_column(objects.column("objectId"), "objectId")
    pz_ids = int_column(pz.column("objectId"), "objectId")
    object_of_row = _object_of_row(ids, pz_ids)
    position = {name: float_column(objects.column(name)) for name in ("ra", "dec")}
    _require_positions(ids, position)
    _require_same_positions(pz, position, object_of_row)
    joined = _with_positions(pz, objects, object_of_row)
    n_added = ids.size - pz_ids.size
    if n_added:
        is_joined = np.zeros(ids.size, dtype=bool)
        is_joined[object_of_row] = True
        added = _without_estimate(objects, np.flatnonzero(~is_joined), joined.schema)
        joined = pa.concat_tables([joined, added]).combine_chunks()
    numbers = pa.array(np.full(ids.size, model_id, dtype=np.int16))
    joined = joined.set_column(joined.schema.get_field_index("model_id"), joined.schema.field("model_id"), numbers)
    order = sky_order({name: joined.column(name).to_numpy() for name in ("_healpix_29", "objectId")})
    if order is not None and not np.array_equal(order, np.arange(order.size)):
        joined = joined.take(pa.array(order)).combine_chunks()
    check_table(joined, "pz")
    flags = joined.column("flags").to_numpy()
    n_estimate = int(np.count_nonzero(flags & np.uint32(PZFlag.no_estimate) == 0))
    return joined, JoinCounts(ids.size, pz_ids.size, n_added, n_estimate)


def _object_of_row(ids: NDArray[np.int64], pz_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row of the object table of each row of ``pz``, (n_pz,)."""
    order, pz_order = np.argsort(ids), np.argsort(pz_ids)
    sorted_ids, sorted_pz_ids = ids[order], pz_ids[pz_order]
    _refuse_duplicates(sorted_ids, "the object table")
    _refuse_duplicates(sorted_pz_ids, "the estimates")
    if np.array_equal(sorted_ids, sorted_pz_ids):
        place = np.arange(ids.size)
    else:
        place = np.searchsorted(sorted_ids, sorted_pz_ids)
        known = place < ids.size
        known[known] = sorted_ids[place[known]] == sorted_pz_ids[known]
        if not known.all():
            foreign = sorted_pz_ids[~known]
            raise SchemaError(
                f"{foreign.size} estimates are of objects that the object table lacks: {_some(foreign)}; "
                "were they made from another release?"
            )
    object_of_row = np.empty(pz_ids.size, dtype=np.int64)
    object_of_row[pz_order] = order[place]
    return object_of_row


def _require_positions(ids: NDArray[np.int64], position: dict[str, NDArray[np.float64]]) -> None:
    lost = ~(np.isfinite(position["ra"]) & (np.abs(position["dec"]) <= 90.0))
    if lost.any():
        raise SchemaError(
            f"{int(lost.sum())} objects have no position: {_some(ids[lost])}; they have no place in a catalogue"
        )


def _require_same_positions(
    pz: pa.Table, position: dict[str, NDArray[np.float64]], object_of_row: NDArray[np.int64]
) -> None:
    for name, period in (("ra", 360.0), ("dec", np.inf)):
        if name not in pz.column_names:
            continue
        offset = np.abs(pz.column(name).to_numpy() - position[name][object_of_row])
        moved = ~(np.minimum(offset, period - offset) <= MAX_OFFSET_DEG)
        if moved.any():
            ids = pz.column("objectId").to_numpy()
            raise SchemaError(
                f"{int(moved.sum())} objects have another {name} in the object table than in the estimates: "
                f"{_some(ids[moved])}; were they made from another release?"
            )


def _with_positions(pz: pa.Table, objects: pa.Table, object_of_row: NDArray[np.int64]) -> pa.Table:
    """Table ``pz`` with the position columns that it lacks, and with nothing in its schema but the definition's."""
    columns = {name: pz.column(name) for name in pz.column_names}
    wanted = [
        name for name in _POSITION if name not in columns and (name != "tract" or "tract" in objects.column_names)
    ]
    if wanted:
        columns |= _positions(objects.take(pa.array(object_of_row)), wanted)
    schema = arrow_schema("pz", columns=columns)
    return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema).combine_chunks()


def _positions(rows: pa.Table, wanted: list[str]) -> dict[str, Any]:
    ra, dec = float_column(rows.column("ra")), float_column(rows.column("dec"))
    found: dict[str, Any] = {"ra": pa.array(ra), "dec": pa.array(dec)}
    if "_healpix_29" in wanted:
        found["_healpix_29"] = pa.array(healpix29(ra, dec) if ra.size else np.empty(0, dtype=np.int64))
    if "tract" in wanted and "tract" in rows.column_names:
        found["tract"] = rows.column("tract").cast(pa.int32())
    return {name: found[name] for name in wanted if name in found}


def _without_estimate(objects: pa.Table, which: NDArray[np.int64], schema: pa.Schema) -> pa.Table:
    """Rows of objects that were not estimated."""
    rows = objects.take(pa.array(which))
    columns = {"objectId": rows.column("objectId"), **_positions(rows, list(_POSITION))}
    arrays = []
    for field in schema:
        if field.name in columns:
            arrays.append(columns[field.name].cast(field.type))
        elif field.name in _FILLERS or field.name == "model_id":
            arrays.append(pa.array(np.full(which.size, _FILLERS.get(field.name, 0)), type=field.type))
        elif pa.types.is_floating(field.type):
            arrays.append(pa.array(np.full(which.size, np.nan), type=field.type))
        else:
            arrays.append(pa.nulls(which.size, field.type))
    return pa.Table.from_arrays(
        [array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array for array in arrays], schema=schema
    )


def _refuse_duplicates(sorted_ids: NDArray[np.int64], where: str) -> None:
    twice = np.unique(sorted_ids[1:][sorted_ids[1:] == sorted_ids[:-1]])
    if twice.size:
        raise DuplicateIdError(f"{twice.size} object ids are more than once in {where}: {_some(twice)}")


def _some(ids: NDArray[np.int64]) -> str:
    return f"{', '.join(map(str, ids[:N_NAMED].tolist()))}{', ...' if ids.size > N_NAMED else ''}"
