from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pzcenter.errors import ConfigError, MissingDependencyError, ModelError
from pzcenter.estimators import storage
from pzcenter.estimators.checks import check_training
from pzcenter.estimators.density_network import DensityNetworkConfig, DensityNetworkEstimator, kernel
from pzcenter.estimators.density_network import model as model_module
from pzcenter.estimators.density_network.augmentation import Augmentation, ErrorCurve
from pzcenter.estimators.density_network.domain import fit_domain
from pzcenter.estimators.density_network.grids import density_grid
from pzcenter.estimators.density_network.recalibration import N_LEVEL, pit_density
from pzcenter.estimators.density_network.template_part import coarse_grid, fit_templates
from pzcenter.estimators.fingerprints import count_known, fingerprints
from pzcenter.schema import Photometry, PZFlag
from pzcenter.science import metrics
from pzcenter.science.photometry import mag_err_to_flux_err, mag_to_flux
from pzcenter.testing import synthetic_sky

GRID = np.linspace(0, 3, 301)
DC2 = Path(__file__).parents[2] / "data" / "dc2"
TINY = {"n_member": 2, "n_hidden": 16, "n_layer": 1, "resolution": 0.05, "max_epochs": 4, "templates": "none"}
SMALL = {"n_member": 2, "n_hidden": 32, "n_layer": 1, "resolution": 0.03, "max_epochs": 40, "filters": "dc2"}


def train(photometry, z_spec, **config):
    pytest.importorskip("jax", reason="training needs jax: pzcenter[ml]")
    pytest.importorskip("optax", reason="training needs optax: pzcenter[ml]")
    return DensityNetworkEstimator.train(photometry, z_spec, config=TINY | config)


@pytest.fixture(scope="module")
def tiny():
    sky = synthetic_sky(300, seed=1)
    return train(sky.photometry, sky.z_spec)


def dc2(n_obj):
    with h5py.File(DC2 / "test_dc2_training_9816.hdf5") as file:
        group = file["photometry"]
        mag = np.stack([group[f"mag_{b}_lsst"][:] for b in "ugrizy"], axis=1).astype(float)
        mag_err = np.stack([group[f"mag_err_{b}_lsst"][:] for b in "ugrizy"], axis=1).astype(float)
        z_spec = group["redshift"][:]
    mag[mag > 90] = np.nan
    photometry = Photometry(flux=mag_to_flux(mag), flux_err=mag_err_to_flux_err(mag, mag_err), bands=tuple("ugrizy"))
    # The rows are nearly sorted by redshift.
    order = np.random.default_rng(1).permutation(z_spec.size)[:n_obj]
    return photometry.select(order), z_spec[order]


# What is computed


def test_kernel_agrees_with_numpy():
    """One network, written out in float64."""
    rng = np.random.default_rng(1)

    def some(*shape):
        return rng.normal(0, 0.3, shape).astype(np.float32)

    n_bump, n_obj, n_band = 16, 70, 6
    net = kernel.Network(
        some(1, 8, 24), some(1, 8), some(1, 1, 8, 8), some(1, 1, 8), some(1, n_bump, 8), some(1, n_bump)
    )
    flux = rng.uniform(10, 1000, (n_obj, n_band)).astype(np.float32)
    flux[3, 2] = np.nan
    err = np.full_like(flux, 20)
    grid = density_grid(GRID, coarse_grid(GRID), np.log(4) / (n_bump - 1))
    assert grid.n_bump == n_bump
    softening, mean, scale = np.full(n_band, 20.0), some(23), np.ones(23, np.float32)
    domain = fit_domain(flux, err, softening, np.random.default_rng(0))
    tables = kernel.DensityTables(
        grid.first_bump, grid.taps, grid.coarse_cell, grid.coarse_part, np.float32(0), grid.z_weight,
        np.ones(N_LEVEL, np.float32), np.ones(GRID.size, np.float32),
    )  # fmt: skip
    pdf, inside = kernel.densities(
        flux, err, template_pdf=np.empty((n_obj, 1), np.float32), misfit=np.empty(n_obj, np.float32),
        coarse=coarse_grid(GRID), group=3, softening=softening, mean=mean, scale=scale, bare=net,
        hybrid=model_module.no_networks(net), domain=domain, tables=tables, belief=0.0,
    )  # fmt: skip
    x = kernel.photometric_features(flux, err, softening).astype(float)
    x = np.clip((x - mean) * scale, -5, 5)
    x = np.pad(np.where(np.isfinite(x), x, 0), ((0, 0), (0, 1)))

    def ramp(v):
        return 0.5 * v * (1 + v / (1 + abs(v)))

    h = ramp(x @ net.first[0].T + net.first_bias[0])
    h = h + ramp(h @ net.inner[0, 0].T + net.inner_bias[0, 0])
    p = np.exp((h @ net.last[0].T + net.last_bias[0]) @ grid.bumps)
    p /= np.trapezoid(p, GRID, axis=1)[:, None]
    np.testing.assert_allclose(pdf, p, rtol=2e-4, atol=1e-6)
    np.testing.assert_array_equal(inside, 1)


