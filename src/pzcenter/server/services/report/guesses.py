"""What columns mean, guessed from what the file says, from known layouts, and from names."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pzcenter.errors import ColumnError
from pzcenter.schema import detect_mapping
from pzcenter.server.services.columns import STANDARD_UCDS
from pzcenter.training.redshift_source import GUESSES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Guess", "guess_columns"]

STANDARD = {
    "ID": "source_id", "RA": "ra", "Dec": "dec", "z": "z_spec", "z_err": "z_err", "z_flag": "z_flag",
    "survey": "survey",
}  # fmt: skip
"""Standard names of columns, and what the maker of training sets calls them."""
MORE_NAMES = {
    "ID": ("objectid", "object_id", "obj_id", "coadd_id", "sourceid", "specobjid", "targetid", "galaxy_id", "crd_id"),
    "RA": ("ra", "ra_j2000", "ra_icrs", "radeg", "ra_degrees", "right_ascension", "rightascension", "alpha_j2000",
           "meanra", "ramean", "target_ra"),
    "Dec": ("dec", "dec_j2000", "de_icrs", "dedeg", "decdeg", "dec_deg", "dec_degrees", "declination", "delta_j2000",
            "meandec", "decmean", "target_dec", "de"),
    "z": ("redshift", "zspec", "spec_z", "specz", "z_best", "zbest", "z_helio", "zhelio", "z_true", "redshift_true",
          "z_final", "zfinal"),
    "z_err": ("zerr", "z_error", "redshift_error", "redshift_err", "zspec_err", "z_spec_err", "specz_err", "ez",
              "z_err_best", "sigma_z"),
    "z_flag": ("zflag", "zflags", "z_quality", "zq", "zqual", "qz", "z_qual", "flag_z", "zwarn", "zwarning",
               "quality_flag", "z_flag_homogenized", "conf", "nq"),
    "survey": ("surveys", "survey_id", "source_survey", "catalog", "catalogue", "origin"),
}  # fmt: skip
KINDS = {"z": "number", "z_err": "number", "ID": "key"}
BAND = r"(?P<band>[ugrizyYJHK]|ks|w1|w2|nuv|fuv)"
BRIGHTNESS = (
    (re.compile(rf"mag_?(?:err|error|sig(?:ma)?)_?{BAND}(?:_lsst)?", re.IGNORECASE), "mag_err"),
    (re.compile(rf"(?:e|err|sig|d)_?{BAND}_?mag", re.IGNORECASE), "mag_err"),
    (re.compile(rf"{BAND}_?(?:mag)?_?(?:err|error)", re.IGNORECASE), "mag_err"),
    (re.compile(rf"{BAND}_?\w*mag\w*_?err\w*", re.IGNORECASE), "mag_err"),
    (re.compile(rf"flux_?(?:err|error|sig(?:ma)?)_?{BAND}(?:_lsst)?", re.IGNORECASE), "flux_err"),
    (re.compile(rf"{BAND}_?\w*flux_?err\w*", re.IGNORECASE), "flux_err"),
    (re.compile(rf"(?:\w+_)?mag_?{BAND}(?:_lsst)?", re.IGNORECASE), "mag"),
    (re.compile(rf"{BAND}_?\w*mag", re.IGNORECASE), "mag"),
    (re.compile(rf"(?:\w+_)?flux_?{BAND}(?:_lsst)?", re.IGNORECASE), "flux"),
    (re.compile(rf"{BAND}_?\w*flux", re.IGNORECASE), "flux"),
)
"""Patterns of names of magnitudes and fluxes; the first one that fits counts."""
WAVES = {
    "u": "em.opt.U", "g": "em.opt.B", "r": "em.opt.R", "i": "em.opt.I", "z": "em.opt.I", "y": "em.IR.NIR",
    "j": "em.IR.J", "h": "em.IR.H", "k": "em.IR.K", "ks": "em.IR.K", "w1": "em.IR.3-4um", "w2": "em.IR.4-8um",
    "nuv": "em.UV.200-300nm", "fuv": "em.UV.100-200nm",
}  # fmt: skip
"""UCD words of the bands (UCD1+ controlled vocabulary 1.5)."""
SAID, LAYOUT, KNOWN, LIKELY, PATTERN = 0.99, 0.97, 0.95, 0.85, 0.7


@dataclass(frozen=True)
class Guess:
    """What a column seems to mean.

    Attributes
    ----------
    meaning : str
        A standard name (ID, RA, Dec, z, z_err, z_flag, survey), or mag, mag_err, flux, flux_err.
    column : str
    confidence : float
        From 0 to 1.
    reason : str
    ucd : str or None
    band : str or None
    """

    meaning: str
    column: str
    confidence: float
    reason: str
    ucd: str | None = None
    band: str | None = None

    def doubted(self, factor: float, why: str) -> Guess:
        """The same with less confidence."""
        return replace(self, confidence=round(self.confidence * factor, 3), reason=f"{self.reason}; but {why}")

    def as_json(self) -> dict[str, Any]:
        """For the report; ``alias`` is the standard name that the column may be given, or null."""
        return asdict(self) | {"alias": self.meaning if self.meaning in STANDARD_UCDS else None}


def guess_columns(schema: pa.Schema, positions: tuple[str, str] | None = None) -> list[Guess]:
    """Guess what columns mean; at most one column for each standard name, one meaning for each column.

    Parameters
    ----------
    schema : pa.Schema
        With ``ucd`` in the metadata of fields, where the file has them.
    positions : (str, str), optional
        Columns of right ascension and declination that the file itself declares.

    Returns
    -------
    list of Guess
        Standard names first.
    """
    found = [*_declared(schema, positions), *_of_layout(schema), *_by_name(schema)]
    found.sort(key=lambda guess: -guess.confidence)
    chosen: list[Guess] = []
    meanings: set[tuple[str, str | None]] = set()
    columns: set[str] = set()
    for guess in found:
        key = (guess.meaning, guess.column if guess.band is not None else None)
        if guess.column not in columns and key not in meanings:
            chosen.append(guess)
            meanings.add(key)
            columns.add(guess.column)
    order = list(STANDARD_UCDS)
    return sorted(chosen, key=lambda each: order.index(each.meaning) if each.meaning in order else len(order))


def _declared(schema: pa.Schema, positions: tuple[str, str] | None) -> Iterator[Guess]:
    if positions is not None:
        for name, column in zip(("RA", "Dec"), positions, strict=True):
            yield Guess(name, column, SAID, "the catalogue declares it", STANDARD_UCDS[name])
    by_ucd = {ucd.lower(): name for name, ucd in STANDARD_UCDS.items()}
    for field in schema:
        ucd = (field.metadata or {}).get(b"ucd", b"").decode("utf-8", "replace").strip()
        meant = by_ucd.get(ucd.lower())
        if meant is not None:
            yield Guess(meant, field.name, SAID, f"the file says {ucd}", ucd)


def _of_layout(schema: pa.Schema) -> Iterator[Guess]:
    """What the layout of a survey says, where the table has one that is known."""
    try:
        mapping = detect_mapping(schema.names)
    except ColumnError:
        return
    reason = f"the layout {mapping.name}"
    found: dict[str, str | None] = {"ID": mapping.object_id, "RA": mapping.ra, "Dec": mapping.dec, "z": mapping.z_spec}
    for name, column in found.items():
        if column is not None and column in schema.names:
            yield Guess(name, column, LAYOUT, reason, STANDARD_UCDS[name])
    meaning = "flux" if mapping.photometry.kind == "flux" else "mag"
    for band in mapping.bands:
        yield _brightness(meaning, band, mapping.value_column(band), LAYOUT, reason)
        yield _brightness(f"{meaning}_err", band, mapping.error_column(band), LAYOUT, reason)


def _by_name(schema: pa.Schema) -> Iterator[Guess]:
    for name, ours in STANDARD.items():
        known = (name, *GUESSES.get(ours, ()))
        likely = {each.lower() for each in known} | set(MORE_NAMES[name])
        for place, field in enumerate(schema):
            if not _fits(name, field.type):
                continue
            # Of several columns that fit equally well, the first one is taken.
            less = place * 1e-6
            if field.name in known:
                rank = known.index(field.name) * 1e-3
                yield Guess(name, field.name, KNOWN - rank - less, "a common name", STANDARD_UCDS[name])
            elif field.name.lower() in likely:
                yield Guess(name, field.name, LIKELY - less, "a name that is often used", STANDARD_UCDS[name])
    for field in schema:
        if pa.types.is_floating(field.type) or pa.types.is_integer(field.type) or pa.types.is_decimal(field.type):
            guess = _brightness_by_name(field.name)
            if guess is not None:
                yield guess


def _fits(name: str, kind: pa.DataType) -> bool:
    number = bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind))
    text = bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
    wanted = KINDS.get(name)
    if wanted == "number":
        return number
    if wanted == "key":
        return text or bool(pa.types.is_integer(kind))
    return number or text


def _brightness_by_name(name: str) -> Guess | None:
    for pattern, meaning in BRIGHTNESS:
        match = pattern.fullmatch(name)
        if match is not None:
            return _brightness(meaning, match["band"], name, PATTERN, "the name looks like it")
    return None


def _brightness(meaning: str, band: str, column: str, confidence: float, reason: str) -> Guess:
    word = "phot.mag" if meaning.startswith("mag") else "phot.flux.density"
    wave = WAVES.get(band.lower())
    ucd = word if wave is None else f"{word};{wave}"
    return Guess(meaning, column, confidence, reason, f"stat.error;{ucd}" if meaning.endswith("err") else ucd, band)
