from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pzcenter.errors import EmptyTableError, ShapeError
from pzcenter.science.calibration import (
    CalibrationSettings,
    calibrate,
    calibrated_templates,
    error_on_grid,
    prior_on_grid,
)
from pzcenter.science.calibration.repair import apply_operator, slope_of_fluxes
from pzcenter.science.calibration.result import REST_WAVELENGTHS, hat_functions, on_common_grid
from pzcenter.science.filters import load_filter
from pzcenter.science.sed import Sed, TemplateSet, load_template_set
from pzcenter.science.synthetic import flux_operator, synthetic_flux

FILTERS = [load_filter(f"dc2_{band}") for band in "ugrizy"]
Z_GRID = np.linspace(0, 2, 41)
SETTINGS = CalibrationSettings(n_iter=8, n_between=0)


@pytest.fixture(scope="module")
def templates():
    full = load_template_set("cwwsb4")
    return TemplateSet("four", full.seds[:4], full.types[:4])


def bent(templates, tilt):
    """The templates with a smooth distortion, as nature might have them."""
    seds = tuple(
        Sed(sed.name, sed.wavelength, sed.flux * np.exp(tilt * np.tanh(np.log(sed.wavelength / 4000.0) / 0.2)))
        for sed in templates.seds
    )
    return TemplateSet(templates.name, seds, templates.types)


@pytest.fixture(scope="module")
def sample(templates):
    """Galaxies of the distorted templates with 2 % errors and a missing band here and there."""
    rng = np.random.default_rng(5)
    z, which = rng.uniform(0.05, 1.5, 1500), rng.integers(0, 4, 1500)
    table = synthetic_flux(bent(templates, 0.2), FILTERS, Z_GRID)
    true = np.stack([[np.interp(zi, Z_GRID, table[t, b]) for b in range(6)] for zi, t in zip(z, which, strict=True)])
    true *= 10 ** rng.uniform(1, 2, z.size)[:, None] / true[:, 3:4]
    err = 0.02 * np.abs(true) + 0.01
    flux = true + err * rng.standard_normal(true.shape)
    flux[::50, 0] = np.nan
    mag = 31.4 - 2.5 * np.log10(flux[:, 3])
    return {"flux": flux, "flux_err": err, "z_spec": z, "prior_mag": mag}


@pytest.fixture(scope="module")
def found(templates, sample):
    return calibrate(templates, FILTERS, **sample, settings=SETTINGS)


def colour_residual(templates, sample):
    """Root mean square of the misfit of the best template at the known redshift, fraction of the flux."""
    table = synthetic_flux(templates, FILTERS, Z_GRID)
    model = np.stack(
        [[np.interp(z, Z_GRID, table[t, b]) for t in range(4) for b in range(6)] for z in sample["z_spec"]]
    )
    model = model.reshape(-1, 4, 6)
    flux, weight = np.nan_to_num(sample["flux"]), np.where(np.isnan(sample["flux"]), 0, sample["flux_err"] ** -2.0)
    scale = np.einsum("nb,ntb->nt", weight * flux, model) / np.einsum("nb,ntb->nt", weight, model**2)
    off = (flux[:, None] / (scale[:, :, None] * model) - 1) ** 2
    off = np.where(weight[:, None] > 0, off, 0).mean(axis=2)
    return np.sqrt(np.median(off.min(axis=1)))


def test_repair_brings_templates_to_the_galaxies(templates, sample, found):
    before = colour_residual(templates, sample)
    after = colour_residual(calibrated_templates(templates, found), sample)
    assert before > 0.035
    assert after < 0.025


def test_without_repair_the_templates_stay(templates, sample):
    found = calibrate(templates, FILTERS, **sample, settings=replace(SETTINGS, repair=False, n_iter=2))
    assert np.all(found.log_correction == 0)


