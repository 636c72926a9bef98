r"""The template fit in float32, compiled for this processor by numba.

The equations are those of :mod:`pzcenter.science.likelihood`. What is computed, cell by cell (template, redshift), is

.. math:: x = 2\ln p(z, T|m) - \chi^2 \;[- \ln \textstyle\sum_b w_b T_b^2] \;[+ \sum_b \ln w_b(z)],

twice the logarithm of the posterior but for a constant. One object takes three steps:

1. *screen*, every cell: with :math:`S = \sum w f T / \sqrt{\sum w T^2}`, the signal-to-noise ratio of the amplitude,
   :math:`\chi^2 = \sum w f^2 - S^2`. Half the work of the residuals, but a difference of large numbers: its rounding
   error is at most ``_screen_error``.
2. *refine*, where the screen leaves a chance, and unless its error is below ``SCREEN_TOLERANCE``: the residual form,
   which float32 can bear.
3. *accumulate*: the exponential, summed over templates.

A cell that is below the peak by more than ``NEGLIGIBLE`` is zero. A template, or a stretch of redshift, goes no further
when it is that low after allowing for the error of the screen, so that the screen decides nothing by its errors.

What makes it fast is written in ``docs/decisions/0003-template-kernel.md``. In short: the loop over redshift is the
inner one and holds no branch; the loop over bands is unrolled when it is compiled, by recursion on the tuple ``bands``;
an option that is off is passed as None, and numba compiles the kernel without it.

All that is compiled stands in this one file: numba's cache sees a change of this file, and of no other.
"""

# ruff: noqa: ANN001, ANN201, ANN202, ARG001, ARG005, PLR0917 -- numba infers types, and an overload must repeat its signature
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # comes with numba
from numba import njit, types
from numba.extending import intrinsic, overload
from numpy.polynomial import Chebyshev, Polynomial

from pzcenter.science.likelihood import LARGEST, RELATIVE_ERR_FLOOR, SMALLEST

__all__ = ["LANES", "NEGLIGIBLE", "NEVER", "fit_objects", "weigh_bands"]

F = np.float32

NEGLIGIBLE = F(60.0)
"""A cell counts as zero when its x is this much below the peak: a factor exp(-30) = 1e-13 in probability."""

NEVER = F(-1e30)
"""x of a cell with zero probability. Not minus infinity: the kernel is compiled for finite numbers."""

IMPOSSIBLE = F(-1e29)
"""An x below this has zero probability, whatever rounding did to NEVER."""

SCREEN_TOLERANCE = F(2e-3)
"""Error of x up to which the screen is taken as it is: p(z) is then within 0.1 %, by the bound; it is less in truth."""

TINY = F(1e-30)
"""Added to sums that divide: a template without flux in any measured band then has S = 0."""

LOWEST_WEIGHT = 1e-26
"""Relative to the best band. What is below, noisier by 1e13, is left out: squares may leave the range of float32."""

LANES = 16
"""The grid is padded to a multiple of this, the float32 numbers in the widest vector register (AVX-512)."""

ROUNDING = 2.0**-24
"""Largest relative error of one operation in float32."""

LN_MANTISSA = tuple(F(c) for c in Chebyshev.interpolate(np.log, 5, domain=[1, 2]).convert(kind=Polynomial).coef)
"""Polynomial that is the logarithm on [1, 2] to 1e-5: enough beside SCREEN_TOLERANCE."""

FASTMATH = {"nnan", "ninf", "nsz", "arcp", "contract", "reassoc", "afn"}
OPTIONS: Any = {"fastmath": FASTMATH, "error_model": "numpy", "nogil": True}
"""How the kernel is compiled. NaN and infinity are sorted out before, in a function without fastmath."""

PART: Any = OPTIONS | {"forceinline": True}
"""How its parts are compiled. A call that stays a call may, in the process that compiles, be linked to the version of
that part alone, in which loops are not vectorised: half the speed until the next start."""


