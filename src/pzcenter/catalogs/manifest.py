"""What a data set consists of, file by file, and how far a run has come.

``manifest.json`` is written last, so that a directory that has one is complete. The journal is a file of JSON lines
to which a run appends one line for each finished step; a line that a crash cut short is ignored.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pzcenter.catalogs.storage import file_sha256, storage_errors, write_text_atomically
from pzcenter.errors import ChecksumError, FileFormatError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MANIFEST_NAME", "FileRecord", "Journal", "Manifest", "verify_manifest"]

MANIFEST_NAME = "manifest.json"
FORMAT_NAME = "pzcenter-manifest"
FORMAT_VERSION = 1


@dataclass(frozen=True, order=True)
class FileRecord:
    """One file of a data set.

    Parameters
    ----------
    path : str
        Below the data set's directory, with ``/``.
    sha256 : str
        64 hexadecimal digits.
    n_bytes : int
        Size.
    n_rows : int, optional
        Rows, for tables.
    id_min, id_max : int, optional
        Smallest and largest object id.
    """

    path: str
    sha256: str
    n_bytes: int
    n_rows: int | None = None
    id_min: int | None = None
    id_max: int | None = None


@dataclass(frozen=True)
class Manifest:
    """All files of a data set, sorted by path.

    Parameters
    ----------
    table : str
        Name of the table definition, such as ``"pz"``.
    files : tuple of FileRecord
    """

    table: str
    files: tuple[FileRecord, ...]

    @property
    def n_rows(self) -> int:
        """Rows of all data files."""
        return sum(record.n_rows or 0 for record in self.files)

    @property
    def n_bytes(self) -> int:
        """Size of all files."""
        return sum(record.n_bytes for record in self.files)

    def write(self, directory: Path) -> Path:
        """Write ``manifest.json``, whole or not at all; the same files give the same bytes."""
        path = Path(directory) / MANIFEST_NAME
        head = {
            "format": FORMAT_NAME,
            "version": FORMAT_VERSION,
            "table": self.table,
            "n_files": len(self.files),
            "n_rows": self.n_rows,
            "n_bytes": self.n_bytes,
        }
        lines = ",\n".join("  " + json.dumps(asdict(record)) for record in sorted(self.files))
        body = json.dumps(head, indent=1)[:-2] + ',\n "files": [\n' + lines + "\n ]\n}\n"
        write_text_atomically(path, body)
        return path

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read ``manifest.json`` of a data set.

        Raises
        ------
        NotFoundError
            There is none: the data set is not complete, or was not made by PZ Center.
        FileFormatError
            It is damaged or of a later version.
        """
        path = Path(directory) / MANIFEST_NAME
        if not path.is_file():
            raise NotFoundError(f"{directory} has no {MANIFEST_NAME}: it is not complete, or was not made by PZ Center")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT_NAME or content["version"] > FORMAT_VERSION:
                raise FileFormatError(
                    f"{path} is {content['format']!r} version {content['version']}; "
                    f"accepted is {FORMAT_NAME!r} up to version {FORMAT_VERSION}"
                )
            return cls(table=content["table"], files=tuple(FileRecord(**entry) for entry in content["files"]))
        except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise FileFormatError(f"{path} is damaged: {error}") from error


def verify_manifest(directory: str | os.PathLike[str]) -> Manifest:
    """Check each file of a data set against its manifest.

    Parameters
    ----------
    directory : path
        Data set with a ``manifest.json``.

    Returns
    -------
    Manifest

    Raises
    ------
    ChecksumError
        A file is missing, changed, or is a Parquet file that the manifest does not know; all of them are named.
    NotFoundError, FileFormatError
        There is no manifest, or it cannot be read.
    """
    root = Path(directory)
    manifest = Manifest.read(root)
    faults = []
    for record in manifest.files:
        path = root / record.path
        if not path.is_file():
            faults.append(f"{record.path} is missing")
        elif (size := path.stat().st_size) != record.n_bytes:
            faults.append(f"{record.path} has {size} bytes, not {record.n_bytes}")
        elif (found := file_sha256(path)) != record.sha256:
            faults.append(f"{record.path} has SHA-256 {found[:12]}..., not {record.sha256[:12]}...")
    known = {record.path for record in manifest.files}
    faults += [
        f"{extra} is not in the manifest"
        for path in sorted(root.rglob("*.parquet"))
        if (extra := path.relative_to(root).as_posix()) not in known
    ]
    if faults:
        more = f" and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise ChecksumError(f"{root} is not as its manifest says: {'; '.join(faults[:10])}{more}")
    return manifest


class Journal:
    """Progress of a run: JSON lines, only ever appended to, each on the device before the next step begins.

    Parameters
    ----------
    path : Path
        Made with its directory at the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add one line.

        Raises
        ------
        StorageError
            The file system refused.
        """
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A line cut short by a crash must not swallow the next one.
            torn = self.path.exists() and not self._ends_with_newline()
            data = (b"\n" if torn else b"") + json.dumps(dict(entry)).encode() + b"\n"
            with self.path.open("ab", buffering=0) as file:
                file.write(data)
                os.fsync(file.fileno())

    def _ends_with_newline(self) -> bool:
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                return True
            file.seek(size - 1)
            return file.read(1) == b"\n"

    def entries(self) -> list[dict[str, Any]]:
        """Read all whole lines, the oldest first; none where there is no file."""
        if not self.path.exists():
            return []
        return list(_whole_lines(self.path.read_bytes().split(b"\n")))


def _whole_lines(lines: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry
