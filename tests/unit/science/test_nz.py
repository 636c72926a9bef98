from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pzcenter.errors import ConfigError, EmptyTableError, GridError, ShapeError
from pzcenter.science.nz import (
    SampleBins,
    StackSums,
    histogram_edges,
    implicit_prior,
    infer_nz,
    mass_operators,
    reweighted_nz,
    stacked_nz,
)

GRID = np.linspace(0.0, 2.5, 251)
EDGES = histogram_edges(0.0, 2.5, 0.1)
BINS = SampleBins.from_edges([0.2, 0.5, 0.8, 1.2, 1.6])


# ---- bins and operators ------------------------------------------------------------------------------------------


def test_each_object_is_in_one_bin_at_most():
    bins = SampleBins((0.2, 0.6), (0.4, 0.8))
    np.testing.assert_array_equal(
        bins.assign([0.1, 0.2, 0.399, 0.4, 0.5, 0.6, 0.8, np.nan]), [-1, 0, 0, -1, -1, 1, -1, -1]
    )


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        ((0.2, 0.3), (0.4, 0.6), "overlap"),
        ((0.5, 0.1), (0.6, 0.2), "overlap"),
        ((0.4,), (0.4,), "lower"),
        ((), (), "one"),
    ],
)
def test_bad_bins_are_refused(low, high, words):
    with pytest.raises(ConfigError, match=words):
        SampleBins(low, high)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(2, 30), st.integers(0, 2**31))
def test_operator_is_exact(n_z, n_cell, seed):
    """Against a fine sum of the same piecewise linear density."""
    rng = np.random.default_rng(seed)
    grid = np.cumsum(rng.uniform(0.01, 0.2, n_z))
    edges = np.linspace(grid[0], grid[-1], n_cell + 1)
    pdf = rng.random(n_z)
    parts = pdf @ mass_operators(grid, edges)
    fine = np.linspace(grid[0], grid[-1], 20_001)
    middle = 0.5 * (fine[1:] + fine[:-1])
    density = np.interp(middle, grid, pdf) * (fine[1] - fine[0])
    np.testing.assert_allclose(parts[:-3], np.histogram(middle, edges, weights=density)[0], rtol=0, atol=2e-3)
    for power in range(3):
        np.testing.assert_allclose(parts[n_cell + power], (density * middle**power).sum(), rtol=2e-4)


def test_operator_refuses_a_grid_that_does_not_increase():
    with pytest.raises(GridError):
        mass_operators(np.array([0.0, 0.0, 1.0]), EDGES)


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, 1e-9])
def test_bad_cells_are_refused(step):
    with pytest.raises(ConfigError):
        histogram_edges(0.0, 3.0, step)


# ---- a simulated survey with a known prior in its p(z) -----------------------------------------------------------

TRUE = np.exp(-0.5 * ((0.5 * (EDGES[1:] + EDGES[:-1]) - 0.8) / 0.4) ** 2) + 0.02
TRUE /= TRUE.sum()
PRIOR = np.interp(0.5 * (EDGES[1:] + EDGES[:-1]), [0.0, 0.4, 1.0, 2.5], [1.0, 3.0, 0.8, 0.1])
PRIOR /= PRIOR.sum()
SIGMA = 0.06


def draw(n_obj, seed, shares=TRUE):
    """True redshifts of a histogram, and what is measured of them."""
    rng = np.random.default_rng(seed)
    z = rng.choice(EDGES[:-1], size=n_obj, p=shares) + 0.1 * rng.random(n_obj)
    return z, z + SIGMA * (1 + z) * rng.standard_normal(n_obj)


def posteriors(measured, *, broader=1.0):
    """p(z) that hold the prior, which is flat within each cell; ``broader`` than it should be by a factor."""
    within = np.clip(np.searchsorted(EDGES, GRID, side="right") - 1, 0, PRIOR.size - 1)
    width = broader * SIGMA * (1 + GRID)
    pdf = PRIOR[within] * np.exp(-0.5 * ((measured[:, None] - GRID) / width) ** 2) / width
    return (pdf / np.trapezoid(pdf, GRID, axis=1)[:, None]).astype(np.float32)


def point_of(pdf):
    return GRID[np.argmax(pdf, axis=1)]


@pytest.fixture(scope="module")
def truth():
    """n(z) of the population of each bin, from many objects."""
    z, measured = draw(200_000, seed=12345)
    index = np.concatenate([BINS.assign(point_of(posteriors(part))) for part in np.array_split(measured, 40)])
    shares = np.array([np.histogram(z[index == b], EDGES)[0] for b in range(BINS.n_bin)], dtype=float)
    return shares / shares.sum(axis=1, keepdims=True), np.array([z[index == b].mean() for b in range(BINS.n_bin)])


