"""The truth set: what is kept, what is left out with its number, what is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import BandError, ColumnError, DuplicateIdError, EmptyTableError
from pzcenter.validation.comparison.truth import read_training, read_truth


@pytest.fixture
def table(tmp_path):
    """Write a table of ids and redshifts."""

    def write(ids, z, name="t.parquet", **more):
        pq.write_table(pa.table({"objectId": ids, "z_true": z, **more}), tmp_path / name)
        return tmp_path / name

    return write


def test_covariates_come_with_the_photometry(world):
    truth = read_truth(world.truth)
    assert truth.n_obj == 500
    assert truth.mag_band == "i"
    assert {"mag", "colour_gr"} <= set(truth.covariates)
    assert truth.sources[0]["path"].endswith("truth.parquet")
    assert len(truth.sha256) == 64


def test_rows_without_a_redshift_are_counted(table):
    truth = read_truth(table([3, 1, 2], [0.5, np.nan, 0.7]))
    assert truth.object_id.tolist() == [2, 3]
    assert truth.z_spec.tolist() == [0.7, 0.5]
    assert truth.notes[0] == "1 rows without a redshift are left out"
    assert "no photometry" in truth.notes[1]


def test_photometry_of_another_table(world, table):
    truth = read_truth(table(world.object_id, world.z_spec), photometry=world.truth)
    assert truth.photometry.n_obj == 500
    assert len(truth.sources) == 2
    np.testing.assert_array_equal(truth.photometry.object_id, truth.object_id)


def test_objects_without_photometry_are_told(world, table):
    truth = read_truth(table([*world.object_id, 5], [*world.z_spec, 0.3]), photometry=world.truth)
    assert "1 objects have no photometry" in truth.notes[0]
    assert np.isnan(truth.covariates["mag"][truth.object_id == 5])


def test_bright_objects_only(world):
    truth = read_truth(world.truth, mag_max=22.0)
    assert (truth.covariates["mag"] < 22.0).all()
    assert "not brighter than i = 22" in truth.notes[-1]
    with pytest.raises(EmptyTableError, match="all 500"):
        read_truth(world.truth, mag_max=5.0)
    with pytest.raises(BandError, match="magnitudes in K"):
        read_truth(world.truth, mag_max=22.0, mag_band="K")


def test_training_objects_are_left_out(world, table):
    mixed = pa.concat_tables([pq.read_table(world.training).slice(0, 50), pq.read_table(world.truth)])
    path = table([1], [0.5]).with_name("mixed.parquet")
    pq.write_table(mixed, path)
    training = read_training(world.training)
    truth = read_truth(path, training=training)
    assert truth.n_obj == 500
    assert "50 objects are left out because they are in the training set" in truth.notes
    assert truth.photometry.n_obj == 500


def test_training_set_with_photometry_elsewhere(world, table):
    known = table(world.object_id[:40], world.z_spec[:40])
    training = read_training(known, photometry=world.truth)
    assert training.photometry.n_obj == training.z_spec.size == 40
    with pytest.raises(ColumnError):
        read_training(known)


@pytest.mark.parametrize(
    ("ids", "z", "error", "words"),
    [
        ([1, 1], [0.5, 0.6], DuplicateIdError, r"such as \[1\]"),
        ([1, 2], [np.nan, np.nan], EmptyTableError, "none of the 2 rows"),
        ([], [], EmptyTableError, "no rows"),
    ],
)
def test_what_is_no_truth_set(table, ids, z, error, words):
    with pytest.raises(error, match=words):
        read_truth(table(pa.array(ids, pa.int64()), pa.array(z, pa.float64())))


def test_names_that_are_not_there(tmp_path):
    pq.write_table(pa.table({"objectId": [1], "z_guess": [0.5]}), tmp_path / "a.parquet")
    with pytest.raises(ColumnError, match="no redshifts; accepted are columns z_spec"):
        read_truth(tmp_path / "a.parquet")
    pq.write_table(pa.table({"name": ["a"], "z_spec": [0.5]}), tmp_path / "b.parquet")
    with pytest.raises(ColumnError, match="no object ids"):
        read_truth(tmp_path / "b.parquet")


def test_two_redshifts_of_one_training_object(world, table):
    with pytest.raises(DuplicateIdError, match="more than one redshift"):
        read_training(table([11, 11], [0.5, 0.6]), photometry=world.truth)
