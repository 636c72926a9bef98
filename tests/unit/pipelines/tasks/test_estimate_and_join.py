"""Steps 3 and 5: estimates of each tract, numbers of the models, one row for each object."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lsst.daf.butler import Butler
from lsst.pipe.base import PipelineGraph
from lsst.pipe.base.simple_pipeline_executor import SimplePipelineExecutor

from pzcenter.catalogs import make_skinny, open_catalog
from pzcenter.catalogs.writers import parquet_options
from pzcenter.errors import BandError, DuplicateIdError, ModelError, NotFoundError, SchemaError
from pzcenter.estimators import ModelSet, default_model_set, get_estimator
from pzcenter.pipelines import run_estimate
from pzcenter.pipelines.campaign.graph import build_graph, load_pipeline
from pzcenter.pipelines.campaign.local_pool import LocalExecutor
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.tiling import bounding_region, register_tracts
from pzcenter.pipelines.tasks.estimate_pz import EstimatePzTask
from pzcenter.pipelines.tasks.join_pz import JoinPzTask
from pzcenter.pipelines.tasks.loaded_models import MAX_LOADED, forget_models, loaded_models
from pzcenter.pipelines.tasks.model_index import ModelIndexTask
from pzcenter.schema import PZFlag, check_table
from pzcenter.testing import synthetic_sky

SKYMAP = "toy"
N_OBJ = 300
WIDE, NARROW, BLIND, CUT = 10, 11, 12, 13
"""Tracts: all bands; without u and y; without r; all bands, and a third of the objects not in the skinny table."""


def object_table(tract):
    """Object table of a tract with Rubin's columns; bands that were not observed are NaN."""
    sky = synthetic_sky(N_OBJ, seed=tract)
    rng = np.random.default_rng(tract)
    columns = {
        "objectId": tract * 10_000 + rng.permutation(N_OBJ),
        "coord_ra": rng.uniform(tract, tract + 1, N_OBJ),
        "coord_dec": rng.uniform(-1, 0, N_OBJ),
        "tract": np.full(N_OBJ, tract),
        "ebv": np.full(N_OBJ, 0.05),
    }
    lost = {NARROW: "uy", BLIND: "r"}.get(tract, "")
    for index, band in enumerate(sky.photometry.bands):
        factor = np.nan if band in lost else 1.0
        columns[f"{band}_gaap1p0Flux"] = sky.photometry.flux[:, index] * factor
        columns[f"{band}_gaap1p0FluxErr"] = sky.photometry.flux_err[:, index] * factor
    return pa.table(columns)


def made_skinny(table, folder):
    """The skinny catalogue of an object table, and its one partition."""
    pq.write_table(table, folder / "objects.parquet")
    make_skinny(folder / "objects.parquet", folder / "skinny")
    (partition,) = open_catalog(folder / "skinny").partitions
    return partition.read()


@pytest.fixture(scope="module")
def objects():
    return {tract: object_table(tract) for tract in (WIDE, NARROW, BLIND, CUT)}


@pytest.fixture(scope="module")
def skinny(objects, tmp_path_factory):
    tables = {tract: made_skinny(table, tmp_path_factory.mktemp("skinny")) for tract, table in objects.items()}
    tables[CUT] = tables[CUT].filter(np.arange(N_OBJ) % 3 > 0)
    return tables


@pytest.fixture(scope="module")
def plan():
    bands = {WIDE: "u,g,r,i,z,y", NARROW: "g,r,i,z", BLIND: "", CUT: "u,g,r,i,z,y"}
    return pa.table(
        {
            "skymap": [SKYMAP] * len(bands),
            "tract": pa.array(list(bands), pa.int32()),
            "n_obj": [N_OBJ] * len(bands),
            "bands": list(bands.values()),
        }
    )


@pytest.fixture(scope="module")
def models():
    return default_model_set("template", ["griz", "ugrizy"], config={"n_between": 0})


def estimate(skinny, plan, models, tract, **config):
    made = EstimatePzTask.ConfigClass()
    made.update(**config)
    return EstimatePzTask(config=made).run(skinny[tract], plan, models, skymap=SKYMAP, tract=tract, run="r/1")


def parquet_bytes(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **parquet_options(table.schema))
    return sink.getvalue().to_pybytes()


# ---- estimatePz --------------------------------------------------------------------------------------------------


def test_same_bytes_as_a_run_on_one_machine(objects, skinny, plan, models, tmp_path):
    made_skinny(objects[WIDE], tmp_path)
    models.models[0].save(tmp_path / "model")
    run_estimate(tmp_path / "skinny", tmp_path / "run", tmp_path / "model")
    found = estimate(skinny, plan, models, WIDE)
    for name, table in (("pz", found.estimate), ("pz_pdf", found.pdf)):
        (partition,) = open_catalog(tmp_path / "run" / name).partitions
        assert parquet_bytes(table) == parquet_bytes(partition.read()), name