# The equations, at one cell k. ``flux`` is a tuple of numbers, one per band; so is ``weight``, or it is an array
# (n_band, n_pad) where the template error makes it depend on redshift.


def _at(values, b, k):
    """Value of band b, at cell k if it depends on redshift."""


@overload(_at, jit_options=PART)
def _at_overload(values, b, k):
    if isinstance(values, types.BaseTuple):
        return lambda values, b, k: values[b]
    return lambda values, b, k: values[b, k]


def _amplitude_sums(bands, b, flux, weight, T, k):
    """Sum over bands of w f T and of w T**2, from band b on."""


@overload(_amplitude_sums, jit_options=PART)
def _amplitude_sums_overload(bands, b, flux, weight, T, k):
    if len(bands) == 0:
        return lambda bands, b, flux, weight, T, k: (F(0), TINY)

    def equation(bands, b, flux, weight, T, k):
        wfT, wTT = _amplitude_sums(bands[1:], b + 1, flux, weight, T, k)
        wT = _at(weight, b, k) * T[b, k]
        return wfT + wT * flux[b], wTT + wT * T[b, k]

    return equation


def _chi2(bands, b, flux, weight, amplitude, T, k):
    """Sum over bands of w (f - s T)**2, from band b on."""


@overload(_chi2, jit_options=PART)
def _chi2_overload(bands, b, flux, weight, amplitude, T, k):
    if len(bands) == 0:
        return lambda bands, b, flux, weight, amplitude, T, k: F(0)

    def equation(bands, b, flux, weight, amplitude, T, k):
        residual = flux[b] - amplitude * T[b, k]
        return _chi2(bands[1:], b + 1, flux, weight, amplitude, T, k) + _at(weight, b, k) * (residual * residual)

    return equation


def _amplitude_prior(marginalise, wTT):
    """What the integral over the amplitude adds to x."""


@overload(_amplitude_prior, jit_options=PART)
def _amplitude_prior_overload(marginalise, wTT):
    if isinstance(marginalise, types.NoneType):
        return lambda marginalise, wTT: F(0)
    return lambda marginalise, wTT: -_ln(wTT)


# Elementary functions that LLVM can vectorise.


@intrinsic
def _larger(typing_context, a, b):
    """Larger of two numbers; a plain comparison is not recognised as a reduction that can be vectorised."""

    def codegen(context, builder, signature, arguments):
        kind = arguments[0].type
        maximum = builder.module.declare_intrinsic("llvm.maxnum", [kind], ir.FunctionType(kind, [kind, kind]))
        return builder.call(maximum, arguments, fastmath=("nnan", "nsz"))

    return types.float32(types.float32, types.float32), codegen


@njit(**PART)
def _exp_half(x):
    """exp(x / 2) for x <= 0: a power of two times Taylor's series of the fraction, relative error 2e-7 + 3e-8 |x|.

    Zero where x is below the peak by more than NEGLIGIBLE, and so exactly zero where there is no prior or likelihood.
    """
    power = max(x * F(0.5 * np.log2(np.e)), F(-126.0))
    whole = np.floor(power + F(0.5))
    f = (power - whole) * F(np.log(2.0))
    series = F(1 / 720)
    series = series * f + F(1 / 120)
    series = series * f + F(1 / 24)
    series = series * f + F(1 / 6)
    series = series * f + F(1 / 2)
    series = series * f + F(1)
    series = series * f + F(1)
    value = series * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    return value if x > -NEGLIGIBLE else F(0)


@njit(**PART)
def _ln(x):
    """Natural logarithm of x > 0: the exponent, and a polynomial in the mantissa (error below 2e-5)."""
    bits = F(x).view(np.int32)
    exponent = F(np.int32(bits >> np.int32(23)))
    m = np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    series = LN_MANTISSA[5]
    series = series * m + LN_MANTISSA[4]
    series = series * m + LN_MANTISSA[3]
    series = series * m + LN_MANTISSA[2]
    series = series * m + LN_MANTISSA[1]
    series = series * m + LN_MANTISSA[0]
    return series + (exponent - F(127)) * F(np.log(2.0))


