import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pzcenter.errors import GridError
from pzcenter.science import igm

MODELS = [igm.madau1995_transmission, igm.inoue2014_transmission]
WAVELENGTH = np.linspace(1000.0, 12000.0, 2201)


@pytest.mark.parametrize("model", MODELS)
@given(z=st.floats(0, 7))
def test_bounded_and_clear_redwards_of_lyman_alpha(model, z):
    transmission = model(WAVELENGTH, z)
    assert np.all((transmission >= 0) & (transmission <= 1 + 1e-12))
    rest = WAVELENGTH / (1 + z)
    assert np.all(transmission[rest > 1216.0] == 1.0)


@pytest.mark.parametrize("model", MODELS)
def test_no_absorption_towards_redshift_zero(model):
    np.testing.assert_allclose(model(WAVELENGTH[WAVELENGTH > 1216], 0.0), 1.0)


@pytest.mark.parametrize("model", MODELS)
def test_rows_are_single_redshifts(model):
    z = np.array([0.0, 1.1, 1.3, 2.1, 3.0, 4.8, 6.0])
    together = model(WAVELENGTH, z)
    assert together.shape == (7, WAVELENGTH.size)
    for row, one in zip(together, z, strict=True):
        np.testing.assert_allclose(row, model(WAVELENGTH, one), rtol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_farther_sources_are_dimmer(model):
    z = np.linspace(0, 6, 121)
    blue = model(np.array([3500.0, 4800.0]), z)
    assert np.all(np.diff(blue, axis=0) <= 1e-3)  # the fits of the continuum are not exactly monotonic


def test_madau_forest_depth():
    # Madau 1995, eq. 12: tau = 0.0036 (lambda/1216)^3.46 between Lyman beta and alpha.
    assert igm.madau1995_transmission([1150.0 * 4], 3.0)[0] == pytest.approx(
        np.exp(-0.0036 * (1150.0 * 4 / 1216) ** 3.46)
    )


def test_madau_steps_at_the_lines():
    below, above = igm.madau1995_transmission([1025.0 * 5, 1027.0 * 5], 4.0)
    assert below / above == pytest.approx(np.exp(-0.0017 * 5**3.46), rel=0.01)


def test_madau_keeps_its_depth_bluewards():
    transmission = igm.madau1995_transmission(np.linspace(1200, 912 * 4.0, 500), 3.0)
    assert np.all(np.diff(transmission[:300]) >= -1e-6)
    assert transmission[0] < 0.05


def test_inoue_forest_depth():
    # Inoue et al. 2014, eq. 21 and 22 with Lyman alpha alone, at z = 3 and 5.5.
    for z, factor in ((3.0, 2.35379e-03), (5.5, 1.02611e-04)):
        x = 1150.0 * (1 + z) / 1215.67
        power = 3.7 if z == 3.0 else 5.5
        tau = factor * x**power + 5.38995e-05 * x**3
        assert igm.inoue2014_transmission([1150.0 * (1 + z)], z)[0] == pytest.approx(np.exp(-tau), rel=1e-9)


def test_inoue_coefficients_have_the_ratios_of_the_paper():
    # The three power laws of the forest meet at 1+z = 2.2 and 5.7, those of the damped systems at 3.
    wavelength, forest, damped = igm._inoue_series()
    assert wavelength.size == 39
    np.testing.assert_allclose(forest[0] * 2.2**1.2, forest[1] * 2.2**3.7, rtol=2e-3)
    np.testing.assert_allclose(forest[1] * 5.7**3.7, forest[2] * 5.7**5.5, rtol=2e-3)
    np.testing.assert_allclose(damped[0] * 3.0**2, damped[1] * 3.0**3, rtol=2e-3)
    assert np.all(np.diff(wavelength) < 0)
    # hydrogen: lambda_j = 911.75 / (1 - 1/j^2)
    j = np.arange(2, 41)
    np.testing.assert_allclose(wavelength, 911.75 / (1 - 1 / j**2), rtol=2e-5)


def test_inoue_continuum_vanishes_at_the_limit_and_has_no_jumps():
    for z in (0.5, 1.5, 2.5, 4.0, 5.5):
        z1 = 1.0 + z
        x = np.array([z1])
        assert abs(igm._inoue_forest_continuum(x, z1)[0] + igm._inoue_damped_continuum(x, z1)[0]) < 2e-3 * z1**3
        for edge in (2.2, 3.0, 5.7):
            if edge < z1:
                pair = np.array([edge - 1e-9, edge + 1e-9])
                for part in (igm._inoue_forest_continuum, igm._inoue_damped_continuum):
                    before, after = part(pair, z1)
                    assert before == pytest.approx(after, abs=0.01)


def test_inoue_continuum_joins_in_redshift():
    x = np.array([1.5, 2.0])
    for edge, part in ((2.2, igm._inoue_forest_continuum), (5.7, igm._inoue_forest_continuum),
                       (3.0, igm._inoue_damped_continuum)):  # fmt: skip
        np.testing.assert_allclose(part(x, edge - 1e-9), part(x, edge + 1e-9), atol=0.02)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("wavelength", "z"), [([0.0], 1.0), ([1000.0], -0.1), ([1000.0], np.nan), (5000.0, 1.0)])
def test_bad_arguments(model, wavelength, z):
    with pytest.raises(GridError):
        model(wavelength, z)
