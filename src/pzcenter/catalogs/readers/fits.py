"""FITS binary tables, read in pieces of rows with the header parsed by astropy.

Rows are read from the file rather than through a memory map, so that memory stays bounded by the piece, and only the
wanted columns of a piece are turned into machine byte order. Reference: FITS Standard 4.0, section 7.3.
"""

from __future__ import annotations

import gzip
import logging
import re
import warnings
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.readers.catalog import Catalog
from pzcenter.errors import FileFormatError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["FitsCatalog"]

log = logging.getLogger(__name__)

READ_BYTES = 1 << 26
CODES = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
"""Binary types of TFORM that become a column; bits, complex and variable-length arrays are left out."""
BYTES_PER_ITEM = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8, "A": 1, "C": 8, "M": 16, "P": 8, "Q": 16}
UNSIGNED = {("B", -128): "i1", ("I", 1 << 15): "u2", ("J", 1 << 31): "u4", ("K", 1 << 63): "u8"}
"""TZERO values that only change the sign convention, section 5.2.5."""


@dataclass(frozen=True)
class _Field:
    """Where one column lies in a row, and how its bytes become numbers."""

    name: str
    code: str
    repeat: int
    offset: int
    scale: float
    zero: float
    null: int | None
    unit: str | None

    @property
    def storage(self) -> np.dtype[Any]:
        if self.code == "A":
            return np.dtype(f"S{self.repeat}")
        return np.dtype((CODES[self.code], (self.repeat,))) if self.repeat > 1 else np.dtype(CODES[self.code])

    @property
    def shift(self) -> str | None:
        return UNSIGNED.get((self.code, int(self.zero))) if self.scale == 1 else None

    def arrow_type(self) -> pa.DataType:
        if self.code == "A":
            return pa.string()
        if self.code == "L":
            item = pa.bool_()
        elif (self.scale, self.zero) == (1, 0):
            item = pa.from_numpy_dtype(np.dtype(CODES[self.code]).newbyteorder("="))
        else:
            item = pa.from_numpy_dtype(np.dtype(self.shift)) if self.shift else pa.float64()
        return pa.list_(item, self.repeat) if self.repeat > 1 else item

    def array(self, raw: NDArray[Any]) -> pa.Array:
        if self.code == "A":
            text = np.char.rstrip(np.ascontiguousarray(raw), b" ")
            return pa.array(np.char.decode(text, "utf-8", "replace"), type=pa.string())
        flat = np.ascontiguousarray(raw).reshape(-1)
        missing = None
        values: NDArray[Any]
        if self.code == "L":
            values, missing = flat == b"T", (flat != b"T") & (flat != b"F")
        else:
            values = flat.astype(flat.dtype.newbyteorder("="))
            if self.null is not None and values.dtype.kind in "iu":
                missing = values == self.null
            if self.shift:
                # Adding the offset turns the highest bit over, whatever the width.
                sign = np.array(1 << (8 * values.dtype.itemsize - 1), dtype=f"u{values.dtype.itemsize}")
                values = (values.view(sign.dtype) ^ sign).view(self.shift)
            elif (self.scale, self.zero) != (1, 0):
                values = values * self.scale + self.zero
        if missing is not None and not missing.any():
            missing = None
        array = pa.array(values, mask=missing)
        return pa.FixedSizeListArray.from_arrays(array, self.repeat) if self.repeat > 1 else array


