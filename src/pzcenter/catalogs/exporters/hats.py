"""Any table with positions to a HATS catalogue."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.catalogs.columns import float_column
from pzcenter.catalogs.hats_layout import HEALPIX_COLUMN, data_path
from pzcenter.catalogs.readers import BATCH_SIZE
from pzcenter.catalogs.storage import storage_errors
from pzcenter.catalogs.tiling import SkyCounts, choose_pixels
from pzcenter.catalogs.writers import finish_dataset, write_partition
from pzcenter.errors import ColumnError, SchemaError
from pzcenter.science.sky import healpix29, pixel_range_29

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.catalogs.readers import Catalog

__all__ = ["export_hats", "find_positions"]

KNOWN_POSITIONS = (
    ("ra", "dec"),
    ("coord_ra", "coord_dec"),
    ("RA", "DEC"),
    ("RAJ2000", "DEJ2000"),
    ("raj2000", "dej2000"),
)


def find_positions(catalog: Catalog) -> tuple[str, str]:
    """Right ascension and declination columns of a table.

    Parameters
    ----------
    catalog : Catalog

    Returns
    -------
    (str, str)

    Raises
    ------
    ColumnError
        No usual names of positions are among the columns.
    """
    names = set(catalog.column_names)
    for pair in ((catalog.position_columns,) if catalog.position_columns else ()) + KNOWN_POSITIONS:
        if set(pair) <= names:
            return pair
    accepted = ", ".join(f"{ra}/{dec}" for ra, dec in KNOWN_POSITIONS)
    raise ColumnError(f"{catalog.path} has no positions, which HATS needs; looked for {accepted}")


def export_hats(catalog: Catalog, path: Path, columns: Sequence[str]) -> int:
    """Write a HATS catalogue of at most 150,000 rows a partition, in memory of a few partitions.

    Parameters
    ----------
    catalog : Catalog
    path : Path
        Directory that does not exist yet.
    columns : sequence of str
        The position columns are always written.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    ColumnError
        The table has no positions.
    SchemaError
        A row has no finite position.
    """
    ra, dec = find_positions(catalog)
    wanted = [*columns, *(name for name in (ra, dec) if name not in columns)]
    wanted = [name for name in wanted if name != HEALPIX_COLUMN]
    fields = [catalog.schema.field(name) for name in wanted]
    schema = pa.schema(
        [*fields, pa.field(HEALPIX_COLUMN, pa.int64(), nullable=False)], metadata=catalog.schema.metadata
    )
    sky = SkyCounts()
    for batch in catalog.batches([ra, dec]):
        sky.add(_pixels(batch, ra, dec))
    pixels = choose_pixels(sky, BATCH_SIZE)
    starts = np.array([pixel_range_29(pixel, order)[0] for order, pixel, _ in pixels])
    work = path / ".tmp" / "spill"
    try:
        with storage_errors(path):
            work.mkdir(parents=True)
            for batch in catalog.batches(wanted):
                _spill(batch, _pixels(batch, ra, dec), starts, work, schema)
        records = []
        for index, (order, pixel, _) in enumerate(pixels):
            table = pa.Table.from_batches(list(_read_spilled(work / f"{index}", schema)), schema=schema)
            keys = [(HEALPIX_COLUMN, "ascending")]
            keys += [("objectId", "ascending")] if "objectId" in wanted else []
            table = table.take(pc.sort_indices(table, sort_keys=keys))
            records.append(write_partition(table, path, data_path(f"Norder={order}/Npix={pixel}")))
            (work / f"{index}").unlink()
        work.rmdir()
        name = (catalog.schema.metadata or {}).get(b"pz.table", path.name.encode()).decode()
        finish_dataset(path, records, table=name, schema=schema, position_columns=(ra, dec))
    except Exception:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return sum(record.n_rows or 0 for record in records)


def _pixels(batch: pa.RecordBatch, ra: str, dec: str) -> NDArray[np.int64]:
    lon, lat = float_column(batch.column(ra)), float_column(batch.column(dec))
    bad = ~(np.isfinite(lon) & (np.abs(lat) <= 90.0))
    if bad.any():
        raise SchemaError(
            f"{np.count_nonzero(bad)} rows have no position ({ra}, {dec}), which HATS needs; cut them first"
        )
    return healpix29(lon, lat)


def _spill(
    batch: pa.RecordBatch, hpx29: NDArray[np.int64], starts: NDArray[np.int64], work: Path, schema: pa.Schema
) -> None:
    """Append each row to the file of its partition."""
    order = np.argsort(hpx29, kind="stable")
    index = np.searchsorted(starts, hpx29[order], side="right") - 1
    arrays = [column.take(pa.array(order)) for column in batch.columns]
    ordered = pa.RecordBatch.from_arrays([*arrays, pa.array(hpx29[order])], schema=schema)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(index)) + 1, [index.size]])
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        with (work / f"{index[low]}").open("ab") as file:
            message = ordered.slice(low, high - low).serialize()
            file.write(message.size.to_bytes(8, "little"))
            file.write(memoryview(message))


def _read_spilled(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with path.open("rb") as file:
        while head := file.read(8):
            yield pa.ipc.read_record_batch(pa.py_buffer(file.read(int.from_bytes(head, "little"))), schema)
