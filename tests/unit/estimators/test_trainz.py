from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pzcenter.errors import ModelError
from pzcenter.estimators.protocol import default_z_grid
from pzcenter.estimators.storage import write_model
from pzcenter.estimators.trainz import TrainZConfig, TrainZEstimator, redshift_density
from pzcenter.testing import synthetic_sky

GRID = default_z_grid()


@pytest.mark.parametrize("method", ["kde", "histogram"])
def test_mean_of_the_density_is_that_of_the_sample(method):
    z = np.random.default_rng(1).uniform(0.5, 2.5, 20_000)
    density = redshift_density(z, GRID, TrainZConfig(method=method))
    np.testing.assert_allclose(np.trapezoid(GRID * density, GRID), z.mean(), atol=2e-3)


def test_histogram_of_one_redshift_is_between_its_grid_points():
    density = redshift_density(np.array([1.0025]), GRID, TrainZConfig(method="histogram"))
    np.testing.assert_allclose(density[100:102], [75, 25], rtol=1e-4)
    assert np.count_nonzero(density) == 2


def test_kernel_has_its_width():
    density = redshift_density(np.full(10, 1.5), GRID, TrainZConfig(bandwidth=0.1)).astype(float)
    np.testing.assert_allclose(np.sqrt(np.trapezoid((GRID - 1.5) ** 2 * density, GRID)), 0.1, rtol=1e-3)


def test_reflection_keeps_a_flat_sample_flat():
    z = np.random.default_rng(2).uniform(0, 3, 400_000)
    density = redshift_density(z, GRID, TrainZConfig(bandwidth=0.2))
    np.testing.assert_allclose(density, 1 / 3, rtol=0.03)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=30), st.sampled_from(["kde", "histogram"]))
@settings(max_examples=50, deadline=None, derandomize=True, database=None)
def test_any_sample_gives_a_density(redshifts, method):
    density = redshift_density(np.array(redshifts), GRID, TrainZConfig(method=method))
    assert density.dtype == np.float32
    assert np.all(density >= 0)
    np.testing.assert_allclose(np.trapezoid(density.astype(float), GRID), 1, atol=1e-5)


def test_knows_nothing_of_the_object():
    sky = synthetic_sky(100)
    pz = TrainZEstimator.train(sky.photometry, sky.z_spec).estimate(sky.photometry)
    assert np.all(pz.pdf == pz.pdf[0])


@pytest.mark.parametrize("value", [np.nan, -1.0])
def test_a_model_with_an_impossible_density_is_refused(tmp_path, value):
    density = np.ones(301, dtype=np.float32)
    density[5] = value
    write_model(
        tmp_path / "model",
        estimator="trainz",
        config=TrainZConfig(),
        bands=("g",),
        z_grid=GRID,
        arrays={"density": density},
        training=None,
    )
    with pytest.raises(ModelError, match="finite"):
        TrainZEstimator.load(tmp_path / "model")
