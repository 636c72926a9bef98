"""Fluxes and magnitudes.

The house unit is the nanojansky on the AB system, whose zero point is 31.4 mag: ``m = 31.4 - 2.5 log10(flux)``.
A negative flux is data and stays data; only the conversion to a logarithmic magnitude loses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import UnitError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "AB_ZERO_POINT_NJY",
    "asinh_mag_err_to_flux_err",
    "asinh_mag_to_flux",
    "flux_err_to_asinh_mag_err",
    "flux_err_to_mag_err",
    "flux_to_asinh_mag",
    "flux_to_mag",
    "looks_like_magnitudes",
    "mag_err_to_flux_err",
    "mag_to_flux",
]

AB_ZERO_POINT_NJY = 31.4
"""AB magnitude of 1 nJy as Rubin rounds it (Oke & Gunn 1983 gives 31.4 exactly for a zero point of 3630.78 Jy)."""

POGSON = 2.5 / np.log(10.0)
"""Magnitudes per natural logarithm of flux, 1.0857."""


def mag_to_flux(mag: ArrayLike, *, zero_point: float = AB_ZERO_POINT_NJY) -> NDArray[Any]:
    """Flux of a magnitude.

    Parameters
    ----------
    mag : array_like, any shape
        AB magnitudes; NaN and +inf are accepted.
    zero_point : float
        Magnitude of one unit of flux; the default gives nJy.

    Returns
    -------
    ndarray, same shape
        Flux; NaN where ``mag`` is NaN, 0 where it is +inf.

    References
    ----------
    Pogson 1856, MNRAS 17, 12; Oke & Gunn 1983, ApJ 266, 713.
    """
    return np.asarray(10.0 ** (-0.4 * (_as_float(mag) - zero_point)))


def flux_to_mag(flux: ArrayLike, *, zero_point: float = AB_ZERO_POINT_NJY) -> NDArray[Any]:
    """Magnitude of a flux.

    Parameters
    ----------
    flux : array_like, any shape
        nJy with the default zero point.
    zero_point : float
        Magnitude of one unit of flux.

    Returns
    -------
    ndarray, same shape
        AB magnitudes; NaN where the flux is NaN, zero or negative, because no logarithm exists there.
    """
    flux = _as_float(flux)
    positive = np.where(flux > 0, flux, np.nan)
    return np.asarray(zero_point - 2.5 * np.log10(positive))


def mag_err_to_flux_err(mag: ArrayLike, mag_err: ArrayLike, *, zero_point: float = AB_ZERO_POINT_NJY) -> NDArray[Any]:
    """Flux error of a magnitude and its error, to first order.

    Parameters
    ----------
    mag, mag_err : array_like, shapes that broadcast
        AB magnitudes and their standard deviation.
    zero_point : float
        Magnitude of one unit of flux; the default gives nJy.

    Returns
    -------
    ndarray
        ``flux * mag_err / 1.0857``, nJy; NaN where an input is NaN.

    Notes
    -----
    First order is what catalogues do when they make ``mag_err`` of ``flux_err``, so this is the inverse of
    :func:`flux_err_to_mag_err` at any signal to noise.
    """
    return np.asarray(mag_to_flux(mag, zero_point=zero_point) * _as_float(mag_err) / POGSON)


def flux_err_to_mag_err(flux: ArrayLike, flux_err: ArrayLike) -> NDArray[Any]:
    """Magnitude error of a flux and its error, to first order.

    Parameters
    ----------
    flux, flux_err : array_like, shapes that broadcast
        In the same unit.

    Returns
    -------
    ndarray
        ``1.0857 * flux_err / flux``, mag; NaN where the flux is NaN, zero or negative.
    """
    flux = _as_float(flux)
    positive = np.where(flux > 0, flux, np.nan)
    return np.asarray(POGSON * _as_float(flux_err) / positive)


def flux_to_asinh_mag(flux: ArrayLike, softening: ArrayLike, *, zero_point: float = AB_ZERO_POINT_NJY) -> NDArray[Any]:
    """Inverse hyperbolic sine magnitude ("luptitude") of a flux, defined for negative fluxes too.

    Parameters
    ----------
    flux : array_like
        nJy with the default zero point.
    softening : array_like, broadcasts against ``flux``
        Softening flux in the unit of ``flux``, positive: the flux where the scale turns from logarithmic to linear,
        about the noise of the faintest objects. It is ``b f0`` of Lupton et al., with ``f0`` the flux of magnitude 0.
    zero_point : float
        Magnitude of one unit of flux.

    Returns
    -------
    ndarray
        asinh magnitudes; NaN where the flux is NaN.

    Raises
    ------
    UnitError
        A softening that is not positive.

    References
    ----------
    Lupton, Gunn & Szalay 1999, AJ 118, 1406, eq. 3.
    """
    b = _as_softening(softening)
    return np.asarray(zero_point - POGSON * (np.arcsinh(_as_float(flux) / (2.0 * b)) + np.log(b)))


def asinh_mag_to_flux(
    asinh_mag: ArrayLike, softening: ArrayLike, *, zero_point: float = AB_ZERO_POINT_NJY
) -> NDArray[Any]:
    """Flux of an asinh magnitude: the inverse of :func:`flux_to_asinh_mag`.

    Parameters
    ----------
    asinh_mag, softening, zero_point
        As returned and taken by :func:`flux_to_asinh_mag`.

    Returns
    -------
    ndarray
        Flux in the unit of ``softening``.

    Raises
    ------
    UnitError
        A softening that is not positive.

    References
    ----------
    Lupton, Gunn & Szalay 1999, AJ 118, 1406, eq. 3.
    """
    b = _as_softening(softening)
    return np.asarray(2.0 * b * np.sinh((zero_point - _as_float(asinh_mag)) / POGSON - np.log(b)))


def flux_err_to_asinh_mag_err(flux: ArrayLike, flux_err: ArrayLike, softening: ArrayLike) -> NDArray[Any]:
    """Error of an asinh magnitude, to first order.

    Parameters
    ----------
    flux, flux_err, softening : array_like, shapes that broadcast
        In the same unit; see :func:`flux_to_asinh_mag`.

    Returns
    -------
    ndarray
        Standard deviation, mag; finite at any finite flux.

    Raises
    ------
    UnitError
        A softening that is not positive.

    References
    ----------
    Lupton, Gunn & Szalay 1999, AJ 118, 1406, section 2: derivative of eq. 3.
    """
    return np.asarray(POGSON * _as_float(flux_err) / np.hypot(_as_float(flux), 2.0 * _as_softening(softening)))


def asinh_mag_err_to_flux_err(
    asinh_mag: ArrayLike, asinh_mag_err: ArrayLike, softening: ArrayLike, *, zero_point: float = AB_ZERO_POINT_NJY
) -> NDArray[Any]:
    """Flux error of an asinh magnitude and its error, to first order: inverts :func:`flux_err_to_asinh_mag_err`.

    Parameters
    ----------
    asinh_mag, asinh_mag_err, softening : array_like, shapes that broadcast
        See :func:`flux_to_asinh_mag`.
    zero_point : float
        Magnitude of one unit of flux.

    Returns
    -------
    ndarray
        Standard deviation in the unit of ``softening``.

    Raises
    ------
    UnitError
        A softening that is not positive.
    """
    flux = asinh_mag_to_flux(asinh_mag, softening, zero_point=zero_point)
    return np.asarray(_as_float(asinh_mag_err) * np.hypot(flux, 2.0 * _as_softening(softening)) / POGSON)


def looks_like_magnitudes(flux: ArrayLike, flux_err: ArrayLike | None = None) -> bool:
    """Whether numbers declared as fluxes in nJy are very probably magnitudes.

    Parameters
    ----------
    flux : array_like, any shape
        Numbers to judge; NaN, infinities and the sentinels 99 and -99 are left out.
    flux_err : array_like, same shape, optional
        Their errors.

    Returns
    -------
    bool
        True when there are at least ten usable values, 99 % of them lie within 10 and 40 and, where errors are
        given, the median error is below 1 and no flux is negative.

    Notes
    -----
    Ten to forty nJy is 28.9 to 27.4 mag: a catalogue that holds nothing brighter does not exist, while every
    catalogue of galaxy magnitudes lies in that range. Readers raise :class:`pzcenter.errors.UnitError` on True.
    """
    flux = _as_float(flux).ravel()
    usable = np.isfinite(flux) & (np.abs(flux) != 99.0)
    if np.count_nonzero(usable) < 10:
        return False
    value = flux[usable]
    if np.any(value <= 0) or np.mean((value >= 10) & (value <= 40)) < 0.99:
        return False
    if flux_err is None:
        return True
    err = _as_float(flux_err).ravel()[usable]
    err = err[np.isfinite(err) & (err > 0) & (err != 99.0)]
    return bool(err.size == 0 or np.median(err) < 1.0)


def _as_float(values: ArrayLike) -> NDArray[Any]:
    """Array of floats; integers become float64, float32 stays."""
    array = np.asarray(values)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)


def _as_softening(softening: ArrayLike) -> NDArray[Any]:
    """Positive softening flux."""
    b = _as_float(softening)
    if not np.all(b > 0):
        raise UnitError(f"the softening of asinh magnitudes must be a positive flux; got {softening!r}")
    return b
