"""What a server stands on, looked at before it starts: its directory, its database, data that it is to read."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pzcenter.errors import ConfigError, OutputExistsError

if TYPE_CHECKING:
    from pzcenter.server.settings import ServerSettings

__all__ = ["check_new", "check_writable", "warn_of_missing_catalogs"]

log = logging.getLogger(__name__)

OF_THE_DISK = {"lost+found"}
"""What lies in an empty file system."""
N_NAMED = 3


def check_new(directory: Path) -> None:
    """Make the directory of a new server, or see that it is empty.

    Parameters
    ----------
    directory : Path

    Raises
    ------
    ConfigError
        No directory, or one that cannot be made or written to.
    OutputExistsError
        Something is in it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        there = sorted(path.name for path in directory.iterdir() if path.name not in OF_THE_DISK)
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"{directory} is a file, or lies below one; name a new or empty directory") from None
    except OSError as error:
        raise ConfigError(
            f"{directory} cannot be made ({error.strerror}); name a directory that you may write to"
        ) from error
    if there:
        more = ", …" if len(there) > N_NAMED else ""
        raise OutputExistsError(
            f"{directory.absolute()} is not empty ({', '.join(there[:N_NAMED])}{more}); name a new or empty directory"
        )
    _try_to_write(directory)


def check_writable(settings: ServerSettings) -> None:
    """See that the server can write to its directory, and to its database where that is a file.

    Parameters
    ----------
    settings : ServerSettings

    Raises
    ------
    ConfigError
        It cannot.
    """
    _try_to_write(settings.data_dir)
    address = urlsplit(settings.database)
    if not address.scheme.startswith("sqlite"):
        return
    file = address.path.removeprefix("/")
    for name in (file, f"{file}-wal", f"{file}-shm"):
        if Path(name).exists() and not os.access(name, os.W_OK):
            raise ConfigError(f"{name} cannot be written to; the user who runs the server must own it")


def _try_to_write(directory: Path) -> None:
    # The rights alone say too little: the disk may be mounted for reading, or be full.
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise ConfigError(
            f"{directory} cannot be written to ({error.strerror}); the user who runs the server must own it"
        ) from error


def warn_of_missing_catalogs(settings: ServerSettings) -> None:
    """Note in the log which of ``object_catalogs`` are not there: jobs that need them would fail.

    Parameters
    ----------
    settings : ServerSettings
    """
    for release, path in settings.object_catalogs.items():
        if not path.exists():
            log.warning("object_catalogs: %s is not there; training sets of release %s cannot be made", path, release)