def test_rows_are_those_of_the_skinny_table(skinny, plan, models):
    found = estimate(skinny, plan, models, CUT)
    assert found.estimate["objectId"].equals(skinny[CUT]["objectId"])
    assert found.pdf["objectId"].equals(skinny[CUT]["objectId"])


def test_the_largest_model_that_does(skinny, plan, models):
    wide, narrow = estimate(skinny, plan, models, WIDE), estimate(skinny, plan, models, NARROW)
    fallback = int(PZFlag.fallback_model)
    assert not any(flags & fallback for flags in wide.estimate["flags"].to_pylist())
    assert all(flags & fallback for flags in narrow.estimate["flags"].to_pylist())
    assert set(narrow.estimate["band_mask"].to_pylist()) == {0b1111}
    (quality,) = narrow.quality.to_pylist()
    assert quality["bands"] == "g,r,i,z"
    assert quality["model_checksum"] == models.digests[1]
    assert (quality["tract"], quality["run"], quality["partition"]) == (NARROW, "r/1", "tract_11")
    check_table(narrow.quality, "pz_quality")
    check_table(narrow.estimate, "pz")


def test_a_tract_without_a_needed_band_is_named(skinny, plan, models):
    with pytest.raises(
        BandError,
        match=r"tract 12 of toy: .*models of template need \['u', .*or \['g'.*values in \['u', 'g', 'i', 'z', 'y'\]",
    ):
        estimate(skinny, plan, models, BLIND)


def test_models_whose_bands_do_not_match_are_refused(skinny, plan):
    only_infrared = ModelSet((default_model_set("template", ["ugrizy"]).models[0],))
    with pytest.raises(BandError, match=r"tract 11.*the bands \['g', 'r', 'i', 'z'\] are there; .*need \['u'"):
        estimate(skinny, plan, only_infrared, NARROW)


def test_a_skinny_table_that_lacks_planned_columns_takes_the_smaller_model(skinny, plan, models):
    without = {WIDE: skinny[WIDE].drop_columns(["flux_u", "flux_err_u"])}
    (quality,) = estimate(without, plan, models, WIDE).quality.to_pylist()
    assert quality["bands"] == "g,r,i,z"


def test_a_tract_that_is_not_planned_is_refused(skinny, plan, models):
    for wrong in (plan.slice(1), pa.concat_tables([plan, plan])):
        with pytest.raises(NotFoundError, match=r"tract 10 of toy is [02] times"):
            estimate(skinny, wrong, models, WIDE)


def test_a_tract_without_objects_is_an_empty_table(skinny, plan, models):
    found = estimate({BLIND: skinny[BLIND].slice(0, 0)}, plan, models, BLIND)
    assert found.estimate.num_rows == found.pdf.num_rows == 0
    assert found.quality.to_pylist()[0]["n_obj"] == 0


def test_metadata_carry_counts(skinny, plan, models):
    task = EstimatePzTask(config=EstimatePzTask.ConfigClass())
    task.run(skinny[WIDE], plan, models, skymap=SKYMAP, tract=WIDE)
    assert task.metadata["n_obj"] == N_OBJ
    assert task.metadata["n_estimate"] <= N_OBJ
    assert task.metadata["model"] == "template-ugrizy"


def test_ensemble_on_request(skinny, plan, models):
    qp = pytest.importorskip("qp")
    found = estimate(skinny, plan, models, WIDE, write_ensemble=True)
    assert isinstance(found.ensemble, qp.Ensemble)
    assert found.ensemble.npdf == N_OBJ
    assert np.array_equal(found.ensemble.ancil["object_id"], found.estimate["objectId"].to_numpy())
    known = np.flatnonzero(np.isfinite(found.estimate["z_mode"].to_numpy()))
    difference = found.ensemble.ancil["zmode"][known] - found.estimate["z_mode"].to_numpy()[known]
    assert np.median(np.abs(difference)) < 0.01


# ---- loaded models -----------------------------------------------------------------------------------------------


def test_models_are_loaded_once_per_process():
    forget_models()
    calls = []

    def load(name):
        calls.append(name)
        return name

    for _ in range(3):
        assert loaded_models("a", lambda: load("a")) == "a"
    assert calls == ["a"]
    for name in "bc"[:MAX_LOADED]:
        loaded_models(name, lambda name=name: load(name))
    loaded_models("a", lambda: load("a again"))
    assert calls == ["a", "b", "c", "a again"]
    forget_models()


def test_a_load_that_fails_is_tried_again():
    forget_models()

    def fail():
        raise ModelError("damaged")

    with pytest.raises(ModelError):
        loaded_models("a", fail)
    assert loaded_models("a", lambda: 1) == 1
    forget_models()


