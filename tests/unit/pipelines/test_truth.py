from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import ColumnError, DuplicateIdError
from pzcenter.pipelines import read_redshifts


def write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def test_looks_up_by_id(tmp_path):
    known = read_redshifts(write(tmp_path / "t.parquet", objectId=[7, 3, 5], z_true=[0.7, np.nan, 0.5]))
    np.testing.assert_array_equal(known.object_id, [5, 7])
    np.testing.assert_array_equal(known.of(np.array([7, 3, 99, 5])), [0.7, np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(known.without(np.array([7])).of(np.array([7, 5])), [np.nan, 0.5])


def test_no_redshift_at_all(tmp_path):
    known = read_redshifts(write(tmp_path / "t.parquet", objectId=[7], z_true=[np.nan]))
    assert np.isnan(known.of(np.array([7, 8]))).all()


def test_named_columns(tmp_path):
    path = write(tmp_path / "t.parquet", source=[1], zz=[0.3], objectId=[9])
    assert read_redshifts(path, id_column="source", z_column="zz").of(np.array([1]))[0] == 0.3
    with pytest.raises(ColumnError, match="none of the columns"):
        read_redshifts(path)
    with pytest.raises(ColumnError, match="no column 'other'"):
        read_redshifts(path, z_column="other")


def test_the_same_redshift_twice_is_one(tmp_path):
    assert read_redshifts(write(tmp_path / "t.parquet", id=[1, 1], z=[0.3, 0.3])).object_id.size == 1


def test_two_redshifts_of_one_object(tmp_path):
    with pytest.raises(DuplicateIdError, match=r"1 objects have more than one redshift, such as \[1\]"):
        read_redshifts(write(tmp_path / "t.parquet", id=[1, 1, 2], z=[0.3, 0.4, 0.5]))


def test_columns_in_the_words_of_others(tmp_path):
    known = read_redshifts(write(tmp_path / "t.parquet", Z_B=[9.0], ID=[4], ZSPEC=[0.4]))
    assert (known.object_id.tolist(), known.z.tolist()) == ([4], [0.4])
    exact = read_redshifts(write(tmp_path / "u.parquet", Z=[9.0], z=[0.4], ID=[4], id=[5]))
    assert (exact.object_id.tolist(), exact.z.tolist()) == ([5], [0.4])
