"""Lineage as a PROV document: every end of a relation is declared, and the facts are there."""

from __future__ import annotations

import json

import pytest

from pzcenter.pipelines.lineage.prov import RELATIONS, ProvDocument, lineage_document, undeclared
from pzcenter.pipelines.lineage.records import Campaign, DatasetFacts, Lineage, ModelFacts, QuantumFacts, SignOff
from pzcenter.pipelines.lineage.steps import step_of_label, steps_before

TRACT = {"skymap": "sky", "tract": 3}
DATASETS = (
    DatasetFacts("d3", "pz_template", TRACT, "r/c/step5/1", uri="file:///pz", sha256="c" * 64, made_by="q2"),
    DatasetFacts("d2", "pz_skinny", TRACT, "r/c/step1/1", uri="file:///skinny", sha256="b" * 64, made_by="q1"),
    DatasetFacts("d1", "object", TRACT, "r/raw", uri="file:///object", recorded_sha256="a" * 64),
)
QUANTA = (
    QuantumFacts("q2", "joinPz", "r/c/step5/1", TRACT, ("d2",), ("d3",), config_sha256="e" * 64,
                 started="2026-01-02T00:00:00+00:00", versions={"pzcenter": "1.0"}),
    QuantumFacts("q1", "skinny", "r/c/step1/1", TRACT, ("d1",), ("d2",), versions={"pzcenter": "1.0"}),
)  # fmt: skip
LINEAGE = Lineage(
    object_id=42,
    skymap="sky",
    tract=3,
    table="pz_template",
    row={"z_best": 0.5, "model_id": 1, "flags": 0},
    datasets=DATASETS,
    quanta=QUANTA,
    model=ModelFacts("f" * 64, "template", "1.0", "g,r,i", model_id=1, training_sha256="9" * 64, n_train=10),
    campaign=Campaign("c", "r", sign_offs=(SignOff("step2", "A. Name", "2026-01-01T00:00:00+00:00", "depths fine"),)),
)


@pytest.fixture
def document():
    return lineage_document(LINEAGE)


def test_every_end_of_a_relation_is_declared(document):
    assert undeclared(document) == []
    assert json.loads(json.dumps(document)) == document


@pytest.mark.parametrize("relation", ["used", "wasGeneratedBy", "wasAssociatedWith", "wasDerivedFrom", "wasInformedBy"])
def test_relations_of_the_standard_are_there(document, relation):
    assert document[relation]


def test_checker_sees_what_is_missing(document):
    document["entity"].pop("pz:dataset/d2")
    assert any("pz:dataset/d2" in fault for fault in undeclared(document))


def test_checker_sees_an_end_of_the_wrong_kind():
    made = ProvDocument()
    entity = made.add("entity", "one")
    made.relate("used", entity, entity)
    assert undeclared(made.as_dict()) == ["used: prov:activity pz:one"]


def test_chain_leads_from_the_row_to_the_object_file(document):
    derived = {(end["prov:generatedEntity"], end["prov:usedEntity"]) for end in document["wasDerivedFrom"].values()}
    assert ("pz:object/42", "pz:dataset/d3") in derived
    assert ("pz:dataset/d3", "pz:dataset/d2") in derived
    assert ("pz:dataset/d2", "pz:dataset/d1") in derived
    assert document["entity"]["pz:dataset/d1"]["pz:sha256"] == "a" * 64
    assert ("pz:model/" + "f" * 64, "pz:training/" + "9" * 64) in derived


def test_only_what_came_after_a_sign_off_heeds_it(document):
    informed = [(end["prov:informed"], end["prov:informant"]) for end in document["wasInformedBy"].values()]
    assert informed == [("pz:quantum/q2", "pz:approval/r/c/step2")]
    assert document["activity"]["pz:approval/r/c/step2"]["voprov:comment"] == "depths fine"
    assert document["agent"]["pz:person/A._Name"]["prov:type"] == "prov:Person"


def test_same_facts_give_the_same_text(document):
    assert json.dumps(lineage_document(LINEAGE)) == json.dumps(document)


def test_a_relation_said_twice_is_there_once():
    made = ProvDocument()
    one, two = made.add("entity", "one"), made.add("entity", "two")
    for _ in range(2):
        made.relate("wasDerivedFrom", one, two)
    assert len(made.as_dict()["wasDerivedFrom"]) == 1


def test_ends_are_named_as_in_the_standard():
    assert set(RELATIONS["used"]) == {"prov:activity", "prov:entity"}
    assert set(RELATIONS["wasInformedBy"]) == {"prov:informed", "prov:informant"}


def test_steps_come_in_the_order_of_the_pipeline():
    assert step_of_label("joinPz") == "step5"
    assert step_of_label("estimatePz") == "step3"
    assert step_of_label("no such task") == ""
    assert "step2" in steps_before("step5-neighbours")
    assert "step2" in steps_before("inform")
    assert "step5" not in steps_before("step5")
    assert steps_before("no such step") == ()


def test_the_prov_package_reads_it(document):
    model = pytest.importorskip("prov.model")
    read = model.ProvDocument.deserialize(content=json.dumps(document), format="json")
    assert len(list(read.get_records())) > 10
