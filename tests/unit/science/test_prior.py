"""The prior of Benitez (2000): published values, normalisation, limits, tabulation."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pzcenter.errors import GridError, ShapeError, UsageError
from pzcenter.science.prior import HDFN_PRIOR, BpzPrior, flat_prior, magnitude_prior, tabulate_prior

Z_GRID = np.linspace(0.0, 3.0, 301)
TYPES = np.array([0, 1, 1, 2, 2, 2, 2, 2])


def test_hdfn_parameters_are_those_of_the_paper():
    # Benitez 2000, table 1: E/S0, Sbc/Scd, Irr.
    assert HDFN_PRIOR.alpha == (2.465, 1.806, 0.906)
    assert HDFN_PRIOR.z_scale == (0.431, 0.390, 0.0626)
    assert HDFN_PRIOR.z_scale_slope == (0.0913, 0.0636, 0.123)
    assert HDFN_PRIOR.fraction == (0.35, 0.50)
    assert HDFN_PRIOR.fraction_decay == (0.450, 0.147)


@given(
    mag=st.floats(15.0, 35.0),
    floor=st.sampled_from([0.0, 0.1, 1.0]),
    tail_cut=st.sampled_from([0.0, 0.01]),
    z_max=st.sampled_from([1.5, 3.0, 6.0]),
)
def test_the_prior_is_a_probability(mag, floor, tail_cut, z_max):
    z_grid = np.linspace(0.0, z_max, 201)
    prior = magnitude_prior(np.array([mag]), z_grid, replace(HDFN_PRIOR, floor=floor, tail_cut=tail_cut))
    assert prior.shape == (1, 3, 201)
    assert np.all(prior >= 0)
    assert np.trapezoid(prior.sum(axis=1), z_grid) == pytest.approx(1.0)


def test_type_fractions_follow_the_magnitude():
    mag = np.array([20.0, 22.0, 25.0])
    fraction = np.trapezoid(magnitude_prior(mag, Z_GRID, HDFN_PRIOR), Z_GRID)
    elliptical, spiral = 0.35 * np.exp(-0.45 * (mag - 20)), 0.5 * np.exp(-0.147 * (mag - 20))
    assert fraction[:, 0] == pytest.approx(elliptical)
    assert fraction[:, 1] == pytest.approx(spiral)
    assert fraction[:, 2] == pytest.approx(1 - elliptical - spiral)


def test_the_redshift_density_has_the_shape_of_the_paper():
    params = replace(HDFN_PRIOR, tail_cut=0.0)
    prior = magnitude_prior(np.array([23.0]), Z_GRID, params)[0, 1]
    shape = Z_GRID**1.806 * np.exp(-((Z_GRID / (0.390 + 0.0636 * 3)) ** 1.806))
    assert prior / prior.max() == pytest.approx(shape / shape.max())


def test_bright_and_faint_magnitudes_take_the_ends():
    prior = magnitude_prior(np.array([-99.0, 20.0, 32.0, 99.0]), Z_GRID, HDFN_PRIOR)
    assert np.array_equal(prior[0], prior[1])
    assert np.array_equal(prior[2], prior[3])


def test_a_floor_forbids_nothing():
    prior = magnitude_prior(np.array([20.0]), Z_GRID, replace(HDFN_PRIOR, floor=0.05))
    assert np.all(prior > 0)


def test_one_type_takes_all():
    params = BpzPrior(fraction=(), fraction_decay=(), alpha=(2.0,), z_scale=(0.4,), z_scale_slope=(0.1,))
    prior = magnitude_prior(np.array([24.0]), Z_GRID, params)
    assert np.trapezoid(prior[0, 0], Z_GRID) == pytest.approx(1.0)


def test_the_table_shares_a_type_among_its_templates():
    table = tabulate_prior(Z_GRID, HDFN_PRIOR, TYPES, mag_step=0.5)
    assert table.log_prior.shape == (25, 3, 301)
    total = np.exp(table.log_prior.astype(np.float64))[:, TYPES].sum(axis=1)
    assert np.trapezoid(total, Z_GRID) == pytest.approx(1.0, rel=1e-5)


def test_half_a_step_of_the_table_changes_little():
    step = 0.01
    mag = np.arange(20.0, 28.0, 0.1)
    here = magnitude_prior(mag, Z_GRID, HDFN_PRIOR)
    there = magnitude_prior(mag + step / 2, Z_GRID, HDFN_PRIOR)
    total_variation = 0.5 * np.trapezoid(np.abs(here - there).sum(axis=1), Z_GRID)
    assert total_variation.max() < 2e-3


def test_a_flat_prior_is_a_probability():
    table = flat_prior(Z_GRID, n_template=8)
    assert 8 * np.trapezoid(np.exp(table.log_prior[0, 0]), Z_GRID) == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"alpha": (1.0, 2.0)}, ShapeError),
        ({"fraction": (0.1,)}, ShapeError),
        ({"fraction": (0.7, 0.5)}, UsageError),
        ({"fraction": (-0.1, 0.5)}, UsageError),
        ({"fraction_decay": (-0.1, 0.5)}, UsageError),
        ({"alpha": (0.0, 1.0, 1.0)}, UsageError),
        ({"mag_max": 19.0}, UsageError),
        ({"floor": 1.5}, UsageError),
        ({"tail_cut": -0.1}, UsageError),
    ],
)
def test_impossible_parameters_are_refused(changes, error):
    with pytest.raises(error):
        replace(HDFN_PRIOR, **changes)


@pytest.mark.parametrize("z_grid", [np.array([-0.1, 1.0]), np.array([0.0, 0.0, 1.0]), np.array([1.0])])
def test_a_bad_grid_is_refused(z_grid):
    with pytest.raises(GridError):
        magnitude_prior(np.array([20.0]), z_grid, HDFN_PRIOR)


def test_an_unknown_type_is_refused():
    with pytest.raises(ShapeError, match=r"0\.\.2"):
        tabulate_prior(Z_GRID, HDFN_PRIOR, np.array([0, 3]))
