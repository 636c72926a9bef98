"""Errors: those of repeated samples, for any size of sample."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.validation.bootstrap import Bootstrap, Statistic


def statistics_of(values):
    return [
        Statistic("median", "x", (values,), np.median),
        Statistic("mean", "x", (values,), np.mean, is_mean=True),
        Statistic("fraction", "x", (values,), lambda x: np.mean(np.abs(x) > 1.0)),
        Statistic("sum", "x", (values,), np.sum, error_power=0.5),
        Statistic("slope", "x", (values, values**2), lambda x, y: np.cov(x, y)[0, 1]),
    ]


def test_errors_of_a_gaussian_sample_are_the_known_ones():
    n_obj = 2000
    errors = Bootstrap(400).errors(statistics_of(np.random.default_rng(1).standard_normal(n_obj)), max_rows=n_obj)
    tail = 0.3173
    assert errors[0] * np.sqrt(n_obj) == pytest.approx(np.sqrt(np.pi / 2), rel=0.15)
    assert errors[1] * np.sqrt(n_obj) == pytest.approx(1.0, rel=0.05)
    assert errors[2] * np.sqrt(n_obj) == pytest.approx(np.sqrt(tail * (1 - tail)), rel=0.12)


def test_a_part_of_a_large_sample_gives_the_same_errors():
    statistics = statistics_of(np.random.default_rng(2).standard_normal(20_000))
    whole = Bootstrap(300).errors(statistics, max_rows=20_000)
    part = Bootstrap(300).errors(statistics, max_rows=1000)
    assert part == pytest.approx(whole, rel=0.2)


def test_the_same_seed_gives_the_same_errors():
    statistics = statistics_of(np.random.default_rng(3).standard_normal(100))
    first, again, other = (Bootstrap(5, seed=seed).errors(statistics, max_rows=100) for seed in (1, 1, 2))
    assert first == again
    assert first[0] != other[0]
    assert first[1] == other[1]


@pytest.mark.parametrize("n_resample", [0, 1])
def test_without_resamples_only_formulas_are_left(n_resample):
    errors = Bootstrap(n_resample).errors(statistics_of(np.arange(10.0)), max_rows=10)
    assert np.isnan(errors).tolist() == [True, False, True, True, True]


def test_one_object_has_no_error():
    assert np.isnan(Bootstrap(3).errors([Statistic("mean", "x", (np.ones(1),), np.mean, is_mean=True)], max_rows=1))
