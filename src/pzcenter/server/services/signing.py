"""Signed words that expire: what a link says was said by this server, to this user, not long ago."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from pzcenter.errors import PermissionDeniedError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from pzcenter.server.services.context import Services

__all__ = ["KEY_NAME", "check_signature", "sign"]

KEY_NAME = "signing.key"
KEY_BYTES = 32


def sign(services: Services, words: tuple[object, ...], *, seconds: float) -> tuple[str, datetime]:
    """A token that stands for some words until its time is over.

    Parameters
    ----------
    services : Services
    words : tuple
        What is promised, to whom; not in the token, so that it must be known where the token is checked.
    seconds : float
        How long it is good.

    Returns
    -------
    token : str
        Letters, digits, ``-``, ``_`` and ``.``.
    until : datetime
    """
    until = int(time.time() + seconds)
    return f"{until}.{_mac(services, words, until)}", datetime.fromtimestamp(until, UTC)


def check_signature(services: Services, token: str, words: tuple[object, ...]) -> None:
    """Let no token pass that was not made for these words, or whose time is over.

    Parameters
    ----------
    services : Services
    token : str
        From :func:`sign`.
    words : tuple
        As they were signed.

    Raises
    ------
    PermissionDeniedError
    """
    when, _, mac = token.partition(".")
    digits = when.isascii() and when.isdigit() and len(when) <= 12
    if not digits or not hmac.compare_digest(mac.encode(), _mac(services, words, int(when)).encode()):
        raise PermissionDeniedError("this link is not good for this; ask for a new one")
    if int(when) < time.time():
        raise PermissionDeniedError("this link is no longer good; ask for a new one")


def _mac(services: Services, words: tuple[object, ...], until: int) -> str:
    # repr keeps ('a', 'bc') and ('ab', 'c') apart.
    said = repr((*map(str, words), until)).encode()
    digest = hmac.new(_key(services.settings.data_dir / KEY_NAME), said, hashlib.sha256).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


@cache
def _key(path: Path) -> bytes:
    """The key of this server, made on first use; readable by the server alone."""
    try:
        if not path.is_file():
            _make_key(path)
        key = path.read_bytes()
    except OSError as error:
        raise StorageError(f"the key for links, {path}: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise StorageError(f"the key for links, {path}, has {len(key)} bytes; {KEY_BYTES} are expected")
    return key


def _make_key(path: Path) -> None:
    # Several workers may begin together: the whole key appears at once, the first one stays.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
