"""What a server keeps is for its own user alone, whatever the umask of who starts it."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["UMASK", "close_to_others", "exposure", "private_files", "warn_of_exposure"]

log = logging.getLogger(__name__)

UMASK = 0o077
"""Files of the server are 0600, its directories 0700."""
EVERYBODY = stat.S_IRWXO


@contextmanager
def private_files() -> Iterator[None]:
    """Have all files that this process makes meanwhile closed to other users."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)


def close_to_others(path: Path) -> None:
    """Take the rights of other users and of the group from a file, or from a directory and all below it.

    What belongs to another user is left as it is.

    Parameters
    ----------
    path : Path
    """
    if path.is_symlink():
        return
    # Where others cannot enter the directory, it does not matter in which moment its files are closed.
    with suppress(PermissionError):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~UMASK)
    if path.is_dir():
        for each in path.iterdir():
            close_to_others(each)


def exposure(directory: Path) -> str | None:
    """Say that other users of the machine can enter the directory of a server; None when they cannot.

    Parameters
    ----------
    directory : Path

    Returns
    -------
    str or None
        A group that may enter is taken for wanted.
    """
    mode = stat.S_IMODE(directory.stat().st_mode)
    if not mode & EVERYBODY:
        return None
    return (
        f"{directory} is open to all users of this machine (mode {mode:04o}), and holds hashes of passwords, sessions "
        f"and private products; close it with: chmod -R go-rwx {directory}"
    )


def warn_of_exposure(directory: Path) -> None:
    """Note in the log that other users can enter the directory of a server, where they can."""
    if told := exposure(directory):
        log.warning(told)
