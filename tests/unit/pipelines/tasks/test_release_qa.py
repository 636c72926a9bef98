"""Step 7 in a real repository: sums of each tract, with and without known redshifts, and the report."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from lsst.daf.butler import Butler
from lsst.pipe.base import PipelineGraph
from lsst.pipe.base.simple_pipeline_executor import SimplePipelineExecutor

from pzcenter.catalogs.densities import code_column, grid_metadata
from pzcenter.errors import EmptyTableError
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.tasks import QaMapsTask, QaPzTask
from pzcenter.schema import arrow_schema
from pzcenter.science.sky import healpix29

SKYMAP, RUN, N_OBJ = "toy", "release/main/step5/001", 300
TRACTS = (100, 101, 102)
Z_GRID = np.linspace(0.0, 3.0, 31)


def make_tract(tract):
    random = np.random.default_rng(tract)
    ra, dec = random.uniform(tract, tract + 1, N_OBJ), random.uniform(0, 1, N_OBJ)
    columns = {"objectId": tract * 10_000 + np.arange(N_OBJ), "ra": ra, "dec": dec, "_healpix_29": healpix29(ra, dec)}
    columns |= {"z_best": random.uniform(0.1, 2.0, N_OBJ), "z_std": random.uniform(0.05, 0.2, N_OBJ)}
    schema = arrow_schema("pz")
    arrays = [pa.array(columns.get(field.name, np.zeros(N_OBJ))).cast(field.type, safe=False) for field in schema]
    code = random.integers(1, 255, (N_OBJ, Z_GRID.size)).astype(np.uint8)
    density = {"objectId": columns["objectId"], "pdf_code": code_column(code), "pdf_max": np.ones(N_OBJ, np.float32)}
    truth = pa.table({"objectId": columns["objectId"][:50], "z_spec": columns["z_best"][:50] * 1.01})
    pdf = pa.table(density).replace_schema_metadata(grid_metadata(Z_GRID))
    return pa.Table.from_arrays(arrays, schema=schema), pdf, truth


@pytest.fixture(scope="module")
def butler(tmp_path_factory):
    """Repository with three tracts of which the first has known redshifts."""
    root = tmp_path_factory.mktemp("repo") / "repo"
    create_repository(root)
    butler = Butler.from_config(root, run=RUN)
    record = {"name": SKYMAP, "hash": hashlib.sha1(b"toy").digest(), "tract_max": 999, "patch_nx_max": 1}
    butler.registry.insertDimensionData("skymap", {**record, "patch_ny_max": 1})
    butler.registry.insertDimensionData("tract", *({"skymap": SKYMAP, "id": tract} for tract in TRACTS))
    for tract in TRACTS:
        pz, pdf, truth = make_tract(tract)
        butler.put(pz, "pz_template", skymap=SKYMAP, tract=tract)
        butler.put(pdf, "pz_pdf_template", skymap=SKYMAP, tract=tract)
        if tract == TRACTS[0]:
            butler.put(truth, "pz_truth", skymap=SKYMAP, tract=tract)
    return butler


@pytest.fixture(scope="module")
def results(butler):
    graph = PipelineGraph()
    config = QaPzTask.ConfigClass()
    config.map_order = 6
    graph.add_task("qaPz", QaPzTask, config)
    graph.add_task("qaMaps", QaMapsTask, QaMapsTask.ConfigClass())
    output = Butler.from_config(butler=butler, collections=[RUN], run="release/main/step7/001")
    executor = SimplePipelineExecutor.from_pipeline_graph(graph, butler=output)
    quanta = executor.run(register_dataset_types=True, save_versions=False)
    assert len(quanta) == len(TRACTS) + 1
    names = ("pz_nz_template", "pz_maps_template", "pz_metrics_template", "pz_qa_report_template")
    return {name: output.get(name, skymap=SKYMAP, collections="release/main/step7/001") for name in names}


def test_every_tract_is_counted_with_or_without_truth(results):
    rows = results["pz_metrics_template"].to_pylist()
    assert rows[0]["n_obj"] == len(TRACTS) * N_OBJ
    assert {row["tract"]: row["n_truth"] for row in rows[1:]} == {100: 50, 101: 0, 102: 0}
    of_100 = next(row for row in rows if row["tract"] == 100)
    assert of_100["bias"] < 0
    assert next(row for row in rows if row["tract"] == 101)["bias"] is None


def test_maps_and_report(results):
    maps = results["pz_maps_template"]
    assert maps["n_obj"].to_numpy().sum() == len(TRACTS) * N_OBJ
    assert set(maps["order"].to_pylist()) == {6}
    assert results["pz_nz_template"]["n_obj"][0].as_py() == len(TRACTS) * N_OBJ
    report = results["pz_qa_report_template"]
    assert report.startswith("<!DOCTYPE html>")
    assert "Photometric redshifts: toy, release/main/step7/001" in report


def test_sums_are_read_once_and_none_is_an_error():
    task = QaPzTask()
    qa = (task.run(*make_tract(tract), tract=tract).qa for tract in TRACTS)
    maps = QaMapsTask()
    result = maps.run(qa)
    assert maps.metadata["n_obj"] == len(TRACTS) * N_OBJ
    assert result.metrics.num_rows == 1 + len(TRACTS)
    with pytest.raises(EmptyTableError, match="no sums of tracts"):
        maps.run([])
