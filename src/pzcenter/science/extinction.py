"""Dust: extinction by our Galaxy, and reddening of templates in their rest frame.

``k(lambda) = A(lambda) / E(B-V)`` is called a law here; a coefficient is its mean through a filter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from pzcenter.errors import BandError, NotFoundError, ShapeError, UnitError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pzcenter.science.filters import FilterCurve
    from pzcenter.science.sed import Sed

__all__ = [
    "DustLaw",
    "attenuate",
    "calzetti2000",
    "cardelli1989",
    "coefficient_from_law",
    "deredden",
    "ebv_from_map",
    "extinction_coefficients",
    "extinction_surveys",
    "fitzpatrick1999",
    "pei1992_smc",
]

DustLaw = Callable[[Any], Any]
"""``law(wavelength (angstrom)) -> A(lambda) / E(B-V)``, same shape."""

R_V_GALAXY = 3.1
"""Mean A(V)/E(B-V) of the diffuse medium of the Galaxy: Fitzpatrick 1999, section 1."""


def extinction_surveys() -> tuple[str, ...]:
    """Names of the sets of extinction coefficients.

    Returns
    -------
    tuple of str
    """
    return tuple(_coefficient_table())


def extinction_coefficients(bands: Sequence[str], survey: str = "lsst") -> NDArray[np.float64]:
    """A_b / E(B-V) of bands, for E(B-V) of the map of Schlegel, Finkbeiner & Davis 1998.

    Parameters
    ----------
    bands : sequence of str, (n_band,)
        Such as ``"ugrizy"``.
    survey : str
        One of :func:`extinction_surveys`. ``lsst`` is the set in use for Rubin data; ``lsst_sf11`` has the
        recalibration of the map by Schlafly & Finkbeiner 2011.

    Returns
    -------
    ndarray, (n_band,)
        Magnitudes per magnitude.

    Raises
    ------
    NotFoundError
        No such set.
    BandError
        The set has no such band.

    References
    ----------
    Named with each set in ``pzcenter/data/extinction/coefficients.yaml``.
    """
    table = _coefficient_table()
    if survey not in table:
        raise NotFoundError(f"no extinction coefficients for {survey!r}; there are {', '.join(table)}")
    known = table[survey]
    missing = [band for band in bands if band not in known]
    if missing:
        raise BandError(f"no extinction coefficient for bands {missing} of {survey}, which has {', '.join(known)}")
    return np.array([known[band] for band in bands], dtype=np.float64)


def deredden(
    flux: ArrayLike, flux_err: ArrayLike, ebv: ArrayLike, coefficients: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Take Galactic extinction out of fluxes.

    Parameters
    ----------
    flux, flux_err : array_like, (n_obj, n_band)
        Any linear unit.
    ebv : array_like, (n_obj,)
        E(B-V), mag.
    coefficients : array_like, (n_band,)
        From :func:`extinction_coefficients`.

    Returns
    -------
    flux, flux_err : ndarray, (n_obj, n_band)
        Both multiplied by ``10**(0.4 A_b)``, so signal to noise stays; in the type of the
        input. NaN where ``ebv`` is NaN.

    Raises
    ------
    ShapeError
        The arrays do not fit each other.
    """
    flux, flux_err = np.asarray(flux), np.asarray(flux_err)
    reddening, per_band = np.asarray(ebv, dtype=np.float64), np.asarray(coefficients, dtype=np.float64)
    if flux.ndim != 2 or flux.shape != flux_err.shape or (*reddening.shape, *per_band.shape) != flux.shape:
        raise ShapeError(
            f"flux and flux_err must be (n_obj, n_band), ebv (n_obj,), coefficients (n_band,); "
            f"got {flux.shape}, {flux_err.shape}, {reddening.shape}, {per_band.shape}"
        )
    factor = 10.0 ** (0.4 * reddening[:, None] * per_band)
    kind = np.result_type(flux.dtype, np.float32)
    return (flux * factor).astype(kind), (flux_err * factor).astype(kind)


def ebv_from_map(query: Any, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
    """E(B-V) at positions, from a dust map.

    Parameters
    ----------
    query : object with ``query(SkyCoord)``, or callable of a SkyCoord
        Such as ``dustmaps.sfd.SFDQuery()``. It must give E(B-V) on the scale of Schlegel, Finkbeiner & Davis 1998 for
        :func:`extinction_coefficients`: do not multiply it by 0.86, that is in the coefficients where it belongs.
    ra, dec : array_like, (n_obj,)
        Degrees, ICRS.

    Returns
    -------
    ndarray, (n_obj,)
        mag.

    Raises
    ------
    ShapeError
        The map does not give one value per position.
    """
    from astropy import units
    from astropy.coordinates import SkyCoord

    positions = SkyCoord(np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64), unit=units.deg)
    ask = query.query if hasattr(query, "query") else query
    ebv = np.asarray(ask(positions), dtype=np.float64)
    if ebv.shape != positions.shape:
        raise ShapeError(f"the dust map gave {ebv.shape} for positions of shape {positions.shape}")
    return ebv


