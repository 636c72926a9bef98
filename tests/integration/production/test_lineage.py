"""A whole small campaign, and where its rows come from."""

from __future__ import annotations

import json

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

pytest.importorskip("lsst.pipe.base")

from typer.testing import CliRunner

from pzcenter.catalogs.storage import file_sha256
from pzcenter.cli.app import app
from pzcenter.errors import NotFoundError
from pzcenter.pipelines.campaign.produce import approve, run_campaign, start_campaign
from pzcenter.pipelines.lineage.campaigns import campaign_facts, campaign_provenance, trace_in_campaign
from pzcenter.pipelines.lineage.chain import trace_object
from pzcenter.pipelines.lineage.package import first_object_of_package, trace_in_package
from pzcenter.pipelines.lineage.prov import lineage_document, undeclared
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.ingest import ingest_objects
from pzcenter.pipelines.repository.known_redshifts import ingest_training_set
from pzcenter.pipelines.repository.models import add_models
from pzcenter.simulation import SimulationConfig, simulate

RELEASE, NAME = "sim", "first"


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    return simulate(
        tmp_path_factory.mktemp("sky") / "sky", n_obj=900, seed=3, config=SimulationConfig(rows_per_tract=300)
    )  # fmt: skip


@pytest.fixture(scope="module")
def campaign(sky, tmp_path_factory):
    """Repository and directory of a finished campaign."""
    root = tmp_path_factory.mktemp("lineage")
    repository, directory = root / "repo", root / NAME
    create_repository(repository)
    ingest_objects(repository, sky.object_path, release=RELEASE)
    add_models(repository, "template", release=RELEASE)
    config = {
        "name": NAME,
        "repository": str(repository),
        "release": RELEASE,
        "sign_off": ["step2"],
        "executor": {"workers": 1},
    }
    (root / "campaign.yaml").write_text(yaml.safe_dump(config))
    start_campaign(root / "campaign.yaml", directory)
    assert run_campaign(directory).state == "to be signed"
    approve(directory, "step2", by="A. Name", note="depths as expected")
    assert run_campaign(directory).state == "done"
    return repository, directory


@pytest.fixture(scope="module")
def some_object(sky):
    """Object id and its file."""
    path = sorted(sky.object_path.glob("*.parquet"))[1]
    return int(pq.read_table(path, columns=["objectId"])["objectId"][7].as_py()), path


@pytest.fixture(scope="module")
def lineage(campaign, some_object):
    return trace_in_campaign(campaign[1], some_object[0])


@pytest.fixture(scope="module")
def learned(sky, campaign, tmp_path_factory):
    """Directory of a campaign whose models were trained in it."""
    root = tmp_path_factory.mktemp("learned")
    repository = campaign[0]
    truth = pq.read_table(sky.truth_path, columns=["objectId", "z_true"])
    pq.write_table(truth.filter(pc.less(truth["z_true"], 2.9)), root / "redshifts.parquet")
    ingest_training_set(repository, root / "redshifts.parquet", release=RELEASE)
    config = {
        "name": "learned",
        "repository": str(repository),
        "release": RELEASE,
        "methods": ["trainz"],
        "train": True,
        "sign_off": [],
        "executor": {"workers": 1},
    }
    (root / "campaign.yaml").write_text(yaml.safe_dump(config))
    start_campaign(root / "campaign.yaml", root / "learned")
    end = run_campaign(root / "learned", until="step5")
    assert end.state == "done", end
    return root / "learned"


def facts_of(lineage, dataset_type):
    return next(facts for facts in lineage.datasets if facts.dataset_type == dataset_type)


def test_chain_reaches_the_file_of_the_object_with_its_checksum(lineage, some_object):
    facts = facts_of(lineage, "object")
    assert facts.uri.endswith(some_object[1].name)
    assert facts.sha256 == facts.recorded_sha256 == file_sha256(some_object[1])


def test_chain_names_every_task_on_the_way_and_how_it_ran(lineage):
    labels = [facts.label for facts in lineage.quanta]
    assert labels[0] == "joinPz"
    assert set(labels) == {"joinPz", "modelIndex", "estimatePz", "summariseRelease", "ingestQa", "skinny"}
    for facts in lineage.quanta:
        assert facts.evidence == "graph"
        assert facts.started <= facts.finished
        assert len(facts.config_sha256) == 64
        assert facts.versions["pzcenter"]
        assert facts.run.startswith(f"{RELEASE}/{NAME}/step")


def test_chain_has_the_model_of_the_row(lineage):
    assert lineage.model.algorithm == "template"
    assert lineage.row["model_id"] == lineage.model.model_id
    assert len(lineage.model.digest) == 64
    assert facts_of(lineage, "photoz_model_template").id == lineage.model.dataset


