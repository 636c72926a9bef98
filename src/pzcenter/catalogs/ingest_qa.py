"""What a partition looks like as it was delivered: counts, ranges, levels of the fluxes.

Every row counts, and nothing is corrected: cuts, dereddening and the order along the sky come with the skinny table.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import int_column, require_columns
from pzcenter.catalogs.conversion import POSITION_CUT
from pzcenter.catalogs.flux_levels import FluxLevel, flux_level, require_plausible_fluxes
from pzcenter.catalogs.readers import BATCH_SIZE
from pzcenter.catalogs.skinny_rows import converter_for
from pzcenter.catalogs.tiling import MAX_TILE_ORDER
from pzcenter.catalogs.unique_ids import repeated_ids, require_no_repeated
from pzcenter.errors import EmptyTableError
from pzcenter.science.sky import healpix_at_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.catalogs.conversion import Converter
    from pzcenter.schema import Mapping

__all__ = ["IngestQa", "ingest_qa"]

_SCHEMA = pa.schema(
    [
        ("band", pa.string()), ("n_obj", pa.int64()), ("n_measured", pa.int64()), ("n_detected", pa.int64()),
        ("share_missing", pa.float64()), ("median_mag", pa.float64()), ("depth", pa.float64()),
        ("n_no_position", pa.int64()), ("n_repeated", pa.int64()), ("id_column", pa.string()),
        ("id_min", pa.int64()), ("id_max", pa.int64()), ("ra_min", pa.float64()), ("ra_max", pa.float64()),
        ("dec_min", pa.float64()), ("dec_max", pa.float64()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class IngestQa:
    """Looks of a partition.

    Parameters
    ----------
    bands : pa.Table
        One row for each band: ``band``, ``n_measured`` (finite flux, positive error), ``n_detected`` (above 5 sigma),
        ``share_missing`` (of the objects), ``median_mag`` (of the detected, AB) and ``depth`` (5 sigma, AB), null
        where there are none; and, the same in each row, ``n_obj``, ``n_no_position``, ``n_repeated`` (ids),
        ``id_column`` (name in the object table), ``id_min``, ``id_max``, ``ra_min``, ``ra_max``, ``dec_min``,
        ``dec_max`` (degrees).
    sky : pa.Table
        One row for each HEALPix pixel that has objects: ``pixel`` (NESTED), ``n_obj``, and for each band ``n_{b}``
        (measured) and ``err_{b}`` (sum of their flux errors, nJy).
    mapping : Mapping
        Narrowed to the columns of the table.
    levels : dict of str to FluxLevel
    repeated : ndarray of int64
        Ids that are there more than once.
    notes : tuple of str
        What the table lacks.
    """

    bands: pa.Table
    sky: pa.Table
    mapping: Mapping
    levels: dict[str, FluxLevel]
    repeated: NDArray[np.int64]
    notes: tuple[str, ...]

    def require_usable(self, where: str, *, magnitudes: bool = True) -> None:
        """Refuse what must not go on.

        Parameters
        ----------
        where : str
            Name of the table, for the message.
        magnitudes : bool
            Whether magnitudes that cannot be are refused.

        Raises
        ------
        DuplicateIdError
            An object is there twice.
        UnitError
            See :func:`pzcenter.catalogs.flux_levels.require_plausible_fluxes`.
        """
        require_no_repeated(self.repeated, where)
        if magnitudes:
            require_plausible_fluxes(self.levels, self.mapping, where)


def ingest_qa(
    table: pa.Table,
    mapping: Mapping | str | None = None,
    *,
    order: int = MAX_TILE_ORDER,
    where: str = "the table",
) -> IngestQa:
    """Look at an object table.

    Parameters
    ----------
    table : pa.Table
        With the columns of :func:`pzcenter.catalogs.skinny_partition.columns_needed`, without cuts.
    mapping : Mapping, str, optional
        Found from the columns when not given.
    order : int
        HEALPix order of the counts on the sky.
    where : str
        Name of the table, for messages.

    Returns
    -------
    IngestQa

    Raises
    ------
    ColumnError, SchemaError
        The columns are not what the mapping says.
    UnitError
        Fluxes are magnitudes, or magnitudes are fluxes.
    EmptyTableError
        No row is there.
    """
    converter, notes = converter_for(table.column_names, where, mapping, cuts=())
    converter = replace(converter, deredden=False)
    require_columns(converter.columns, table.column_names, where)
    if table.num_rows == 0:
        raise EmptyTableError(f"{where} has no rows")
    columns, n_no_position = _converted(table, converter)
    ids = int_column(table.column(converter.mapping.object_id), converter.mapping.object_id)
    repeated = repeated_ids(ids)
    bands = converter.mapping.bands
    levels = {band: flux_level(columns[f"flux_{band}"], columns[f"flux_err_{band}"]) for band in bands}
    common = {
        "n_obj": table.num_rows,
        "n_no_position": n_no_position,
        "n_repeated": repeated.size,
        "id_column": converter.mapping.object_id,
        **_range("id", ids),
        **_range("ra", columns.get("ra")),
        **_range("dec", columns.get("dec")),
    }
    rows = [
        {
            "band": band,
            **common,
            **{name: None if np.isnan(value) else value for name, value in asdict(level).items()},
            "share_missing": 1.0 - level.n_measured / table.num_rows,
        }
        for band, level in levels.items()
    ]
    return IngestQa(
        bands=pa.Table.from_pylist(rows, schema=_SCHEMA),
        sky=_sky_counts(columns, bands, order) if converter.has_position else _no_sky(bands),
        mapping=converter.mapping,
        levels=levels,
        repeated=repeated,
        notes=tuple(notes),
    )


def _converted(table: pa.Table, converter: Converter) -> tuple[dict[str, NDArray[Any]], int]:
    """Positions and fluxes, nJy, of the rows that have a position, and the number of the others."""
    parts: list[dict[str, NDArray[Any]]] = []
    first = n_no_position = 0
    for batch in table.select(list(converter.columns)).combine_chunks().to_batches(max_chunksize=BATCH_SIZE):
        if first == 0:
            converter.check_units(batch)
        part, n_cut = converter.convert(batch, first)
        parts.append(part)
        n_no_position += n_cut.get(POSITION_CUT, 0)
        first += batch.num_rows
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, n_no_position


def _range(name: str, values: NDArray[Any] | None) -> dict[str, float | int | None]:
    there = values is not None and values.size > 0
    return {
        f"{name}_min": values.min().item() if there and values is not None else None,
        f"{name}_max": values.max().item() if there and values is not None else None,
    }


def _sky_counts(columns: dict[str, NDArray[Any]], bands: tuple[str, ...], order: int) -> pa.Table:
    pixel = healpix_at_order(columns["_healpix_29"], order)
    cells, inverse, n_obj = np.unique(pixel, return_inverse=True, return_counts=True)
    found: dict[str, NDArray[np.generic]] = {"pixel": cells.astype(np.int64), "n_obj": n_obj.astype(np.int64)}
    for band in bands:
        error = columns[f"flux_err_{band}"].astype(np.float64)
        known = np.isfinite(error)
        found[f"n_{band}"] = np.bincount(inverse[known], minlength=cells.size).astype(np.int64)
        found[f"err_{band}"] = np.bincount(inverse[known], weights=error[known], minlength=cells.size)
    return pa.table(found)


def _no_sky(bands: tuple[str, ...]) -> pa.Table:
    kinds = [("pixel", pa.int64()), ("n_obj", pa.int64())]
    kinds += [each for band in bands for each in ((f"n_{band}", pa.int64()), (f"err_{band}", pa.float64()))]
    return pa.schema(kinds).empty_table()
