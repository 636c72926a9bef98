"""Words that people say of products, made safe for lists, files and citations: lines without control letters, DOIs."""

from __future__ import annotations

import re

from pzcenter.errors import UsageError

__all__ = ["checked_doi", "plain_line"]

RESOLVER = re.compile(r"(?:https?://(?:dx\.|www\.)?doi\.org/|doi:\s*)", re.IGNORECASE)
DOI = re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]+)*/[^\s\x00-\x1f\x7f{}\\\"]+", re.ASCII)
MAX_DOI = 255
JOINERS = "\u200c\u200d"
"""Letters that are not seen themselves, and that some scripts cannot be written without."""


def plain_line(text: str) -> str:
    """One line: line ends and other white space become one blank, control and direction letters go.

    Such letters break lists and logs, or have a name read otherwise than it is (U+202E turns the rest round).

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Without blanks at its ends.
    """
    line = " ".join(text.split())
    plain = "".join(letter for letter in line if letter.isprintable() or letter in JOINERS)
    return " ".join(plain.split()) if plain.strip(JOINERS + " ") else ""


def checked_doi(text: str | None) -> str | None:
    """A DOI without the address of its resolver; None for nothing.

    Parameters
    ----------
    text : str or None
        ``10.5281/zenodo.7654321``, also as ``https://doi.org/10.5281/zenodo.7654321`` or with ``doi:`` before it.

    Returns
    -------
    str or None

    Raises
    ------
    UsageError
        No DOI.

    References
    ----------
    DOI Handbook, section 2.2: prefix ``10.`` and a registrant code, a slash, a suffix.
    """
    plain = (text or "").strip()
    if not plain:
        return None
    found = RESOLVER.match(plain)
    doi = plain[found.end() :] if found else plain
    if len(doi) > MAX_DOI or not doi.isprintable() or not DOI.fullmatch(doi):
        raise UsageError(
            f"{plain[:80]!r} is no DOI; accepted are such as 10.5281/zenodo.7654321, also after https://doi.org/"
        )
    return doi
