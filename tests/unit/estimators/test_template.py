from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pzcenter.errors import BandError, ConfigError, ModelError, NotFoundError
from pzcenter.estimators.checks import check_training
from pzcenter.estimators.template import TemplateConfig, TemplateEstimator, prior_magnitude
from pzcenter.estimators.template_calibration import calibrate_zero_points, fit_at_redshift
from pzcenter.estimators.template_model import build_model, filters_of, template_error
from pzcenter.schema import Photometry

GRID = np.linspace(0, 3, 301)
BANDS = tuple("ugrizy")
SMALL = TemplateConfig(template_set="cwwsb4", n_between=0, zero_point_err=0.02)


@pytest.fixture(scope="module")
def model():
    return build_model(SMALL, BANDS, GRID)


def galaxies(model, n_obj, *, factor=1.0, seed=1):
    """Fluxes of the model itself, with 2 % noise and zero points that are off by ``factor``."""
    rng = np.random.default_rng(seed)
    template, at = rng.integers(0, model.model_flux.shape[0], n_obj), rng.integers(20, 150, n_obj)
    true = model.model_flux[template, :, at].astype(float)
    true *= 10 ** rng.uniform(2.5, 4, n_obj)[:, None] / true[:, 3:4]
    flux = true * (1 + 0.02 * rng.standard_normal(true.shape)) / factor
    return Photometry(flux=flux, flux_err=0.02 * true / factor, bands=BANDS), GRID[at], template


def test_finds_its_own_galaxies(model):
    photometry, z_spec, template = galaxies(model, 200)
    pz = TemplateEstimator(config=SMALL, bands=BANDS, model=model, training=None).estimate(photometry)
    dz = (GRID[np.argmax(pz.pdf, axis=1)] - z_spec) / (1 + z_spec)
    assert np.median(np.abs(dz)) < 0.01
    assert np.mean(pz.template_id == template) > 0.7


def test_default_needs_no_data():
    default = TemplateEstimator.default(config=SMALL)
    assert default.bands == BANDS
    assert default.z_grid.size == 301
    assert default.training is None


def test_fit_at_the_redshift_finds_the_template(model):
    photometry, z_spec, template = galaxies(model, 200)
    found, best_flux = fit_at_redshift(model, photometry.flux, photometry.flux_err, z_spec)
    assert np.mean(found == template) > 0.95
    assert np.median(np.abs(best_flux / photometry.flux - 1)) < 0.03


def test_zero_points_are_found(model):
    factor = np.array([1.1, 0.95, 1.02, 1.0, 0.97, 1.05])
    factor /= np.exp(np.mean(np.log(factor)))
    photometry, z_spec, _ = galaxies(model, 400, factor=factor)
    sample = check_training(photometry, z_spec, GRID, TemplateEstimator.declaration)
    np.testing.assert_allclose(calibrate_zero_points(model, sample), factor, rtol=0.01)


def test_zero_point_of_a_band_that_nobody_has_stays(model):
    photometry, z_spec, _ = galaxies(model, 400)
    flux = photometry.flux.copy()
    flux[:, 0] = np.nan
    sample = check_training(replace(photometry, flux=flux), z_spec, GRID, TemplateEstimator.declaration)
    np.testing.assert_allclose(calibrate_zero_points(model, sample), 1.0, rtol=0.01)


def test_prior_of_counts_is_a_density(model):
    photometry, z_spec, _ = galaxies(model, 400)
    trained = TemplateEstimator.train(photometry, z_spec, config=SMALL).model
    n_of_type = np.bincount(trained.template_type)[:, None]
    total = np.trapezoid((np.exp(trained.log_prior.astype(float)) * n_of_type).sum(axis=1), GRID, axis=1)
    np.testing.assert_allclose(total, 1, atol=0.01)


def test_what_is_not_to_be_calibrated_is_not(model):
    photometry, z_spec, _ = galaxies(model, 400, factor=1.1)
    config = SMALL.model_copy(update={"calibrate_zero_points": False, "calibrate_prior": False})
    trained = TemplateEstimator.train(photometry, z_spec, config=config)
    np.testing.assert_array_equal(trained.model.zero_point_factor, np.ones(6))
    np.testing.assert_array_equal(trained.model.log_prior, model.log_prior)
    assert trained.training is not None


def test_prior_magnitude():
    flux = np.float32([[1, 1, 10, 100, 1, 1], [1, 1, 10, np.nan, 1, 1], [1, 1, 1, -5, 1, 1], [np.nan] * 6])
    flux_err = np.where(np.isnan(flux), np.nan, 2).astype(np.float32)
    mag = prior_magnitude(flux, flux_err, BANDS, SMALL)
    np.testing.assert_allclose(mag[:3], 31.4 - 2.5 * np.log10([100, 10, 2]), rtol=1e-6)
    assert np.isnan(mag[3])


def test_template_error_is_where_the_band_sees_it():
    config = TemplateConfig(template_err=((2000.0, 0.2), (4000.0, 0.02)))
    error = template_error(config, filters_of(config, ("i",)), GRID)
    assert error.shape == (1, 301)
    assert error[0, 0] == pytest.approx(0.02)
    assert error[0, -1] == pytest.approx(0.2)
    assert np.all(np.diff(error[0]) >= 0)


def test_template_error_is_stored(tmp_path):
    config = TemplateConfig(**{**SMALL.model_dump(), "template_err": ((2000.0, 0.2), (4000.0, 0.02))})
    TemplateEstimator.default(config=config).save(tmp_path / "model")
    assert TemplateEstimator.load(tmp_path / "model").model.template_err.shape == (6, 301)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"template_set": "none"}, NotFoundError),
        ({"filters": {"g": "no_such_filter"}}, NotFoundError),
        ({"filters": {}}, ConfigError),
        ({"igm": "fog"}, ConfigError),
        ({"template_err": ((4000.0, 0.1), (2000.0, 0.1))}, ConfigError),
        ({"prior": {"fraction": (0.9, 0.9), "fraction_decay": (0.1, 0.1), "alpha": (1, 1, 1), "z_scale": (1, 1, 1),
                    "z_scale_slope": (0, 0, 0)}}, ConfigError),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(settings, error):
    with pytest.raises(error):
        TemplateEstimator.default(config={"n_between": 0, "template_set": "cwwsb4", **settings})


def test_flat_prior():
    model = TemplateEstimator.default(config={**SMALL.model_dump(), "prior": "flat"}).model
    assert model.log_prior.shape == (1, 1, 301)


def test_bands_without_filters_are_left_alone(model):
    photometry, z_spec, _ = galaxies(model, 100)
    named = replace(photometry, bands=("u", "g", "r", "i", "z", "H"))
    assert TemplateEstimator.train(named, z_spec, config=SMALL).bands == ("u", "g", "r", "i", "z")
    with pytest.raises(BandError):
        TemplateEstimator.train(replace(photometry, bands=tuple("ABCDEF")), z_spec, config=SMALL)


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0])
def test_forged_zero_points_are_refused(tmp_path, model, value):
    bad = replace(model, zero_point_factor=np.full(6, value))
    TemplateEstimator(config=SMALL, bands=BANDS, model=bad, training=None).save(tmp_path / "model")
    with pytest.raises(ModelError, match="zero point"):
        TemplateEstimator.load(tmp_path / "model")
