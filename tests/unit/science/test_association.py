"""Chance, likelihood ratios, assignment, proper motion."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from pzcenter.errors import ShapeError, UsageError
from pzcenter.science.association import (
    chance_probability,
    likelihood_ratio,
    one_to_one,
    position_error,
    propagate_positions,
)


def test_chance():
    assert chance_probability(np.array([0.0]), np.array([1.0]))[0] == 0.0
    # A small expectation is its own probability.
    np.testing.assert_allclose(chance_probability(np.array([1.0]), np.array([1e-6])), np.pi * 1e-6, rtol=1e-5)
    assert chance_probability(np.array([100.0]), np.array([1.0]))[0] == 1.0


def test_chance_is_what_a_random_field_shows():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 1000, (2, 20_000))
    px, py = rng.uniform(100, 900, (2, 3000))
    nearest = np.array([np.hypot(x - a, y - b).min() for a, b in zip(px, py, strict=True)])
    wanted = chance_probability(np.array([3.0]), np.array([0.02]))[0]
    assert (nearest < 3.0).mean() == pytest.approx(wanted, abs=0.03)


def brute(first, second, cost):
    """Most pairs, then the least cost, over all subsets."""
    best = (-1, 0.0, None)
    for chosen in product([False, True], repeat=first.size):
        mask = np.array(chosen)
        if np.unique(first[mask]).size < mask.sum() or np.unique(second[mask]).size < mask.sum():
            continue
        key = (mask.sum(), -cost[mask].sum())
        if best[2] is None or key > best[:2]:
            best = (*key, mask)
    return best


def test_assignment_is_exact():
    rng = np.random.default_rng(3)
    for _ in range(60):
        n = rng.integers(1, 10)
        first, second = rng.integers(0, 4, n), rng.integers(10, 14, n)
        _, once = np.unique(first * 100 + second, return_index=True)
        first, second = first[once], second[once]
        cost = rng.random(first.size)
        mask = one_to_one(first, second, cost)
        n_best, minus_cost, _ = brute(first, second, cost)
        assert mask.sum() == n_best
        assert cost[mask].sum() == pytest.approx(-minus_cost)


def test_assignment_of_nothing_and_of_arrays_that_differ():
    assert one_to_one(np.empty(0, int), np.empty(0, int), np.empty(0)).size == 0
    with pytest.raises(ShapeError):
        one_to_one(np.zeros(2, int), np.zeros(1, int), np.zeros(2))


def test_proper_motion():
    ra, dec = propagate_positions(
        np.array([10.0, 359.99999]), np.array([60.0, 0.0]), np.array([1000.0, 3600.0]), np.array([-500.0, np.nan]), 10.0
    )
    np.testing.assert_allclose(ra[0], 10.0 + 10 / 3600 / np.cos(np.radians(60)), atol=1e-8)
    np.testing.assert_allclose(dec[0], 60.0 - 5 / 3600, atol=1e-8)
    assert 0 <= ra[1] < 0.01
    assert dec[1] == pytest.approx(0.0)


def test_error_of_a_coordinate_from_separations():
    rng = np.random.default_rng(1)
    offsets = rng.normal(0, 0.3, (2, 100_000))
    assert position_error(np.hypot(*offsets)) == pytest.approx(0.3, rel=0.02)
    assert position_error(np.empty(0)) > 0


def field():
    """Counterparts of magnitude 20 with faint neighbours by chance, some of them nearer."""
    rng = np.random.default_rng(4)
    n, side = 2000, 2000.0
    x, y = rng.uniform(20, side - 20, (2, n))
    true_x, true_y = x + rng.normal(0, 0.3, n), y + rng.normal(0, 0.3, n)
    m = 60_000
    all_x, all_y = np.r_[true_x, rng.uniform(0, side, m)], np.r_[true_y, rng.uniform(0, side, m)]
    mag = np.r_[rng.normal(20, 0.5, n), rng.normal(25, 1.0, m)]
    rows, places, separation = [], [], []
    for row in range(n):
        apart = np.hypot(all_x - x[row], all_y - y[row])
        near = np.flatnonzero(apart < 3.0)
        rows += [row] * near.size
        places += near.tolist()
        separation += apart[near].tolist()
    return np.array(rows), np.array(places), np.array(separation), mag, side**2, n


def test_likelihood_ratios_find_more_than_the_nearest():
    row, place, separation, mag, area, n = field()
    made = likelihood_ratio(
        row, separation, mag[place], sigma_arcsec=0.3, radius_arcsec=3.0, n_rows=n, background=mag, area_arcsec2=area
    )

    def share_right(better):
        order = np.lexsort((better, row))
        first = order[np.r_[True, np.diff(row[order]) != 0]]
        return (place[first] == row[first]).mean()

    assert share_right(-made.ratio) > 0.995
    assert share_right(-made.ratio) > share_right(separation)
    assert made.share_found > 0.98
    assert ((made.reliability >= 0) & (made.reliability <= 1)).all()
    total = np.bincount(row, weights=made.reliability)
    assert (total <= 1 + 1e-9).all()
    assert made.reliability[place == row].mean() > 0.98


def test_reliability_of_what_is_there_by_chance_is_low():
    rng = np.random.default_rng(5)
    row, separation = np.arange(500), 3.0 * np.sqrt(rng.random(500))
    mag = rng.normal(25, 1, 500)
    made = likelihood_ratio(
        row, separation, mag, sigma_arcsec=0.3, radius_arcsec=3.0, n_rows=20_000, background=rng.normal(25, 1, 40_000),
        area_arcsec2=40_000 / (500 / (20_000 * np.pi * 9)),
    )  # fmt: skip
    assert made.share_found < 0.05
    assert made.reliability.mean() < 0.3


def test_numbers_that_mean_nothing():
    with pytest.raises(UsageError, match="positive"):
        likelihood_ratio(
            np.zeros(1, int),
            np.zeros(1),
            np.zeros(1),
            sigma_arcsec=0,
            radius_arcsec=1,
            n_rows=1,
            background=np.zeros(1),
            area_arcsec2=1.0,
        )