# Loops over redshift. Unsigned limits spare a test for negative indices.


@njit(**PART)
def _screen(bands, flux, weight, marginalise, T, offset, first, last, x):
    """Fill x, up to a constant, from the signal-to-noise ratio of the amplitude."""
    for k in range(np.uintp(first), np.uintp(last)):
        wfT, wTT = _amplitude_sums(bands, 0, flux, weight, T, k)
        value = offset[k] + wfT * wfT / wTT + _amplitude_prior(marginalise, wTT)
        x[k] = value if wfT > F(0) else NEVER


@njit(**PART)
def _refine(bands, flux, weight, marginalise, T, offset, first, last, x):
    """Fill x from the residuals."""
    for k in range(np.uintp(first), np.uintp(last)):
        wfT, wTT = _amplitude_sums(bands, 0, flux, weight, T, k)
        value = offset[k] - _chi2(bands, 0, flux, weight, wfT / wTT, T, k) + _amplitude_prior(marginalise, wTT)
        x[k] = value if wfT > F(0) else NEVER


@njit(**PART)
def _accumulate(x, peak, first, last, z_weight, pdf):
    """Add exp((x - peak) / 2) to the density; return its integral."""
    integral = F(0)
    for k in range(np.uintp(first), np.uintp(last)):
        density = _exp_half(x[k] - peak)
        pdf[k] += density
        integral += density * z_weight[k]
    return integral


@njit(**PART)
def _maximum(x, first, last):
    largest = NEVER
    for k in range(np.uintp(first), np.uintp(last)):
        largest = _larger(largest, x[k])  # type: ignore[call-arg]  # the intrinsic's first argument is not passed
    return largest


@njit(**PART)
def _window(x, floor, first, last):
    """Smallest range, in multiples of LANES, that holds all cells of [first, last) above the floor."""
    low, high = np.int32(last), np.int32(first)
    for k in range(np.uintp(first), np.uintp(last)):
        cell = np.int32(k)
        above = x[k] >= floor
        low = min(low, cell if above else np.int32(last))
        high = max(high, cell if above else np.int32(first))
    return low // LANES * LANES, (high // LANES + 1) * LANES


@njit(**PART)
def _normalise(pdf, p_min, z_weight, out):
    """Cut below p_min of the maximum, scale to unit integral, write."""
    cut = p_min * _maximum(pdf, 0, pdf.size)
    integral = F(0)
    for k in range(pdf.size):
        density = pdf[k] if pdf[k] >= cut else F(0)
        pdf[k] = density
        integral += density * z_weight[k]
    scale = F(1) / integral
    for k in range(out.size):
        out[k] = pdf[k] * scale


# Per object.


@njit(cache=True, error_model="numpy", nogil=True)
def weigh_bands(flux, flux_err, relative_err, n_used_out):
    """Fluxes and weights of every object in units that suit float32, and zero where missing.

    This is where NaN and infinity end. It must stay apart from the kernel: compiled into a function that assumes finite
    numbers, the tests would be optimised away.

    Returns
    -------
    flux, weight : ndarray of float32, (n_obj, n_band)
        The weight is divided by the largest of the object, and the flux multiplied by its square root.
    chi2_null : ndarray, (n_obj,)
        Sum of w f**2.
    log_norm : ndarray, (n_obj,)
        Logarithm of the normalisation of the noise.
    scale : ndarray, (n_obj,)
        The largest 1 / sigma**2 of the object.
    """
    n_obj, n_band = flux.shape
    flux_out, weight_out = np.zeros((n_obj, n_band), F), np.zeros((n_obj, n_band), F)
    chi2_null, log_norm, scale = np.zeros(n_obj), np.zeros(n_obj), np.zeros(n_obj)
    inverse_variance = np.empty(n_band)
    for i in range(n_obj):
        for b in range(n_band):
            f, e = flux[i, b], flux_err[i, b]
            inverse_variance[b] = 0.0
            if abs(f) < LARGEST and SMALLEST < e < LARGEST:  # and neither is NaN
                variance = e * e + (relative_err[b] ** 2 + RELATIVE_ERR_FLOOR**2) * f * f
                inverse_variance[b] = 1.0 / variance
                scale[i] = max(scale[i], inverse_variance[b])
                chi2_null[i] += f * f / variance
                log_norm[i] -= 0.5 * np.log(2 * np.pi * variance)
                n_used_out[i] += 1
        for b in range(n_band):
            if inverse_variance[b] > LOWEST_WEIGHT * scale[i]:
                flux_out[i, b] = flux[i, b] * np.sqrt(scale[i])
                weight_out[i, b] = inverse_variance[b] / scale[i]
    return flux_out, weight_out, chi2_null, log_norm, scale


