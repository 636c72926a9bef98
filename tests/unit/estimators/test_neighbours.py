from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pzcenter.errors import ModelError
from pzcenter.estimators.neighbours import NeighboursConfig, NeighboursEstimator
from pzcenter.estimators.neighbours.kernel import DensitySettings, neighbour_densities
from pzcenter.estimators.neighbours.space import asinh_softening, features, space_of_bands
from pzcenter.estimators.neighbours.tuning import CANDIDATES, NeighbourSettings, _other_neighbours
from pzcenter.schema import Photometry, PZFlag
from pzcenter.science.metrics import cde_loss, outlier_fraction, sigma_nmad
from pzcenter.science.photometry import mag_err_to_flux_err, mag_to_flux
from pzcenter.testing import synthetic_sky

GRID = np.linspace(0, 3, 301)
SETTINGS = DensitySettings(colour_floor=0.05, reach=0.1, ridge=1.0, width=1.0, width_min=0.004)
DC2 = Path(__file__).parents[2] / "data" / "dc2"
FAST = NeighboursConfig(**{name: getattr(NeighbourSettings(), name) for name in CANDIDATES})


def densities(train_x, train_z, x, *, settings=SETTINGS, z_grid=GRID, err=0.01):
    train_x, x = np.atleast_2d(train_x), np.atleast_2d(x)
    near = np.tile(np.arange(train_x.shape[0]), (x.shape[0], 1))
    return neighbour_densities(
        x, np.full(x.shape, err), train_x, np.full(train_x.shape, err), train_z, near, z_grid, settings
    )


def mean_of(pdf):
    return np.trapezoid(GRID * pdf[0].astype(float), GRID)


def test_linear_relation_is_followed():
    """Where redshift is linear in the features, the density is at the right redshift even off the middle."""
    rng = np.random.default_rng(1)
    train_x = rng.uniform(-0.3, 0.3, (60, 3))
    train_z = 1.0 + train_x @ np.array([0.8, -0.5, 0.2])
    x = np.array([0.25, -0.2, 0.1])
    loose = SETTINGS._replace(ridge=1e-6)
    np.testing.assert_allclose(
        mean_of(densities(train_x, train_z, x, settings=loose)), 1 + x @ [0.8, -0.5, 0.2], atol=3e-3
    )


def test_stiff_fit_moves_nothing():
    rng = np.random.default_rng(1)
    train_x = rng.uniform(-0.3, 0.3, (60, 3))
    train_z = 1.0 + train_x @ np.array([0.8, -0.5, 0.2])
    stiff = densities(train_x, train_z, np.full(3, 0.2), settings=SETTINGS._replace(ridge=1e6, reach=1e6))
    np.testing.assert_allclose(mean_of(stiff), train_z.mean(), atol=3e-3)


def test_noise_moves_nothing():
    """An object whose features are all noise is not extrapolated by them."""
    rng = np.random.default_rng(1)
    train_x = rng.uniform(-0.3, 0.3, (60, 1))
    train_z = 1.0 + train_x[:, 0]
    noisy = densities(train_x, train_z, np.array([0.3]), err=5.0)
    np.testing.assert_allclose(mean_of(noisy), train_z.mean(), atol=0.02)


def test_density_stays_on_the_grid():
    train_x = np.linspace(-0.3, 0.3, 30)[:, None]
    far = densities(train_x, 2.9 + 0.3 * train_x[:, 0], np.array([2.0]))
    np.testing.assert_allclose(np.trapezoid(far[0], GRID), 1, atol=1e-5)


def test_equal_redshifts_give_the_narrowest_kernel():
    pdf = densities(np.zeros((10, 2)), np.full(10, 1.0), np.zeros(2))[0].astype(float)
    width = np.sqrt(np.trapezoid((GRID - 1) ** 2 * pdf, GRID))
    assert 0.004 < width < 0.012


def test_two_populations_give_two_peaks():
    z = np.repeat([0.3, 2.2], 25) + np.tile(np.linspace(-0.05, 0.05, 25), 2)
    pdf = densities(np.zeros((50, 2)), z, np.zeros(2))[0]
    assert pdf[30] > 5 * pdf[120]
    assert pdf[220] > 5 * pdf[120]


def test_grid_of_uneven_steps():
    grid = np.concatenate([np.linspace(0, 0.5, 200), np.linspace(0.6, 3, 9)])
    pdf = densities(np.zeros((10, 2)), np.array([0.2] * 9 + [2.44]), np.zeros(2), z_grid=grid)
    np.testing.assert_allclose(np.trapezoid(pdf[0], grid), 1, atol=1e-5)


def test_features_of_negative_fluxes_are_finite():
    flux = np.array([[-1e4, 0.0, 10.0]], dtype=np.float32)
    x, x_err = features(flux, np.ones_like(flux), np.ones(3), 0.1)
    assert np.all(np.isfinite(x))
    assert np.all(x_err > 0)


def test_softening_of_a_band_nobody_has():
    np.testing.assert_array_equal(asinh_softening(np.array([[2.0, np.nan], [4.0, np.nan]], np.float32), 2.0), [6, 1])