def coefficient_from_law(curve: FilterCurve, law: DustLaw, *, source: Sed | None = None, ebv: float = 0.1) -> float:
    """A_b / E(B-V) of a filter from a dust law.

    Parameters
    ----------
    curve : FilterCurve
    law : callable
        ``A(lambda) / E(B-V)``, such as :func:`fitzpatrick1999`.
    source : Sed, optional
        Spectrum of the source in the observed frame; constant f_lambda by default.
    ebv : float
        E(B-V) at which the coefficient is taken, mag; it falls slightly with it, because a broad filter becomes redder.

    Returns
    -------
    float
        Magnitudes per magnitude.

    References
    ----------
    Schlafly & Finkbeiner 2011, ApJ 737, 103, eq. A1.
    """
    x = curve.wavelength
    spectrum = np.ones_like(x) if source is None else np.interp(x, source.wavelength, source.flux)
    photons = spectrum * curve.throughput * x
    seen = np.trapezoid(photons * 10.0 ** (-0.4 * ebv * law(x)), x) / np.trapezoid(photons, x)
    return float(-2.5 * np.log10(seen) / ebv)


def attenuate(wavelength: ArrayLike, flux: ArrayLike, ebv: float, law: DustLaw) -> NDArray[np.float64]:
    """Redden the spectrum of a galaxy by dust in its rest frame.

    Parameters
    ----------
    wavelength : array_like, (n_wave,)
        Angstrom, rest frame.
    flux : array_like, (..., n_wave)
        Any linear unit.
    ebv : float
        E(B-V), mag, at least 0.
    law : callable
        Such as :func:`calzetti2000` or :func:`pei1992_smc`.

    Returns
    -------
    ndarray, shape of ``flux``

    Raises
    ------
    UnitError
        ``ebv`` is negative or not finite.
    """
    if not 0 <= ebv < np.inf:
        raise UnitError(f"E(B-V) must be finite and at least 0; got {ebv}")
    return np.asarray(np.asarray(flux, dtype=np.float64) * 10.0 ** (-0.4 * ebv * law(np.asarray(wavelength))))


def fitzpatrick1999(wavelength: ArrayLike, r_v: float = R_V_GALAXY) -> NDArray[np.float64]:
    """Extinction law of the Galaxy by Fitzpatrick 1999.

    Parameters
    ----------
    wavelength : array_like, any shape
        Angstrom, from 1,000 to infinity.
    r_v : float
        A(V)/E(B-V).

    Returns
    -------
    ndarray, same shape
        A(lambda) / E(B-V).

    Notes
    -----
    A cubic spline through the anchor points of table 3, with the R_V-dependent optical points of table 4, joined to
    the ultraviolet formula of Fitzpatrick & Massa 1990 at 2,700 and 2,600 angstrom. Beyond 1,000 angstrom, where
    nothing is measured, the law keeps its value there.

    References
    ----------
    Fitzpatrick 1999, PASP 111, 63, tables 3 and 4 and appendix; Fitzpatrick & Massa 1990, ApJS 72, 163.
    """
    x = 1.0e4 / np.maximum(np.asarray(wavelength, dtype=np.float64), 1000.0)  # 1/micron
    anchor_x = np.concatenate([[0.0], 1.0e4 / np.array([26500.0, 12200.0, 6000.0, 5470.0, 4670.0, 4110.0])])
    anchor_k = np.array([
        0.0,
        0.265 * r_v / 3.1,
        0.829 * r_v / 3.1,
        -0.426 + 1.0044 * r_v,
        -0.050 + 1.0016 * r_v,
        0.701 + 1.0016 * r_v,
        1.208 + 1.0032 * r_v - 0.00033 * r_v**2,
    ])  # fmt: skip
    join_x = 1.0e4 / np.array([2700.0, 2600.0])
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(
        np.concatenate([anchor_x, join_x]),
        np.concatenate([anchor_k, _fitzpatrick_ultraviolet(join_x, r_v)]),
        bc_type="natural",
    )
    return np.where(x < join_x[0], spline(x), _fitzpatrick_ultraviolet(x, r_v))


def _fitzpatrick_ultraviolet(x: NDArray[np.float64], r_v: float) -> NDArray[np.float64]:
    """A(lambda) / E(B-V) at ``x`` per micron: Fitzpatrick 1999, eq. 1 and 2, table 2."""
    slope = -0.824 + 4.717 / r_v
    intercept = 2.030 - 3.007 * slope
    bump = x**2 / ((x**2 - 4.596**2) ** 2 + (0.99 * x) ** 2)
    far = np.maximum(x - 5.9, 0.0)
    return r_v + intercept + slope * x + 3.23 * bump + 0.41 * (0.5392 * far**2 + 0.05644 * far**3)


