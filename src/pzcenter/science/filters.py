"""Filter curves: total throughput against wavelength.

Our own curves are text files in ``pzcenter/data/filters``; any other comes from a file or, by its name there, from
the speclite package. A unit of wavelength is read from the file or given by the caller, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import FileFormatError, NotFoundError, ShapeError, UnitError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "SPEED_OF_LIGHT",
    "FilterCurve",
    "effective_wavelength",
    "filter_names",
    "load_filter",
    "pivot_wavelength",
]

SPEED_OF_LIGHT = 2.99792458e18
"""Angstrom per second, exact by definition of the metre."""

WAVELENGTH_RANGE = (900.0, 1.0e6)
"""Angstrom. Optical curves given in nm or micron fall out of it at their blue end and are refused."""

ANGSTROM_PER_UNIT = {"angstrom": 1.0, "nm": 10.0, "um": 1.0e4}
_UNIT_SPELLINGS = {
    "angstrom": "angstrom", "angstroms": "angstrom", "aa": "angstrom", "a": "angstrom", "å": "angstrom",
    "nm": "nm", "nanometer": "nm", "nanometers": "nm", "nanometre": "nm",
    "um": "um", "micron": "um", "microns": "um", "micrometer": "um", "µm": "um",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class FilterCurve:
    """Total throughput of a filter: the fraction of photons that is detected.

    Only the shape matters to AB fluxes. Small negative throughputs, the noise of measured curves, become zero.

    Parameters
    ----------
    name : str
        Such as ``lsst_u``.
    wavelength : ndarray, (n_wave,)
        Angstrom, observed frame, increasing.
    throughput : ndarray, (n_wave,)
        Detected photons per incoming photon.

    Raises
    ------
    ShapeError
        The arrays do not fit each other, or the wavelengths do not increase.
    UnitError
        Wavelengths outside 900 angstrom to 100 micron, or a throughput without a positive value, with one that is
        not finite, or with one below -5 % of the peak.
    """

    name: str
    wavelength: NDArray[np.float64]
    throughput: NDArray[np.float64]

    def __post_init__(self) -> None:
        wavelength = np.array(self.wavelength, dtype=np.float64)
        throughput = np.array(self.throughput, dtype=np.float64)
        if wavelength.ndim != 1 or wavelength.size < 2 or wavelength.shape != throughput.shape:
            raise ShapeError(
                f"filter {self.name!r}: wavelength and throughput must be two columns of at least two rows; "
                f"got {wavelength.shape} and {throughput.shape}"
            )
        if not np.all(np.diff(wavelength) > 0):
            raise ShapeError(f"filter {self.name!r}: the wavelengths must increase")
        low, high = WAVELENGTH_RANGE
        if wavelength[0] < low or wavelength[-1] > high:
            raise UnitError(
                f"filter {self.name!r}: wavelengths must be in angstrom, {low:g} to {high:g}; "
                f"got {wavelength[0]:g} to {wavelength[-1]:g} (in nm or micron?)"
            )
        peak = throughput.max()
        if not np.all(np.isfinite(throughput)) or peak <= 0 or throughput.min() < -0.05 * peak:
            raise UnitError(f"filter {self.name!r}: throughput must be finite and positive somewhere, not negative")
        throughput = np.clip(throughput, 0.0, None)
        wavelength.flags.writeable = False
        throughput.flags.writeable = False
        object.__setattr__(self, "wavelength", wavelength)
        object.__setattr__(self, "throughput", throughput)


def filter_names() -> tuple[str, ...]:
    """Names of the filters that come with the package.

    Returns
    -------
    tuple of str
        Sorted; further ones come from files and from speclite, see :func:`load_filter`.
    """
    folder = resources.files("pzcenter") / "data" / "filters"
    return tuple(sorted(entry.name[: -len(".txt")] for entry in folder.iterdir() if entry.name.endswith(".txt")))


def load_filter(name_or_path: str | Path, *, wavelength_unit: str | None = None) -> FilterCurve:
    """Filter curve by name or from a file.

    Parameters
    ----------
    name_or_path : str or Path
        One of :func:`filter_names`; or a file: ``.ecsv``, Yanny ``.par``, or two-column text (``.dat``, ``.res``,
        ``.txt``); or a name of speclite, such as ``lsst2023-u``.
    wavelength_unit : {"angstrom", "nm", "um"}, optional
        Needed for files that do not state their unit. Text files state it by a comment line
        ``# wavelength_unit: angstrom``.

    Returns
    -------
    FilterCurve
        Wavelengths in angstrom.

    Raises
    ------
    NotFoundError
        No filter and no file of this name.
    UnitError
        The unit is neither in the file nor given, differs from the one given, or the wavelengths are out of range.
    FileFormatError
        The file does not hold two numerical columns.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, str):
        shipped = resources.files("pzcenter") / "data" / "filters" / f"{name}.txt"
        if re.fullmatch(r"[A-Za-z0-9_]+", name) and shipped.is_file():
            return _from_text(name, shipped.read_text(encoding="utf-8"), wavelength_unit)
        if re.fullmatch(r"[A-Za-z0-9_]+-[A-Za-z0-9_.]+", name) and not Path(name).exists():
            return _from_speclite(name)
    path = Path(name_or_path)
    if not path.is_file():
        raise NotFoundError(
            f"no filter {name!r}: it is not a file, nor one of {', '.join(filter_names())}, nor a speclite name"
        )
    if path.suffix.lower() == ".ecsv":
        return _from_ecsv(path, wavelength_unit)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path}: not a text file") from error
    if path.suffix.lower() == ".par":
        text = _rows_of_yanny(path, text)
    return _from_text(path.stem, text, wavelength_unit)


