"""Named flag bits: what is wrong or unusual with one object, and what it means for its photo-z.

The bits go from the skinny table to the PZ table; the meanings are written here once, and the table ``pz_flag``
is made from them.
"""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PZFlag", "flag_names", "pz_flag_table"]

_MEANINGS: dict[str, str] = {}


def _bit(place: int, name: str, meaning: str) -> int:
    _MEANINGS[name] = meaning
    return 1 << place


class PZFlag(IntFlag):
    """Bits of the ``flags`` columns; a number once given is never given another meaning."""

    no_estimate = _bit(0, "no_estimate", "No p(z): its row is NaN and all redshift columns are missing.")
    few_bands = _bit(1, "few_bands", "Fewer than four bands could be used.")
    non_detection = _bit(
        2, "non_detection", "At least one used band is a non-detection: an upper limit or a negative flux."
    )
    bad_error = _bit(
        3,
        "bad_error",
        "At least one band was dropped: its flux is infinite, or its error missing, zero, negative or infinite.",
    )
    outside_domain = _bit(
        4, "outside_domain", "Outside the range of the data that the model was trained or calibrated on."
    )
    multi_modal = _bit(
        5,
        "multi_modal",
        "p(z) has a second peak of at least 30 % of the first, and falls to 70 % of the lower one between them.",
    )
    broad_0p4 = _bit(6, "broad_0p4", "The standard deviation of p(z) is above 0.4.")
    broad_0p2 = _bit(7, "broad_0p2", "The standard deviation of p(z) is above 0.2.")
    grid_edge = _bit(
        8, "grid_edge", "p(z) is cut by the redshift grid: its density at an end is at least 10 % of its maximum."
    )
    star_like = _bit(
        9, "star_like", "The object looks like a point source: the redshift means nothing if it is a star."
    )
    agn_like = _bit(10, "agn_like", "The object looks like an active nucleus, which galaxy templates do not describe.")
    blended = _bit(11, "blended", "Light of neighbours is mixed with that of the object.")
    masked_area = _bit(12, "masked_area", "In an area masked for a bright star, an edge or a defect.")
    not_dereddened = _bit(
        13, "not_dereddened", "Galactic extinction was not taken out of the fluxes: no E(B-V) was known."
    )
    fallback_model = _bit(
        14, "fallback_model", "Estimated by a simpler model, because the object lacks bands of the first."
    )
    failed = _bit(15, "failed", "The method failed on this object; the log of the run says why.")

    @property
    def meaning(self) -> str:
        """One sentence, for a single bit.

        Raises
        ------
        ValueError
            None or several bits are set.
        """
        if self.name is None or self.name not in _MEANINGS:
            raise ValueError(f"only a single bit has a meaning; got {int(self)}")
        return _MEANINGS[self.name]


def flag_names(mask: int) -> tuple[str, ...]:
    """Names of the bits that are set.

    Parameters
    ----------
    mask : int
        A value of a ``flags`` column.

    Returns
    -------
    tuple of str
        From the lowest bit up; ``bit_17`` for a bit that this version does not know.
    """
    value = int(mask)
    known = {flag.bit_length() - 1: str(flag.name) for flag in PZFlag}
    return tuple(known.get(place, f"bit_{place}") for place in range(value.bit_length()) if value >> place & 1)


def pz_flag_table() -> pa.Table:
    """The rows of the table ``pz_flag``: one for each bit.

    Returns
    -------
    pyarrow.Table
    """
    import pyarrow as pa

    from pzcenter.schema.arrow import arrow_schema

    flags = list(PZFlag)
    rows = {
        "bit": [flag.bit_length() - 1 for flag in flags],
        "value": [int(flag) for flag in flags],
        "name": [str(flag.name) for flag in flags],
        "description": [flag.meaning for flag in flags],
    }
    return pa.table(rows, schema=arrow_schema("pz_flag"))