# ---- in a repository ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def repository(objects, skinny, plan, models, tmp_path_factory):
    root = str(tmp_path_factory.mktemp("production") / "repo")
    create_repository(root, algorithms=("template", "trainz"))
    butler = Butler.from_config(root, run="input")
    regions = {
        tract: bounding_region(table["coord_ra"].to_numpy(), table["coord_dec"].to_numpy())
        for tract, table in objects.items()
    }
    register_tracts(butler, SKYMAP, regions)
    for tract in objects:
        butler.put(objects[tract], "object", skymap=SKYMAP, tract=tract)
        butler.put(skinny[tract], "pz_skinny", skymap=SKYMAP, tract=tract)
    butler.put(plan, "pz_tract_plan", skymap=SKYMAP)
    butler.put(models, "photoz_model_template")
    return root


def execute(root, run, configs, *, where, inputs=("input",)):
    """Run tasks, each with its configuration; a butler of what they made."""
    graph = PipelineGraph()
    for task, config in configs.items():
        graph.add_task(task._DefaultName, task, config)
    butler = Butler.from_config(root, collections=list(inputs), run=run)
    executor = SimplePipelineExecutor.from_pipeline_graph(graph, butler=butler, where=where)
    executor.run(register_dataset_types=True, save_versions=False)
    return Butler.from_config(root, collections=[run])


def defaults(*tasks):
    return {task: task.ConfigClass() for task in tasks}


@pytest.fixture(scope="module")
def produced(repository):
    """Steps 3 and 5 of all tracts but the blind one; the models are loaded how often."""
    forget_models()
    loads = []
    with pytest.MonkeyPatch.context() as patch:
        original = ModelSet.load.__func__

        def counted(cls, directory):
            loads.append(directory)
            return original(cls, directory)

        patch.setattr(ModelSet, "load", classmethod(counted))
        where = f"skymap='{SKYMAP}' AND tract IN ({WIDE}, {NARROW}, {CUT})"
        configs = defaults(EstimatePzTask, ModelIndexTask, JoinPzTask)
        butler = execute(repository, "out/1", configs, where=where)
    return butler, loads


def test_the_models_are_read_once_for_all_tracts(produced):
    assert len(produced[1]) == 1