def test_bumps_add_up_to_one():
    for z_grid in (GRID, np.geomspace(1, 4.5, 160) - 1, np.linspace(0, 6, 601)):
        grid = density_grid(z_grid, coarse_grid(z_grid), 0.014)
        np.testing.assert_allclose(grid.bumps.sum(axis=0), 1, atol=1e-5)
        taps = np.zeros_like(grid.bumps)
        for k in range(z_grid.size):
            taps[grid.first_bump[k] : grid.first_bump[k] + grid.taps.shape[1], k] = grid.taps[k]
        np.testing.assert_allclose(taps, grid.bumps, atol=1e-7)


def test_recalibration_makes_the_transform_uniform():
    """Of densities that are too narrow."""
    rng = np.random.default_rng(2)
    z_spec = rng.normal(1.5, 0.2, 20_000)
    z_phot = z_spec + rng.normal(0, 0.05, z_spec.size)
    pdf = np.exp(-0.5 * ((GRID - z_phot[:, None]) / 0.035) ** 2)
    pdf /= np.trapezoid(pdf, GRID, axis=1)[:, None]
    before = metrics.pit(pdf[:10_000], GRID, z_spec[:10_000])
    density = pit_density(before)
    mass = pdf * 0.01
    changed = pdf * np.interp(np.cumsum(mass, axis=1) - 0.5 * mass, np.linspace(0, 1, N_LEVEL), density)
    changed /= np.trapezoid(changed, GRID, axis=1)[:, None]
    after = metrics.pit(changed[10_000:], GRID, z_spec[10_000:])
    assert metrics.pit_ks(before) > 0.05
    assert metrics.pit_ks(after) < 0.4 * metrics.pit_ks(before)


def test_few_objects_recalibrate_nothing():
    np.testing.assert_allclose(pit_density(np.array([0.5, np.nan])), 1, atol=0.05)


def test_moved_copies_have_the_colours_of_their_redshift():
    """Without noise, an object that is one of the templates is moved along that template."""
    photometry, z_spec = dc2(60)
    config = DensityNetworkConfig(filters="dc2", templates="published", shift=0.05, extra_noise=0, lost_bands=0)
    sample = check_training(photometry, z_spec, None, DensityNetworkEstimator.declaration.__class__())
    parts = fit_templates(sample, config)
    rows = np.arange(sample.z_spec.size)
    model = parts.flux_at(np.full(rows.size, 5), sample.z_spec)
    exact = replace(sample, flux=(1000 * model).astype(np.float32), flux_err=np.full(model.shape, 0.01, np.float32))
    copies = Augmentation(exact, config, parts).copies(rows, np.random.default_rng(1))
    wanted = parts.flux_at(np.full(rows.size, 5), copies.z)
    assert np.std(copies.z - exact.z_spec) > 0.02
    bright = wanted > 1e-3 * wanted.max(axis=1, keepdims=True)
    ratio = np.where(bright, copies.flux / np.where(bright, wanted, 1), np.nan)
    np.testing.assert_allclose(np.nanmax(ratio, axis=1), np.nanmin(ratio, axis=1), rtol=0.1)


