"""Where a production writes its catalogue: a directory or an object store, behind one small interface."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from lsst.resources import ResourcePath

from pzcenter.catalogs.storage import TEMPORARY_DIRECTORY
from pzcenter.catalogs.writers import encode_partition, write_partition
from pzcenter.errors import ConfigError, PZCenterError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from pzcenter.catalogs.manifest import FileRecord

__all__ = ["CatalogStore"]

_DATA = r"\.parquet$"


class CatalogStore:
    """A place for the catalogues of a release.

    Parameters
    ----------
    destination : str
        Directory or URI, such as ``s3://bucket/release``.
    algo : str
        Name of the method, put in the place of ``{algo}`` in the destination.

    Raises
    ------
    ConfigError
        No destination is given, or its kind is not known.
    """

    def __init__(self, destination: str, *, algo: str = "") -> None:
        if not destination.strip():
            raise ConfigError(
                "no destination for the catalogue; set it for both tasks of the step, "
                "-c consolidatePz:destination=PLACE -c finishCatalog:destination=PLACE"
            )
        place = destination.replace("{algo}", algo)
        try:
            self.uri: Any = ResourcePath(place, forceDirectory=True, forceAbsolute=True)
        except NotImplementedError as error:
            raise ConfigError(f"the destination {place!r} is neither a directory nor a known URI: {error}") from error

    @property
    def directory(self) -> Path | None:
        """The directory, None for an object store."""
        return Path(self.uri.ospath) if self.uri.isLocal else None

    def write_table(self, table: pa.Table, catalog: str, path: str) -> FileRecord:
        """Write one file of a catalogue, whole or not at all; the same rows give the same bytes in every store.

        Parameters
        ----------
        table : pa.Table
        catalog : str
            Name of the catalogue below the destination; empty for the destination itself.
        path : str
            Below the catalogue.

        Raises
        ------
        StorageError
            The store refused.
        """
        if self.directory is not None:
            return write_partition(table, self.directory / catalog, path)
        data, record = encode_partition(table, path)
        target = self._join(catalog, path)
        with _store_errors(target):
            target.write(data, overwrite=True)
        return record

    @contextmanager
    def workspace(self, catalog: str = "") -> Iterator[Path]:
        """Directory to write small files of a catalogue into; an object store has them when the block ends.

        Raises
        ------
        StorageError
            The store refused.
        """
        if self.directory is not None:
            yield self.directory / catalog
            return
        with tempfile.TemporaryDirectory(prefix="pzcenter-") as name:
            root = Path(name)
            yield root
            # The manifest says that a catalogue is complete, so that it goes last.
            files = sorted(
                (path for path in root.rglob("*") if path.is_file()), key=lambda p: p.name == "manifest.json"
            )
            for path in files:
                target = self._join(catalog, path.relative_to(root).as_posix())
                with _store_errors(target):
                    target.write(path.read_bytes(), overwrite=True)

    def footer(self, catalog: str, path: str) -> pq.FileMetaData:
        """Footer of a Parquet file.

        Raises
        ------
        StorageError
            It cannot be read.
        """
        target = self._join(catalog, path)
        with _store_errors(target), target.open("rb") as file:
            return pq.read_metadata(file)

    def data_files(self, catalog: str) -> dict[str, int]:
        """Size of each Parquet file of a catalogue by its path; hidden and metadata files are left out."""
        root = self._join(catalog, "", directory=True)
        if self.directory is not None:
            found = (self.directory / catalog).glob("dataset/**/*.parquet")
            return {path.relative_to(self.directory / catalog).as_posix(): path.stat().st_size for path in found}
        with _store_errors(root):
            paths = ResourcePath.findFileResources([root.join("dataset", forceDirectory=True)], file_filter=_DATA)
            return {str(uri.relative_to(root)): int(uri.size()) for uri in paths}

    def remove_unfinished(self, catalog: str) -> None:
        """Remove what killed writers left beside a catalogue; call it when all writers have ended."""
        if self.directory is not None:
            shutil.rmtree(self.directory / catalog / TEMPORARY_DIRECTORY, ignore_errors=True)

    def _join(self, catalog: str, path: str, *, directory: bool = False) -> Any:
        return self.uri.join(f"{catalog}/{path}".strip("/"), forceDirectory=directory)


@contextmanager
def _store_errors(uri: Any) -> Iterator[None]:
    """Give what any object store raises one name."""
    try:
        yield
    except PZCenterError:
        raise
    except Exception as error:
        raise StorageError(f"{uri}: the store refused: {error}") from error