def stack_of(pdf, index, n_group=64):
    sums = StackSums(n_group, BINS.n_bin, EDGES, GRID)
    for start in range(0, len(pdf), 700):
        part = slice(start, start + 700)
        sums.add(pdf[part], index[part], np.arange(len(pdf))[part] % n_group)
    return stacked_nz(sums, n_sample=100)


# ---- inference ---------------------------------------------------------------------------------------------------


def test_truth_lies_in_the_band_as_often_as_it_says(truth):
    """Of calibrated p(z), 95 % of the cells hold the truth in their 95 % band; means are right within their errors."""
    shares, means = truth
    seen = shares > 2e-3
    inside, pulls = [], []
    operator = mass_operators(GRID, EDGES)[:, :-3]
    for seed in range(6):
        _, measured = draw(4000, seed)
        pdf = posteriors(measured)
        index = BINS.assign(point_of(pdf))
        made = infer_nz(pdf @ operator, index, PRIOR, EDGES, n_bin=4, n_iter=1500, n_sample=200, seed=seed)
        low, high = made.estimate.band(0.95)
        found = shares / np.diff(EDGES)
        inside.append(((found >= low) & (found <= high))[seen].mean())
        pulls.append((made.estimate.mean - means) / made.estimate.mean_error)
        assert made.n_used == 4000 and made.n_impossible == 0 and made.r_hat < 1.3
    assert 0.90 < np.mean(inside) <= 0.995
    assert np.abs(np.mean(pulls)) < 0.6 and 0.6 < np.std(pulls) < 1.5


def test_sum_of_pz_leans_to_the_prior_where_inference_does_not(truth):
    _, means = truth
    _, measured = draw(8000, seed=3)
    pdf = posteriors(measured)
    index = BINS.assign(point_of(pdf))
    stack = stack_of(pdf, index)
    made = infer_nz(
        pdf @ mass_operators(GRID, EDGES)[:, :-3], index, PRIOR, EDGES, n_bin=4, n_iter=1500, n_sample=200
    ).estimate
    off = np.abs(stack.mean - means) / stack.mean_error
    assert off.max() > 6
    assert np.abs(made.mean - means).sum() < 0.5 * np.abs(stack.mean - means).sum()


def test_impossible_objects_are_counted():
    probability = np.zeros((300, EDGES.size - 1))
    probability[:250, 5] = 1.0
    probability[260:, 6] = np.nan
    made = infer_nz(probability, np.zeros(300, np.int16), PRIOR, EDGES, n_bin=2, n_iter=100, n_sample=20)
    assert made.n_impossible == 50 and made.n_used == 250
    assert made.estimate.nz[0, 5] * 0.1 == pytest.approx(1.0, abs=0.02)
    assert np.isnan(made.estimate.nz[1]).all() and made.estimate.n_obj.tolist() == [300, 0]


