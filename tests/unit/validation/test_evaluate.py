"""The metric table: known answers, honest errors, clear verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import ConfigError, EmptyTableError
from pzcenter.schema import PZ
from pzcenter.validation import METRICS, collect_sample, evaluate

Z_GRID = np.linspace(0.0, 3.0, 301)


def test_true_pdfs_are_found_to_be_true(table):
    assert abs(table.value("bias", point="z_mean")) < 3 * table.row("bias", point="z_mean").error
    assert table.value("sigma_nmad", point="z_mean") == pytest.approx(0.03, rel=0.06)
    assert table.value("sigma_iqr", point="z_mean") == pytest.approx(0.03, rel=0.06)
    assert table.value("outlier_fraction", point="z_mean") == 0.0
    assert table.value("coverage_68") == pytest.approx(0.68, abs=0.03)
    assert table.value("coverage_95") == pytest.approx(0.95, abs=0.015)
    assert table.value("pit_ks") < 1.63 / np.sqrt(3000)
    assert table.value("pit_outlier_rate") < 0.002


def test_a_shift_is_a_bias(gaussian_chunk):
    table = evaluate(gaussian_chunk(shift=0.02), n_bootstrap=20)
    row = table.row("bias", point="z_mean")
    assert abs(row.value - 0.02) < 4 * row.error
    assert table.value("pit_ks") > 0.15


def test_narrow_pdfs_cover_too_little(gaussian_chunk):
    table = evaluate(gaussian_chunk(width=0.5), n_bootstrap=0)
    assert table.value("coverage_68") == pytest.approx(0.382, abs=0.04)  # erf(0.5 / sqrt 2)
    assert table.value("cde_loss") > evaluate(gaussian_chunk(), n_bootstrap=0).value("cde_loss")


def test_same_seed_same_table(sample):
    assert evaluate(sample, n_bootstrap=5, seed=3) == evaluate(sample, n_bootstrap=5, seed=3)
    first, second = (evaluate(sample, n_bootstrap=5, seed=seed) for seed in (3, 4))
    assert first.row("bias", point="z_best").error != second.row("bias", point="z_best").error


def test_every_metric_is_described_and_complete(table):
    assert {row.metric for row in table} == set(METRICS)
    whole = table.select(axis="all")
    assert len(whole) == 5 * 4 + 8
    assert all(np.isfinite(row.value) and np.isfinite(row.error) and row.n_obj == 3000 for row in whole)


def test_bins_add_up(sample, table):
    for axis, column in (("z_spec", sample.z_spec), ("mag", sample.mag)):
        rows = table.select(axis=axis, metric="crps")
        inside = (column >= rows[0].bin_low) & (column < rows[-1].bin_high)
        assert sum(row.n_obj for row in rows) == np.count_nonzero(inside) > 2900
        mean = sum(row.value * row.n_obj for row in rows if row.n_obj >= 20) / sum(
            row.n_obj for row in rows if row.n_obj >= 20
        )
        assert mean == pytest.approx(table.value("crps"), rel=0.02)
        assert 5 <= len(rows) <= 14


def test_a_bin_with_few_objects_has_no_numbers(sample):
    table = evaluate(sample, n_bootstrap=0, z_edges=(0.3, 2.49, 2.5), mag_edges=(20, 26))
    sparse = table.select(axis="z_spec", metric="bias", point="z_best")[1]
    assert 0 < sparse.n_obj < 20
    assert np.isnan(sparse.value)


def test_mean_shift_of_nz(sample, table):
    row = table.select(metric="nz_mean_shift")[2]
    inside = (sample.points["z_best"] >= row.bin_low) & (sample.points["z_best"] < row.bin_high)
    stacked = np.trapezoid(sample.stacked_nz(row.bin_low, row.bin_high) * Z_GRID, Z_GRID)
    truth = sample.z_spec[inside].mean()
    assert row.value == pytest.approx((stacked - truth) / (1 + truth), abs=2e-5)
    assert abs(row.value) < 4 * row.error


def test_requirements_are_tested_on_their_own_objects(sample, table):
    inside = (sample.mag < 25) & (sample.z_spec > 0.3) & (sample.z_spec < 3)
    verdicts = {(v.requirement.selection.name, v.requirement.metric): v for v in table.verdicts}
    assert verdicts["lsst_srd", "bias"].row.n_obj == np.count_nonzero(inside)
    assert verdicts["dmtn049", "sigma_iqr"].words == "met"
    assert verdicts["lsst_srd", "sigma_iqr"].words == "not met"
    assert verdicts["dmtn049", "sigma_iqr"].sample == "i < 25, 0 < z < 2"


def test_without_i_magnitudes_the_limit_is_said_not_to_be_applied(chunk):
    table = evaluate(collect_sample([chunk], mag_band="r"), n_bootstrap=0)
    assert "limit i < 25 not applied" in table.verdicts[0].sample
    assert table.verdicts[-1].row.n_obj > 2900


def test_a_pz_and_arrays(chunk, table):
    result = PZ(pdf=chunk.pdf, z_grid=Z_GRID, flags=chunk.flags)
    got = evaluate(result, chunk.z_spec, mag=chunk.mag, mag_band="i", n_bootstrap=30)
    assert got == table


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_bootstrap": -1}, "n_bootstrap"),
        ({"z_edges": (1.0, 0.5)}, "z_spec must increase"),
        ({"mag_edges": (20.0,)}, "mag must increase"),
        ({"tomographic_edges": (0.2, 0.2)}, "tomographic must increase"),
        ({"z_spec": np.ones(3)}, "bring their own"),
    ],
)
def test_bad_options(sample, options, words):
    with pytest.raises(ConfigError, match=words):
        evaluate(sample, **({"n_bootstrap": 0} | options))


def test_a_pz_needs_truth(chunk):
    result = PZ(pdf=chunk.pdf, z_grid=Z_GRID, flags=chunk.flags)
    with pytest.raises(ConfigError, match="z_spec is needed"):
        evaluate(result)


def test_no_objects():
    with pytest.raises(EmptyTableError):
        evaluate(iter(()))


@pytest.mark.parametrize("n_obj", [1, 2, 30])
def test_tiny_samples(gaussian_chunk, n_obj):
    table = evaluate(gaussian_chunk(n_obj), n_bootstrap=5)
    assert np.isfinite(table.value("bias", point="z_best"))
    assert {verdict.words for verdict in table.verdicts} <= {
        "met",
        "not met",
        "not tested",
        "met, within the error",
        "not met, within the error",
    }
