"""Provenance of a release, and a package that is traced with it alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("lsst.daf.butler")

from lsst.daf.butler import Butler

from pzcenter.catalogs.writers import finish_dataset, write_partition
from pzcenter.errors import FileFormatError, NotFoundError
from pzcenter.pipelines.lineage import chain, release
from pzcenter.pipelines.lineage.chain import trace_object
from pzcenter.pipelines.lineage.package import first_object_of_package, trace_in_package
from pzcenter.pipelines.lineage.prov import lineage_document, undeclared
from pzcenter.pipelines.lineage.records import Campaign, SignOff
from pzcenter.pipelines.lineage.release import release_provenance

INPUTS = {
    "skinny": ("object",),
    "summariseRelease": ("pz_skinny",),
    "estimatePz": ("pz_skinny", "pz_tract_plan"),
    "modelIndex": ("pz_estimate_template",),
    "joinPz": ("object", "pz_estimate_template", "pz_model_template"),
}
CAMPAIGN = Campaign("c", "r", sign_offs=(SignOff("step2", "A. Name", "2026-01-01T00:00:00+00:00", "fine"),))


@pytest.fixture
def butler(production, monkeypatch):
    """The small production has fewer connections than the pipeline."""
    for module in (chain, release):
        monkeypatch.setattr(module, "inputs_of_label", lambda label, algo: INPUTS[label])
    with Butler.from_config(str(production[0])) as made:
        yield made


@pytest.fixture
def made(butler):
    return release_provenance(butler, collections="r/c", campaign=CAMPAIGN)


@pytest.fixture
def package(made, tmp_path):
    made.write(tmp_path)
    rows = pa.table(
        {"objectId": [36, 41], "tract": [4, 4], "ra": [1.0, 2.0], "dec": [0.0, 0.0],
         "z_best": pa.array([0.5, 0.6], pa.float32()), "model_id": pa.array([0, 0], pa.int16())}
    )  # fmt: skip
    record = write_partition(rows, tmp_path / "pz", "part-00000.parquet")
    finish_dataset(tmp_path / "pz", [record], table="pz", schema=rows.schema)
    return tmp_path


def test_without_a_graph_the_pipeline_tells_the_same_inputs(butler, production):
    with_graph = trace_object(butler, 36, collections="r/c", graphs=[production[1]])
    without = trace_object(butler, 36, collections="r/c")
    assert {facts.evidence for facts in without.quanta} == {"pipeline"}
    assert {facts.id for facts in without.datasets} == {facts.id for facts in with_graph.datasets}
    edges = [{q.label: (set(q.inputs), q.n_other_inputs) for q in made.quanta} for made in (without, with_graph)]
    assert edges[0] == edges[1]


def test_document_of_a_release_is_sound_and_does_not_grow_with_its_tracts(made):
    assert undeclared(made.document) == []
    assert len(made.document["activity"]) == 5 + 1  # tasks, and the sign-off
    assert json.loads(json.dumps(made.document)) == made.document


def test_every_tract_has_its_row(made):
    rows = {row["tract"]: row for row in made.tracts.to_pylist()}
    assert sorted(rows) == [3, 4]
    assert rows[4]["id_min"] == 36
    assert rows[4]["n_obj"] == 2
    assert rows[4]["object_file"] == "tract_4.parquet"
    assert rows[4]["run_joinPz"] == "r/c/step1/001"


def test_no_directory_leaves_with_the_release(made, production):
    text = json.dumps(made.document) + json.dumps(made.tracts.to_pylist())
    assert str(production[0]) not in text
    assert str(production[0].parent) not in text


def test_a_method_that_made_nothing_has_no_provenance(butler):
    with pytest.raises(NotFoundError, match="'trainz'"):
        release_provenance(butler, collections="r/c", method="trainz")


def test_package_tells_where_a_row_comes_from(package):
    found = trace_in_package(package, 41)
    assert found.tract == 4
    assert found.datasets[0].sha256 == found.datasets[0].recorded_sha256
    assert {facts.label for facts in found.quanta} == set(INPUTS)
    objects = next(facts for facts in found.datasets if facts.dataset_type == "object")
    assert objects.uri == "tract_4.parquet"
    assert found.model.digest == "f" * 64
    assert found.campaign == CAMPAIGN
    assert all(len(facts.config_sha256) == 64 for facts in found.quanta)
    assert found.quanta[0].versions["pyarrow"]
    assert undeclared(lineage_document(found)) == []


def test_a_changed_file_has_another_checksum_than_the_recorded(package):
    rows = pq.read_table(package / "pz" / "part-00000.parquet")
    pq.write_table(rows.append_column("more", pa.array([1, 2])), package / "pz" / "part-00000.parquet")
    found = trace_in_package(package, 41)
    assert found.datasets[0].sha256 != found.datasets[0].recorded_sha256


def test_a_damaged_file_is_named(package):
    with (package / "pz" / "part-00000.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(FileFormatError, match="part-00000"):
        trace_in_package(package, 41)


def test_first_object_is_in_the_package(package):
    assert trace_in_package(package, first_object_of_package(package)).object_id == 36


@pytest.mark.parametrize("object_id", [35, 38, 99])
def test_unknown_object(package, object_id):
    with pytest.raises(NotFoundError, match=f"objectId {object_id}"):
        trace_in_package(package, object_id)


def test_package_without_provenance_says_so(package):
    (package / "provenance.prov.json").unlink()
    with pytest.raises(NotFoundError, match="where its rows come from"):
        trace_in_package(package, 41)


def test_damaged_provenance_says_so(package):
    (package / "provenance.prov.json").write_text("{")
    with pytest.raises(FileFormatError, match="damaged"):
        trace_in_package(package, 41)


def test_directory_without_a_catalogue_says_so(tmp_path):
    with pytest.raises(NotFoundError, match="no finished PZ catalogue"):
        trace_in_package(tmp_path, 1)


def test_a_package_is_traced_without_the_middleware():
    code = (
        "import sys, pzcenter.pipelines.lineage.package, pzcenter.pipelines.lineage.prov\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'lsst']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
