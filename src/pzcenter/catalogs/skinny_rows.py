"""What every way of making a skinny table shares: the choice of the conversion, the schema, the order of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import require_columns
from pzcenter.catalogs.conversion import NO_TRACT, Converter, parse_cut
from pzcenter.catalogs.flux_levels import flux_level, require_plausible_fluxes
from pzcenter.catalogs.photometry import DEREDDENED_KEY
from pzcenter.catalogs.runs import PIXEL, sky_order
from pzcenter.schema import PZFlag, arrow_schema, detect_mapping, load_mapping
from pzcenter.schema.mapping import Cut, Mapping

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingType
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["check_flux_levels", "converter_for", "count_flags", "skinny_schema", "skinny_table"]

MAPPING_KEY = "pz.mapping"


def converter_for(
    names: Sequence[str],
    where: str,
    mapping: Mapping | str | None = None,
    *,
    bands: Sequence[str] | None = None,
    cuts: Sequence[Cut | str] | None = None,
) -> tuple[Converter, list[str]]:
    """Narrow a mapping to the columns of a table.

    Parameters
    ----------
    names : sequence of str
        Columns of the table.
    where : str
        Name of the table, for messages.
    mapping : Mapping, str, optional
        Found from the columns when not given.
    bands : sequence of str, optional
        Bands that must be there.
    cuts : sequence of Cut or str, optional
        In place of the mapping's.

    Returns
    -------
    converter : Converter
    notes : list of str
        What the table lacks.

    Raises
    ------
    ColumnError, BandError, NotFoundError, ConfigError
        The mapping does not fit, or is not known; a cut cannot be read.
    """
    if mapping is None:
        # The whole mapping, so that the notes can say what the table lacks.
        mapping = load_mapping(detect_mapping(names).name)
    elif not isinstance(mapping, Mapping):
        mapping = load_mapping(mapping)
    if bands is not None:
        mapping = mapping.with_bands(tuple(bands))
        require_columns([c for b in bands for c in (mapping.value_column(b), mapping.error_column(b))], names, where)
    # Whether the id column is there is checked later: row numbers may stand in for it.
    narrowed = mapping.present_in([*names, mapping.object_id])
    notes = []
    if absent := [band for band in mapping.bands if band not in narrowed.bands]:
        notes.append(f"the catalogue has no columns for the bands {', '.join(absent)}")
    if skipped := [str(c) for c in (*mapping.flags, *mapping.cuts) if c not in (*narrowed.flags, *narrowed.cuts)]:
        notes.append(f"passed over, because their columns are not there: {', '.join(skipped)}")
    if narrowed.ra is None:
        notes.append("no positions: the partitions follow the order of the input")
    chosen = narrowed.cuts if cuts is None else tuple(parse_cut(c) if isinstance(c, str) else c for c in cuts)
    return Converter(narrowed, chosen), notes


def skinny_schema(converter: Converter, columns: Sequence[str]) -> pa.Schema:
    """Schema of a skinny table; its metadata say the mapping, and whether extinction was taken out.

    Parameters
    ----------
    converter : Converter
    columns : sequence of str
        That the table has, in any order.
    """
    schema = arrow_schema("skinny", columns=tuple(columns))
    stated = {DEREDDENED_KEY: str(converter.is_dereddened).lower(), MAPPING_KEY: converter.mapping.name}
    return schema.with_metadata({**(schema.metadata or {}), **stated})


def skinny_table(columns: MappingType[str, NDArray[Any]], schema: pa.Schema, *, in_order: bool = False) -> pa.Table:
    """Table of skinny columns, along the sky where there are positions.

    Parameters
    ----------
    columns : mapping of str to ndarray, (n_obj,)
    schema : pa.Schema
        From :func:`skinny_schema`.
    in_order : bool
        The rows are in order already.
    """
    order = sky_order(dict(columns)) if PIXEL in columns and not in_order else None
    arrays = []
    for name in schema.names:
        values = columns[name] if order is None else columns[name][order]
        arrays.append(pa.array(values, mask=values == NO_TRACT if name == "tract" else None))
    return pa.Table.from_arrays(arrays, schema=schema)


def count_flags(flags: NDArray[np.uint32]) -> dict[str, int]:
    """Rows with each flag bit that occurs, by name."""
    values, n_obj = np.unique(flags, return_counts=True)
    counts = {str(flag.name): int(n_obj[(values & flag.value) != 0].sum()) for flag in PZFlag}
    return {name: n for name, n in counts.items() if n}


def check_flux_levels(columns: MappingType[str, NDArray[Any]], mapping: Mapping, where: str) -> None:
    """Refuse skinny rows whose magnitudes show that the unit of their fluxes is not the declared one.

    Parameters
    ----------
    columns : mapping of str to ndarray, (n_obj,)
        ``flux_{band}`` and ``flux_err_{band}``, nJy.
    mapping : Mapping
    where : str
        Name of the table, for the message.

    Raises
    ------
    UnitError
        See :func:`pzcenter.catalogs.flux_levels.require_plausible_fluxes`.
    """
    levels = {band: flux_level(columns[f"flux_{band}"], columns[f"flux_err_{band}"]) for band in mapping.bands}
    require_plausible_fluxes(levels, mapping, where)
