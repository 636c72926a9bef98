"""Checks of the tables of a package: definitions, HATS metadata, rows, pixels, flags."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.catalogs.hats_layout import HEALPIX_COLUMN, HEALPIX_ORDER, pixel_of_path
from pzcenter.catalogs.manifest import Manifest
from pzcenter.catalogs.readers.hats import PROPERTY_FILES, read_properties
from pzcenter.errors import PZCenterError
from pzcenter.pipelines.delivery.summary import count_bits
from pzcenter.schema import check_table
from pzcenter.schema.felis import Table, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pzcenter.catalogs.manifest import FileRecord

__all__ = ["CatalogSums", "check_catalog", "check_companion", "check_same_rows", "read_definitions"]

ROWS_AT_ONCE = 200_000
UNREADABLE = (PZCenterError, OSError, pa.ArrowException, ValueError, KeyError)


@dataclass
class CatalogSums:
    """What was found in one catalogue.

    Parameters
    ----------
    faults : list of (str, str)
        Where, and in which words.
    n_rows, n_estimate : int
    bits : dict of int to int
        Rows with each flag bit that is set anywhere.
    models : dict of int to int
        Rows of each ``model_id``.
    """

    faults: list[tuple[str, str]] = field(default_factory=list)
    n_rows: int = 0
    n_estimate: int = 0
    bits: dict[int, int] = field(default_factory=dict)
    models: dict[int, int] = field(default_factory=dict)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch."""
        self.n_rows += batch.num_rows
        if "z_best" in batch.schema.names:
            z_best = batch.column("z_best").to_numpy(zero_copy_only=False)
            self.n_estimate += int(np.count_nonzero(np.isfinite(z_best)))
        if "flags" in batch.schema.names:
            found = count_bits(batch.column("flags").to_numpy(zero_copy_only=False).astype(np.uint32))
            for bit in np.flatnonzero(found).tolist():
                self.bits[bit] = self.bits.get(bit, 0) + int(found[bit])
        if "model_id" in batch.schema.names:
            models = batch.column("model_id").to_numpy(zero_copy_only=False)
            for model, number in zip(*np.unique(models, return_counts=True), strict=True):
                self.models[int(model)] = self.models.get(int(model), 0) + int(number)


def read_definitions(folder: Path) -> dict[str, Table]:
    """Definitions of the tables of a package.

    Raises
    ------
    SchemaError
        A file breaks the rules of the language.
    """
    tables = (read_table(path.read_text(encoding="utf-8"), source=path.name) for path in sorted(folder.glob("*.yaml")))
    return {table.name: table for table in tables}


def check_companion(path: Path, definition: Table | None, where: str) -> Iterator[tuple[str, str]]:
    """Whether a small table is what its definition says."""
    if definition is None:
        yield where, "has no definition in the package"
        return
    table = pq.read_table(path, partitioning=None)
    check_table(table, definition)
    for name in definition.primary_key:
        if len(table[name].unique()) != table.num_rows and len(definition.primary_key) == 1:
            yield where, f"its key {name} is not unique"
    if not table.num_rows:
        yield where, "has no rows"


def check_catalog(root: Path, definition: Table | None, *, where: str, margin: bool = False) -> CatalogSums:
    """Read every row of a HATS catalogue once, and compare with its manifest, metadata and definition.

    Parameters
    ----------
    root : Path
    definition : Table or None
    where : str
        Path in the package, for messages.
    margin : bool
        Rows lie around their pixels and not in them.

    Returns
    -------
    CatalogSums
    """
    sums = CatalogSums()
    if definition is None:
        sums.faults.append((where, "has no definition in the package"))
    manifest = Manifest.read(root)
    data = [record for record in manifest.files if record.n_rows is not None]
    common = _common_schema(root, sums, where)
    for record in data:
        try:
            _check_file(root, record, definition, common, sums, where=where, margin=margin)
        except UNREADABLE as error:
            sums.faults.append((f"{where}/{record.path}", f"cannot be read: {error}"))
    sums.faults += [(where, words) for words in _metadata_faults(root, data, sums.n_rows)]
    return sums


def _common_schema(root: Path, sums: CatalogSums, where: str) -> pa.Schema | None:
    try:
        return pq.read_schema(root / "dataset" / "_common_metadata")
    except UNREADABLE as error:
        sums.faults.append((f"{where}/dataset/_common_metadata", f"cannot be read: {error}"))
        return None


