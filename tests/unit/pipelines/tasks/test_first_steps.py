"""Steps 1 and 2 in a repository: from objects as delivered to the plan of a release."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from lsst.daf.butler import Butler
from lsst.pipe.base import PipelineGraph
from lsst.pipe.base.simple_pipeline_executor import SimplePipelineExecutor

from pzcenter.catalogs import skinny_partition as partition_module
from pzcenter.errors import ColumnError, DuplicateIdError, SchemaError, UnitError
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.tiling import (
    HEALPIX_SKYMAP,
    bounding_region,
    nuniq,
    order_and_pixel,
    pixel_region,
    register_tracts,
)
from pzcenter.pipelines.tasks.ingest_qa import IngestQaTask
from pzcenter.pipelines.tasks.skinny import SkinnyTask
from pzcenter.pipelines.tasks.summarise_release import SummariseReleaseTask
from pzcenter.schema import check_table
from pzcenter.science.sky import healpix29, healpix_at_order
from pzcenter.testing import synthetic_sky

SKYMAP = "toy"
N_OBJ = 400
WIDE, NARROW, BARE = 10, 11, 12
"""Tracts: all bands; u and y never observed; no columns for y."""


def object_table(tract, *, first_id=None, ra=None):
    sky = synthetic_sky(N_OBJ, seed=tract)
    rng = np.random.default_rng(tract)
    columns = {
        "objectId": (tract * 10_000 if first_id is None else first_id) + rng.permutation(N_OBJ),
        "coord_ra": rng.uniform(*(ra or (tract, tract + 1)), N_OBJ),
        "coord_dec": rng.uniform(-1, 0, N_OBJ),
        "ebv": np.full(N_OBJ, 0.05),
        "refExtendedness": (rng.random(N_OBJ) < 0.9).astype(float),
    }
    for index, band in enumerate(sky.photometry.bands):
        if tract == BARE and band == "y":
            continue
        factor = np.nan if tract == NARROW and band in "uy" else 1.0
        columns[f"{band}_gaap1p0Flux"] = sky.photometry.flux[:, index] * factor
        columns[f"{band}_gaap1p0FluxErr"] = sky.photometry.flux_err[:, index] * factor
    return pa.table({**columns, **{f"column_{number}": np.zeros(N_OBJ) for number in range(20)}})


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def scaled(table, factor):
    for name in table.column_names:
        if "Flux" in name:
            table = with_column(table, name, table[name].to_numpy() * factor)
    return table


def repository_of(root, tables, *, skymap=SKYMAP, regions=None):
    create_repository(root)
    butler = Butler.from_config(root, run="input")
    regions = regions or {
        tract: bounding_region(table["coord_ra"].to_numpy(), table["coord_dec"].to_numpy())
        for tract, table in tables.items()
    }
    register_tracts(butler, skymap, regions)
    for tract, table in tables.items():
        butler.put(table, "object", skymap=skymap, tract=tract)
    return root


def execute(root, run, configs, *, skymap=SKYMAP, where="", inputs=("input",)):
    """Run tasks, each with its configuration; a butler of what they made."""
    graph = PipelineGraph()
    for task, config in configs.items():
        graph.add_task(task._DefaultName, task, config)
    butler = Butler.from_config(root, collections=list(inputs), run=run)
    where = f"skymap='{skymap}'" + (f" AND {where}" if where else "")
    executor = SimplePipelineExecutor.from_pipeline_graph(graph, butler=butler, where=where)
    executor.run(register_dataset_types=True, save_versions=False)
    return Butler.from_config(root, collections=[run])


def configured(task, **values):
    config = task.ConfigClass()
    config.update(**values)
    config.validate()
    return task(config=config)


@pytest.fixture(scope="module")
def objects():
    return {tract: object_table(tract) for tract in (WIDE, NARROW, BARE)}


@pytest.fixture(scope="module")
def repository(objects, tmp_path_factory):
    return repository_of(str(tmp_path_factory.mktemp("production") / "repo"), objects)


@pytest.fixture(scope="module")
def produced(repository):
    """Steps 1 and 2 of all tracts, and the columns that were read of the objects."""
    read = []
    tasks = (IngestQaTask, SkinnyTask, SummariseReleaseTask)
    with pytest.MonkeyPatch.context() as patch:
        original = SkinnyTask.run

        def run(self, objects, *, tract):
            read.append(set(objects.column_names))
            return original(self, objects, tract=tract)

        patch.setattr(SkinnyTask, "run", run)
        butler = execute(repository, "out/1", {task: task.ConfigClass() for task in tasks})
    return butler, read


# ---- step 1 ------------------------------------------------------------------------------------------------------


def test_every_object_is_in_the_skinny_table(produced, objects):
    butler, _ = produced
    for tract, table in objects.items():
        skinny = butler.get("pz_skinny", skymap=SKYMAP, tract=tract)
        check_table(skinny, "skinny")
        assert sorted(skinny["objectId"].to_pylist()) == sorted(table["objectId"].to_pylist())
        assert set(skinny["tract"].to_pylist()) == {tract}
        report = butler.get("pz_skinny_report", skymap=SKYMAP, tract=tract)
        assert (report["n_in"], report["n_out"], report["n_cut"]) == (N_OBJ, N_OBJ, {})
        assert report["mapping"] == "rubin_gaap"


def test_bands_that_were_not_observed_are_nan_and_bands_without_columns_are_absent(produced):
    butler, _ = produced
    assert np.isnan(butler.get("pz_skinny", skymap=SKYMAP, tract=NARROW)["flux_u"].to_numpy()).all()
    assert "flux_y" not in butler.get("pz_skinny", skymap=SKYMAP, tract=BARE).column_names
    notes = butler.get("pz_skinny_report", skymap=SKYMAP, tract=BARE)["notes"]
    assert any("bands y" in note for note in notes)


def test_the_stored_skinny_table_is_that_of_the_function(produced, objects):
    butler, _ = produced
    stored = butler.get("pz_skinny", skymap=SKYMAP, tract=WIDE)
    made = partition_module.skinny_partition(objects[WIDE], tract=WIDE).table
    assert stored.equals(made)
    assert stored.schema.metadata[b"pz.mapping"] == b"rubin_gaap"
    assert stored.schema.metadata[b"pz.dereddened"] == b"true"


def test_only_needed_columns_are_read(produced):
    for names in produced[1]:
        assert names
        assert not any(name.startswith("column_") for name in names)


def test_counts_of_each_band(produced):
    butler, _ = produced
    bands = {row["band"]: row for row in butler.get("pz_ingest_qa", skymap=SKYMAP, tract=NARROW).to_pylist()}
    assert (bands["u"]["n_measured"], bands["u"]["share_missing"], bands["u"]["depth"]) == (0, 1.0, None)
    assert bands["r"]["share_missing"] < 0.1
    assert sum(butler.get("pz_sky_counts", skymap=SKYMAP, tract=NARROW)["n_obj"].to_pylist()) == N_OBJ


def test_metadata_carry_counts_seconds_and_memory(produced):
    butler, _ = produced
    for task, name in (("ingestQa", "n_obj"), ("skinny", "n_out")):
        recorded = butler.get(f"{task}_metadata", skymap=SKYMAP, tract=WIDE)[task]
        assert recorded[name] == N_OBJ
        assert recorded["wall_s"] > 0
        assert recorded["peak_bytes"] > 10_000_000


def test_configuration_reaches_the_functions(objects):
    made = configured(SkinnyTask, cuts=["refExtendedness > 0.5"], deredden=False).run(objects[WIDE], tract=WIDE)
    n_extended = int(np.sum(objects[WIDE]["refExtendedness"].to_numpy() > 0.5))
    assert made.report["n_out"] == n_extended
    assert made.report["n_cut"] == {"refExtendedness > 0.5": N_OBJ - n_extended}
    assert made.report["n_flagged"]["not_dereddened"] == n_extended
    with pytest.raises(ColumnError, match="rubin_cmodel"):
        configured(SkinnyTask, mapping="rubin_cmodel").run(objects[WIDE], tract=WIDE)
    with pytest.raises(ColumnError, match="rubin_cmodel"):
        configured(IngestQaTask, mapping="rubin_cmodel").run(objects[WIDE], tract=WIDE)


def test_cuts_do_not_hide_objects_from_the_counts(objects):
    made = configured(IngestQaTask).run(objects[WIDE], tract=WIDE)
    assert set(made.qa["n_obj"].to_pylist()) == {N_OBJ}


@pytest.mark.parametrize("task", [IngestQaTask, SkinnyTask])
@pytest.mark.parametrize("factor", [1e-9, 1e-3, 1e3], ids=["Jy", "uJy", "pJy"])
def test_a_wrong_unit_is_refused_unless_the_check_is_off(objects, task, factor):
    wrong = scaled(objects[WIDE], factor)
    with pytest.raises(UnitError, match=r"tract 10: the median magnitude in \w is"):
        configured(task).run(wrong, tract=WIDE)
    configured(task, check_magnitudes=False).run(wrong, tract=WIDE)


def test_bad_rows_are_refused(objects):
    ids = objects[WIDE]["objectId"].to_numpy().copy()
    ids[0] = ids[1]
    for task in (IngestQaTask, SkinnyTask):
        with pytest.raises(DuplicateIdError, match=f"tract 10: 1 object ids .*{ids[1]}"):
            configured(task).run(with_column(objects[WIDE], "objectId", ids), tract=WIDE)
    ra = objects[WIDE]["coord_ra"].to_numpy().copy()
    ra[0] = np.nan
    with pytest.raises(SchemaError, match="tract 10: 1 rows have no position"):
        configured(SkinnyTask).run(with_column(objects[WIDE], "coord_ra", ra), tract=WIDE)


# ---- step 2 ------------------------------------------------------------------------------------------------------


def test_plan_of_the_release(produced, objects):
    butler, _ = produced
    plan = {row["tract"]: row for row in butler.get("pz_tract_plan", skymap=SKYMAP).to_pylist()}
    assert {tract: row["bands"] for tract, row in plan.items()} == {
        WIDE: "u,g,r,i,z,y", NARROW: "g,r,i,z", BARE: "g,r,i,z"
    }  # fmt: skip
    for tract, table in objects.items():
        ids = table["objectId"].to_numpy()
        assert (plan[tract]["n_obj"], plan[tract]["id_min"], plan[tract]["id_max"]) == (N_OBJ, ids.min(), ids.max())
        assert plan[tract]["skymap"] == SKYMAP
    assert plan[NARROW]["present_u"] == 0
    assert plan[BARE]["present_y"] is None


def test_maps_and_pixels_hold_every_object(produced, objects):
    butler, _ = produced
    depths, pixels = (butler.get(name, skymap=SKYMAP) for name in ("pz_depth_map", "pz_pixels"))
    assert sum(depths["n_obj"].to_pylist()) == sum(pixels["n_rows"].to_pylist()) == len(objects) * N_OBJ
    measured = depths["depth_r"].to_numpy()
    assert 24 < np.nanmedian(measured) < 30


def test_metadata_of_the_release(produced, objects):
    butler, _ = produced
    recorded = butler.get("summariseRelease_metadata", skymap=SKYMAP)["summariseRelease"]
    assert (recorded["n_tract"], recorded["n_obj"]) == (len(objects), len(objects) * N_OBJ)
    assert recorded["n_tract_compared"] == recorded["n_tract_without_counts"] == 0


def test_a_tract_that_failed_is_left_out_and_counted(repository, produced):
    del produced
    run = "out/partly"
    execute(repository, run, {IngestQaTask: IngestQaTask.ConfigClass()}, where=f"tract IN ({WIDE}, {NARROW})")
    butler = execute(
        repository, "out/partly2", {SummariseReleaseTask: SummariseReleaseTask.ConfigClass()}, inputs=(run, "input")
    )
    assert butler.get("pz_tract_plan", skymap=SKYMAP)["tract"].to_pylist() == [WIDE, NARROW]
    recorded = butler.get("summariseRelease_metadata", skymap=SKYMAP)["summariseRelease"]
    assert recorded["n_tract_without_counts"] == 1


def test_an_object_in_two_tracts_is_named(tmp_path):
    tables = {1: object_table(1, first_id=0), 2: object_table(2, first_id=N_OBJ - 1)}
    root = repository_of(str(tmp_path / "repo"), tables)
    tasks = (IngestQaTask, SummariseReleaseTask)
    with pytest.raises(DuplicateIdError, match=rf"1 objects .* such as {N_OBJ - 1} \(tracts 1 and 2\)"):
        execute(root, "out/1", {task: task.ConfigClass() for task in tasks})


def test_ids_that_interleave_are_compared(tmp_path):
    tables = {
        tract: with_column(object_table(tract), "objectId", np.arange(N_OBJ) * 2 + tract % 2) for tract in (10, 11)
    }
    root = repository_of(str(tmp_path / "repo"), tables)
    butler = execute(root, "out/1", {task: task.ConfigClass() for task in (IngestQaTask, SummariseReleaseTask)})
    recorded = butler.get("summariseRelease_metadata", skymap=SKYMAP)["summariseRelease"]
    assert recorded["n_tract_compared"] == 2


def test_where_tracts_are_pixels_the_catalogue_keeps_them(tmp_path):
    made = object_table(10, ra=(44, 46))
    order = 5
    pixel = healpix_at_order(healpix29(made["coord_ra"].to_numpy(), made["coord_dec"].to_numpy()), order)
    tables = {nuniq(order, int(each)): made.filter(pa.array(pixel == each)) for each in np.unique(pixel)}
    regions = {tract: pixel_region(*order_and_pixel(tract)) for tract in tables}
    root = repository_of(str(tmp_path / "repo"), tables, skymap=HEALPIX_SKYMAP, regions=regions)
    tasks = (IngestQaTask, SummariseReleaseTask)
    butler = execute(root, "out/1", {task: task.ConfigClass() for task in tasks}, skymap=HEALPIX_SKYMAP)
    pixels = butler.get("pz_pixels", skymap=HEALPIX_SKYMAP)
    cells, n_obj = np.unique(pixel, return_counts=True)
    assert pixels["order"].to_pylist() == [order] * cells.size
    assert pixels["pixel"].to_pylist() == cells.tolist()
    assert pixels["n_rows"].to_pylist() == n_obj.tolist()


def test_sets_of_bands_are_checked():
    for wrong in (["ugg"], [], ["g,,r"]):
        with pytest.raises((ValueError, TypeError)):
            configured(SummariseReleaseTask, band_sets=wrong)
    assert list(configured(SummariseReleaseTask, band_sets=["g,r,J,Ks"], min_present=1.0).config.band_sets)