def test_chain_says_who_signed(lineage):
    (sign_off,) = lineage.campaign.sign_offs
    assert (sign_off.step, sign_off.by, sign_off.note) == ("step2", "A. Name", "depths as expected")
    assert lineage.campaign.name == NAME


def test_document_is_sound_and_what_came_later_heeds_the_sign_off(lineage):
    document = lineage_document(lineage)
    assert undeclared(document) == []
    heeding = {document["activity"][end["prov:informed"]]["voprov:name"] for end in document["wasInformedBy"].values()}
    assert heeding == {"joinPz", "modelIndex", "estimatePz"}


def test_without_the_graphs_the_same_datasets_are_found(lineage, campaign, some_object):
    found = trace_object(
        campaign[0], some_object[0], collections=[f"{RELEASE}/{NAME}", f"{RELEASE}/defaults"], checksums=False
    )
    assert {facts.evidence for facts in found.quanta} == {"pipeline"}
    assert {facts.id for facts in found.datasets} == {facts.id for facts in lineage.datasets}


def test_earlier_tables_can_be_traced_too(campaign, some_object):
    found = trace_in_campaign(campaign[1], some_object[0], table="pz_estimate_template", checksums=False)
    assert found.quanta[0].label == "estimatePz"
    assert found.model.digest


def test_an_id_that_no_tract_has(campaign):
    with pytest.raises(NotFoundError, match="objectId 17"):
        trace_in_campaign(campaign[1], 17)


def test_chain_of_a_trained_model_goes_on_to_its_training_set(learned, some_object):
    found = trace_in_campaign(learned, some_object[0])
    train = next(facts for facts in found.quanta if facts.label == "trainPz")
    training_set = facts_of(found, "pz_training_set")
    assert train.inputs == (training_set.id,)
    assert len(training_set.sha256) == 64
    assert facts_of(found, "photoz_model_trainz").made_by == train.id
    assert found.model.n_train > 10
    assert len(found.model.training_sha256) == 64
    assert found.model.dataset in train.outputs
    assert undeclared(lineage_document(found)) == []


@pytest.fixture(scope="module")
def delivered(campaign):
    """The finished catalogue, with the provenance of its release beside it."""
    directory = campaign[1] / "catalog" / "template"
    made = campaign_provenance(campaign[1])
    made.write(directory)
    return directory, made


def test_release_has_one_document_and_a_row_for_each_tract(delivered, sky, campaign):
    made = delivered[1]
    assert undeclared(made.document) == []
    rows = {row["tract"]: row for row in made.tracts.to_pylist()}
    files = {path.name: file_sha256(path) for path in sky.object_path.glob("*.parquet")}
    assert {row["object_file"]: row["object_sha256"] for row in rows.values()} == files
    assert all(len(row["model_digest"]) == 64 for row in rows.values())
    assert sum(row["n_obj"] for row in rows.values()) == sky.n_obj
    text = json.dumps(made.document) + json.dumps(made.tracts.to_pylist())
    assert str(campaign[0].parent) not in text
    assert campaign_facts(campaign[1]).sign_offs[0].by in text


def test_row_of_the_delivered_catalogue_without_the_repository(delivered, lineage, some_object):
    found = trace_in_package(delivered[0], some_object[0])
    assert found.tract == lineage.tract
    assert found.datasets[0].sha256 == found.datasets[0].recorded_sha256
    assert facts_of(found, "object").recorded_sha256 == file_sha256(some_object[1])
    assert found.model.digest == lineage.model.digest
    assert found.quanta[0].label == "consolidatePz"
    assert {facts.label for facts in found.quanta} == {facts.label for facts in lineage.quanta} | {"consolidatePz"}
    assert found.campaign.sign_offs == lineage.campaign.sign_offs
    assert first_object_of_package(delivered[0]) > 0


def test_command_prints_the_chain(campaign, some_object, tmp_path):
    number, file = some_object
    made = CliRunner().invoke(
        app, ["provenance", str(number), "--campaign", str(campaign[1]), "--prov", str(tmp_path / "row.json")]
    )
    assert made.exit_code == 0, made.output
    for words in (str(number), file.name, file_sha256(file), "joinPz", "A. Name", "template"):
        assert words in made.output
    assert undeclared(json.loads((tmp_path / "row.json").read_text())) == []


def test_command_takes_any_object_and_prints_json(campaign):
    made = CliRunner().invoke(
        app, ["provenance", "--first", "--campaign", str(campaign[1]), "--no-checksums", "--json"]
    )
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["tract"] >= 0


@pytest.mark.parametrize("words", [["1"], ["1", "--first", "--package", "x"], ["--package", "x"], ["1", "--repo", "x"]])
def test_command_says_what_it_needs(words):
    assert CliRunner().invoke(app, ["provenance", *words]).exit_code == 2
