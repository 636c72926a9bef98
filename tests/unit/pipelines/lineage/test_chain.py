"""From an object id back to its file, in a small production."""

from __future__ import annotations

import hashlib

import pytest

pytest.importorskip("lsst.daf.butler")

from lsst.daf.butler import Butler

from pzcenter.errors import NotFoundError
from pzcenter.pipelines.lineage.chain import trace_object
from pzcenter.pipelines.lineage.prov import lineage_document, undeclared


@pytest.fixture
def butler(production):
    with Butler.from_config(str(production[0])) as made:
        yield made


@pytest.fixture
def lineage(butler, production):
    return trace_object(butler, 36, collections="r/c", graphs=[production[1]])


def types_of(lineage):
    return [facts.dataset_type for facts in lineage.datasets]


def test_the_row_is_found_where_two_ranges_of_ids_overlap(lineage):
    # 36 lies in the range of both tracts, and is in one
    assert (lineage.tract, lineage.skymap, lineage.table) == (4, "sky", "pz_template")
    assert lineage.row == {"z_best": 0.5, "model_id": 0}


def test_every_dataset_on_the_way_is_named_once(lineage):
    assert sorted(types_of(lineage)) == sorted(
        ["pz_template", "object", "pz_estimate_template", "pz_model_template", "pz_skinny", "pz_tract_plan"]
    )
    assert types_of(lineage)[0] == "pz_template"
    assert all(facts.data_id.get("tract", 4) == 4 for facts in lineage.datasets)


def test_quanta_say_what_went_in_and_came_out(lineage):
    by_label = {facts.label: facts for facts in lineage.quanta}
    assert next(iter(by_label)) == "joinPz"
    join = by_label["joinPz"]
    assert [lineage.dataset(number).dataset_type for number in join.outputs] == ["pz_template"]
    names = {lineage.dataset(number).dataset_type for number in join.inputs}
    assert names == {"object", "pz_estimate_template", "pz_model_template"}
    assert by_label["summariseRelease"].n_other_inputs == 1
    assert {facts.evidence for facts in lineage.quanta} == {"graph"}


def test_quanta_say_when_with_what_and_how(lineage):
    skinny = next(facts for facts in lineage.quanta if facts.label == "skinny")
    assert skinny.started <= skinny.finished
    assert skinny.started.endswith("+00:00")
    assert skinny.cpu_s >= 0
    assert skinny.peak_bytes > 1e6
    assert skinny.counts["n_out"] == 2
    assert len(skinny.config_sha256) == 64
    assert "pyarrow" in skinny.versions
    assert "python" in skinny.versions


def test_checksums_are_those_of_the_files(lineage, production):
    facts = next(facts for facts in lineage.datasets if facts.dataset_type == "object")
    content = (production[0] / "tract_4.parquet").read_bytes()
    assert facts.sha256 == hashlib.sha256(content).hexdigest()
    assert facts.n_bytes == len(content)
    assert facts.made_by is None


def test_model_is_that_of_the_row(lineage):
    assert lineage.model.digest == "f" * 64
    assert lineage.model.training_sha256 == "9" * 64
    assert lineage.model.n_train == 10


def test_files_are_left_unread_where_checksums_are_not_wanted(butler, production):
    found = trace_object(butler, 36, collections="r/c", graphs=[production[1]], checksums=False)
    assert {facts.sha256 for facts in found.datasets} == {None}


def test_an_earlier_table_can_be_traced(butler, production):
    found = trace_object(butler, 36, collections="r/c", graphs=[production[1]], table="pz_skinny")
    assert types_of(found) == ["pz_skinny", "object"]


def test_a_file_that_has_gone_is_noted(butler, production):
    path = production[0] / "tract_3.parquet"
    content = path.read_bytes()
    path.unlink()
    try:
        found = trace_object(butler, 31, collections="r/c", graphs=[production[1]])
    finally:
        path.write_bytes(content)
    assert any("object" in note and "not there" in note for note in found.notes)


def test_prov_of_the_chain_is_sound(lineage):
    document = lineage_document(lineage)
    assert undeclared(document) == []
    assert len(document["activity"]) == len(lineage.quanta)


@pytest.mark.parametrize("object_id", [37, 999, -1])
def test_an_unknown_id_is_said_with_where_it_was_looked_for(butler, object_id):
    with pytest.raises(NotFoundError, match=rf"objectId {object_id} in pz_template of .*r/c"):
        trace_object(butler, object_id, collections="r/c")


def test_an_unknown_collection_has_no_table(butler):
    with pytest.raises(NotFoundError, match="no dataset 'pz_template'"):
        trace_object(butler, 36, collections="r/nothing")
