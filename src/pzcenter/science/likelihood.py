r"""Likelihood of one galaxy's fluxes under a grid of templates, redshift by redshift.

The model of the flux in band b is ``s T_b``: template t at redshift z, times a free amplitude s > 0. With the weights
``w_b = 1 / sigma_b**2`` the amplitude that fits best, and the misfit that it leaves, have closed forms:

.. math::

    \hat s = \frac{\sum_b w_b f_b T_b}{\sum_b w_b T_b^2}, \qquad
    \chi^2 = \sum_b w_b (f_b - \hat s T_b)^2 .

These are the equations that every engine of :mod:`pzcenter.science.engines` must reproduce. They are written here for
the reader, in float64, without thought of speed.

References
----------
Benitez 2000, ApJ 536, 571, equations 9 to 12. Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503, section 2.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LARGEST",
    "RELATIVE_ERR_FLOOR",
    "SMALLEST",
    "band_is_usable",
    "fit_amplitude",
    "flux_variance",
    "log_likelihood",
    "log_noise_norm",
    "unit_norm",
]

Float = np.float64

SMALLEST, LARGEST = 1e-100, 1e100
"""Limits of errors and fluxes, in any unit: the squares of others are not numbers of float64."""

RELATIVE_ERR_FLOOR = 1e-5
"""Smallest error of a flux as a fraction of it. No photometry is this good (0.01 mmag), and the floor keeps all sums in
the range and precision of float32."""


def band_is_usable(flux: NDArray[Any], flux_err: NDArray[Any]) -> NDArray[np.bool_]:
    """Which bands carry a measurement.

    Parameters
    ----------
    flux, flux_err : ndarray, (n_obj, n_band)
        One unit for both. A flux of any sign is data.

    Returns
    -------
    ndarray of bool, (n_obj, n_band)
        False where the flux is not finite, or the error is not finite and positive.
    """
    f, e = np.asarray(flux, dtype=Float), np.asarray(flux_err, dtype=Float)
    usable: NDArray[np.bool_] = (np.abs(f) < LARGEST) & (e > SMALLEST) & (e < LARGEST)
    return usable


def flux_variance(
    flux: NDArray[Any],
    flux_err: NDArray[Any],
    relative_err: NDArray[Any],
    template_err: NDArray[Any] | None = None,
) -> NDArray[Float]:
    r"""Variance of the difference between a measured flux and its model.

    .. math:: \sigma_b^2(z) = e_b^2 + (r_b f_b)^2 + (u_b(z) f_b)^2 + (\epsilon f_b)^2

    Three independent causes: noise, the zero point of the band, and templates that no galaxy follows exactly. The
    last two are fractions of the *observed* flux, so that the amplitude keeps its closed form. The last term, with
    ``RELATIVE_ERR_FLOOR``, never matters for real photometry.

    Parameters
    ----------
    flux, flux_err : ndarray, (n_obj, n_band)
        One unit for both; NaN where missing.
    relative_err : ndarray, (n_band,)
        Zero-point error r, a fraction of the flux.
    template_err : ndarray, (n_band, n_z), optional
        Template error u, a fraction of the flux.

    Returns
    -------
    ndarray, (n_obj, n_band, 1) or (n_obj, n_band, n_z)
        Infinite in bands without a measurement, which then weigh nothing.
    """
    usable = band_is_usable(flux, flux_err)
    f = np.where(usable, flux, 0.0).astype(Float)
    e = np.where(usable, flux_err, np.inf).astype(Float)
    variance: NDArray[Float] = (e**2 + (relative_err**2 + RELATIVE_ERR_FLOOR**2) * f**2)[:, :, None]
    if template_err is not None:
        variance = variance + (template_err[None, :, :] * f[:, :, None]) ** 2
    return variance


def unit_norm(model_flux: NDArray[Any]) -> NDArray[Float]:
    """Templates scaled to unit sum of squares over the bands, at each redshift.

    The units of a template are arbitrary, and the best misfit does not depend on them. In this scale the amplitude is
    the quadratic sum of the model's fluxes over all bands, a quantity on which a prior can be stated.

    Parameters
    ----------
    model_flux : ndarray, (n_template, n_band, n_z)

    Returns
    -------
    ndarray, (n_template, n_band, n_z)
        Zero in all bands where the template has no flux in any.
    """
    flux = np.asarray(model_flux, dtype=Float)
    peak = flux.max(axis=1, keepdims=True)
    flux = np.divide(flux, peak, out=np.zeros_like(flux), where=peak > 0)
    norm = np.sqrt((flux**2).sum(axis=1, keepdims=True))
    scaled: NDArray[Float] = np.divide(flux, norm, out=np.zeros_like(flux), where=norm > 0)
    return scaled


def fit_amplitude(
    flux: NDArray[Any], variance: NDArray[Float], model_flux: NDArray[Float]
) -> tuple[NDArray[Float], NDArray[Float], NDArray[Float]]:
    r"""Best amplitude, the misfit it leaves, and its inverse variance.

    Parameters
    ----------
    flux : ndarray, (n_obj, n_band)
    variance : ndarray, (n_obj, n_band, 1) or (n_obj, n_band, n_z)
        Of :func:`flux_variance`; infinite in bands that are missing.
    model_flux : ndarray, (n_template, n_band, n_z)

    Returns
    -------
    amplitude : ndarray, (n_obj, n_template, n_z)
        In the unit of the flux; zero where the template has no flux in any band that was measured.
    chi2 : ndarray, (n_obj, n_template, n_z)
    inverse_variance : ndarray, (n_obj, n_template, n_z)
        :math:`\sum_b w_b T_b^2`.
    """
    n_band = flux.shape[1]
    weight = 1.0 / variance[:, None]  # (n_obj, 1, n_band, 1 or n_z)
    f = np.where(np.isfinite(variance[:, :, 0]), flux, 0.0)[:, None, :, None]
    T = model_flux[None]
    shape = (flux.shape[0], model_flux.shape[0], model_flux.shape[2])
    wfT, wTT, chi2 = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for b in range(n_band):
        wfT += weight[:, :, b] * f[:, :, b] * T[:, :, b]
        wTT += weight[:, :, b] * T[:, :, b] ** 2
    amplitude = np.divide(wfT, wTT, out=np.zeros(shape), where=wTT > 0)
    for b in range(n_band):
        chi2 += weight[:, :, b] * (f[:, :, b] - amplitude * T[:, :, b]) ** 2
    return amplitude, chi2, wTT


def log_noise_norm(variance: NDArray[Float]) -> NDArray[Float]:
    r"""Logarithm of the normalisation of the noise, :math:`-\frac12\sum_b\ln(2\pi\sigma_b^2)`, over measured bands.

    It matters for p(z) where the template error makes the variance depend on redshift: without it a redshift at which
    the templates are poor would win by its large errors alone.

    Parameters
    ----------
    variance : ndarray, (n_obj, n_band, 1) or (n_obj, n_band, n_z)

    Returns
    -------
    ndarray, (n_obj, 1) or (n_obj, n_z)
    """
    measured = np.isfinite(variance)
    terms = np.log(2 * np.pi * np.where(measured, variance, 1.0))
    norm: NDArray[Float] = -0.5 * np.where(measured, terms, 0.0).sum(axis=1)
    return norm


def log_likelihood(
    flux: NDArray[Any],
    variance: NDArray[Float],
    model_flux: NDArray[Any],
    *,
    marginalise_amplitude: bool = False,
) -> tuple[NDArray[Float], NDArray[Float]]:
    r"""Natural logarithm of the likelihood of each template at each redshift.

    Profile (the amplitude at its best value):

    .. math:: \ln L = -\chi^2/2 - \tfrac12 \sum_b \ln(2\pi\sigma_b^2)

    Marginal (the amplitude integrated over, with a flat prior on s, the quadratic sum of the model's fluxes over all
    bands, see :func:`unit_norm`): the same plus :math:`\tfrac12\ln 2\pi - \tfrac12 \ln\sum_b w_b T_b^2`. The
    integral is taken over all s; leaving out s < 0 would multiply by a factor between one half and one.

    A galaxy does not absorb light on balance: where the best amplitude is not positive the likelihood is zero. (BPZ
    counts a negative amplitude as good as a positive one; its fluxes come from magnitudes and are never negative, so
    that the two agree on what BPZ can be given.)

    Parameters
    ----------
    flux : ndarray, (n_obj, n_band)
    variance : ndarray, (n_obj, n_band, 1) or (n_obj, n_band, n_z)
        Of :func:`flux_variance`.
    model_flux : ndarray, (n_template, n_band, n_z)
        In any unit.
    marginalise_amplitude : bool

    Returns
    -------
    log_likelihood : ndarray, (n_obj, n_template, n_z)
        Minus infinity where the best amplitude is not positive.
    chi2 : ndarray, (n_obj, n_template, n_z)
    """
    amplitude, chi2, inverse_variance = fit_amplitude(flux, variance, unit_norm(model_flux))
    positive = amplitude > 0
    log_like = -0.5 * chi2 + log_noise_norm(variance)[:, None, :]
    if marginalise_amplitude:
        log_like += 0.5 * np.log(2 * np.pi / np.where(positive, inverse_variance, 1.0))
    return np.where(positive, log_like, -np.inf), chi2