def cardelli1989(wavelength: ArrayLike, r_v: float = R_V_GALAXY) -> NDArray[np.float64]:
    """Extinction law of the Galaxy by Cardelli, Clayton & Mathis 1989, in the optical and near infrared.

    Parameters
    ----------
    wavelength : array_like, any shape
        Angstrom, 3,030 to 33,000.
    r_v : float
        A(V)/E(B-V).

    Returns
    -------
    ndarray, same shape
        A(lambda) / E(B-V).

    Raises
    ------
    UnitError
        A wavelength outside the range of the optical and infrared formulae.

    References
    ----------
    Cardelli, Clayton & Mathis 1989, ApJ 345, 245, eq. 1-3.
    """
    x = 1.0e4 / np.asarray(wavelength, dtype=np.float64)  # 1/micron
    if np.any(x < 0.3) or np.any(x > 3.301):
        raise UnitError("cardelli1989 covers 3,030 to 33,000 angstrom")
    y = x - 1.82
    polynomial_a = (1.0, 0.17699, -0.50447, -0.02427, 0.72085, 0.01979, -0.77530, 0.32999)
    polynomial_b = (0.0, 1.41338, 2.28305, 1.07233, -5.38434, -0.62251, 5.30260, -2.09002)
    a = np.where(x < 1.1, 0.574 * x**1.61, np.polynomial.polynomial.polyval(y, polynomial_a))
    b = np.where(x < 1.1, -0.527 * x**1.61, np.polynomial.polynomial.polyval(y, polynomial_b))
    return np.asarray(r_v * a + b)


def calzetti2000(wavelength: ArrayLike, r_v: float = 4.05) -> NDArray[np.float64]:
    """Attenuation law of starburst galaxies.

    Parameters
    ----------
    wavelength : array_like, any shape
        Angstrom, rest frame.
    r_v : float
        A(V)/E(B-V) of the stars.

    Returns
    -------
    ndarray, same shape
        A(lambda) / E(B-V).

    Notes
    -----
    Measured from 1,200 to 22,000 angstrom. It is continued linearly in wavelength: bluewards at the slope of the
    first 10 angstrom, redwards at that of the last 100 until it reaches zero.

    References
    ----------
    Calzetti et al. 2000, ApJ 533, 682, eq. 4.
    """
    micron = np.asarray(wavelength, dtype=np.float64) / 1.0e4

    def optical(m: Any) -> Any:
        return 2.659 * (-2.156 + 1.509 / m - 0.198 / m**2 + 0.011 / m**3) + r_v

    def infrared(m: Any) -> Any:
        return 2.659 * (-1.857 + 1.040 / m) + r_v

    slope_blue = (optical(0.121) - optical(0.120)) / 0.001
    slope_red = (infrared(2.20) - infrared(2.19)) / 0.01
    middle = np.where(micron < 0.63, optical(np.maximum(micron, 0.12)), infrared(np.clip(micron, 0.63, 2.2)))
    beyond = slope_blue * np.minimum(micron - 0.12, 0.0) + slope_red * np.maximum(micron - 2.2, 0.0)
    return np.asarray(np.maximum(middle + beyond, 0.0))


def pei1992_smc(wavelength: ArrayLike) -> NDArray[np.float64]:
    """Extinction law of the Small Magellanic Cloud, which has no bump at 2175 angstrom.

    Parameters
    ----------
    wavelength : array_like, any shape
        Angstrom, rest frame, positive.

    Returns
    -------
    ndarray, same shape
        A(lambda) / E(B-V), with R_V = 2.93.

    Notes
    -----
    An analytic fit to the ultraviolet curve of Prevot et al. 1984 with optical and infrared data.

    References
    ----------
    Pei 1992, ApJ 395, 130, eq. 20 and table 4; Prevot et al. 1984, A&A 132, 389.
    """
    micron = np.asarray(wavelength, dtype=np.float64) / 1.0e4
    terms = (  # a, lambda (micron), b, n: background, far ultraviolet, 2175 angstrom, 9.7 and 18 micron, far infrared
        (185.0, 0.042, 90.0, 2.0),
        (27.0, 0.08, 5.50, 4.0),
        (0.005, 0.22, -1.95, 2.0),
        (0.010, 9.7, -1.95, 2.0),
        (0.012, 18.0, -1.80, 2.0),
        (0.030, 25.0, 0.00, 2.0),
    )
    over_blue = sum(a / ((micron / m) ** n + (m / micron) ** n + b) for a, m, b, n in terms)
    return np.asarray(over_blue * (1.0 + 2.93))


@cache
def _coefficient_table() -> dict[str, dict[str, float]]:
    """Coefficients by survey and band."""
    source = resources.files("pzcenter") / "data" / "extinction" / "coefficients.yaml"
    content = yaml.safe_load(source.read_text(encoding="utf-8"))
    return {survey: entry["coefficients"] for survey, entry in content.items()}
