"""Equations of the template likelihood: known answers, limits, symmetries."""

import numpy as np
import pytest

from pzcenter.science.likelihood import (
    RELATIVE_ERR_FLOOR,
    band_is_usable,
    fit_amplitude,
    flux_variance,
    log_likelihood,
    log_noise_norm,
    unit_norm,
)

RNG = np.random.default_rng(20)
MODEL = RNG.uniform(0.1, 3.0, (4, 5, 7))
NO_ZERO_POINT_ERR = np.zeros(5)


def noisy(n_obj=6, snr=10.0):
    truth = MODEL[RNG.integers(0, 4, n_obj), :, RNG.integers(0, 7, n_obj)] * RNG.uniform(1, 100, (n_obj, 1))
    flux_err = truth / snr
    return truth + RNG.normal(size=truth.shape) * flux_err, flux_err


@pytest.mark.parametrize(
    ("flux", "flux_err", "usable"),
    [
        (1.0, 0.1, True),
        (-1.0, 0.1, True),
        (0.0, 0.1, True),
        (np.nan, 0.1, False),
        (np.inf, 0.1, False),
        (1.0, np.nan, False),
        (1.0, np.inf, False),
        (1.0, 0.0, False),
        (1.0, -0.1, False),
    ],
)
def test_a_band_needs_a_finite_flux_and_a_positive_error(flux, flux_err, usable):
    assert band_is_usable(np.array([[flux]]), np.array([[flux_err]]))[0, 0] == usable


def test_errors_add_in_quadrature():
    variance = flux_variance(np.array([[100.0]]), np.array([[3.0]]), np.array([0.04]), np.array([[0.0, 0.12]]))
    assert variance[0, 0] == pytest.approx([25.0, 169.0], rel=1e-6)


def test_the_floor_of_the_error_never_matters_for_real_photometry():
    variance = flux_variance(np.array([[1e5]]), np.array([[100.0]]), np.zeros(1))
    assert variance[0, 0, 0] == pytest.approx(100.0**2, rel=1e-3)
    assert flux_variance(np.array([[1e12]]), np.array([[1.0]]), np.zeros(1))[0, 0, 0] == pytest.approx(
        (RELATIVE_ERR_FLOOR * 1e12) ** 2
    )


def test_a_missing_band_has_infinite_variance():
    variance = flux_variance(np.array([[1.0, np.nan]]), np.array([[0.1, 0.1]]), np.zeros(2))
    assert np.isfinite(variance[0, 0, 0])
    assert np.isinf(variance[0, 1, 0])


def test_a_scaled_template_is_found_without_misfit():
    amplitude, chi2, _ = fit_amplitude(42.0 * MODEL[None, 1, :, 3], np.ones((1, 5, 1)), MODEL)
    assert amplitude[0, 1, 3] == pytest.approx(42.0)
    assert chi2[0, 1, 3] == pytest.approx(0.0, abs=1e-20)


def test_the_amplitude_minimises_chi2():
    flux, flux_err = noisy()
    variance = flux_variance(flux, flux_err, NO_ZERO_POINT_ERR)
    amplitude, chi2, inverse_variance = fit_amplitude(flux, variance, MODEL)

    def misfit(s):
        residual = flux[:, None, :, None] - s[:, :, None, :] * MODEL[None]
        return (residual**2 / variance[:, None]).sum(axis=2)

    assert misfit(amplitude) == pytest.approx(chi2)
    # chi2 is a parabola in the amplitude, of curvature sum w T^2.
    for step in (-0.1, 0.1):
        assert misfit(amplitude + step) - chi2 == pytest.approx(step**2 * inverse_variance)


def test_chi2_is_the_null_misfit_less_the_squared_signal_to_noise():
    flux, flux_err = noisy()
    variance = flux_variance(flux, flux_err, NO_ZERO_POINT_ERR)
    amplitude, chi2, inverse_variance = fit_amplitude(flux, variance, MODEL)
    null = (flux**2 / variance[:, :, 0]).sum(axis=1)[:, None, None]
    assert null - amplitude**2 * inverse_variance == pytest.approx(chi2)


