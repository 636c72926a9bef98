"""Groups on the sky against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import UsageError
from pzcenter.science.friends import friends_of_friends, neighbour_pairs, split_wide_groups
from pzcenter.science.sky import angular_separation

ARCSEC = 1 / 3600.0


@pytest.mark.parametrize(("ra0", "dec0"), [(0.0, 0.0), (180.0, 45.0), (30.0, 89.9999), (200.0, -90.0)])
def test_pairs_are_those_of_brute_force(ra0, dec0):
    rng = np.random.default_rng(1)
    ra = np.mod(ra0 + rng.normal(0, 10 * ARCSEC, 300) / max(np.cos(np.radians(dec0)), 1e-4), 360)
    dec = np.clip(dec0 + rng.normal(0, 10 * ARCSEC, 300), -90, 90)
    ra[7] = np.nan
    first, second, separation = neighbour_pairs(ra, dec, 3.0)
    i, j = np.triu_indices(300, 1)
    apart = angular_separation(ra[i], dec[i], ra[j], dec[j]) * 3600
    near = apart <= 3.0
    assert list(zip(first, second, strict=True)) == list(zip(i[near], j[near], strict=True))
    np.testing.assert_allclose(separation, apart[near], atol=1e-5)


@pytest.mark.parametrize("radius", [0.0, -1.0, 3601.0, np.nan])
def test_a_radius_that_means_nothing(radius):
    with pytest.raises(UsageError, match="radius"):
        neighbour_pairs(np.zeros(2), np.zeros(2), radius)


def test_no_pairs():
    assert neighbour_pairs(np.array([1.0]), np.array([1.0]), 1.0)[0].size == 0
    assert friends_of_friends(3, np.empty(0, int), np.empty(0, int)).tolist() == [0, 1, 2]


def test_friends_of_friends_are_friends():
    assert friends_of_friends(6, np.array([5, 2]), np.array([2, 4])).tolist() == [0, 1, 2, 3, 2, 2]


def test_chains_are_cut():
    ra = np.array([0.0, 0.9, 1.8, 2.7, 100.0]) * ARCSEC
    dec = np.zeros(5)
    first, second, _ = neighbour_pairs(ra, dec, 1.0)
    group = friends_of_friends(5, first, second)
    assert group.tolist() == [0, 0, 0, 0, 4]
    cut, n_split = split_wide_groups(ra, dec, group, 1.0)
    assert n_split == 1
    assert cut.tolist() == [0, 0, 2, 2, 4]
    same, n_split = split_wide_groups(ra, dec, group, 3.0)
    assert (same.tolist(), n_split) == ([0, 0, 0, 0, 4], 0)


def test_no_group_is_wider_than_asked():
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(0, 60 * ARCSEC, 2000), rng.uniform(0, 60 * ARCSEC, 2000)
    first, second, _ = neighbour_pairs(ra, dec, 1.0)
    group, n_split = split_wide_groups(ra, dec, friends_of_friends(2000, first, second), 2.0)
    assert n_split > 0
    for number in np.unique(group):
        rows = np.flatnonzero(group == number)
        i, j = np.triu_indices(rows.size, 1)
        apart = angular_separation(ra[rows][i], dec[rows][i], ra[rows][j], dec[rows][j])
        assert (apart * 3600 <= 2.0 + 1e-9).all()
        assert number == rows.min()
