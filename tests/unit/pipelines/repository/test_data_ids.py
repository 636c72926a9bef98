"""Data ids as people type them."""

from __future__ import annotations

import pytest

from pzcenter.errors import DataIdError
from pzcenter.pipelines.repository.data_ids import complete_data_id, where_of
from pzcenter.pipelines.repository.open import open_repository

SKYMAP = "lsst_cells_v1"


@pytest.mark.parametrize(
    ("ids", "expression"),
    [
        (["tract=5"], "tract = 5"),
        (["tract=-5"], "tract = -5"),
        (["tract=1..3"], "tract IN (1..3)"),
        (["tract=1..3:2"], "tract IN (1..3:2)"),
        (["tract=1..3:1"], "tract IN (1..3)"),
        (["tract=1^3"], "tract IN (1, 3)"),
        (["tract=1..3:2^7^9..10"], "tract IN (1..3:2, 7, 9..10)"),
        (["band=g"], "band = 'g'"),
        (["band=g^r"], "band IN ('g', 'r')"),
        (["skymap=1..3"], "skymap IN ('1..3')"),
        (["tract=1..3 band=g"], "tract IN (1..3) AND band = 'g'"),
        (["  tract=1   band=g "], "tract = 1 AND band = 'g'"),
        (["tract=1", "tract=5 band=g"], "(tract = 1) OR (tract = 5 AND band = 'g')"),
        (["tract=1", "tract=1", "tract=2"], "(tract = 1) OR (tract = 2)"),
        (["visit.exposure=5"], "visit.exposure = 5"),
        ([], ""),
        ([""], ""),
        (["tract=1", ""], ""),
    ],
)
def test_each_form_becomes_an_expression_of_the_butler(ids, expression):
    assert where_of(ids) == expression


@pytest.mark.parametrize(
    "text",
    [
        "tract IN (1..3)", "tract in (1, 2)", "tract = 1 AND band = 'g'", "tract=1 OR tract=5", "tract > 5", "tract>5",
        "tract!=5", "band='g'", "tract.region OVERLAPS POINT(10, -30)", "NOT tract = 5", "(tract = 5)",
    ],
)  # fmt: skip
def test_expressions_of_the_butler_pass_as_they_are(text):
    assert where_of([text]) == text
    assert where_of([text], defaults={"skymap": "s"}) == f"skymap = 's' AND ({text})"
    assert where_of([text, "tract=9"]) == f"({text}) OR (tract = 9)"


def test_defaults_fill_what_an_id_does_not_name():
    defaults = {"skymap": "s"}
    assert where_of([], defaults=defaults) == "skymap = 's'"
    assert where_of(["tract=1"], defaults=defaults) == "tract = 1 AND skymap = 's'"
    assert where_of(["tract=1 skymap=t"], defaults=defaults) == "tract = 1 AND skymap = 't'"
    assert where_of(["skymap = 't' AND tract > 1"], defaults=defaults) == "skymap = 't' AND tract > 1"
    assert where_of(["tract=1", "skymap=t"], defaults=defaults) == "(tract = 1 AND skymap = 's') OR (skymap = 't')"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tract", "KEY=VALUE"),
        ("tract=", "KEY=VALUE"),
        ("=5", "KEY=VALUE"),
        ("TRACT=5", "KEY=VALUE"),
        ("tract=3..1", "is empty"),
        ("tract=1..3:0", "is empty"),
        ("tract=1^", "not accepted"),
        ("tract=1,2", "not accepted"),
        ("tract=1;", "not accepted"),
        ("tract=1 tract=2", "joined by \\^"),
    ],
)
def test_what_is_neither_is_refused_with_what_is_accepted(text, words):
    with pytest.raises(DataIdError, match=words):
        where_of([text])


@pytest.mark.parametrize(
    ("ids", "tracts"),
    [
        (["tract=9000"], {9000}),
        (["tract=9000..9002"], {9000, 9001}),
        (["tract=9000..9003:3"], {9000, 9003}),
        (["tract=9001^9003"], {9001, 9003}),
        (["tract=9000", "tract > 9001"], {9000, 9003}),
        ([], {9000, 9001, 9003}),
        (["tract=7"], set()),
    ],
)
def test_the_butler_finds_what_was_meant(library, ids, tracts):
    where = where_of(ids, defaults={"skymap": SKYMAP})
    with open_repository(library) as butler:
        refs = butler.query_datasets("object", collections="s/raw", where=where, explain=False)
    assert {ref.dataId["tract"] for ref in refs} == tracts


def test_a_partial_id_is_completed_where_one_dataset_fits(library):
    with open_repository(library) as butler:
        found = complete_data_id(butler, "object", {"tract": 9001}, "s/raw")
        assert found == {"skymap": SKYMAP, "tract": 9001}
        assert complete_data_id(butler, "object", {"tract": "9001"}, "s/raw") == found
        with pytest.raises(DataIdError, match=f"3 object fit skymap={SKYMAP}.*tract=9000.*tract=9003.*Name one"):
            complete_data_id(butler, "object", {"skymap": SKYMAP}, "s/raw")
        with pytest.raises(DataIdError, match="3 object fit any data id"):
            complete_data_id(butler, "object", {}, "s/raw")
        with pytest.raises(DataIdError, match="no object with tract=7"):
            complete_data_id(butler, "object", {"tract": 7}, "s/raw")
