"""What a bundle is on disk: a directory, or a tar of it, whose every file is named with its checksum.

::

    bundle.json     names, sizes and SHA-256 of all other files; runs; counts
    export.yaml     the Butler's own export: dimension records, dataset types, runs, datasets
    ...             the files of the datasets

A bundle comes from elsewhere. It is believed only when it is whole: nothing missing, nothing changed, nothing more.
"""

from __future__ import annotations

import contextlib
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from lsst.daf.butler.transfers import YamlRepoExportBackend
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pzcenter.catalogs.storage import file_sha256, write_text_atomically
from pzcenter.errors import ChecksumError, FileFormatError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONTENTS_NAME", "EXPORT_NAME", "Contents", "FileEntry", "opened_bundle", "read_bundle", "write_contents"]

CONTENTS_NAME = "bundle.json"
EXPORT_NAME = "export.yaml"
FORMATTER_ROOTS = ("lsst.daf.butler.", "lsst.pipe.base.", "lsst.obs.base.", "lsst.meas.photoz.", "pzcenter.")
"""Where the class may be that reads a dataset. The name comes with the bundle, and naming a class imports it."""

_TAGS = YamlRepoExportBackend  # its module teaches YAML's safe loader the Butler's regions, times and ids


class FileEntry(BaseModel):
    """One file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    n_bytes: Annotated[int, Field(ge=0)]


class Contents(BaseModel):
    """``bundle.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["pzcenter-bundle"] = "pzcenter-bundle"
    version: Literal[1] = 1
    runs: tuple[str, ...]
    n_datasets: int
    files: dict[str, FileEntry]


def write_contents(directory: Path, runs: tuple[str, ...], n_datasets: int) -> Contents:
    """Write ``bundle.json`` over what is in a directory."""
    files = {
        path.relative_to(directory).as_posix(): FileEntry(sha256=file_sha256(path), n_bytes=path.stat().st_size)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
    contents = Contents(runs=runs, n_datasets=n_datasets, files=files)
    write_text_atomically(directory / CONTENTS_NAME, contents.model_dump_json(indent=1) + "\n")
    return contents


@contextlib.contextmanager
def opened_bundle(bundle: Path) -> Iterator[Path]:
    """Give the directory of a bundle; a tar is unpacked for as long as it is needed.

    Raises
    ------
    NotFoundError
        Nothing is there.
    FileFormatError
        It is neither a directory nor a tar, or the tar holds what a bundle cannot: links, devices, paths that lead out.
    """
    if bundle.is_dir():
        yield bundle
        return
    if not bundle.is_file():
        raise NotFoundError(f"no bundle {bundle}: neither a directory nor a file")
    with tempfile.TemporaryDirectory(prefix="pz-bundle-") as place:
        try:
            with tarfile.open(bundle, "r:") as archive:
                for member in archive:
                    if not member.isdir():
                        checked_name(member.name, bundle)
                    if not (member.isdir() or member.isfile()):
                        raise FileFormatError(f"{bundle} is no bundle: {member.name!r} in it is not a plain file")
                archive.extractall(place, filter="data")
        except (tarfile.TarError, EOFError) as error:
            raise FileFormatError(f"{bundle} is no bundle: {error}") from error
        yield Path(place)


def checked_name(name: str, bundle: Path) -> str:
    """A path as a bundle may name it: relative, going down only.

    Raises
    ------
    FileFormatError
    """
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or name != str(path):
        raise FileFormatError(f"{bundle} is no bundle that can be trusted: it names the path {name!r}")
    return name


def read_bundle(directory: Path) -> tuple[Contents, list[dict[str, Any]], str]:
    """Read a bundle and check all of it.

    Returns
    -------
    Contents
    list of dict
        The items of the Butler's export.
    str
        SHA-256 of ``bundle.json``, which names the bundle.

    Raises
    ------
    FileFormatError
        It is not a bundle, or names paths or classes that it must not.
    ChecksumError
        Files are missing, changed, or not in its list.
    """
    path = directory / CONTENTS_NAME
    if not path.is_file():
        raise FileFormatError(f"{directory} is no bundle: it has no {CONTENTS_NAME}")
    try:
        contents = Contents.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise FileFormatError(
            f"{directory} is no bundle that this version reads: {error.errors()[0]['msg']}"
        ) from error
    _check_files(directory, contents)
    return contents, _items(directory, contents), file_sha256(path)


def _check_files(directory: Path, contents: Contents) -> None:
    wrong = []
    for name, entry in contents.files.items():
        path = directory / checked_name(name, directory)
        if path.is_symlink() or not path.resolve().is_relative_to(directory.resolve()):
            raise FileFormatError(f"{directory} is no bundle that can be trusted: {name!r} in it is a link")
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif path.stat().st_size != entry.n_bytes:
            wrong.append(f"{name} has {path.stat().st_size:,} bytes, not {entry.n_bytes:,}")
        elif file_sha256(path) != entry.sha256:
            wrong.append(f"{name} has another SHA-256")
    there = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()}
    wrong.extend(f"{name} is not in its list" for name in sorted(there - set(contents.files) - {CONTENTS_NAME}))
    if wrong:
        shown = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise ChecksumError(f"the bundle {directory} is damaged, nothing of it was imported: {shown}")


def _items(directory: Path, contents: Contents) -> list[dict[str, Any]]:
    try:
        document = yaml.safe_load((directory / EXPORT_NAME).read_text(encoding="utf-8"))
        items = list(document["data"])
        records = [record for item in items if item["type"] == "dataset" for record in item["records"]]
        runs = {item["run"] for item in items if item["type"] == "dataset"}
        names = [record["path"] for record in records]
        formatters = {str(record["formatter"]) for record in records}
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise FileFormatError(f"{directory} is no bundle: {EXPORT_NAME} cannot be read: {error}") from error
    for name in names:
        if checked_name(name, directory) not in contents.files:
            raise FileFormatError(f"{directory} is no bundle: a dataset is in {name!r}, which is not in its list")
    for formatter in sorted(formatters):
        if not formatter.startswith(FORMATTER_ROOTS):
            raise FileFormatError(f"{directory} is no bundle that can be trusted: it asks for the class {formatter}")
    if not runs <= set(contents.runs):
        raise FileFormatError(f"{directory} is no bundle: runs {sorted(runs - set(contents.runs))} are not in its list")
    return items