def test_copies_are_as_noisy_as_the_target():
    sky = synthetic_sky(400, seed=1)
    config = DensityNetworkConfig(templates="none", lost_bands=0, target_flux_err={"i": 200.0})
    sample = check_training(sky.photometry, sky.z_spec, None, DensityNetworkEstimator.declaration)
    flux, err = Augmentation(sample, config, None).degraded(np.random.default_rng(1))
    assert flux.shape == (800, 6)
    assert np.all(err[400:, 3] >= 199.9)
    np.testing.assert_array_equal(err[400:, 0], err[:400, 0])
    deviation = (flux[400:, 3] - flux[:400, 3]) / np.sqrt(np.maximum(err[400:, 3] ** 2 - err[:400, 3] ** 2, 1))
    assert 0.9 < np.std(deviation) < 1.1


def test_non_detections_stay_without_flux():
    """Where a survey gives no flux to what it does not detect, copies have no negative fluxes either."""
    sky = synthetic_sky(300, seed=1)
    flux, err = sky.photometry.flux.copy(), sky.photometry.flux_err.copy()
    lost = ~(flux > 0)
    lost[:10, 0] = True
    flux[lost] = err[lost] = np.nan
    sample = check_training(
        Photometry(flux=flux, flux_err=err, bands=sky.photometry.bands), sky.z_spec, None,
        DensityNetworkEstimator.declaration,
    )  # fmt: skip
    config = DensityNetworkConfig(templates="none", extra_noise=3)
    copies = Augmentation(sample, config, None).copies(np.arange(300), np.random.default_rng(1))
    assert not np.any(copies.flux[:, 0] <= 0)


def test_error_curve_of_a_band_nobody_has():
    curve = ErrorCurve.of(np.full(3, np.nan, np.float32), np.ones(3, np.float32))
    np.testing.assert_array_equal(curve.change(np.ones(2), np.full(2, 5.0)), 1)


def test_doubles_are_recognised():
    sky = synthetic_sky(100, seed=1)
    flux, err = sky.photometry.flux.copy(), sky.photometry.flux_err
    flux[3, 0] = np.nan
    known = np.sort(fingerprints(flux[:40], err[:40]))
    assert np.unique(known).size == 40
    assert count_known(fingerprints(flux[30:], err[30:]), known) == 10
    assert count_known(known, known[:0]) == 0


# The model


def test_training_objects_are_told(tiny, caplog):
    sky = synthetic_sky(20, seed=5)
    with caplog.at_level(logging.WARNING):
        tiny.estimate(sky.photometry)
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        tiny.estimate(synthetic_sky(300, seed=1).photometry)
    assert "300 of 300 objects are in the training set" in caplog.text


def test_small_and_constant_training_sets_are_refused():
    sky = synthetic_sky(200, seed=1)
    with pytest.raises(ModelError, match=r"10 of 10 .* at least 100"):
        train(sky.photometry.select(slice(0, 10)), sky.z_spec[:10])
    with pytest.raises(ModelError, match=r"all 200 training redshifts are 0\.5"):
        train(sky.photometry, np.full(200, 0.5))


def test_models_of_a_newer_version_are_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(model_module, "LAYOUT", 2)
    tiny.save(tmp_path / "model")
    monkeypatch.undo()
    with pytest.raises(ModelError, match=r"newer version \(layout 2"):
        DensityNetworkEstimator.load(tmp_path / "model")
    monkeypatch.setattr(storage, "FORMAT_VERSION", storage.FORMAT_VERSION + 1)
    tiny.save(tmp_path / "format")
    monkeypatch.undo()
    with pytest.raises(ModelError):
        DensityNetworkEstimator.load(tmp_path / "format")


