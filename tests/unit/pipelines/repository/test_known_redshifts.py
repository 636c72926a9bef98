"""Known redshifts as truth and as training sets: looked up among the objects that the repository has."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import ColumnError, DuplicateIdError, EmptyTableError, NotFoundError
from pzcenter.pipelines.repository.ingest import ingest_objects
from pzcenter.pipelines.repository.known_redshifts import ingest_training_set, ingest_truth
from pzcenter.pipelines.repository.open import open_repository

RELEASE, SKYMAP = "s", "lsst_cells_v1"
OF_9000, OF_9003, ELSEWHERE = 90_000_000, 90_030_000, 1


@pytest.fixture
def redshifts(tmp_path):
    """Four of tract 9000, two of tract 9003, one of an object that is not there, one without a redshift."""
    ids = np.array([OF_9003 + 7, OF_9000 + 3, OF_9000, OF_9003, OF_9000 + 29, OF_9000 + 12, ELSEWHERE, OF_9000 + 1])
    z = np.array([0.7, 0.3, 0.1, 0.2, 0.9, 1.2, 0.5, np.nan])
    path = tmp_path / "specz.parquet"
    pq.write_table(pa.table({"objectId": ids, "z_spec": z}), path)
    return path


def truth_of(root, run, tract):
    with open_repository(root) as butler:
        table = butler.get("pz_truth", skymap=SKYMAP, tract=tract, collections=run)
    return dict(zip(table["objectId"].to_pylist(), table["z_spec"].to_pylist(), strict=True))


def test_each_tract_gets_the_redshifts_of_its_objects(repo, redshifts):
    made = ingest_truth(repo, redshifts, release=RELEASE)
    assert (made.run, made.is_new, made.n_known, made.n_found, made.n_tract) == ("s/truth/001", True, 7, 6, 2)
    assert truth_of(repo, made.run, 9000) == {
        OF_9000: 0.1, OF_9000 + 3: 0.3, OF_9000 + 12: 1.2, OF_9000 + 29: 0.9
    }  # fmt: skip
    assert truth_of(repo, made.run, 9003) == {OF_9003: 0.2, OF_9003 + 7: 0.7}
    with open_repository(repo) as butler:
        assert len(butler.query_datasets("pz_truth", collections="s/defaults")) == 2


def test_a_directory_of_tables_is_one_table(repo, tmp_path):
    (tmp_path / "truth").mkdir()
    for number in range(2):
        table = pa.table({"objectId": [OF_9000 + number], "z_true": [0.4 + number]})
        pq.write_table(table, tmp_path / "truth" / f"tract_{number}.parquet")
    made = ingest_truth(repo, tmp_path / "truth", release=RELEASE)
    assert truth_of(repo, made.run, 9000) == {OF_9000: 0.4, OF_9000 + 1: 1.4}


def test_the_same_truth_again_changes_nothing_and_another_comes_first(repo, redshifts, tmp_path):
    ingest_truth(repo, redshifts, release=RELEASE)
    again = ingest_truth(repo, redshifts, release=RELEASE)
    assert (again.run, again.is_new) == ("s/truth/001", False)
    pq.write_table(pa.table({"objectId": [OF_9000], "z_spec": [0.11]}), tmp_path / "better.parquet")
    better = ingest_truth(repo, tmp_path / "better.parquet", release=RELEASE)
    assert (better.run, better.is_new) == ("s/truth/002", True)
    assert truth_of(repo, "s/defaults", 9000) == {OF_9000: 0.11}
    assert truth_of(repo, "s/truth/001", 9000)[OF_9000] == 0.1


@pytest.mark.parametrize("function", [ingest_truth, ingest_training_set])
def test_redshifts_that_do_not_fit_are_refused(repo, redshifts, tmp_path, function):
    with pytest.raises(NotFoundError, match="no objects of 'other'"):
        function(repo, redshifts, release="other")
    with pytest.raises(NotFoundError, match="skymap 'rings'"):
        function(repo, redshifts, release=RELEASE, skymap="rings")
    for name, columns, error in (
        ("strange", {"objectId": [ELSEWHERE], "z_spec": [0.5]}, EmptyTableError),
        ("doubled", {"objectId": [OF_9000, OF_9000], "z_spec": [0.5, 0.6]}, DuplicateIdError),
        ("nameless", {"objectId": [OF_9000], "velocity": [0.5]}, ColumnError),
    ):
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        with pytest.raises(error):
            function(repo, tmp_path / f"{name}.parquet", release=RELEASE)
    with open_repository(repo) as butler:
        assert set(butler.collections.query("*")) == {"s/raw", "s/defaults"}


def test_columns_may_be_named(repo, tmp_path):
    pq.write_table(pa.table({"source": [OF_9000], "velocity": [0.5]}), tmp_path / "table.parquet")
    made = ingest_truth(
        repo, tmp_path / "table.parquet", release=RELEASE, id_column="source", z_column="velocity"
    )  # fmt: skip
    assert truth_of(repo, made.run, 9000) == {OF_9000: 0.5}


def test_a_training_set_is_skinny_rows_with_their_redshifts(repo, redshifts):
    made = ingest_training_set(repo, redshifts, release=RELEASE)
    assert (made.run, made.n_known, made.n_found, made.n_tract) == ("s/training/001", 7, 6, 2)
    with open_repository(repo) as butler:
        table = butler.get("pz_training_set", collections="s/defaults")
        objects = butler.get("object", skymap=SKYMAP, tract=9003, collections="s/raw")
    found = dict(zip(table["objectId"].to_pylist(), table["z_spec"].to_pylist(), strict=True))
    assert found == {
        OF_9000: 0.1, OF_9000 + 3: 0.3, OF_9000 + 12: 1.2, OF_9000 + 29: 0.9, OF_9003: 0.2, OF_9003 + 7: 0.7
    }  # fmt: skip
    rows = dict(zip(table["objectId"].to_pylist(), table["flux_r"].to_pylist(), strict=True))
    # Dereddened: brighter than delivered, by the same factor for all, since E(B-V) is the same.
    delivered = dict(zip(objects["objectId"].to_pylist(), objects["r_gaap1p0Flux"].to_pylist(), strict=True))
    factors = [rows[number] / delivered[number] for number in (OF_9003, OF_9003 + 7)]
    assert factors[0] > 1.0
    assert factors[0] == pytest.approx(factors[1], rel=1e-6)


def test_the_same_training_set_again_changes_nothing_also_with_missing_values(repo, redshifts, objects, tmp_path):
    table = pq.read_table(objects / "tract_9000.parquet")
    for name, values in (
        ("objectId", np.arange(5, 5 + table.num_rows)),
        ("tract", np.full(table.num_rows, 9010, dtype=np.int32)),
        ("u_gaap1p0Flux", np.full(table.num_rows, np.nan)),
    ):
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    (tmp_path / "blind").mkdir()
    pq.write_table(table, tmp_path / "blind" / "tract_9010.parquet")
    ingest_objects(repo, tmp_path / "blind", release=RELEASE)
    pq.write_table(pa.table({"objectId": [5, 6, OF_9000], "z_spec": [0.5, 0.6, 0.7]}), redshifts)
    first = ingest_training_set(repo, redshifts, release=RELEASE)
    again = ingest_training_set(repo, redshifts, release=RELEASE)
    assert (first.n_found, first.is_new) == (3, True)
    assert (again.run, again.is_new) == (first.run, False)
