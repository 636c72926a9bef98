"""Ids as text, floats, bytes; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import ColumnError
from pzcenter.validation.submissions.object_ids import whole_ids

IDS = np.array([8_062_500_001, 3, 9_007_199_254_740_991])


@pytest.mark.parametrize(
    "values",
    [
        IDS,
        IDS.astype(np.uint64),
        IDS.astype(float),
        IDS.astype(str),
        IDS.astype(bytes),
        np.array([str(i) for i in IDS], dtype=object),
        np.array([f" {i}.0 " for i in IDS]),
        np.array([f"+{i}" for i in IDS]),
        IDS[:, None],
    ],
)
def test_whole_numbers_are_accepted_in_every_shape(values):
    found = whole_ids(values, "f")
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, IDS)


@pytest.mark.parametrize(
    ("values", "row"),
    [
        ([1.0, 2.5], 11),
        ([np.nan, 2.0], 10),
        ([1.0, 2.0**60], 11),
        (np.array([1, 2**63], dtype=np.uint64), 11),
        (["1", "g12"], 11),
        (["1e18", "1"], 10),
        (["", "1"], 10),
        (["1_0", "1"], 10),
        (np.array([b"1", b"1.5"]), 11),
    ],
)
def test_what_is_no_whole_number_is_named_with_its_row(values, row):
    with pytest.raises(ColumnError, match=f"row {row}"):
        whole_ids(np.asarray(values), "f", first_row=10)


def test_text_beyond_64_bits_and_other_types_are_refused():
    with pytest.raises(ColumnError, match="64 bits"):
        whole_ids(["9" * 30], "f")
    with pytest.raises(ColumnError, match="complex"):
        whole_ids(np.array([1j]), "f")
    with pytest.raises(ColumnError, match="shape"):
        whole_ids(np.ones((2, 2)), "f")


def test_negative_ids_keep_their_sign():
    np.testing.assert_array_equal(whole_ids(["-5", "0"], "f"), [-5, 0])