def test_space_drops_bands_that_few_have():
    sky = synthetic_sky(100, seed=1)
    flux, flux_err = sky.photometry.flux.copy(), sky.photometry.flux_err.copy()
    flux[5:, 0] = np.nan
    softening = asinh_softening(flux_err, 2.0)
    space = space_of_bands(tuple(range(6)), flux, flux_err, sky.z_spec, softening, magnitude_weight=0.1, n_min=20)
    assert space.columns == (1, 2, 3, 4, 5)
    assert space.n_train == 100
    assert space_of_bands((0,), flux, flux_err, sky.z_spec, softening, magnitude_weight=0.1, n_min=20) is None


def test_objects_only_in_a_band_nobody_has_get_no_estimate():
    sky = synthetic_sky(100, seed=1)
    flux = sky.photometry.flux.copy()
    flux[:, 0] = np.nan
    model = NeighboursEstimator.train(replace(sky.photometry, flux=flux), sky.z_spec, config=FAST)
    only_u = np.full((1, 6), np.nan, dtype=np.float32)
    only_u[0, 0] = 100.0
    pz = model.estimate(Photometry(flux=only_u, flux_err=np.ones_like(only_u), bands=sky.photometry.bands))
    assert np.isnan(pz.pdf).all()
    assert pz.flags[0] & PZFlag.no_estimate
    assert pz.flags[0] & PZFlag.outside_domain


def test_leave_one_out_leaves_itself_out():
    sky = synthetic_sky(100, seed=1)
    flux = np.repeat(sky.photometry.flux[:40], 2, axis=0)
    flux_err = np.repeat(sky.photometry.flux_err[:40], 2, axis=0)
    space = space_of_bands(
        tuple(range(6)), flux, flux_err, np.repeat(sky.z_spec[:40], 2), asinh_softening(flux_err, 2.0),
        magnitude_weight=0.1, n_min=20,
    )  # fmt: skip
    rows = np.arange(80)
    near = _other_neighbours(space, rows, 5)
    assert near.shape == (80, 5)
    assert not np.any(near == rows[:, None])


def test_far_objects_are_outside_the_domain():
    sky = synthetic_sky(300, seed=1)
    model = NeighboursEstimator.train(sky.photometry, sky.z_spec, config=FAST)
    strange = sky.photometry.flux[:20] * np.float32([1, 30, 1, 30, 1, 30])
    near = model.estimate(sky.photometry)
    far = model.estimate(Photometry(flux=strange, flux_err=sky.photometry.flux_err[:20], bands=sky.photometry.bands))
    assert np.mean((near.flags & PZFlag.outside_domain) != 0) < 0.05
    assert np.all(far.flags & PZFlag.outside_domain)
    assert far.in_train_domain.max() < 0.1 < near.in_train_domain.mean()


def test_given_settings_are_not_tuned():
    sky = synthetic_sky(300, seed=1)
    model = NeighboursEstimator.train(
        sky.photometry, sky.z_spec, config={"n_neighbours": 33, "width": 0.9, "n_tune": 100}
    )
    assert (model.settings.n_neighbours, model.settings.width) == (33, 0.9)
    assert np.isfinite(model.tuning_loss)


def test_small_samples_are_not_tuned():
    sky = synthetic_sky(60, seed=1)
    model = NeighboursEstimator.train(sky.photometry, sky.z_spec)
    assert model.settings == NeighbourSettings()
    assert np.isnan(model.tuning_loss)


def test_forged_settings_are_refused(tmp_path, monkeypatch):
    sky = synthetic_sky(60, seed=1)
    model = NeighboursEstimator.train(sky.photometry, sky.z_spec)
    monkeypatch.setattr(model, "settings", NeighbourSettings(n_neighbours=-3))
    model.save(tmp_path / "model")
    with pytest.raises(ModelError, match="positive"):
        NeighboursEstimator.load(tmp_path / "model")


def dc2(which):
    with h5py.File(DC2 / f"test_dc2_{which}_9816.hdf5") as file:
        group = file["photometry"]
        mag = np.stack([group[f"mag_{b}_lsst"][:] for b in "ugrizy"], axis=1).astype(float)
        mag_err = np.stack([group[f"mag_err_{b}_lsst"][:] for b in "ugrizy"], axis=1).astype(float)
        z_spec = group["redshift"][:]
    mag[mag > 90] = np.nan
    photometry = Photometry(flux=mag_to_flux(mag), flux_err=mag_err_to_flux_err(mag, mag_err), bands=tuple("ugrizy"))
    # The rows are nearly sorted by redshift.
    order = np.random.default_rng(1).permutation(z_spec.size)
    return photometry.select(order), z_spec[order]


def test_accuracy_on_dc2():
    """Better than RAIL's nearest neighbours on the same sample (0.0252, 3.2 %, -6.07)."""
    model = NeighboursEstimator.train(*dc2("training"))
    photometry, z_spec = dc2("validation")
    photometry, z_spec = photometry.select(slice(0, 6000)), z_spec[:6000]
    pz = model.estimate(photometry)
    z_mode = pz.z_grid[np.argmax(pz.pdf, axis=1)]
    assert sigma_nmad(z_mode, z_spec) < 0.022
    assert outlier_fraction(z_mode, z_spec, threshold=0.15) < 0.033
    assert cde_loss(pz.pdf, pz.z_grid, z_spec) < -8.0