def _as_tuple(bands, b, values):
    """The numbers of an array, from b on, as a tuple: LLVM keeps them in registers."""


@overload(_as_tuple, jit_options=PART)
def _as_tuple_overload(bands, b, values):
    if len(bands) == 1:
        return lambda bands, b, values: (values[b],)
    return lambda bands, b, values: (values[b], *_as_tuple(bands[1:], b + 1, values))


@njit(**PART)
def _screen_error(n_band, chi2_null):
    """Bound on the rounding error of x in the screen.

    Sums of n products err by (n + 1) roundings of the sum of their magnitudes; by the inequality of Cauchy that is, for
    (sum w f T)**2 / sum w T**2, at most 2 (n + 1) + (n + 2) roundings of sum w f**2, and a few for the division.
    """
    return F((3 * n_band + 12) * ROUNDING * chi2_null)


def _object_terms(bands, flux, weight, chi2_null, template_variance, log_prior, scratch):
    """Bring together what depends on the object alone, and not on the template.

    Without a template error the weights are a tuple of numbers, and the constant sum of w f**2 is left out of the
    screen; with one they are an array (n_band, n_pad), and nothing is left out.

    Returns
    -------
    weight : tuple of float32, or ndarray of float32, (n_band, n_pad)
    offset, offset_screen : ndarray of float32, (n_type, n_pad)
        What makes x of -chi2, and of S**2.
    missing_chi2 : float
        Part of chi2 that the screen leaves out.
    chi2_null : float
        Largest sum of w f**2, which bounds the error of the screen.
    """


@overload(_object_terms, jit_options=PART)
def _object_terms_overload(bands, flux, weight, chi2_null, template_variance, log_prior, scratch):
    if isinstance(template_variance, types.NoneType):

        def constant_weights(bands, flux, weight, chi2_null, template_variance, log_prior, scratch):
            return _as_tuple(bands, 0, weight), log_prior, log_prior, chi2_null, chi2_null

        return constant_weights
    return _redshift_weights


def _redshift_weights(bands, flux, weight, chi2_null, template_variance, log_prior, scratch):
    """Weights 1 / (sigma_b**2 + (u_b(z) f_b)**2); x gains the sum of ln w, and in the screen loses that of w f**2."""
    n_type, n_pad = log_prior.shape
    weight_z, product, log_norm, wff, offset, offset_screen = scratch
    product[:] = F(1)
    log_norm[:] = F(0)
    wff[:] = F(0)
    for b in range(flux.size):
        w, ff = weight[b], flux[b] * flux[b]
        wff_constant = w * ff
        for k in range(n_pad):
            weight_z[b, k] = w / (F(1) + wff_constant * template_variance[b, k])
        for k in range(n_pad):
            product[k] *= F(1) + wff_constant * template_variance[b, k]
            wff[k] += weight_z[b, k] * ff
        if b % 2 == 1 or b == flux.size - 1:  # one logarithm for two bands: the product of three may overflow
            for k in range(n_pad):
                log_norm[k] -= _ln(product[k])
                product[k] = F(1)
    for j in range(n_type):
        for k in range(n_pad):
            offset[j, k] = log_prior[j, k] + log_norm[k]
            offset_screen[j, k] = offset[j, k] - wff[k]
    return weight_z, offset, offset_screen, 0.0, np.float64(_maximum(wff, 0, n_pad))


