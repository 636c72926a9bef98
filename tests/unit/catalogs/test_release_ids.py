"""An object in two tracts is found, and named with them, without all ids in memory."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pzcenter.catalogs import unique_ids
from pzcenter.catalogs.release_ids import overlapping_tracts, require_ids_once
from pzcenter.catalogs.unique_ids import repeated_ids
from pzcenter.errors import DuplicateIdError


def plan_of(ids):
    return pa.table(
        {
            "tract": list(ids),
            "id_min": pa.array([min(values) if len(values) else None for values in ids.values()], pa.int64()),
            "id_max": pa.array([max(values) if len(values) else None for values in ids.values()], pa.int64()),
        }
    )


def check(ids, **options):
    read = []

    def read_ids(tract):
        read.append(tract)
        return np.array(ids[tract], dtype=np.int64)

    assert require_ids_once(plan_of(ids), read_ids, **options) == len(read)
    return read


def test_nothing_is_read_where_ranges_do_not_overlap():
    assert check({1: [10, 19], 2: [0, 9], 3: [20, 30], 4: []}) == []


def test_only_tracts_that_overlap_are_read():
    assert check({1: [0, 50], 2: [60, 99], 3: [40, 55], 4: [98, 120], 5: [200]}) == [1, 3, 2, 4]


def test_a_range_within_a_range_does_not_end_it():
    assert overlapping_tracts(plan_of({1: [0, 100], 2: [10, 20], 3: [50, 60], 4: [101]})) == [[1, 2, 3]]


def test_the_object_and_its_tracts_are_named():
    with pytest.raises(
        DuplicateIdError, match=r"2 objects .* such as 7 \(tracts 1 and 3\), 9 \(tracts 1 and 2 and 3\)"
    ):
        check({1: [1, 7, 9], 2: [2, 9], 3: [7, 9, 100]})


def test_negative_ids_are_ids():
    with pytest.raises(DuplicateIdError, match=r"-5 \(tracts 1 and 2\)"):
        check({1: [-9, -5], 2: [-5, -1]})


def test_the_disk_is_left_clean(tmp_path):
    check({1: [0, 5], 2: [3, 9]}, work=tmp_path)
    with pytest.raises(DuplicateIdError):
        check({1: [0, 5], 2: [5, 9]}, work=tmp_path)
    assert list(tmp_path.iterdir()) == []


IDS = st.lists(st.integers(-40, 40), max_size=30, unique=True)


@given(st.lists(IDS, min_size=1, max_size=5), st.integers(1, 50))
@settings(deadline=None, max_examples=60)
def test_same_verdict_as_all_ids_at_once(lists, at_once):
    ids = dict(enumerate(lists))
    every = np.concatenate([np.array(values, dtype=np.int64) for values in lists])
    double = repeated_ids(every)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unique_ids, "IDS_AT_ONCE", at_once)
        if double.size:
            with pytest.raises(DuplicateIdError, match=rf"{double[0]} \(tracts"):
                check(ids)
        else:
            check(ids)
