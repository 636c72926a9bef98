"""What people may type for names and addresses: patterns, each with the words for somebody who typed another."""

from __future__ import annotations

__all__ = ["EMAIL", "GROUP_NAME", "NAME", "RELEASE_NAME", "USERNAME", "pattern_words"]

EMAIL = r"^[^@\s\x00]{1,64}@[^@\s\x00]{1,185}$"
NAME = r"^[A-Za-z0-9_.-]+$"
RELEASE_NAME = NAME
USERNAME = r"^[A-Za-z0-9._@+-]+$"
GROUP_NAME = r"^[A-Za-z0-9][A-Za-z0-9._: -]*$"

WORDS = {
    EMAIL: "accepted is one e-mail address, such as ada@example.org",
    NAME: "accepted are letters without accents, digits, and . _ -",
    USERNAME: "accepted are letters without accents, digits, and . _ @ + -",
    GROUP_NAME: "accepted are letters without accents, digits, blanks, and . _ : -, a letter or digit first",
}


def pattern_words(pattern: str) -> str | None:
    """What a pattern accepts, in words; None where nobody has said it.

    Parameters
    ----------
    pattern : str

    Returns
    -------
    str or None
    """
    return WORDS.get(pattern)
