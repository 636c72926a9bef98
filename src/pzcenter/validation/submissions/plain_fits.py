"""FITS: a binary table with array columns, or an image with a row for each object beside a table of ids."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs import open_catalog
from pzcenter.errors import FileFormatError, ShapeError

from .columns import TableColumns
from .grids import GRID_NAMES
from .object_ids import ID_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FitsImageColumns", "fits_columns"]

_MAX_GRID = 100_000
_KEYWORDS = ("Z_MIN", "Z_MAX", "N_Z", "ZMIN", "ZMAX", "NZ", "METHOD", "DESCRIPT")


def fits_columns(path: Path) -> TableColumns | FitsImageColumns:
    """Columns of a FITS file.

    Parameters
    ----------
    path : Path
        With a binary table of the objects; densities are an array column of it, or an image of (n_obj, n_z), which is
        NAXIS1 = n_z. The grid is a column ``z_grid`` of another table, an image of one dimension named ``Z_GRID``, the
        keywords Z_MIN, Z_MAX, N_Z, or the linear coordinate of the image's first axis (CRVAL1, CDELT1, CRPIX1).

    Returns
    -------
    TableColumns or FitsImageColumns

    Raises
    ------
    FileFormatError
        Damaged, cut short, without a table of objects.
    ShapeError
        The image does not fit the table.
    """
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of truncation: what is missing is an error where it is read
            with fits.open(path, memmap=False, lazy_load_hdus=False) as hdus:
                main, image = _main(hdus, path)
                metadata = _metadata(hdus, main, image)
    except (OSError, TypeError, KeyError, IndexError) as error:
        raise FileFormatError(f"{path} cannot be read as FITS; it is damaged or cut short: {error}") from error
    table = TableColumns(open_catalog(path, "fits", group=str(main)), metadata=metadata)
    return table if image is None else FitsImageColumns(table, image)


def _main(hdus: Any, path: Path) -> tuple[int, int | None]:
    """Indices of the table of objects (with ids, or else with most rows), and of the largest 2-D image."""
    from astropy.io.fits import BinTableHDU

    tables = [index for index, hdu in enumerate(hdus) if isinstance(hdu, BinTableHDU) and not hdu.header.get("ZIMAGE")]
    images = [index for index, hdu in enumerate(hdus) if hdu.is_image and hdu.header.get("NAXIS") == 2]
    if not tables:
        raise FileFormatError(f"{path} has no binary table; the ids of the objects must stand in one")
    has_ids = {index: any(name in ID_NAMES for name in hdus[index].columns.names) for index in tables}
    main = max(tables, key=lambda index: (has_ids[index], hdus[index].header["NAXIS2"]))
    return main, max(images, key=lambda index: hdus[index].size, default=None)


def _metadata(hdus: Any, main: int, image: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, hdu in enumerate(hdus):
        found |= {key.lower(): hdu.header[key] for key in _KEYWORDS if key in hdu.header}
        if index in (main, image):
            continue
        if hdu.is_image and hdu.header.get("NAXIS") == 1 and hdu.header["NAXIS1"] <= _MAX_GRID:
            found[hdu.name.lower()] = np.asarray(hdu.data, dtype=np.float64)
        elif not hdu.is_image and hdu.header["NAXIS2"] <= _MAX_GRID:
            names = [name for name in hdu.columns.names if name.casefold() in GRID_NAMES or "level" in name.casefold()]
            found |= {name.lower(): np.asarray(hdu.data[name], dtype=np.float64).ravel() for name in names}
    if image is not None and not any(name in found for name in (*GRID_NAMES, "z_min")):
        header = hdus[image].header
        if "CDELT1" in header and "CRVAL1" in header:
            pixel = np.arange(header["NAXIS1"]) + 1.0 - header.get("CRPIX1", 1.0)
            found["z_grid"] = header["CRVAL1"] + pixel * header["CDELT1"]
    return found


class FitsImageColumns:
    """Columns of a table, with an image of (n_obj, n_z) as the column ``pdf``."""

    def __init__(self, table: TableColumns, image: int) -> None:
        from astropy.io import fits

        self.table, self._image = table, image
        self.path, self.metadata, self.n_rows = table.path, table.metadata, table.n_rows
        header = fits.getheader(self.path, image)
        n_z, n_obj = int(header["NAXIS1"]), int(header["NAXIS2"])
        if n_obj != self.n_rows:
            transposed = " is transposed:" if n_z == self.n_rows else ""
            raise ShapeError(
                f"{self.path}: image {image}{transposed} has {n_obj} rows of {n_z} values for {self.n_rows} objects"
            )
        self.widths: dict[str, int | None] = {**table.widths, "pdf": n_z}

    def batches(self, names: Sequence[str], size: int) -> Iterator[dict[str, NDArray[Any]]]:
        """See :class:`.columns.Columns`."""
        others = [name for name in names if name != "pdf"]
        if "pdf" not in names:
            yield from self.table.batches(others, size)
            return
        rows: Iterator[dict[str, NDArray[Any]]]
        rows = self.table.batches(others, size) if others else iter(())
        for low in range(0, self.n_rows, size):
            yield {**next(rows, {}), "pdf": self._read(low, min(low + size, self.n_rows))}

    def _read(self, low: int, high: int) -> NDArray[Any]:
        from astropy.io import fits

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with fits.open(self.path, memmap=True) as hdus:
                    values = np.asarray(hdus[self._image].section[low:high])
        except (OSError, ValueError, TypeError) as error:
            raise FileFormatError(f"{self.path}: rows {low} to {high} of the image cannot be read: {error}") from error
        if values.shape[0] != high - low:
            raise FileFormatError(f"{self.path} is cut short: the image ends before row {high}")
        return values.astype(values.dtype.newbyteorder("="))
