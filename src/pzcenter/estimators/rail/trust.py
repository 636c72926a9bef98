"""Which models of RAIL this site opens: those it trained, and those that somebody here chose to trust.

A model of RAIL is a pickle: opening it runs what its author wrote. Each trusted one has a record in the user's data
directory, a file named after the SHA-256 of the pickle, with a code (HMAC-SHA-256) under a key that only this user can
read. A model may be copied and moved; a changed byte makes it another one, without a record.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pzcenter.errors import ModelError, StorageError
from pzcenter.estimators.rail.settings import PREFIX

__all__ = ["is_trusted", "prepare_trust", "require_trust", "trust", "trust_directory", "withdraw_trust"]

log = logging.getLogger(__name__)

_KEY_FILE, _KEY_BYTES = "key", 32
_VERSION = 1


def trust_directory() -> Path:
    """Where key and records are.

    Returns
    -------
    Path
        ``$PZCENTER_RAIL_TRUST_DIRECTORY``, or ``pzcenter/rail`` below ``$XDG_DATA_HOME`` or ``~/.local/share``.
    """
    if named := os.environ.get(PREFIX + "TRUST_DIRECTORY"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "pzcenter" / "rail"


def trust(sha256: str, method: str, *, why: str) -> Path:
    """Let this user open a pickle.

    Parameters
    ----------
    sha256 : str
        Of the pickle.
    method : str
        Name of the method that opens it.
    why : str
        ``trained`` or ``trusted``.

    Returns
    -------
    Path
        The record.

    Raises
    ------
    StorageError
        The record cannot be written.
    ModelError
        The key can be read by others.
    """
    record = {"version": _VERSION, "sha256": sha256, "method": method, "why": why}
    record |= {"when": datetime.now(UTC).isoformat(timespec="seconds")}
    path = _record_path(sha256)
    try:
        content = json.dumps({**record, "code": _code(record, _key(make=True))}, indent=1) + "\n"
        _write_private(path, content.encode())
    except OSError as error:
        raise _not_writable(path, error) from error
    log.info("trusted sha256=%s method=%s why=%s", sha256, method, why)
    return path


def prepare_trust() -> None:
    """Make the key, so that a long training does not end where its record cannot be written.

    Raises
    ------
    StorageError, ModelError
        As :func:`trust`.
    """
    try:
        _key(make=True)
    except OSError as error:
        raise _not_writable(trust_directory(), error) from error


def withdraw_trust(sha256: str) -> bool:
    """Remove the record of a pickle; False where there was none."""
    try:
        _record_path(sha256).unlink()
    except FileNotFoundError:
        return False
    return True


def is_trusted(sha256: str, method: str) -> bool:
    """Whether this user opens a pickle with this method.

    Parameters
    ----------
    sha256 : str
        Of the pickle.
    method : str

    Returns
    -------
    bool

    Raises
    ------
    ModelError
        The key can be read by others.
    """
    named = os.environ.get(PREFIX + "TRUSTED", "")
    if sha256 in named.replace(",", " ").split():
        return True
    try:
        record = json.loads(_record_path(sha256).read_bytes())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        return False
    try:
        key = _key(make=False)
    except OSError:
        return False
    if not isinstance(record, dict) or not isinstance(record.get("code"), str):
        return False
    return (
        hmac.compare_digest(_code(record, key), record["code"])
        and record.get("sha256") == sha256
        and record.get("method") == method
    )


def require_trust(sha256: str, method: str, *, where: str) -> None:
    """Refuse a pickle that was neither trained nor trusted here.

    Raises
    ------
    ModelError
        With what to do.
    """
    if not is_trusted(sha256, method):
        raise ModelError(
            f"{where} holds a model of {method} that was not trained here. Models of RAIL are pickles: opening one "
            f"runs whatever its author wrote into it. If you trust who made it: pz model trust {where}. On a site "
            f"without a home directory: {PREFIX}TRUSTED={sha256}"
        )


def _not_writable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"records of trusted models cannot be written to {path}: {error.strerror}. "
        f"{PREFIX}TRUST_DIRECTORY can name another place"
    )


def _record_path(sha256: str) -> Path:
    if len(sha256) != hashlib.sha256().digest_size * 2 or set(sha256) - set("0123456789abcdef"):
        raise ModelError(f"{sha256!r} is not a SHA-256")
    return trust_directory() / "trusted" / f"{sha256}.json"


def _code(record: dict[str, object], key: bytes) -> str:
    said = json.dumps({name: value for name, value in record.items() if name != "code"}, sort_keys=True)
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()


def _key(*, make: bool) -> bytes:
    """The user's key, made on first use; refused when others could have read it."""
    path = trust_directory() / _KEY_FILE
    if make and not path.exists():
        with suppress(FileExistsError):
            _write_private(path, secrets.token_bytes(_KEY_BYTES), replace=False)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise ModelError(
                f"{path} must belong to you and be readable by you alone (chmod 600); it has mode "
                f"{stat.S_IMODE(status.st_mode):o}. If others could read it, remove it: your models are trusted anew"
            )
        key = stream.read()
    if len(key) != _KEY_BYTES:
        raise ModelError(f"{path} is not a key of {_KEY_BYTES} bytes; remove it: your models are trusted anew")
    return key


def _write_private(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file that only this user can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        if replace:
            Path(temporary).replace(path)
        else:
            os.link(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