class FitsCatalog(Catalog):
    """The first binary table of a FITS file, or the one named by ``group``; gzip-compressed files too."""

    format: ClassVar[str] = "fits"
    suffixes: ClassVar[tuple[str, ...]] = (".fits", ".fit", ".fits.gz", ".fit.gz")
    magic: ClassVar[tuple[bytes, ...]] = (b"SIMPLE",)

    def _read_schema(self) -> pa.Schema:
        from astropy.io import fits

        try:
            with warnings.catch_warnings():
                # astropy warns of truncation; the size is checked below.
                warnings.simplefilter("ignore")
                with fits.open(self.path, memmap=False, lazy_load_hdus=True) as hdus:
                    hdu = self._choose(hdus)
                    header, offset = hdu.header.copy(), int(hdu.fileinfo()["datLoc"])
        except OSError as error:
            raise FileFormatError(f"{self.path} cannot be read as FITS; it is damaged or cut short: {error}") from error
        self._offset, self._row_bytes, self._n_rows = offset, int(header["NAXIS1"]), int(header["NAXIS2"])
        self._fields = {field.name: field for field in self._read_fields(header)}
        if header.get("ZTABLE", False):
            raise FileFormatError(f"{self.path} holds a tile-compressed table; uncompress it first (funpack)")
        self._check_size()
        return pa.schema(
            [
                pa.field(field.name, field.arrow_type(), metadata={"unit": field.unit} if field.unit else None)
                for field in self._field_list
            ]
        )

    def _choose(self, hdus: Any) -> Any:
        from astropy.io.fits import BinTableHDU

        names = []
        for index, hdu in enumerate(hdus):
            names.append(f"{index}:{hdu.name or type(hdu).__name__}")
            if isinstance(hdu, BinTableHDU) and self.group in (None, hdu.name, str(index)):
                return hdu
        if self.group is not None:
            raise NotFoundError(f"{self.path} has no binary table {self.group!r}; its extensions are {names}")
        raise FileFormatError(f"{self.path} has no binary table; its extensions are {names}")

    def _read_fields(self, header: Any) -> Iterator[_Field]:
        self._field_list: list[_Field] = []
        offset = 0
        for index in range(1, int(header["TFIELDS"]) + 1):
            name, form = (
                str(header.get(f"TTYPE{index}", f"column{index}")).strip(),
                str(header[f"TFORM{index}"]).strip(),
            )
            match = re.match(r"(\d*)([LXBIJKAEDCMPQ])", form)
            if match is None:
                raise FileFormatError(f"{self.path}: column {name!r} has the unknown format TFORM{index}={form!r}")
            repeat, code = int(match[1] or 1), match[2]
            width = (repeat + 7) // 8 if code == "X" else repeat * BYTES_PER_ITEM[code]
            if repeat and (code == "A" or code in CODES):
                field = _Field(
                    name=name,
                    code=code,
                    repeat=repeat,
                    offset=offset,
                    scale=float(header.get(f"TSCAL{index}", 1)),
                    zero=float(header.get(f"TZERO{index}", 0)),
                    null=header.get(f"TNULL{index}"),
                    unit=header.get(f"TUNIT{index}"),
                )
                self._field_list.append(field)
                yield field
            else:
                log.info("FITS column left out", extra={"column": name, "tform": form})
            offset += width

    def _check_size(self) -> None:
        if self.path.name.lower().endswith(".gz"):
            return
        size, needed = self.path.stat().st_size, self._offset + self._row_bytes * self._n_rows
        if size < needed:
            raise FileFormatError(
                f"{self.path} is cut short: {self._n_rows} rows of {self._row_bytes} bytes need {needed} bytes, "
                f"it has {size}"
            )

    @property
    def n_rows(self) -> int:
        """Number of rows, from the header."""
        return self._n_rows

    def _open(self) -> IO[bytes]:
        with self.path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        return cast("IO[bytes]", gzip.open(self.path)) if compressed else self.path.open("rb")

    def _batches(self, columns: list[str], batch_size: int, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
        fields = [self._fields[name] for name in columns]
        layout = np.dtype(
            {
                "names": [field.name for field in fields],
                "formats": [field.storage for field in fields],
                "offsets": [field.offset for field in fields],
                "itemsize": self._row_bytes,
            }
        )
        schema = pa.schema([self.schema.field(name) for name in columns])
        stop = self._n_rows if stop is None else min(stop, self._n_rows)
        step = max(1, min(batch_size, READ_BYTES // max(self._row_bytes, 1)))
        with self._open() as file:
            file.seek(self._offset + start * self._row_bytes)
            position = start
            while position < stop:
                last = min(position + batch_size, stop)
                pieces = []
                for low in range(position, last, step):
                    n_rows = min(step, last - low)
                    data = self._read(file, n_rows * self._row_bytes)
                    rows = np.frombuffer(data, dtype=layout, count=n_rows)
                    arrays = [field.array(rows[field.name]) for field in fields]
                    pieces.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
                yield pieces[0] if len(pieces) == 1 else pa.concat_batches(pieces)
                position = last

    def _read(self, file: IO[bytes], n_bytes: int) -> bytes:
        try:
            data = file.read(n_bytes)
        except (EOFError, OSError, zlib.error) as error:
            raise FileFormatError(f"{self.path} cannot be read to its end: {error}") from error
        if len(data) < n_bytes:
            raise FileFormatError(f"{self.path} is cut short: the table ends before its {self._n_rows} rows")
        return data