def test_same_seed_gives_the_same_draws():
    probability = np.random.default_rng(0).random((200, EDGES.size - 1))
    first, second, other = (
        infer_nz(probability, np.zeros(200, np.int16), PRIOR, EDGES, n_bin=1, n_iter=60, n_sample=20, seed=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.estimate.samples, second.estimate.samples)
    assert not np.array_equal(first.estimate.samples, other.estimate.samples)


def test_what_cannot_be_inferred_is_refused():
    probability, index = np.ones((10, EDGES.size - 1)), np.zeros(10, np.int16)
    with pytest.raises(ConfigError, match="positive"):
        infer_nz(probability, index, np.zeros_like(PRIOR), EDGES, n_bin=1)
    with pytest.raises(ConfigError, match="steps"):
        infer_nz(probability, index, PRIOR, EDGES, n_bin=1, n_iter=100, n_sample=500)
    with pytest.raises(ShapeError):
        infer_nz(probability[:, 1:], index, PRIOR, EDGES, n_bin=1)
    with pytest.raises(EmptyTableError):
        infer_nz(probability, index - 1, PRIOR, EDGES, n_bin=1)


def test_implicit_prior_is_positive():
    prior = implicit_prior([0.05, 0.05, 0.15], EDGES)
    assert prior.sum() == pytest.approx(1.0) and prior.min() > 0 and prior[0] > prior[1] > prior[2]
    with pytest.raises(EmptyTableError):
        implicit_prior([9.0], EDGES)


# ---- stacking ----------------------------------------------------------------------------------------------------


def test_stack_of_right_pz_is_right():
    """Where the prior in the p(z) is the truth itself, their sum is n(z), within the errors of resampling."""
    z, measured = draw(20_000, seed=5, shares=PRIOR)
    pdf = posteriors(measured)
    index = BINS.assign(point_of(pdf))
    stack = stack_of(pdf, index)
    for b in range(BINS.n_bin):
        true = z[index == b]
        assert abs(stack.mean[b] - true.mean()) < 4 * true.std() / np.sqrt(true.size)
        assert stack.width[b] == pytest.approx(true.std(), rel=0.05)


def test_stack_of_broad_pz_is_too_broad():
    z, measured = draw(10_000, seed=6, shares=PRIOR)
    index = BINS.assign(measured)
    stack = stack_of(posteriors(measured, broader=2.0), index)
    for b in range(BINS.n_bin):
        assert stack.width[b] > z[index == b].std() + 5 * stack.width_error[b]


def test_blocks_change_nothing():
    _, measured = draw(2000, seed=7)
    pdf, index = posteriors(measured), BINS.assign(measured)
    whole = StackSums(8, BINS.n_bin, EDGES, GRID)
    whole.add(pdf, index, np.arange(2000) % 8)
    np.testing.assert_allclose(stacked_nz(whole, n_sample=20).nz, stack_of(pdf, index, 8).nz, rtol=1e-5)


def test_errors_of_the_mean_are_those_of_many_objects():
    """Resampled groups give the scatter of the mean of independent objects."""
    rng = np.random.default_rng(8)
    at = rng.normal(0.35, 0.05, 4000)
    pdf = np.exp(-0.5 * ((at[:, None] - GRID) / 0.03) ** 2).astype(np.float32)
    sums = StackSums(200, 1, EDGES, GRID)
    sums.add(pdf, np.zeros(4000, np.int16), rng.integers(0, 200, 4000))
    assert stacked_nz(sums, n_sample=400).mean_error[0] == pytest.approx(0.05 / np.sqrt(4000), rel=0.15)


def test_stack_of_nothing_is_refused():
    sums = StackSums(4, 1, EDGES, GRID)
    with pytest.raises(EmptyTableError):
        stacked_nz(sums)
    sums.add(np.ones((3, GRID.size), np.float32), np.zeros(3, np.int16), np.zeros(3, np.int64))
    with pytest.raises(ConfigError, match="one group"):
        stacked_nz(sums)


# ---- reweighting -------------------------------------------------------------------------------------------------


def cells_of(colour):
    return np.clip((colour * 10).astype(np.int32), 0, 24)


def test_training_set_of_other_colours_is_reweighted():
    """Known redshifts of another distribution give the target's n(z), which they do not have themselves."""
    rng = np.random.default_rng(9)
    target, training = rng.normal(1.4, 0.3, 40_000), rng.normal(0.9, 0.4, 8000)
    z = training + 0.05 * rng.standard_normal(8000)
    counts = np.bincount(cells_of(target), minlength=25)[:, None]
    made = reweighted_nz(counts, cells_of(training), z, EDGES, n_sample=100)
    found = made.estimate
    assert abs(found.mean[0] - target.mean()) < 4 * found.mean_error[0] + 0.01
    assert abs(z.mean() - target.mean()) > 0.4
    assert found.mean_error[0] < 0.02
    assert made.n_effective[0] < 8000
    assert found.nz[0].sum() * 0.1 == pytest.approx(1.0)


def test_cells_without_redshifts_are_counted():
    counts = np.array([[10], [30], [0]])
    made = reweighted_nz(counts, np.array([0, 0, -1], np.int32), np.array([0.25, 0.45, 1.0]), EDGES, n_sample=5)
    assert made.share_without[0] == pytest.approx(0.75)
    assert made.is_empty.ravel().tolist() == [False, True, False]
    assert made.estimate.mean[0] == pytest.approx(0.35)


def test_bins_of_known_redshifts_keep_a_shared_cell_apart():
    """Two bins in one cell: with the bins of the known redshifts each gets its own, without them both get the mean."""
    counts = np.array([[50, 50]])
    cell, z, own = np.zeros(40, np.int32), np.repeat([0.25, 0.75], 20), np.repeat([0, 1], 20).astype(np.int16)
    apart = reweighted_nz(counts, cell, z, EDGES, spec_bin=own, n_sample=10).estimate
    mixed = reweighted_nz(counts, cell, z, EDGES, n_sample=10).estimate
    np.testing.assert_allclose(apart.mean, [0.25, 0.75])
    np.testing.assert_allclose(mixed.mean, [0.5, 0.5])


def test_reweighting_without_common_cells_is_refused():
    with pytest.raises(EmptyTableError):
        reweighted_nz(np.array([[5], [0]]), np.array([1], np.int32), np.array([0.5]), EDGES)


def test_ends_of_bins_are_those_of_estimates_in_single_precision():
    z = np.array([0.6, 0.69, 0.7, 1.05, 1.06, 2.9], dtype=np.float32)
    bins = SampleBins.from_edges([0.6, 0.7, 1.06, 2.9])
    assert bins.assign(z).tolist() == bins.assign(z.astype(np.float64).round(6)).tolist() == [0, 0, 1, 1, 2, -1]