def _check_file(
    root: Path,
    record: FileRecord,
    definition: Table | None,
    common: pa.Schema | None,
    sums: CatalogSums,
    *,
    where: str,
    margin: bool,
) -> None:
    here = f"{where}/{record.path}"
    pixel = pixel_of_path(record.path)
    n_rows, low, high, before = 0, None, None, -1
    with pq.ParquetFile(root / record.path) as file:
        if common is not None and not file.schema_arrow.equals(common):
            sums.faults.append((here, "has other columns than the catalogue"))
        for batch in file.iter_batches(ROWS_AT_ONCE):
            n_rows += batch.num_rows
            sums.add(batch)
            if definition is not None:
                _check_batch(batch, definition, sums, here)
            ids = batch.column("objectId").to_numpy()
            low = int(ids.min()) if low is None else min(low, int(ids.min()))
            high = int(ids.max()) if high is None else max(high, int(ids.max()))
            cells = batch.column(HEALPIX_COLUMN).to_numpy(zero_copy_only=False)
            if cells.size and (int(cells[0]) < before or (np.diff(cells) < 0).any()):
                sums.faults.append((here, "is not sorted along the sky"))
            before = int(cells[-1]) if cells.size else before
            if pixel is not None:
                inside = cells >> 2 * (HEALPIX_ORDER - pixel[0]) == pixel[1]
                wrong = int(np.count_nonzero(inside if margin else ~inside))
                if wrong:
                    sums.faults.append((here, f"{wrong} rows do not belong {'around' if margin else 'in'} its pixel"))
    if n_rows != record.n_rows:
        sums.faults.append((here, f"has {n_rows} rows, not {record.n_rows}"))
    if (low, high) != (record.id_min, record.id_max):
        sums.faults.append((here, f"has ids from {low} to {high}, not {record.id_min} to {record.id_max}"))


def _check_batch(batch: pa.RecordBatch, definition: Table, sums: CatalogSums, here: str) -> None:
    try:
        check_table(batch, definition)
    except PZCenterError as error:
        sums.faults.append((here, str(error)))


def _metadata_faults(root: Path, data: list[FileRecord], n_rows: int) -> Iterator[str]:
    """Whether properties, list of pixels and ``_metadata`` tell of these files."""
    try:
        properties = read_properties(next(path for name in PROPERTY_FILES if (path := root / name).is_file()))
    except StopIteration:
        yield "has no HATS properties"
        return
    if properties.get("hats_nrows") != str(n_rows):
        yield f"its properties say {properties.get('hats_nrows')} rows, and there are {n_rows}"
    if (properties.get("hats_col_ra"), properties.get("hats_col_dec")) != ("ra", "dec"):
        yield "its properties name other position columns than ra and dec"
    listed = (root / "partition_info.csv").read_text(encoding="utf-8").splitlines()[1:]
    pixels = {tuple(int(part) for part in line.split(",")[:2]) for line in listed}
    found = {pixel_of_path(record.path) for record in data}
    if pixels != found:
        yield f"partition_info.csv lists {len(pixels)} pixels, and there are files of {len(found)}"
    if (footer := root / "dataset" / "_metadata").is_file():
        merged = pq.read_metadata(footer)
        groups = {merged.row_group(group).column(0).file_path for group in range(merged.num_row_groups)}
        if merged.num_rows != n_rows:
            yield f"_metadata has {merged.num_rows} rows, and the files {n_rows}"
        if groups != {record.path.removeprefix("dataset/") for record in data}:
            yield "_metadata names other files than there are"


def check_same_rows(pz: Path, pz_pdf: Path) -> Iterable[tuple[str, str]]:
    """Whether the core table and the densities have the same files with the same ids in the same order."""
    one, two = (
        {record.path: record for record in Manifest.read(root).files if record.n_rows is not None}
        for root in (pz, pz_pdf)
    )
    for path in sorted(set(one) ^ set(two)):
        yield f"catalog/{'pz' if path in one else 'pz_pdf'}/{path}", "is a file of this catalogue alone"
    for path in sorted(set(one) & set(two)):
        try:
            if not _same_ids(pz / path, pz_pdf / path):
                yield f"catalog/pz_pdf/{path}", "has other objects, or in another order, in pz than in pz_pdf"
        except UNREADABLE as error:
            yield f"catalog/pz_pdf/{path}", f"cannot be read: {error}"


def _same_ids(one: Path, two: Path) -> bool:
    def batches(path: Path) -> Iterator[Any]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=["objectId"]):
                yield batch.column(0)

    pairs = zip_longest(batches(one), batches(two))
    return all(left is not None and right is not None and left.equals(right) for left, right in pairs)
