"""What a repository says of itself."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pzcenter.errors import ConfigError, DataIdError, NotFoundError
from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES
from pzcenter.pipelines.repository.open import open_repository
from pzcenter.pipelines.repository.queries import collection_rows, counts, datasets, edit_chain, type_rows

SKYMAP, TRACTS = "lsst_cells_v1", (9000, 9001, 9003)


@pytest.fixture
def campaign(repo):
    """Two attempts at the skinny tables, the second of one tract anew; estimates of two tracts."""
    made = {
        "s/first/step1/001": [("pz_skinny", tract) for tract in TRACTS],
        "s/first/step1/002": [("pz_skinny", 9000)],
        "s/first/step3/001": [("pz_estimate_template", tract) for tract in TRACTS[:2]],
    }
    with open_repository(repo, writeable=True) as butler:
        for run, types in made.items():
            butler.collections.register(run)
            for name, tract in types:
                butler.put(pa.table({"objectId": [tract]}), name, skymap=SKYMAP, tract=tract, run=run)
    edit_chain(repo, "s/first", list(made))
    return repo


def test_counts_hold_each_type_against_what_it_is_made_from(campaign):
    rows = {row.dataset_type: row for row in counts(campaign, "s/first")}
    assert list(rows) == ["object", "pz_skinny", "pz_estimate_template"]
    assert (rows["object"].n, rows["object"].n_expected, rows["object"].success) == (3, None, None)
    # The tract that was done twice is one.
    assert (rows["pz_skinny"].n, rows["pz_skinny"].made_from, rows["pz_skinny"].success) == (3, "object", 1.0)
    estimates = rows["pz_estimate_template"]
    assert (estimates.n, estimates.made_from, estimates.n_expected) == (2, "pz_skinny", 3)
    assert estimates.success == pytest.approx(2 / 3)


def test_counts_of_the_whole_repository_and_of_a_run(campaign):
    everything = {row.dataset_type: row.n for row in counts(campaign)}
    assert everything == {"object": 3, "object_record": 3, "pz_skinny": 4, "pz_estimate_template": 2}
    (alone,) = counts(campaign, "s/first/step1/002", with_origin=False)
    assert (alone.dataset_type, alone.n) == ("pz_skinny", 1)


def test_made_from_names_types_that_exist():
    from pzcenter.pipelines.repository.queries import _MADE_FROM

    names = {spec.name for spec in DATASET_TYPES}
    assert {*_MADE_FROM, *_MADE_FROM.values()} <= names


def test_datasets_are_listed_with_their_places(library):
    rows = datasets(library, "object", collections="s/raw")
    assert [row["tract"] for row in rows] == list(TRACTS)
    assert {row["run"] for row in rows} == {"s/raw"}
    assert rows[0]["skymap"] == SKYMAP
    assert rows[0]["uri"].startswith("file://")
    assert rows[0]["uri"].endswith("objects/tract_9000.parquet")
    chosen = datasets(library, "object", where=f"skymap = '{SKYMAP}' AND tract > 9000")
    assert [row["tract"] for row in chosen] == [9001, 9003]
    assert datasets(library, "pz_truth") == []


def test_what_is_not_there_is_named_with_what_is(library):
    with pytest.raises(NotFoundError, match="no dataset type 'objekt'; there are object"):
        datasets(library, "objekt")
    with pytest.raises(NotFoundError, match="no collection 'nowhere'; there are s/defaults, s/raw"):
        datasets(library, "object", collections="nowhere")
    with pytest.raises(NotFoundError, match="no collection 'nowhere'"):
        counts(library, "nowhere")
    for where in ("nonsense", "tract =", "tract = 9000", "trakt = 5"):
        with pytest.raises(DataIdError, match="not understood"):
            datasets(library, "object", where=where)


def test_types_are_listed_as_they_are_defined(library):
    rows = {row["name"]: row for row in type_rows(library)}
    assert rows["object"] == {"name": "object", "dimensions": ["skymap", "tract"], "storage_class": "ArrowTable"}
    assert set(rows) == {spec.named("template") for spec in DATASET_TYPES}


def test_collections_are_listed_with_what_they_hold(library):
    assert collection_rows(library) == [
        {"name": "s/defaults", "type": "CHAINED", "children": ["s/raw"]},
        {"name": "s/raw", "type": "RUN", "children": []},
    ]


def test_chains_are_made_and_changed(repo):
    with open_repository(repo, writeable=True) as butler:
        for name in ("a", "b"):
            butler.collections.register(name)
    assert edit_chain(repo, "c", ["s/raw"]) == ["s/raw"]
    assert edit_chain(repo, "c", ["a"], mode="prepend") == ["a", "s/raw"]
    assert edit_chain(repo, "c", ["b"], mode="extend") == ["a", "s/raw", "b"]
    assert edit_chain(repo, "c", ["s/raw"], mode="remove") == ["a", "b"]
    assert edit_chain(repo, "c", ["b", "s/defaults"]) == ["b", "s/defaults"]


def test_chains_that_cannot_be_are_refused(repo):
    with pytest.raises(NotFoundError, match="no collection 'nowhere'"):
        edit_chain(repo, "c", ["nowhere"])
    edit_chain(repo, "c", ["s/raw"])
    with pytest.raises(ConfigError, match="would hold itself"):
        edit_chain(repo, "c", ["s/raw", "c"])
    with pytest.raises(ConfigError, match="s/raw is a run"):
        edit_chain(repo, "s/raw", ["c"])
    assert collection_rows(repo)[0] == {"name": "c", "type": "CHAINED", "children": ["s/raw"]}