def test_forged_numbers_are_refused(tiny, tmp_path):
    model = replace(tiny.model, softening=np.full(6, np.nan))
    forged = DensityNetworkEstimator(
        config=tiny.config, bands=tiny.bands, z_grid=tiny.z_grid, model=model, training=tiny.training, held_out={}
    )
    forged.save(tmp_path / "model")
    with pytest.raises(ModelError, match="finite"):
        DensityNetworkEstimator.load(tmp_path / "model")


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="n_hidden"):
        DensityNetworkEstimator.train(*_sky(), config={"n_hidden": 9})
    with pytest.raises(ModelError, match="train it"):
        DensityNetworkEstimator.default()


def _sky():
    sky = synthetic_sky(200, seed=1)
    return sky.photometry, sky.z_spec


def test_band_nobody_has_is_not_looked_at(tiny):
    sky = synthetic_sky(200, seed=1)
    flux = sky.photometry.flux.copy()
    flux[:, 0] = np.nan
    model = train(replace(sky.photometry, flux=flux), sky.z_spec)
    with_u = model.estimate(sky.photometry)
    without = model.estimate(replace(sky.photometry, flux=flux))
    np.testing.assert_array_equal(with_u.pdf, without.pdf)
    only_u = np.full((1, 6), np.nan, dtype=np.float32)
    only_u[0, 0] = 100.0
    pz = model.estimate(Photometry(flux=only_u, flux_err=np.ones_like(only_u), bands=sky.photometry.bands))
    assert np.isnan(pz.pdf).all()
    assert pz.flags[0] & PZFlag.no_estimate


def test_training_can_be_interrupted():
    sky = synthetic_sky(200, seed=1)

    def stop(fraction, _text):
        if fraction > 0.3:
            raise KeyboardInterrupt

    pytest.importorskip("jax", reason="training needs jax: pzcenter[ml]")
    with pytest.raises(KeyboardInterrupt):
        DensityNetworkEstimator.train(sky.photometry, sky.z_spec, config=TINY, progress=stop)


def test_seed_decides(tiny):
    sky = synthetic_sky(300, seed=1)
    again = train(sky.photometry, sky.z_spec)
    np.testing.assert_array_equal(again.model.bare.first, tiny.model.bare.first)
    other = train(sky.photometry, sky.z_spec, seed=2)
    assert not np.array_equal(other.model.bare.first, tiny.model.bare.first)


def test_training_without_jax_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optax", None)
    with pytest.raises(MissingDependencyError, match=r"pzcenter\[ml\]"):
        DensityNetworkEstimator.train(*_sky(), config=TINY)


# Honesty


@pytest.fixture(scope="module")
def bright_only():
    """Model of the brighter galaxies of DC2, and those that are much fainter."""
    photometry, z_spec = dc2(4000)
    mag = 31.4 - 2.5 * np.log10(photometry.flux[:, 3])
    bright, faint = np.flatnonzero(mag < 23.0), np.flatnonzero(mag > 24.3)
    model = train(photometry.select(bright), z_spec[bright], **SMALL | {"templates": "calibrated"})
    return model, photometry.select(faint), z_spec[faint], photometry.select(bright)


def test_bright_training_set_gives_no_confident_nonsense(bright_only):
    """Faint objects get broad densities that hold the truth, and the flag; without treatment they do not."""
    model, faint, z_spec, bright = bright_only
    naive = DensityNetworkEstimator(
        config=model.config, bands=model.bands, z_grid=model.z_grid, training=None, held_out={},
        model=replace(model.model, domain=model.model.domain._replace(radius=model.model.domain.radius * 1e6)),
    )  # fmt: skip
    pz, untreated = model.estimate(faint), naive.estimate(faint)
    pit, pit_untreated = (metrics.pit(each.pdf, each.z_grid, z_spec) for each in (pz, untreated))

    def coverage(values):
        return np.mean((values > 0.025) & (values < 0.975))

    assert coverage(pit) > 0.85
    assert coverage(pit) > coverage(pit_untreated) + 0.1
    assert metrics.pit_outlier_rate(pit) < 0.3 * metrics.pit_outlier_rate(pit_untreated)
    outside = (pz.flags & np.uint32(PZFlag.outside_domain)) != 0
    assert outside.mean() > 0.5
    assert np.mean((model.estimate(bright).flags & np.uint32(PZFlag.outside_domain)) != 0) < 0.02
