"""The suite catches what it is there to catch: each broken method fails the test that is meant for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from pzcenter.estimators.trainz import TrainZEstimator
from pzcenter.schema import PZ
from pzcenter.testing import EstimatorSuite, photometries, synthetic_sky


class NotNormalised(TrainZEstimator):
    def estimate(self, photometry):
        pz = super().estimate(photometry)
        return replace(pz, pdf=pz.pdf * np.float32(1.01))


class UsesTheRowNumber(TrainZEstimator):
    def estimate(self, photometry):
        pz = super().estimate(photometry)
        pdf = pz.pdf.copy()
        pdf[1::2] = pdf[1::2, ::-1]
        return replace(pz, pdf=pdf)


class UsesBandsByPlace(TrainZEstimator):
    def estimate(self, photometry):
        pz = super().estimate(photometry)
        pdf = pz.pdf.copy()
        up = photometry.flux[:, 0] > np.median(photometry.flux[:, -1])
        pdf[up] = pdf[up, ::-1]
        return replace(pz, pdf=pdf)


class DropsFlags(TrainZEstimator):
    def estimate(self, photometry):
        pz = super().estimate(photometry)
        return replace(pz, flags=np.zeros_like(pz.flags))


class InventsEstimates(TrainZEstimator):
    def estimate(self, photometry):
        pz = super().estimate(photometry)
        return PZ(pdf=np.tile(self.density, (photometry.n_obj, 1)), z_grid=pz.z_grid, flags=pz.flags)


class ForgetsItsBands(TrainZEstimator):
    def estimate(self, photometry):
        self.bands = photometry.bands
        return super().estimate(photometry)


class NeedsAllMemory(TrainZEstimator):
    def estimate(self, photometry):
        cube = np.ones((photometry.n_obj, self.z_grid.size, 40), dtype=np.float32)
        assert cube.size >= 0
        return super().estimate(photometry)


class LoadsSomethingElse(TrainZEstimator):
    @classmethod
    def load(cls, directory):
        model = super().load(directory)
        model.density = model.density[::-1]
        return model


def suite_for(cls):
    return type("Suite", (EstimatorSuite,), {"estimator_class": cls})()


@pytest.mark.parametrize(
    ("broken", "test", "kwargs"),
    [
        (NotNormalised, "test_gives_densities", {}),
        (UsesTheRowNumber, "test_split_changes_nothing", {"size": 7}),
        (UsesTheRowNumber, "test_order_of_objects_changes_nothing", {}),
        (UsesBandsByPlace, "test_order_of_bands_changes_nothing", {}),
        (DropsFlags, "test_keeps_flags", {}),
        (InventsEstimates, "test_objects_without_photometry", {}),
    ],
)
def test_broken_methods_fail(broken, test, kwargs):
    suite = suite_for(broken)
    sky = synthetic_sky(suite.n_test, seed=2)
    train = synthetic_sky(100, seed=1)
    model = broken.train(train.photometry, train.z_spec)
    with pytest.raises(AssertionError):
        getattr(suite, test)(model=model, sky=sky, **kwargs)


def test_a_method_that_forgets_its_bands_fails():
    train = synthetic_sky(100, seed=1)
    model = ForgetsItsBands.train(train.photometry, train.z_spec)
    with pytest.raises(pytest.fail.Exception):
        suite_for(ForgetsItsBands).test_refuses_other_bands(model=model, sky=synthetic_sky(60, seed=2))


def test_a_method_that_needs_all_memory_fails():
    train = synthetic_sky(100, seed=1)
    model = NeedsAllMemory.train(train.photometry, train.z_spec)
    with pytest.raises(AssertionError):
        suite_for(NeedsAllMemory).test_needs_no_memory_beside_the_result(model=model)


def test_a_method_that_loads_something_else_fails(tmp_path):
    train = synthetic_sky(100, seed=1)
    model = LoadsSomethingElse.train(train.photometry, train.z_spec)
    with pytest.raises(AssertionError):
        suite_for(LoadsSomethingElse).test_round_trip(model=model, sky=synthetic_sky(60, seed=2), tmp_path=tmp_path)


def test_synthetic_sky_is_the_same_for_a_seed():
    one, same, other = synthetic_sky(50, seed=1), synthetic_sky(50, seed=1), synthetic_sky(50, seed=2)
    np.testing.assert_array_equal(one.photometry.flux, same.photometry.flux)
    assert not np.array_equal(one.photometry.flux, other.photometry.flux)
    assert one.z_spec.min() >= 0.02
    assert one.z_spec.max() <= 2.5


def test_synthetic_sky_bands_are_by_name():
    sky, some = synthetic_sky(50, seed=1), synthetic_sky(50, seed=1, bands=("y", "g"))
    np.testing.assert_array_equal(some.photometry.flux, sky.photometry.with_bands(("y", "g")).flux)


def test_synthetic_colours_tell_the_redshift():
    from pzcenter.estimators import get_estimator

    train, test = synthetic_sky(600, seed=1), synthetic_sky(200, seed=2)
    model = get_estimator("neighbours").train(train.photometry, train.z_spec, config={"n_tune": 100})
    pz = model.estimate(test.photometry)
    dz = (pz.z_grid[np.argmax(pz.pdf, axis=1)] - test.z_spec) / (1 + test.z_spec)
    assert np.median(np.abs(dz)) < 0.05


@given(photometry=photometries(min_obj=1, allow_odd=False))
@settings(max_examples=20, deadline=None, derandomize=True, database=None)
def test_plain_photometries_are_usable(photometry):
    assert 1 <= photometry.n_obj <= 8
    assert np.all(np.isfinite(photometry.flux))
    assert np.all(photometry.flux_err > 0)
