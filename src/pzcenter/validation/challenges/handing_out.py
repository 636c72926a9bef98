"""The tree or archive that participants get, after a look at every file in it with the truth in hand."""

from __future__ import annotations

import gzip
import shutil
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from pzcenter.catalogs import verify_manifest
from pzcenter.catalogs.storage import atomic_path, file_sha256, storage_errors
from pzcenter.errors import ChecksumError, EmbargoError, OutputExistsError

from .layout import TEST, TRAINING, VALIDATION
from .leaks import leaks_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from .layout import Challenge

__all__ = ["PackReport", "check_tree", "pack"]

TEXT_FILES = ("README.md", "challenge.yaml", "manifest.json")
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class PackReport:
    """What was packed.

    Parameters
    ----------
    path : Path
        Directory or archive.
    n_files, n_bytes : int
    sha256 : str
        Of the archive, or of the manifest of the directory.
    """

    path: Path
    n_files: int
    n_bytes: int
    sha256: str


def check_tree(challenge: Challenge) -> list[str]:
    """Say all that the participants' tree tells and should not.

    Parameters
    ----------
    challenge : Challenge

    Returns
    -------
    list of str
        Sentences; empty where there is no leak.

    Raises
    ------
    ChecksumError
        A file of the tree, or of the truth, is not what its manifest says.
    NotFoundError, ConfigError
        The truth is not there, or others can read it.
    """
    vault = challenge.vault
    vault.check_private()
    verify_manifest(vault.tables)
    manifest = verify_manifest(challenge.public)
    expected = {record.path for record in manifest.files} | {"manifest.json"}
    told = [f"{name} is a file that the challenge did not make" for name in _strays(challenge.public, expected)]
    names = challenge.settings.scenario_names
    allowed = {*TEXT_FILES, *(f"{name}/{file}" for name in names for file in (TRAINING, VALIDATION, TEST))}
    told += [f"{name} is not among the files for participants" for name in sorted(expected - allowed)]
    shown = [challenge.public / name / file for name in names for file in (TRAINING, VALIDATION)]
    others = [path for path in shown if path.is_file()]
    for name in names:
        told += leaks_of(challenge.test_path(name), vault.table(name), training_paths=others)
    secrets = {"the key": vault.key.hex(), "the place of the truth": str(vault.directory)}
    for file in TEXT_FILES:
        text = (challenge.public / file).read_text(encoding="utf-8")
        told += [f"{file} names {what}" for what, secret in secrets.items() if secret in text]
    return told


def pack(challenge: Challenge, destination: str | os.PathLike[str]) -> PackReport:
    """Make the tree for participants, or an archive of it.

    Parameters
    ----------
    challenge : Challenge
    destination : path
        ``*.tar``, ``*.tar.gz`` or ``*.tgz``: an archive; else a directory. The same challenge gives the same bytes.

    Returns
    -------
    PackReport

    Raises
    ------
    EmbargoError
        Something in the tree tells what is withheld: nothing is written.
    OutputExistsError
        The destination is there.
    ChecksumError, NotFoundError, ConfigError
        As :func:`check_tree`.
    """
    target = Path(destination)
    if target.exists() and (target.is_file() or any(target.iterdir())):
        raise OutputExistsError(f"{target} is there already; name a new one")
    told = check_tree(challenge)
    if told:
        more = f"; and {len(told) - 10} more" if len(told) > 10 else ""
        raise EmbargoError(f"{challenge.public} may not leave: {'; '.join(told[:10])}{more}")
    files = sorted(path for path in challenge.public.rglob("*") if path.is_file())
    name = f"{challenge.settings.name}-{challenge.settings.version}"
    if target.name.endswith(_TAR_SUFFIXES):
        _write_archive(target, challenge.public, files, name)
        digest = file_sha256(target)
    else:
        _copy_tree(target, challenge.public, files)
        digest = file_sha256(target / "manifest.json")
    return PackReport(target, len(files), sum(path.stat().st_size for path in files), digest)


def _strays(root: Path, expected: set[str]) -> list[str]:
    return [
        name
        for path in sorted(root.rglob("*"))
        if (name := path.relative_to(root).as_posix()) not in expected and (path.is_symlink() or not path.is_dir())
    ]


def _copy_tree(target: Path, root: Path, files: list[Path]) -> None:
    with storage_errors(target):
        for path in files:
            place = target / path.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            if file_sha256(place) != file_sha256(path):
                raise ChecksumError(f"{place} is not what {path} is")


def _write_archive(target: Path, root: Path, files: list[Path], name: str) -> None:
    with atomic_path(target) as unfinished, _new_tar(unfinished, packed=not target.name.endswith(".tar")) as archive:
        for path in files:
            info = tarfile.TarInfo(f"{name}/{path.relative_to(root).as_posix()}")
            info.size, info.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                archive.addfile(info, content)


@contextmanager
def _new_tar(path: Path, *, packed: bool) -> Iterator[tarfile.TarFile]:
    """An archive without time stamps and owners: the same content gives the same bytes."""
    if not packed:
        with tarfile.open(path, "w") as archive:
            yield archive
        return
    with (
        path.open("wb") as sink,
        gzip.GzipFile("", "wb", fileobj=sink, mtime=0) as stream,
        tarfile.open(fileobj=cast("IO[bytes]", stream), mode="w") as archive,
    ):
        yield archive
