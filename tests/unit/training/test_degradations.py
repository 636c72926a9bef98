"""Training sets that lack something, and exactly that."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.errors import BandError, ColumnError, ConfigError, EmptyTableError
from pzcenter.training.degradations import (
    AsItIs,
    MagnitudeCut,
    MissingBand,
    MissingRedshifts,
    degradations_of,
    degrade,
)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    flux = rng.lognormal(7, 1, 500)
    flux[:5] = (-3.0, 0.0, np.nan, np.nan, -1.0)
    columns = {"objectId": np.arange(500), "z_spec": np.r_[np.nan, rng.uniform(0, 3, 499)]}
    for band in "gi":
        columns |= {f"flux_{band}": flux, f"flux_err_{band}": np.ones(500)}
    return pa.table(columns)


def test_magnitude_cut_keeps_what_is_brighter(table):
    made = degrade(table, MagnitudeCut("i", 23.5))
    flux = np.asarray(made["flux_i"])
    assert np.all(31.4 - 2.5 * np.log10(flux) < 23.5)
    with np.errstate(invalid="ignore"):
        assert made.num_rows == np.count_nonzero(np.asarray(table["flux_i"]) > 10 ** ((31.4 - 23.5) / 2.5))


def test_range_of_redshift_is_missing_and_its_upper_end_is_not(table):
    made = np.asarray(degrade(table, MissingRedshifts(1.0, 1.4))["z_spec"])
    whole = np.asarray(table["z_spec"])
    assert not np.any((made >= 1.0) & (made < 1.4))
    assert made.size == whole.size - np.count_nonzero((whole >= 1.0) & (whole < 1.4))


def test_missing_band_leaves_the_others_alone(table):
    made = degrade(table, MissingBand("g"))
    assert made.column_names == ["objectId", "z_spec", "flux_i", "flux_err_i"]
    assert np.array_equal(made["flux_i"], table["flux_i"], equal_nan=True)


def test_list_begins_with_the_set_as_it_is():
    wanted = degradations_of(mag_cuts=[("i", 23.5)], missing_z=[(1.0, 1.4)], missing_bands=["u"])
    assert [each.name for each in wanted] == ["as_is", "i_brighter_than_23.5", "without_z_1_to_1.4", "without_u"]
    assert wanted[0] == AsItIs()
    assert all(each.meaning for each in wanted)


def test_what_cannot_be_is_named(table):
    with pytest.raises(ConfigError, match=r"1\.4 to 1"):
        MissingRedshifts(1.4, 1.0)
    with pytest.raises(ConfigError, match="nothing to degrade"):
        degradations_of()
    with pytest.raises(ConfigError, match="once"):
        degradations_of(missing_bands=["u", "u"])
    with pytest.raises(BandError, match="no band 'y'"):
        degrade(table, MissingBand("y"))
    with pytest.raises(BandError, match="only band"):
        degrade(degrade(table, MissingBand("g")), MissingBand("i"))
    with pytest.raises(ColumnError, match="z_spec"):
        degrade(table.drop_columns(["z_spec"]), MissingRedshifts(1.0, 1.4))
    with pytest.raises(EmptyTableError, match="0 of 500 rows stay"):
        degrade(table, MagnitudeCut("i", 10.0))