def test_stiff_templates_do_not_bend(templates, sample, found):
    stiff = calibrate(templates, FILTERS, **sample, settings=replace(SETTINGS, ridge=1e9, n_iter=2))
    assert np.abs(stiff.log_correction).max() < 1e-3 < np.abs(found.log_correction).max()


def test_order_of_the_objects_does_not_matter(templates, sample, found):
    order = np.random.default_rng(0).permutation(sample["z_spec"].size)
    again = calibrate(templates, FILTERS, **{name: value[order] for name, value in sample.items()}, settings=SETTINGS)
    np.testing.assert_array_equal(again.log_correction, found.log_correction)
    np.testing.assert_array_equal(again.log_prior, found.log_prior)


def test_error_function_is_larger_where_templates_are_wrong(templates, sample, found):
    unrepaired = calibrate(templates, FILTERS, **sample, settings=replace(SETTINGS, repair=False))
    assert np.median(unrepaired.err_fraction) > np.median(found.err_fraction)
    assert found.err_fraction.min() >= 0.7 * SETTINGS.err_floor


def test_error_on_grid_is_where_the_band_sees_it(found):
    step = replace(found, err_fraction=np.where(found.err_wavelength < 3000, 0.2, 0.02))
    error = error_on_grid(step, FILTERS, np.array([0.0, 3.0]))
    assert error.shape == (6, 2)
    assert error[5, 0] == pytest.approx(0.02)
    assert error[0, 1] == pytest.approx(0.2)


@pytest.mark.parametrize("z_max", [2.0, 6.0])
def test_prior_is_a_density_at_each_magnitude(templates, found, z_max):
    grid = np.linspace(0, z_max, 301)
    prior = prior_on_grid(found, templates.types, grid)
    total = np.trapezoid(np.exp(prior.log_prior.astype(float)).sum(axis=1), grid, axis=1)
    np.testing.assert_allclose(total, 1, atol=2e-3)
    assert prior.log_prior.shape[1] == len(templates)


def test_prior_follows_the_counts(templates, sample, found):
    grid = np.linspace(0, 2, 201)
    prior = prior_on_grid(found, templates.types, grid)
    row = round((np.median(sample["prior_mag"]) - prior.mag_min) / prior.mag_step)
    density = np.exp(prior.log_prior[row].astype(float)).sum(axis=0)
    mean = np.trapezoid(density * grid, grid)
    assert mean == pytest.approx(sample["z_spec"].mean(), abs=0.1)
    assert density[grid > 1.9].max() < 0.1 * density.max()


def test_hat_functions_sum_to_one():
    hats = hat_functions(np.geomspace(1000, 9000, 9))
    np.testing.assert_allclose(hats.sum(axis=0), 1)


def test_slope_is_the_derivative(templates):
    operator = flux_operator(REST_WAVELENGTHS, FILTERS, Z_GRID[:5])
    hats = hat_functions(np.geomspace(1000, 9000, 9))
    spectra = on_common_grid(templates)[:1]
    slope = slope_of_fluxes(operator, spectra, hats)
    step = 1e-5
    for k in (3, 5):
        moved = apply_operator(operator, spectra * np.exp(step * hats[k]))
        finite = (moved - apply_operator(operator, spectra)) / step
        np.testing.assert_allclose(slope[:, k], finite, rtol=1e-3, atol=1e-4)


def test_interpolated_templates_stand_between(templates, found):
    more = calibrated_templates(templates, replace(found, n_between=1))
    assert len(more) == 7
    np.testing.assert_allclose(more.seds[1].flux, 0.5 * (more.seds[0].flux + more.seds[2].flux))


def test_a_calibration_of_other_templates_is_refused(found):
    with pytest.raises(ShapeError, match="calibration is of 4 templates; 'cosmos31' has 31"):
        calibrated_templates(load_template_set("cosmos31"), found)


def test_too_few_objects(templates, sample):
    with pytest.raises(EmptyTableError, match=r"at least 50 objects .* got 20"):
        calibrate(templates, FILTERS, **{name: value[:20] for name, value in sample.items()})
