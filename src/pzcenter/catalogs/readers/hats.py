"""HATS: Parquet files that each hold one HEALPix pixel, with their list in ``partition_info.csv``.

Reference: HATS v1.0, IVOA Note 2025-08-22. Read with our own code, so that the ``hats`` package stays optional.
"""

from __future__ import annotations

import csv
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pzcenter.catalogs.manifest import MANIFEST_NAME, Manifest
from pzcenter.catalogs.readers.catalog import Catalog, Partition
from pzcenter.catalogs.readers.parquet import ParquetDirectoryCatalog, batches_of_files, data_files, open_parquet
from pzcenter.errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

__all__ = ["HatsCatalog", "is_hats", "pixel_path", "read_properties"]

PROPERTY_FILES = ("hats.properties", "properties")
COLLECTION_FILE = "collection.properties"
PIXELS_PER_DIRECTORY = 10_000


def is_hats(directory: Path) -> bool:
    """Whether a directory is a HATS catalogue or a collection of them."""
    return any((directory / name).is_file() for name in (*PROPERTY_FILES, COLLECTION_FILE))


def read_properties(path: Path) -> dict[str, str]:
    """Read a ``.properties`` file: one ``key=value`` a line, ``#`` begins a comment.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to str
    """
    entries = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith(("#", "!")):
            entries[key.strip()] = value.strip().replace("\\:", ":").replace("\\=", "=")
    return entries


def pixel_path(order: int, pixel: int, suffix: str = ".parquet") -> str:
    """Path of a pixel's file below ``dataset/``.

    Parameters
    ----------
    order, pixel : int
        HEALPix order and NESTED pixel number.
    suffix : str
        ``.parquet``, or ``/`` for a directory of files.

    Returns
    -------
    str
    """
    directory = pixel // PIXELS_PER_DIRECTORY * PIXELS_PER_DIRECTORY
    return f"Norder={order}/Dir={directory}/Npix={pixel}{suffix}"


class HatsCatalog(Catalog):
    """A HATS catalogue, or the main table of a HATS collection."""

    format: ClassVar[str] = "hats"

    def _read_schema(self) -> pa.Schema:
        root = self.path
        if (root / COLLECTION_FILE).is_file():
            primary = read_properties(root / COLLECTION_FILE).get("hats_primary_table_url")
            if not primary or not is_hats(root / primary):
                raise FileFormatError(f"{root}: the collection's main table {primary!r} is not a HATS catalogue")
            root = root / primary
        self.root = root
        self.properties = read_properties(next(p for name in PROPERTY_FILES if (p := root / name).is_file()))
        self._suffix = self.properties.get("hats_npix_suffix", ".parquet")
        self._pixels = self._read_pixels(root / "partition_info.csv")
        if not self._pixels:
            raise FileFormatError(f"{root} is a HATS catalogue without partitions")
        common = root / "dataset" / "_common_metadata"
        with open_parquet(common if common.is_file() else self._files_of(*self._pixels[0])[0]) as file:
            return file.schema_arrow

    @staticmethod
    def _read_pixels(path: Path) -> list[tuple[int, int]]:
        if not path.is_file():
            raise FileFormatError(f"{path.parent} has HATS properties and no partition_info.csv: it is not complete")
        try:
            with path.open(encoding="utf-8", newline="") as file:
                pixels = [(int(row["Norder"]), int(row["Npix"])) for row in csv.DictReader(file)]
        except (KeyError, ValueError, TypeError) as error:
            raise FileFormatError(f"{path} must have the columns Norder and Npix with whole numbers: {error}") from None
        # Along the sky: by the first order-29 pixel that a partition holds.
        return sorted(pixels, key=lambda pixel: pixel[1] << 2 * (29 - pixel[0]))

    def _files_of(self, order: int, pixel: int) -> list[Path]:
        path = self.root / "dataset" / pixel_path(order, pixel, self._suffix)
        files = data_files(path) if self._suffix == "/" else [path] * path.is_file()
        if not files:
            raise FileFormatError(f"{self.root}: partition Norder={order}, Npix={pixel} is listed, {path} is not there")
        return files

    @cached_property
    def n_rows(self) -> int:
        """Number of rows, from the properties, or else from the footers."""
        declared = self.properties.get("hats_nrows", "")
        if declared.isdigit():
            return int(declared)
        total = 0
        for pixel in self._pixels:
            for path in self._files_of(*pixel):
                with open_parquet(path) as file:
                    total += int(file.metadata.num_rows)
        return total

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """One per HEALPix pixel, in the order of the sky; ``n_rows`` is known where there is a manifest."""
        rows = self._known_rows()
        directory = self._suffix == "/"
        kind = ParquetDirectoryCatalog.format if directory else "parquet"
        return tuple(
            Partition(
                name=f"Norder={order}/Npix={pixel}",
                path=self.root / "dataset" / pixel_path(order, pixel, "" if directory else self._suffix),
                format=kind,
                n_rows=rows.get(f"dataset/{pixel_path(order, pixel, self._suffix)}"),
                order=order,
                pixel=pixel,
            )
            for order, pixel in self._pixels
        )

    def _known_rows(self) -> dict[str, int]:
        """Rows of each file, or directory of files, by its path, as far as a manifest tells."""
        rows: dict[str, int] = {}
        if (self.root / MANIFEST_NAME).is_file():
            for record in Manifest.read(self.root).files:
                path = record.path.rpartition("/")[0] + "/" if self._suffix == "/" else record.path
                rows[path] = rows.get(path, 0) + (record.n_rows or 0)
        return rows

    @property
    def position_columns(self) -> tuple[str, str] | None:
        """As declared in the properties."""
        ra, dec = self.properties.get("hats_col_ra"), self.properties.get("hats_col_dec")
        return (ra, dec) if ra in self.schema.names and dec in self.schema.names and ra and dec else None

    def _batches(self, columns: list[str], batch_size: int, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
        files = [path for pixel in self._pixels for path in self._files_of(*pixel)]
        position = 0
        for batch in batches_of_files(files, self.schema, columns, batch_size):
            low = max(start - position, 0)
            high = batch.num_rows if stop is None else min(stop - position, batch.num_rows)
            position += batch.num_rows
            if high > low:
                yield batch.slice(low, high - low)
            if stop is not None and position >= stop:
                return