def test_unit_norm_leaves_colours_and_chi2():
    scaled = unit_norm(MODEL)
    assert (scaled**2).sum(axis=1) == pytest.approx(1.0)
    assert scaled[:, 0] / scaled[:, 1] == pytest.approx(MODEL[:, 0] / MODEL[:, 1])
    flux, flux_err = noisy()
    variance = flux_variance(flux, flux_err, NO_ZERO_POINT_ERR)
    assert fit_amplitude(flux, variance, scaled)[1] == pytest.approx(fit_amplitude(flux, variance, MODEL)[1])


def test_unit_norm_takes_templates_without_flux():
    model = MODEL.copy()
    model[2, :, 4] = 0.0
    assert np.all(unit_norm(model)[2, :, 4] == 0.0)


@pytest.mark.parametrize("marginalise", [False, True])
def test_the_likelihood_ignores_the_unit_of_the_template(marginalise):
    flux, flux_err = noisy()
    variance = flux_variance(flux, flux_err, NO_ZERO_POINT_ERR)
    scale = RNG.uniform(1e-6, 1e6, (4, 1, 7))
    first, _ = log_likelihood(flux, variance, MODEL, marginalise_amplitude=marginalise)
    second, _ = log_likelihood(flux, variance, scale * MODEL, marginalise_amplitude=marginalise)
    assert first == pytest.approx(second, rel=1e-10)


def test_the_profile_likelihood_is_the_gaussian_at_the_best_amplitude():
    flux, flux_err = noisy()
    variance = flux_variance(flux, flux_err, np.full(5, 0.02))
    log_like, chi2 = log_likelihood(flux, variance, MODEL)
    gauss = -0.5 * chi2 - 0.5 * np.log(2 * np.pi * variance[:, :, 0]).sum(axis=1)[:, None, None]
    assert log_like == pytest.approx(gauss)


def test_the_marginal_likelihood_is_the_integral_over_the_amplitude():
    flux, flux_err = noisy(n_obj=1)
    variance = flux_variance(flux, flux_err, NO_ZERO_POINT_ERR)
    log_like, _ = log_likelihood(flux, variance, MODEL, marginalise_amplitude=True)
    template = unit_norm(MODEL)[1, :, 2]
    s = np.linspace(-3000.0, 3000.0, 600_001)
    exponent = -0.5 * ((flux[0] - s[:, None] * template) ** 2 / variance[0, :, 0]).sum(axis=1)
    peak = exponent.max()
    integral = np.trapezoid(np.exp(exponent - peak), s)
    expected = peak + np.log(integral) - 0.5 * np.log(2 * np.pi * variance[0, :, 0]).sum()
    assert log_like[0, 1, 2] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("marginalise", [False, True])
def test_a_negative_amplitude_has_zero_likelihood(marginalise):
    variance = np.ones((1, 5, 1))
    log_like, chi2 = log_likelihood(-MODEL[None, 0, :, 0], variance, MODEL, marginalise_amplitude=marginalise)
    assert np.all(log_like == -np.inf)
    assert np.all(np.isfinite(chi2))


def test_a_missing_band_is_as_if_it_were_not_there():
    flux, flux_err = noisy()
    lacking = flux.copy()
    lacking[:, 2] = np.nan
    kept = [0, 1, 3, 4]
    with_gap = fit_amplitude(lacking, flux_variance(lacking, flux_err, NO_ZERO_POINT_ERR), MODEL)
    without = fit_amplitude(
        flux[:, kept], flux_variance(flux[:, kept], flux_err[:, kept], NO_ZERO_POINT_ERR[kept]), MODEL[:, kept]
    )
    for one, other in zip(with_gap, without, strict=True):
        assert one == pytest.approx(other)
    assert log_noise_norm(flux_variance(lacking, flux_err, NO_ZERO_POINT_ERR)) == pytest.approx(
        log_noise_norm(flux_variance(flux[:, kept], flux_err[:, kept], NO_ZERO_POINT_ERR[kept]))
    )


def test_a_large_template_error_does_not_win_by_itself():
    # Two redshifts with the same colours; at the second the templates are said to be bad.
    model = np.repeat(MODEL[:1, :, :1], 2, axis=2)
    flux = 10.0 * model[:, :, 0]
    variance = flux_variance(flux, 0.1 * flux, NO_ZERO_POINT_ERR, np.array([[0.0, 0.5]] * 5))
    log_like, _ = log_likelihood(flux, variance, model)
    assert log_like[0, 0, 0] > log_like[0, 0, 1]