@njit(cache=True, **OPTIONS)
def fit_objects(
    bands,
    photometry,
    prior_row,
    model_flux,
    log_prior,
    prior_support,
    template_type,
    template_variance,
    z_weight,
    marginalise,
    p_min,
    answers,
):
    """Fit every object and write the answers; rows without an estimate stay as they are."""
    all_flux, all_weight, all_chi2_null, log_norm, scale = photometry
    pdf_out, chi2_out, template_id_out, template_odds_out, log_evidence_out = answers
    n_template, n_band, n_pad = model_flux.shape
    n_mag, n_type, _ = log_prior.shape
    scratch = (
        np.empty((n_band, n_pad), F),
        np.empty(n_pad, F),
        np.empty(n_pad, F),
        np.empty(n_pad, F),
        np.empty((n_type, n_pad), F),
        np.empty((n_type, n_pad), F),
    )
    x = np.empty((n_template, n_pad), F)
    top, share = np.empty(n_template, F), np.empty(n_template, F)
    window = np.empty((n_template, 2), np.int64)
    pdf = np.empty(n_pad, F)

    for i in range(all_flux.shape[0]):
        if scale[i] == 0.0:
            continue
        row = prior_row[i] if prior_row[i] >= 0 else n_mag - 1
        flux = _as_tuple(bands, 0, all_flux[i])
        weight, offset, offset_screen, missing_chi2, chi2_null = _object_terms(
            bands, all_flux[i], all_weight[i], all_chi2_null[i], template_variance, log_prior[row], scratch
        )

        peak = NEVER
        for t in range(n_template):
            j = template_type[t]
            first, last = prior_support[row, j]
            _screen(bands, flux, weight, marginalise, model_flux[t], offset_screen[j], first, last, x[t])
            top[t] = _maximum(x[t], first, last)
            peak = max(peak, top[t])

        if peak <= IMPOSSIBLE:
            continue

        error = _screen_error(n_band, chi2_null)
        floor = peak - NEGLIGIBLE - F(2) * error
        for t in range(n_template):
            j = template_type[t]
            window[t, :] = 0
            if top[t] >= floor:
                window[t] = _window(x[t], floor, prior_support[row, j, 0], prior_support[row, j, 1])

        if error > SCREEN_TOLERANCE:
            missing_chi2, peak = 0.0, NEVER
            for t in range(n_template):
                j = template_type[t]
                first, last = window[t]
                _refine(bands, flux, weight, marginalise, model_flux[t], offset[j], first, last, x[t])
                top[t] = _maximum(x[t], first, last)
                peak = max(peak, top[t])

        pdf[:] = F(0)
        total, best, best_peak = F(0), 0, 0
        for t in range(n_template):
            share[t] = _accumulate(x[t], peak, window[t, 0], window[t, 1], z_weight, pdf)
            total += share[t]
            if share[t] > share[best]:
                best = t
            if window[t, 1] > 0 and top[t] == peak:
                best_peak = t
        _normalise(pdf, p_min, z_weight, pdf_out[i])

        k = np.uintp(window[best_peak, 0])
        while x[best_peak, k] < peak:
            k += np.uintp(1)
        wfT, wTT = _amplitude_sums(bands, 0, flux, weight, model_flux[best_peak], k)
        chi2_out[i] = _chi2(bands, 0, flux, weight, wfT / wTT, model_flux[best_peak], k)
        template_id_out[i] = best
        template_odds_out[i] = share[best] / total
        log_evidence_out[i] = log_norm[i] + 0.5 * (peak - missing_chi2) + np.log(total)
        if marginalise is not None:
            log_evidence_out[i] += 0.5 * np.log(2 * np.pi / scale[i])
