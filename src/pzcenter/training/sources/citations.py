"""Citations of surveys as BibTeX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pzcenter.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pzcenter.training.surveys import Survey

__all__ = ["bibtex_of", "surveys_to_cite"]

_JOURNALS = {
    "A&A": ("article", "Astronomy and Astrophysics"),
    "AJ": ("article", "The Astronomical Journal"),
    "ApJ": ("article", "The Astrophysical Journal"),
    "ApJS": ("article", "The Astrophysical Journal Supplement Series"),
    "MNRAS": ("article", "Monthly Notices of the Royal Astronomical Society"),
    "arXiv": ("misc", ""),
}
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "&%$#_{}"})


def surveys_to_cite(survey_names: Iterable[str], further: Iterable[Survey] = ()) -> tuple[list[Survey], list[str]]:
    """Surveys whose citation is known, and names of the others.

    Parameters
    ----------
    survey_names : iterable of str
        Names or aliases.
    further : iterable of Survey
        Those of a user.

    Returns
    -------
    surveys : list of Survey
        Each once.
    unknown : list of str
        No such survey, or its file says neither a title nor a paper.
    """
    from pzcenter.training.surveys import survey_named

    own, known, unknown = list(further), {}, []
    for name in sorted(set(survey_names)):
        try:
            survey = survey_named(name, own)
        except NotFoundError:
            unknown.append(name)
            continue
        if survey.bibtex or survey.bibcode or survey.citation or survey.title:
            known[survey.name] = survey
        else:
            unknown.append(name)
    return list(known.values()), unknown


def bibtex_of(survey_names: Iterable[str | Survey]) -> str:
    """BibTeX entries of surveys, one for each paper, in the order of their keys.

    Parameters
    ----------
    survey_names : iterable of str or Survey
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
    surveys = [survey_named(each) if isinstance(each, str) else each for each in survey_names]
    for survey in sorted({each.name: each for each in surveys}.values(), key=_key):
        entries.setdefault(_key(survey), []).append(survey)
    return "\n".join(_entry(key, surveys) for key, surveys in entries.items())


def _key(survey: Any) -> str:
    return str(survey.bibcode or "survey:" + re.sub(r"[^\w.+-]+", "_", survey.name))


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
