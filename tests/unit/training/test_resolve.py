"""Which measurement of a galaxy is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pzcenter.training.resolve import KEPT, LOST, STAR, TIED, rank_of_types, resolve


def outcome(group, z, flag, kind=None, **more):
    flag = np.asarray(flag, dtype=float)
    ranks = [flag] + ([rank_of_types(np.asarray(kind))] if kind is not None else [])
    return resolve(
        np.asarray(group), np.asarray(z, dtype=float), flag == 6, ranks, order_of=lambda rows: rows, **more
    ).tie_result.tolist()  # fmt: skip


def test_alone():
    assert outcome([0, 1], [0.1, np.nan], [0, 4]) == [KEPT, KEPT]


def test_quality_then_type():
    assert outcome([0, 0, 0], [0.1, 0.5, 0.9], [3, 4, 2]) == [LOST, KEPT, LOST]
    assert outcome([0, 0, 0], [0.1, 0.5, 0.9], [4, 4, 4], ["p", "s", "g"]) == [LOST, KEPT, LOST]


def test_redshifts_that_agree_are_one_and_the_first_is_kept():
    assert outcome([0, 0, 0], [0.5008, 0.5, 0.5016], [4, 4, 4]) == [KEPT, LOST, LOST]
    assert outcome([0, 0], [2.0, 2.002], [4, 4], delta_z=0.001) == [TIED, TIED]
    assert outcome([0, 0], [2.0, 2.002], [4, 4], delta_z=0.001, relative=True) == [KEPT, LOST]


def test_redshifts_that_disagree_tie():
    assert outcome([0, 0, 0, 0], [0.5, 0.9, 0.9005, 0.1], [4, 4, 4, 3]) == [TIED, TIED, LOST, LOST]


def test_missing_redshifts_agree_with_none():
    assert outcome([0, 0], [np.nan, np.nan], [0, 0]) == [TIED, TIED]


def test_stars_do_not_take_part():
    assert outcome([0, 1, 1], [0.0, 0.5, 0.5], [6, 3, 3]) == [STAR, KEPT, LOST]


def test_missing_quality_is_lowest():
    assert outcome([0, 0], [0.1, 0.2], [np.nan, 0]) == [LOST, KEPT]


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.floats(0, 1), st.integers(0, 4), st.sampled_from("sgp")),
        min_size=1,
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_changes_nothing_and_each_group_has_one_winner_or_ties(rows, random):
    group, z, flag, kind = (np.array(each) for each in zip(*rows, strict=True))
    ids = np.arange(group.size)
    shuffled = list(ids)
    random.shuffle(shuffled)

    def run(order):
        found = resolve(
            group[order], z[order], np.zeros(group.size, bool), [flag[order].astype(float), rank_of_types(kind[order])],
            order_of=lambda chosen: ids[order][chosen],
        )  # fmt: skip
        result = np.empty(group.size, int)
        result[order] = found.tie_result
        return result

    first = run(ids)
    np.testing.assert_array_equal(first, run(np.array(shuffled)))
    for number in np.unique(group):
        mine = first[group == number]
        assert (mine == KEPT).sum() == 1 or ((mine == TIED).sum() >= 2 and (mine == KEPT).sum() == 0)


def test_types_are_ranked():
    assert rank_of_types(np.array(["s", "g", "p", ""])).tolist() == [3, 2, 1, 0]


def test_a_million_rows_do_not_take_long_in_python():
    rng = np.random.default_rng(1)
    n = 200_000
    group = rng.integers(0, n // 2, n)
    found = resolve(
        group, rng.random(n), np.zeros(n, bool), [rng.integers(0, 5, n).astype(float)], order_of=lambda rows: rows
    )
    counted = {value: int((found.tie_result == value).sum()) for value in (LOST, KEPT, TIED)}
    assert sum(counted.values()) == n
    assert found.n_conflict == pytest.approx(counted[TIED] / 2, rel=0.5)
