"""VOTables as catalogues: read as a whole, hence small ones only, and only what stands in the file itself."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar
from xml.parsers import expat

import pyarrow as pa

from pzcenter.catalogs.readers import Catalog
from pzcenter.errors import FileFormatError
from pzcenter.training.sources.tables import arrow_of, is_votable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MAX_VOTABLE_BYTES", "VotableCatalog", "is_votable", "refuse_outside_parts"]

MAX_VOTABLE_BYTES = 100 << 20


class VotableCatalog(Catalog):
    """The first table of a VOTable, with units, descriptions and UCDs."""

    format: ClassVar[str] = "votable"
    suffixes: ClassVar[tuple[str, ...]] = (".vot", ".votable", ".xml")

    def _read_schema(self) -> pa.Schema:
        size = self.path.stat().st_size
        if size > MAX_VOTABLE_BYTES:
            raise FileFormatError(
                f"{self.path} is a VOTable of {size} bytes; {MAX_VOTABLE_BYTES} are read, write larger ones as Parquet"
            )
        refuse_outside_parts(self.path)
        self._table = _read(self.path)
        return self._table.schema

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self._table.num_rows)

    def _batches(self, columns: list[str], batch_size: int, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
        stop = self.n_rows if stop is None else min(stop, self.n_rows)
        part = self._table.select(columns).slice(start, max(stop - start, 0))
        return iter(part.to_batches(max_chunksize=batch_size))


def refuse_outside_parts(path: Path) -> None:
    """Refuse a VOTable whose reading would open other files or addresses, or that defines entities.

    Parameters
    ----------
    path : Path

    Raises
    ------
    FileFormatError
        A ``STREAM`` with ``href`` (VOTable 1.4, section 5.2), an entity, a document type, or no XML.
    """
    parser = expat.ParserCreate()

    def element(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2].upper() == "STREAM" and "href" in {key.lower() for key in attributes}:
            raise FileFormatError(
                f"{path}: its data are elsewhere, at {attributes.get('href')!r}; put them into the file"
            )

    def doctype(*_: Any) -> None:
        raise FileFormatError(f"{path}: a VOTable with a document type or entities is not read")

    parser.StartElementHandler = element
    parser.StartDoctypeDeclHandler = doctype
    parser.EntityDeclHandler = doctype
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise FileFormatError(f"{path} is no XML that can be read: {error}") from error


def _read(path: Path) -> pa.Table:
    from astropy.io import votable
    from astropy.utils.exceptions import AstropyWarning

    try:
        with warnings.catch_warnings():
            # Services use units and dates that the parser comments on; the values are not touched.
            warnings.simplefilter("ignore", AstropyWarning)
            read = votable.parse_single_table(path).to_table(use_names_over_ids=True)
            table, _ = arrow_of(read)
    except (ValueError, IndexError, OSError) as error:
        raise FileFormatError(f"{path} is not a VOTable that can be read: {error}") from error
    ucds = {name: str(read[name].meta.get("ucd") or "") for name in read.colnames}
    return table.cast(pa.schema([_with(field, ucds.get(field.name, "")) for field in table.schema]))


def _with(field: pa.Field, ucd: str) -> pa.Field:
    return field.with_metadata({**(field.metadata or {}), b"ucd": ucd.encode()}) if ucd else field
