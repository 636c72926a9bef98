"""Passwords: which are accepted, how they are kept, how one is compared."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pzcenter.errors import UsageError

__all__ = ["check_password", "hash_password", "is_stale", "new_password", "same_password"]

SHORTEST, LONGEST = 12, 1024
FEWEST_LETTERS = 5
"""Different ones."""
# Second choice of the OWASP password storage cheat sheet (2024): 19 MiB, two passes, one lane.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Each takes 19 MiB and a core: more of them at once would only slow all of them down.
_AT_ONCE = threading.BoundedSemaphore(2)
COMMON = frozenset({
    "password", "passwort", "passwordpassword", "letmein", "welcome", "iloveyou", "qwerty", "qwertyuiop", "qwertz",
    "azerty", "adminadmin", "administrator", "changeme", "trustno", "correcthorsebatterystaple", "photoz", "pzserver",
    "redshift", "rubin", "lsst", "abcdefghijkl", "astronomy", "telescope", "universe",
})  # fmt: skip


def check_password(password: str, *, username: str = "") -> None:
    """Refuse a password that is guessed first.

    Length counts; no kinds of letters are asked for (NIST SP 800-63B, section 3.1.1.2).

    Parameters
    ----------
    password : str
    username : str
        May not be the password.

    Raises
    ------
    UsageError
        Says which rule.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"a password has {SHORTEST} to {LONGEST} letters; this one has {len(password)}")
    plain = "".join(letter for letter in password.lower() if letter.isalpha())
    if plain in COMMON or (username and username.lower() in {plain, password.lower()}):
        raise UsageError("this password is among the first that are guessed; take another one")
    if len(set(password)) < FEWEST_LETTERS:
        raise UsageError(f"a password has at least {FEWEST_LETTERS} different letters")


def new_password() -> str:
    """A password that nobody chose, 120 bits."""
    return secrets.token_urlsafe(15)


def hash_password(password: str) -> str:
    """Argon2id hash of a password, with its salt and costs."""
    with _AT_ONCE:
        return HASHER.hash(_normal(password))


def same_password(kept: str | None, password: str) -> bool:
    """Whether a password is the one whose hash is kept.

    Parameters
    ----------
    kept : str or None
        None: there is no such user, or the user has no password; the answer takes as long as any other.
    password : str

    Returns
    -------
    bool
    """
    if len(password) > LONGEST:
        password, kept = "", None
    with _AT_ONCE:
        try:
            HASHER.verify(_nobodys() if kept is None else kept, _normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def is_stale(kept: str) -> bool:
    """Whether a hash was made with other costs than those of today."""
    return HASHER.check_needs_rehash(kept)


def _normal(password: str) -> str:
    """One form of letters that keyboards write in several ways."""
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys() -> str:
    """Hash of a password that nobody knows."""
    return HASHER.hash(secrets.token_hex())