def effective_wavelength(curve: FilterCurve) -> float:
    """Photon-weighted mean wavelength of a source with flat f_nu.

    Parameters
    ----------
    curve : FilterCurve

    Returns
    -------
    float
        Angstrom: the mean of the wavelength with weight ``R / lambda``, the photons that are detected of a source of
        constant f_nu.

    References
    ----------
    Fukugita et al. 1996, AJ 111, 1748, eq. 3, is the same with weights in the logarithm.
    """
    x, weight = curve.wavelength, curve.throughput / curve.wavelength
    return float(np.trapezoid(weight * x, x) / np.trapezoid(weight, x))


def pivot_wavelength(curve: FilterCurve) -> float:
    """Wavelength that relates the mean f_lambda of any source to its mean f_nu.

    Parameters
    ----------
    curve : FilterCurve

    Returns
    -------
    float
        Angstrom, for a detector that counts photons.

    References
    ----------
    Tokunaga & Vacca 2005, PASP 117, 421, appendix.
    """
    x, r = curve.wavelength, curve.throughput
    return float(np.sqrt(np.trapezoid(r * x, x) / np.trapezoid(r / x, x)))


def _from_text(name: str, text: str, wavelength_unit: str | None) -> FilterCurve:
    """Two numerical columns; comment lines may state the unit."""
    stated = re.search(r"^\s*#\s*wavelength_unit\s*[:=]\s*(\S+)", text, flags=re.MULTILINE)
    factor = _angstrom_per_unit(name, stated.group(1) if stated else None, wavelength_unit)
    rows = [line.split("#")[0].replace(",", " ").split() for line in text.splitlines()]
    rows = [row for row in rows if row]
    try:
        table = np.array([[float(row[0]), float(row[1])] for row in rows], dtype=np.float64)
    except (ValueError, IndexError) as error:
        raise FileFormatError(f"filter {name!r}: expected two numerical columns, wavelength and throughput") from error
    if table.size == 0:
        raise FileFormatError(f"filter {name!r}: the file holds no rows")
    return FilterCurve(name, table[:, 0] * factor, table[:, 1])


def _from_ecsv(path: Path, wavelength_unit: str | None) -> FilterCurve:
    """First two columns of an ECSV table; the unit of the first is read from its header."""
    from astropy.table import Table

    try:
        table = Table.read(path, format="ascii.ecsv")
    except Exception as error:  # astropy raises many kinds for a damaged header
        raise FileFormatError(f"{path}: cannot be read as ECSV: {error}") from error
    if len(table.colnames) < 2:
        raise FileFormatError(f"{path}: expected the columns wavelength and throughput; got {table.colnames}")
    wavelength, throughput = (table[column] for column in table.colnames[:2])
    stated = None if wavelength.unit is None else str(wavelength.unit)
    factor = _angstrom_per_unit(path.stem, stated, wavelength_unit)
    return FilterCurve(path.stem, np.asarray(wavelength, dtype=np.float64) * factor, np.asarray(throughput))


def _rows_of_yanny(path: Path, text: str) -> str:
    """Keep the rows of the only structure of a Yanny parameter file as two-column text, and the comments."""
    body = re.sub(r"typedef\s+struct\s*\{.*?\}\s*\w+\s*;", "", text, flags=re.DOTALL | re.IGNORECASE)
    names = re.findall(r"typedef\s+struct\s*\{.*?\}\s*(\w+)\s*;", text, flags=re.DOTALL | re.IGNORECASE)
    if len(names) != 1:
        raise FileFormatError(f"{path}: expected one structure in a Yanny file; got {names}")
    prefix = names[0].lower()
    kept = []
    for line in body.splitlines():
        words = line.split()
        if line.lstrip().startswith("#"):
            kept.append(line)
        elif words and words[0].lower() == prefix:
            kept.append(" ".join(words[1:]))
    return "\n".join(kept)


def _from_speclite(name: str) -> FilterCurve:
    """Curve of the speclite package, which states its units."""
    import speclite.filters
    from astropy import units

    try:
        response: Any = speclite.filters.load_filter(name)
    except ValueError as error:
        raise NotFoundError(
            f"no filter {name!r}: speclite does not know it, and the package holds {', '.join(filter_names())}"
        ) from error
    unit = speclite.filters.default_wavelength_unit
    return FilterCurve(name, np.asarray(response.wavelength * unit.to(units.AA)), np.asarray(response.response))


def _angstrom_per_unit(name: str, stated: str | None, given: str | None) -> float:
    """Factor to angstrom of the unit in the file, or of the one given by the caller."""
    units = {}
    for source, text in (("in the file", stated), ("given", given)):
        if text is not None:
            unit = _UNIT_SPELLINGS.get(text.strip().lower())
            if unit is None:
                raise UnitError(f"filter {name!r}: wavelength unit {text!r} {source} is not one of angstrom, nm, um")
            units[source] = unit
    if not units:
        raise UnitError(f"filter {name!r}: the file does not state its wavelength unit; pass wavelength_unit")
    if len(set(units.values())) > 1:
        raise UnitError(f"filter {name!r}: the file states {stated!r}, but wavelength_unit is {given!r}")
    return ANGSTROM_PER_UNIT[next(iter(units.values()))]