def test_one_row_for_each_object(produced, objects, skinny):
    butler, _ = produced
    for tract, n_added in ((WIDE, 0), (NARROW, 0), (CUT, N_OBJ // 3)):
        joined = butler.get("pz_template", skymap=SKYMAP, tract=tract)
        assert sorted(joined["objectId"].to_pylist()) == sorted(objects[tract]["objectId"].to_pylist())
        assert np.all(np.diff(joined["_healpix_29"].to_numpy()) >= 0)
        (counts,) = butler.get("pz_join_template", skymap=SKYMAP, tract=tract).to_pylist()
        assert (counts["n_object"], counts["n_added"]) == (N_OBJ, n_added)
        assert counts["n_joined"] == skinny[tract].num_rows
        assert set(joined["tract"].to_pylist()) == {tract}


def test_models_are_numbered_for_the_release(produced, models):
    butler, _ = produced
    table = butler.get("pz_model_template", skymap=SKYMAP)
    check_table(table, "pz_model")
    assert table["checksum"].to_pylist() == list(models.digests)
    assert table["bands"].to_pylist() == ["u,g,r,i,z,y", "g,r,i,z"]
    for tract, number in ((WIDE, 0), (NARROW, 1), (CUT, 0)):
        joined = butler.get("pz_template", skymap=SKYMAP, tract=tract)
        assert set(joined["model_id"].to_pylist()) == {number}


def test_the_stored_estimates_are_those_of_the_task(produced, skinny, plan, models):
    butler, _ = produced
    for tract in (WIDE, NARROW):
        found = estimate(skinny, plan, models, tract)
        stored = butler.get("pz_estimate_template", skymap=SKYMAP, tract=tract)
        assert parquet_bytes(stored.replace_schema_metadata()) == parquet_bytes(
            found.estimate.replace_schema_metadata()
        )


def test_metadata_carry_seconds_and_memory(produced):
    butler, _ = produced
    for task in ("estimatePz", "joinPz"):
        recorded = butler.get(f"{task}_metadata", skymap=SKYMAP, tract=WIDE)[task]
        assert recorded["wall_s"] > 0
        assert recorded["cpu_s"] > 0
        assert recorded["peak_bytes"] > 10_000_000
    assert recorded["n_object"] == N_OBJ


def test_a_blind_tract_fails_by_itself(repository):
    where = f"skymap='{SKYMAP}' AND tract = {BLIND}"
    with pytest.raises(BandError, match="tract 12"):
        execute(repository, "out/blind", defaults(EstimatePzTask), where=where)


def test_the_other_tracts_are_estimated_all_the_same(repository, tmp_path):
    pipeline = load_pipeline(subset="step3")
    graph = build_graph(
        repository, tmp_path / "step3.qg", pipeline=pipeline, inputs=["input"], output_run="out/all",
        where=f"skymap='{SKYMAP}'",
    )  # fmt: skip
    forget_models()
    outcomes = LocalExecutor(repository).execute(graph.path, "out/all")
    forget_models()
    states = {outcome.data_id["tract"]: outcome.state for outcome in outcomes}
    assert states == {WIDE: "done", NARROW: "done", BLIND: "failed", CUT: "done"}
    (failed,) = (outcome for outcome in outcomes if outcome.state == "failed")
    assert "BandError" in failed.error
    assert "tract 12 of toy: the bands [] are there; the models of template need" in failed.error


def test_models_made_from_settings_need_no_dataset(repository):
    forget_models()
    config = EstimatePzTask.ConfigClass()
    config.estimator.name = "template"
    config.estimator["template"].n_between = 0
    config.band_sets = ["gri"]
    config.write_ensemble = True
    config.connections.algo = "mine"
    where = f"skymap='{SKYMAP}' AND tract = {NARROW}"
    butler = execute(repository, "out/mine", {EstimatePzTask: config}, where=where)
    (quality,) = butler.get("pz_quality_mine", skymap=SKYMAP, tract=NARROW).to_pylist()
    assert (quality["algorithm"], quality["bands"], quality["run"]) == ("template", "g,r,i", "out/mine")
    assert butler.get("photoz_ensemble_mine", skymap=SKYMAP, tract=NARROW).npdf == N_OBJ


def test_a_patched_model_gets_a_number_of_its_own(repository, produced):
    """What failed is done again with other models; the rows say which."""
    sky = synthetic_sky(200, seed=3)
    butler = Butler.from_config(repository, run="patched")
    trainz = get_estimator("trainz").train(sky.photometry.with_bands(tuple("giz")), sky.z_spec)
    butler.put(ModelSet((trainz,)), "photoz_model_template")
    plan = pa.table({"skymap": [SKYMAP], "tract": pa.array([BLIND], pa.int32()), "n_obj": [N_OBJ], "bands": ["g,i,z"]})
    butler.put(plan, "pz_tract_plan", skymap=SKYMAP)
    where = f"skymap='{SKYMAP}' AND tract = {BLIND}"
    execute(repository, "out/2", defaults(EstimatePzTask), where=where, inputs=("patched", "input"))
    inputs, where = ("out/2", "out/1", "input"), f"skymap='{SKYMAP}'"
    again = execute(repository, "out/3", defaults(ModelIndexTask, JoinPzTask), where=where, inputs=inputs)
    table = again.get("pz_model_template", skymap=SKYMAP)
    assert table["algorithm"].to_pylist() == ["template", "template", "trainz"]
    for tract, number in ((WIDE, 0), (NARROW, 1), (BLIND, 2), (CUT, 0)):
        joined = again.get("pz_template", skymap=SKYMAP, tract=tract)
        assert set(joined["model_id"].to_pylist()) == {number}


# ---- modelIndex, joinPz ------------------------------------------------------------------------------------------


def join(objects, found, tract, models):
    task = JoinPzTask(config=JoinPzTask.ConfigClass())

    class Handle:
        def get(self, component=None, parameters=None):
            return objects.column_names if component == "columns" else objects.select(parameters["columns"])

    table = task.read_objects(Handle(), tract)
    return task.run(table, found.estimate, found.quality, models, skymap=SKYMAP, tract=tract)


def test_numbers_do_not_depend_on_the_order_of_the_tracts(skinny, plan, models):
    quality = [estimate(skinny, plan, models, tract).quality for tract in (WIDE, NARROW, CUT)]
    index = ModelIndexTask(config=ModelIndexTask.ConfigClass())
    assert index.run(quality).models.equals(index.run(quality[::-1]).models)


def test_errors_of_the_join_name_the_tract(objects, skinny, plan, models):
    found = estimate(skinny, plan, models, WIDE)
    index = ModelIndexTask(config=ModelIndexTask.ConfigClass()).run([found.quality]).models
    twice = pa.concat_tables([objects[WIDE], objects[WIDE].slice(0, 1)])
    with pytest.raises(DuplicateIdError, match="tract 10 of toy: 1 object ids"):
        join(twice, found, WIDE, index)
    with pytest.raises(SchemaError, match="tract 10 of toy: 1 estimates"):
        join(objects[WIDE].slice(1), found, WIDE, index)
    narrow = estimate(skinny, plan, models, NARROW)
    with pytest.raises(ModelError, match=r"tract 11: its model .* is 0 times"):
        join(objects[NARROW], narrow, NARROW, index)
