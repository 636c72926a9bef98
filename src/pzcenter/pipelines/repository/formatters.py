"""How our datasets lie on disk, for the Butler.

Every formatter writes the same bytes for the same content: no times, no names of hosts.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from lsst.daf.butler import FormatterV2
from lsst.daf.butler.formatters.parquet import ParquetFormatter

from pzcenter.catalogs.readers import BATCH_SIZE
from pzcenter.catalogs.writers import parquet_options
from pzcenter.errors import ModelError

if TYPE_CHECKING:
    from lsst.resources import ResourcePath

__all__ = [
    "FAST_TIER_VARIABLE",
    "DeliveredParquetFormatter",
    "ModelSetFormatter",
    "PzParquetFormatter",
    "QPFormatter",
    "TextFormatter",
]

FAST_TIER_VARIABLE = "PZ_FAST_TIER"
ROW_COUNT_KEY = b"lsst::arrow::rowcount"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
MAX_MODEL_BYTES = 4 * 2**30


class PzParquetFormatter(ParquetFormatter):
    """Arrow tables, encoded as our catalogues are; read through the fast tier where there is one."""

    default_extension = ".parquet"

    def read(self, component: str | None = None, expected_size: int = -1, cache_manager: Any = None) -> Any:
        """Read from the fast tier where there is one, else as the Butler does.

        The ``read_from_`` methods come too late for it: by then a file of an object store has been downloaded.
        """
        path = self._on_fast_tier(expected_size)
        if path is not None:
            return self.read_from_local_file(str(path), component=component, expected_size=expected_size)
        return super().read(component, expected_size, cache_manager)

    def _on_fast_tier(self, expected_size: int) -> Path | None:
        """Path of the copy on the fast disk; None where there is none, or it is not to be used."""
        uri = self.file_descriptor.location.uri
        if not os.environ.get(FAST_TIER_VARIABLE) or uri.fragment:
            return None
        from pzcenter.pipelines.delivery.fast_tier import local_copy, remote_copy

        path = local_copy(uri.ospath) if uri.isLocal else remote_copy(uri.geturl())
        # A file that is not there is for the Butler to complain about.
        fits = path is not None and path.is_file() and expected_size in (-1, path.stat().st_size)
        return path if fits else None

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write a table with the encodings of our catalogues; anything else as the Butler does."""
        if not isinstance(in_memory_dataset, pa.Table):
            super().write_local_file(in_memory_dataset, uri)
            return
        metadata = {**(in_memory_dataset.schema.metadata or {}), ROW_COUNT_KEY: str(in_memory_dataset.num_rows)}
        table = in_memory_dataset.replace_schema_metadata(metadata)
        pq.write_table(table, uri.ospath, row_group_size=BATCH_SIZE, **parquet_options(table.schema))


class DeliveredParquetFormatter(ParquetFormatter):
    """Any Parquet file, as somebody else wrote and named it; the Butler's own accepts no name but ``*.parq``."""

    default_extension = ".parquet"
    supported_extensions = frozenset({".parquet", ".parq"})


class ModelSetFormatter(FormatterV2):
    """The models of a method: an uncompressed zip of their directories."""

    default_extension = ".zip"
    can_read_from_local_file = True

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:  # noqa: ARG002
        """Unpack and load; a member outside the directory is refused."""
        from pzcenter.estimators.model_set import ModelSet

        with tempfile.TemporaryDirectory(prefix="pz-model-") as folder:
            with zipfile.ZipFile(path) as archive:
                _check_members(archive, path)
                archive.extractall(folder)
            return ModelSet.load(folder)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Pack the directories in the order of their names."""
        with tempfile.TemporaryDirectory(prefix="pz-model-") as folder:
            root = Path(folder) / "models"
            in_memory_dataset.save(root)
            with zipfile.ZipFile(uri.ospath, "w", zipfile.ZIP_STORED) as archive:
                for path in sorted(path for path in root.rglob("*") if path.is_file()):
                    member = zipfile.ZipInfo(path.relative_to(root).as_posix(), ZIP_EPOCH)
                    archive.writestr(member, path.read_bytes())


def _check_members(archive: zipfile.ZipFile, path: str) -> None:
    total = 0
    for member in archive.infolist():
        name = PurePosixPath(member.filename)
        total += member.file_size
        if name.is_absolute() or ".." in name.parts:
            raise ModelError(f"{path} holds {member.filename!r}, which leads out of its directory")
    if total > MAX_MODEL_BYTES:
        raise ModelError(f"{path} unpacks to {total} bytes; at most {MAX_MODEL_BYTES} are accepted")


class TextFormatter(FormatterV2):
    """One page of text, such as a report."""

    default_extension = ".html"
    can_read_from_local_file = True

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:  # noqa: ARG002
        """Read UTF-8."""
        return Path(path).read_text(encoding="utf-8")

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write UTF-8."""
        Path(uri.ospath).write_text(in_memory_dataset, encoding="utf-8")


class QPFormatter(FormatterV2):
    """A ``qp`` ensemble, as HDF5."""

    default_extension = ".hdf5"
    can_read_from_local_file = True

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:  # noqa: ARG002
        """Read with ``qp``."""
        import qp

        return qp.read(path)

    def write_local_file(self, in_memory_dataset: Any, uri: ResourcePath) -> None:
        """Write with ``qp``."""
        in_memory_dataset.write_to(uri.ospath)
