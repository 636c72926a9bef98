"""Citations of surveys as BibTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["bibtex_of"]

_JOURNALS = {
    "A&A": ("article", "Astronomy and Astrophysics"),
    "AJ": ("article", "The Astronomical Journal"),
    "ApJ": ("article", "The Astrophysical Journal"),
    "ApJS": ("article", "The Astrophysical Journal Supplement Series"),
    "MNRAS": ("article", "Monthly Notices of the Royal Astronomical Society"),
    "arXiv": ("misc", ""),
}
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "&%$#_{}"})


def bibtex_of(survey_names: Iterable[str]) -> str:
    """BibTeX entries of surveys, one for each paper, in the order of their keys.

    Parameters
    ----------
    survey_names : iterable of str
        Names or aliases.

    Returns
    -------
    str
        The full entry of the survey file where it has one; otherwise what its citation, title and bibcode say, with
        the address of the paper at ADS. Surveys of one paper share an entry.

    Raises
    ------
    NotFoundError
        No such survey.
    """
    from pzcenter.training.surveys import survey_named

    entries: dict[str, list[Any]] = {}
    for survey in sorted({survey_named(name).name: survey_named(name) for name in survey_names}.values(), key=_key):
        entries.setdefault(_key(survey), []).append(survey)
    return "\n".join(_entry(key, surveys) for key, surveys in entries.items())


def _key(survey: Any) -> str:
    return str(survey.bibcode or f"survey:{survey.name}")


def _entry(key: str, surveys: list[Any]) -> str:
    full = next((survey.bibtex for survey in surveys if survey.bibtex), None)
    if full:
        return f"{full.strip()}\n"
    first = surveys[0]
    note = "Redshifts of " + ", ".join(sorted(survey.name for survey in surveys)) + f": {first.citation}"
    kind, fields = _from_bibcode(first.bibcode or "")
    fields = {**fields, "title": _braced(first.title), "note": _braced(note)}
    if first.site and not first.bibcode:
        fields["howpublished"] = f"\\url{{{first.site}}}"
    lines = "".join(f"  {name} = {value},\n" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}}}\n"


def _from_bibcode(bibcode: str) -> tuple[str, dict[str, str]]:
    """Year, journal, volume and page, as the nineteen characters of a bibcode say them."""
    if len(bibcode) != 19:
        return "misc", {}
    journal, volume, page = bibcode[4:9].strip("."), bibcode[9:13].strip("."), bibcode[13:18].strip(".")
    kind, name = _JOURNALS.get(journal, ("misc", ""))
    fields = {"year": bibcode[:4], "adsurl": f"{{https://ui.adsabs.harvard.edu/abs/{bibcode.replace('&', '%26')}}}"}
    if name:
        # A letter in column 14 is part of the page: A for electronic articles, L for letters.
        fields |= {"journal": _braced(name), "volume": volume, "pages": page.replace(".", "")}
    elif journal == "arXiv":
        number = bibcode[9:18].strip(".")
        fields |= {"eprint": f"{number[:4]}.{number[4:]}", "archivePrefix": "{arXiv}"}
    return kind, fields


def _braced(text: str) -> str:
    return f"{{{text.translate(_SPECIAL)}}}"
