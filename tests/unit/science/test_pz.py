"""The algebra of p(z) obeys its laws, on uniform and other grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pzcenter.errors import GridError, ShapeError, UsageError
from pzcenter.science import pz as algebra
from pzcenter.science.pz import point_estimates

UNIFORM = np.linspace(0.0, 3.0, 301)
LOGARITHMIC = np.expm1(np.linspace(0.0, np.log(4.0), 257))
COARSE = np.array([0.0, 0.05, 0.2, 0.25, 0.7, 0.9, 1.4, 1.5, 1.55, 2.0])
GRIDS = [UNIFORM, LOGARITHMIC, COARSE, np.linspace(0.0, 6.0, 601), np.array([0.3, 0.9])]


def gaussian(z_grid, centre, sigma):
    centre, sigma = np.atleast_1d(centre)[:, None], np.atleast_1d(sigma)[:, None]
    return np.exp(-0.5 * ((z_grid - centre) / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi))


def mixtures(n_obj, z_grid, seed, *, narrowest=0.01):
    """One to three Gaussians per object, with exact zeros in the tails."""
    rng = np.random.default_rng(seed)
    pdf = np.zeros((n_obj, z_grid.size))
    for component in range(3):
        centre = rng.uniform(z_grid[0], z_grid[-1], n_obj)
        sigma = np.maximum(rng.lognormal(np.log(0.05), 0.8, n_obj), narrowest) * (1.0 + centre)
        weight = rng.uniform(size=n_obj) * ((component == 0) | (rng.uniform(size=n_obj) < 0.4))
        pdf += weight[:, None] * gaussian(z_grid, centre, sigma)
    pdf[pdf < 1e-6 * pdf.max(axis=1, keepdims=True)] = 0.0
    pdf = algebra.normalise(pdf, z_grid)
    return pdf[np.isfinite(pdf).all(axis=1)]  # a Gaussian between the points of a coarse grid may leave nothing


def exact_moments(row, z_grid):
    """Mean and central moments 2 to 4 by Gauss-Legendre in every cell: exact for the polynomials here."""
    node, weight = np.polynomial.legendre.leggauss(4)
    z0, h = z_grid[:-1, None], np.diff(z_grid)[:, None]
    z = z0 + 0.5 * h * (node + 1.0)
    p = row[:-1, None] + (z - z0) / h * np.diff(row.astype(float))[:, None]
    w = 0.5 * h * weight * p
    w /= w.sum()
    mean = (w * z).sum()
    return mean, *((w * (z - mean) ** k).sum() for k in (2, 3, 4))


rows = hnp.arrays(np.float32, UNIFORM.size, elements=st.floats(0.0, 50.0, width=32)).filter(
    lambda row: row.max() > 0.01
)


@settings(max_examples=40, deadline=None)
@given(row=rows)
def test_laws_hold_for_any_row(row):
    pdf = algebra.normalise(row[None, :], UNIFORM)
    assert algebra.integral(pdf, UNIFORM) == pytest.approx(1.0, abs=1e-5)
    cumulative = algebra.cdf(pdf, UNIFORM)[0]
    assert cumulative[0] == 0.0
    assert cumulative[-1] == pytest.approx(1.0, abs=1e-6)
    assert np.all(np.diff(cumulative) >= 0.0)
    q = np.linspace(0.02, 0.98, 13)
    z = algebra.quantiles(pdf, UNIFORM, q)[0]
    assert np.all(np.diff(z) >= 0.0)
    back = algebra.cdf_at(np.repeat(pdf, q.size, axis=0), UNIFORM, z)
    steepest = float(pdf.max())
    np.testing.assert_allclose(back, q, atol=2e-7 * 3.0 * steepest + 1e-6)  # z is float32
    e = point_estimates(pdf, UNIFORM)
    assert UNIFORM[0] <= e.z_best[0] <= np.float32(UNIFORM[-1])
    assert e.z_err95_low[0] <= e.z_err68_low[0] <= e.z_median[0] <= e.z_err68_high[0] <= e.z_err95_high[0]
    assert 0.0 <= e.z_conf[0] <= 1.0 + 1e-5
    assert 0.0 <= e.z_risk[0] <= 1.0
    assert e.z_kurt[0] + 3.0 >= e.z_skew[0] ** 2 + 1.0 - 1e-2  # Pearson's inequality


@pytest.mark.parametrize("z_grid", GRIDS, ids=lambda grid: f"{grid.size} points")
def test_best_is_the_grid_point_of_least_risk(z_grid):
    pdf = np.concatenate((mixtures(400, z_grid, 1), mixtures(400, z_grid, 2, narrowest=0.2)))
    e = point_estimates(pdf, z_grid)
    brute = algebra.risk(pdf.astype(np.float64), z_grid)
    chosen = np.searchsorted(z_grid.astype(np.float32), e.z_best)
    excess = brute[np.arange(pdf.shape[0]), chosen] - brute.min(axis=1)
    assert excess.max() <= 2e-6
    np.testing.assert_allclose(e.z_risk, brute.min(axis=1), atol=2e-6)


def test_best_is_the_least_risk_also_on_rough_rows():
    rng = np.random.default_rng(3)
    pdf = rng.uniform(size=(300, UNIFORM.size)).astype(np.float32) ** 8
    pdf[::2] *= rng.uniform(size=(150, UNIFORM.size)) < 0.03
    pdf[:, 7] += 1e-3
    brute = algebra.risk(pdf, UNIFORM)
    e = point_estimates(pdf, UNIFORM)
    chosen = np.searchsorted(UNIFORM.astype(np.float32), e.z_best)
    assert (brute[np.arange(300), chosen] - brute.min(axis=1)).max() <= 2e-6


@pytest.mark.parametrize("z_grid", GRIDS[:4], ids=lambda grid: f"{grid.size} points")
def test_moments_are_exact_for_the_piecewise_linear_density(z_grid):
    pdf = mixtures(60, z_grid, 4)
    e = point_estimates(pdf, z_grid)
    np.testing.assert_allclose(algebra.mean(pdf, z_grid), e.z_mean, rtol=2e-6, atol=1e-6)
    for g in range(pdf.shape[0]):
        mean, m2, m3, m4 = exact_moments(pdf[g], z_grid)
        assert e.z_mean[g] == pytest.approx(mean, abs=2e-6)
        assert e.z_std[g] == pytest.approx(np.sqrt(m2), rel=1e-4)
        assert e.z_skew[g] == pytest.approx(m3 / m2**1.5, rel=1e-3, abs=1e-3)
        assert e.z_kurt[g] == pytest.approx(m4 / m2**2 - 3.0, rel=1e-3, abs=2e-3)


@pytest.mark.parametrize("z_grid", GRIDS[:4], ids=lambda grid: f"{grid.size} points")
def test_fused_estimates_agree_with_the_single_functions(z_grid):
    pdf = mixtures(200, z_grid, 5)
    e = point_estimates(pdf, z_grid)
    q = algebra.quantiles(pdf, z_grid, [0.025, 0.16, 0.5, 0.84, 0.975])
    fused = np.stack([e.z_err95_low, e.z_err68_low, e.z_median, e.z_err68_high, e.z_err95_high], axis=1)
    # float32 cumulatives differ by 1e-6, which is a distance where p(z) is low
    spread = 3e-6 / np.maximum(pdf.max(axis=1, keepdims=True) * 1e-3, 1e-3)
    assert np.all(np.abs(fused - q) <= 1e-5 + spread)
    np.testing.assert_array_equal(e.z_mode, algebra.mode(pdf, z_grid))
    np.testing.assert_allclose(e.z_conf, algebra.odds(pdf, z_grid, e.z_best), atol=5e-6)


def test_a_gaussian_is_summarised_by_its_parameters():
    e = point_estimates(gaussian(UNIFORM, 0.8, 0.05), UNIFORM)
    for name in ("z_mode", "z_mean", "z_median"):
        np.testing.assert_allclose(getattr(e, name), 0.8, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(e.z_best, 0.8, atol=0.0101)  # the loss is scaled by the true 1 + z: a little below
    np.testing.assert_allclose(e.z_std, 0.05, rtol=0.004)  # the hat functions add h^2/6
    np.testing.assert_allclose([e.z_skew, e.z_kurt], 0.0, atol=2e-3)
    np.testing.assert_allclose(e.z_err68_high - e.z_err68_low, 2 * 0.99446 * 0.05, rtol=0.005)
    np.testing.assert_allclose(e.z_conf, 0.7199, atol=0.003)  # 1.08 sigma on each side
    assert not any(flag[0] for flag in e.diagnostics().values())


@settings(max_examples=25, deadline=None)
@given(shift=st.integers(0, 150), sigma=st.floats(0.02, 0.1))
def test_estimates_move_with_the_density(shift, sigma):
    base = gaussian(UNIFORM, 0.5, sigma)
    base[base < 1e-6] = 0.0
    moved = np.roll(base, shift, axis=1)
    e0, e1 = (point_estimates(x, UNIFORM) for x in (base, moved))
    for name in ("z_mode", "z_mean", "z_median", "z_err68_low", "z_err95_high"):
        np.testing.assert_allclose(getattr(e1, name) - getattr(e0, name), 0.01 * shift, atol=5e-6, err_msg=name)
    np.testing.assert_allclose(e1.z_std, e0.z_std, rtol=1e-4)


def test_one_point_is_the_triangle_of_its_neighbours():
    pdf = np.zeros((1, 301), dtype=np.float32)
    pdf[0, 80] = 7.0
    e = point_estimates(pdf, UNIFORM)
    for name in ("z_best", "z_mode", "z_mean", "z_median"):
        np.testing.assert_allclose(getattr(e, name), 0.8, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(e.z_std, 0.01 / np.sqrt(6.0), rtol=1e-4)
    np.testing.assert_allclose(e.z_conf, 1.0, atol=1e-6)
    np.testing.assert_allclose(e.z_risk, 0.0, atol=1e-7)
    np.testing.assert_allclose(
        algebra.quantiles(pdf, UNIFORM, [0.0, 0.125, 0.5, 1.0])[0], [0.79, 0.795, 0.8, 0.81], atol=1e-6
    )


def test_a_flat_density_is_uniform():
    e = point_estimates(np.ones((1, 301)), UNIFORM)
    np.testing.assert_allclose(e.z_mean, 1.5, atol=1e-6)
    np.testing.assert_allclose(e.z_median, 1.5, atol=1e-6)
    np.testing.assert_allclose(e.z_std, 3.0 / np.sqrt(12.0), rtol=1e-5)
    np.testing.assert_allclose(e.z_kurt, -1.2, atol=1e-4)
    assert e.grid_edge[0] and e.broad_0p4[0] and e.broad_0p2[0] and not e.multi_modal[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0, -1.0])
def test_rows_without_density_are_nan_and_flagged(bad):
    pdf = np.concatenate((gaussian(UNIFORM, [0.8, 0.9, 1.0], 0.05), np.zeros((1, 301))))
    pdf[1] = bad
    e = point_estimates(pdf, UNIFORM)
    np.testing.assert_array_equal(e.no_estimate, [False, True, False, True])
    for name, values in e.columns().items():
        np.testing.assert_array_equal(np.isnan(values), e.no_estimate, err_msg=name)
    assert np.isnan(algebra.quantiles(pdf, UNIFORM, 0.5)[1]).all()
    assert np.isnan(algebra.cdf(pdf, UNIFORM)[1]).all()
    assert np.isnan(algebra.normalise(pdf, UNIFORM)[1]).all()


def test_one_nan_spoils_its_row_alone():
    pdf = gaussian(UNIFORM, [0.8, 0.9], 0.05)
    pdf[0, 250] = np.nan
    e = point_estimates(pdf, UNIFORM)
    np.testing.assert_array_equal(e.no_estimate, [True, False])
    np.testing.assert_allclose(e.z_mean[1], 0.9, atol=1e-5)


def test_estimates_do_not_depend_on_the_norm_or_the_neighbours():
    pdf = mixtures(50, UNIFORM, 6)
    scaled = pdf * np.float32(1024.0)  # a power of two: the same mantissas
    shuffled = np.random.default_rng(0).permutation(50)
    e, s, p = (point_estimates(x, UNIFORM) for x in (pdf, scaled, pdf[shuffled]))
    for name, values in e.columns().items():
        np.testing.assert_allclose(s.columns()[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
        np.testing.assert_array_equal(p.columns()[name], values[shuffled], err_msg=name)


@pytest.mark.parametrize(
    ("second", "depth", "expected"),
    [(0.5, 0.0, True), (0.35, 0.0, True), (0.25, 0.0, False), (0.5, 0.45, False), (0.5, 0.3, True)],
)
@pytest.mark.parametrize("mirror", [False, True])
def test_second_peaks_need_height_and_a_dip(second, depth, expected, mirror):
    row = np.interp(UNIFORM, [0.4, 0.5, 0.7, 0.9, 1.0], [0.0, 1.0, depth, second, 0.0], left=0.0, right=0.0)
    assert point_estimates((row[::-1] if mirror else row)[None, :], UNIFORM).multi_modal[0] == expected


def test_edge_flag():
    e = point_estimates(gaussian(UNIFORM, [0.02, 2.95, 0.5, 2.7], 0.05), UNIFORM)
    np.testing.assert_array_equal(e.grid_edge, [True, True, False, False])


def test_flags_take_the_bits_they_are_given():
    pdf = np.concatenate((gaussian(UNIFORM, [0.8], 0.05), np.ones((1, 301)), np.full((1, 301), np.nan)))
    mask = point_estimates(pdf, UNIFORM).flags({"no_estimate": 1, "broad_0p4": 64, "grid_edge": 256})
    assert mask.dtype == np.uint32
    np.testing.assert_array_equal(mask, [0, 320, 1])


def test_intervals_hold_their_probability():
    pdf = mixtures(100, UNIFORM, 7)
    for kind in ("equal_tail", "hpd"):
        low, high = algebra.credible_interval(pdf, UNIFORM, level=0.68, kind=kind)
        inside = algebra.cdf_at(pdf, UNIFORM, high) - algebra.cdf_at(pdf, UNIFORM, low)
        assert np.all(inside >= 0.68 - 1e-5)
    equal = np.subtract(*algebra.credible_interval(pdf, UNIFORM)[::-1])
    shortest = np.subtract(*algebra.credible_interval(pdf, UNIFORM, kind="hpd")[::-1])
    assert np.all(shortest <= equal + 0.02 + 1e-6)  # its ends are grid points


@pytest.mark.parametrize(
    "new", [np.linspace(0, 3, 301), np.linspace(0, 3, 151), LOGARITHMIC, np.linspace(-0.2, 3.5, 75)]
)
def test_resampling_conserves_probability(new):
    pdf = mixtures(40, UNIFORM, 8)
    there = algebra.resample(pdf, UNIFORM, new)
    np.testing.assert_allclose(algebra.integral(there, new), 1.0, atol=1e-5)
    np.testing.assert_allclose(algebra.mean(there, new), algebra.mean(pdf, UNIFORM), atol=2e-3)
    cut = np.linspace(0.5, 1.0, 51)
    np.testing.assert_allclose(
        algebra.integral(algebra.resample(pdf, UNIFORM, cut), cut),
        algebra.cdf_at(pdf, UNIFORM, 1.0) - algebra.cdf_at(pdf, UNIFORM, 0.5),
        atol=1e-5,
    )


def test_stack_is_the_weighted_average_without_nan():
    pdf = gaussian(UNIFORM, [0.5, 1.5, 1.0], 0.05)
    pdf[2] = np.nan
    nz = algebra.stack(pdf, UNIFORM, weight=[1.0, 3.0, 5.0])
    assert algebra.integral(nz, UNIFORM) == pytest.approx(1.0)
    assert algebra.mean(nz[None, :], UNIFORM)[0] == pytest.approx(1.25, abs=1e-4)


def test_density_is_interpolated_and_zero_outside():
    pdf = np.array([[0.0, 2.0, 0.0]] * 5)
    got = algebra.density_at(pdf, [0.0, 0.5, 1.0], [-0.1, 0.25, 1.0, 1.5, np.nan])
    np.testing.assert_allclose(got, [0.0, 1.0, 0.0, 0.0, np.nan])


def test_wrong_arguments_are_refused():
    with pytest.raises(GridError):
        point_estimates(np.ones((1, 3)), [0.0, 1.0, 1.0])
    with pytest.raises(GridError):
        point_estimates(np.ones((1, 3)), [-1.0, 0.0, 1.0])
    with pytest.raises(ShapeError):
        point_estimates(np.ones((1, 4)), [0.0, 0.5, 1.0])
    with pytest.raises(ShapeError):
        algebra.cdf_at(np.ones((2, 3)), [0.0, 0.5, 1.0], np.zeros(3))
    with pytest.raises(ShapeError):
        algebra.stack(np.ones((2, 3)), [0.0, 0.5, 1.0], weight=[1.0])
    with pytest.raises(UsageError):
        algebra.quantiles(np.ones((1, 3)), [0.0, 0.5, 1.0], 1.2)
    with pytest.raises(UsageError):
        algebra.credible_interval(np.ones((1, 3)), [0.0, 0.5, 1.0], level=1.0)
    with pytest.raises(UsageError):
        algebra.credible_interval(np.ones((1, 3)), [0.0, 0.5, 1.0], kind="shortest")  # type: ignore[arg-type]


def test_no_objects_give_no_estimates():
    e = point_estimates(np.empty((0, 301)), UNIFORM)
    assert e.n_obj == 0
