"""The UCD words that our tables use, and the place each may take.

A UCD says what a column means in words that other archives know. The full vocabulary has some 500 words; only
those that we use stand here, so that a slip in a table is an error and a new word is a decision. A test compares
them with the official list.

References
----------
IVOA Recommendation UCD1+ 1.6, 2024-12-18.
"""

from __future__ import annotations

__all__ = ["UCD_WORDS", "ucd_fault"]

FIRST_ONLY = "P"
LATER_ONLY = "S"

# Word to syntax code of the official list: P first only, S later only, Q and E at any place.
UCD_WORDS: dict[str, str] = {
    "em.opt": "S",
    "instr.bandpass": "Q",
    "meta.checksum": "Q",
    "meta.code": "P",
    "meta.code.class": "P",
    "meta.code.multip": "P",
    "meta.code.qual": "P",
    "meta.code.status": "P",
    "meta.dataset": "Q",
    "meta.file": "S",
    "meta.id": "P",
    "meta.id.assoc": "P",
    "meta.id.part": "P",
    "meta.main": "S",
    "meta.note": "P",
    "meta.number": "P",
    "meta.record": "P",
    "meta.software": "S",
    "meta.title": "P",
    "meta.version": "P",
    "obs.field": "S",
    "phot.color.excess": "Q",
    "phot.flux.density": "E",
    "phys.magAbs": "E",
    "pos.angDistance": "Q",
    "pos.eq.dec": "Q",
    "pos.eq.ra": "Q",
    "pos.healpix": "Q",
    "src": "S",
    "src.class.starGalaxy": "Q",
    "src.redshift": "Q",
    "src.redshift.phot": "Q",
    "src.spType": "Q",
    "stat.error": "P",
    "stat.fit.chi2": "P",
    "stat.interval": "S",
    "stat.kurtosis": "P",
    "stat.max": "S",
    "stat.mean": "S",
    "stat.median": "S",
    "stat.min": "S",
    "stat.probability": "Q",
    "stat.skewness": "P",
    "stat.stdev": "Q",
    "stat.value": "Q",
    "stat.weight": "P",
    "time.creation": "Q",
    "time.duration": "Q",
}


def ucd_fault(ucd: str) -> str | None:
    """What is wrong with a UCD.

    Parameters
    ----------
    ucd : str
        Words separated by semicolons.

    Returns
    -------
    str or None
        One phrase, or None for a good UCD.
    """
    for place, word in enumerate(ucd.split(";")):
        code = UCD_WORDS.get(word)
        if code is None:
            return f"'{word}' is not among the UCD words that our tables use (schema/ucd.py)"
        if place == 0 and code == LATER_ONLY:
            return f"'{word}' may not come first"
        if place > 0 and code == FIRST_ONLY:
            return f"'{word}' may only come first"
    return None
