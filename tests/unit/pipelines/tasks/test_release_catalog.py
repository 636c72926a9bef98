"""Steps 6: the files of each tract, and the catalogue that they make, in a real repository and in LSDB."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lsst.daf.butler import Butler, DatasetType
from lsst.pipe.base import PipelineGraph
from lsst.pipe.base.simple_pipeline_executor import SimplePipelineExecutor

from pzcenter.catalogs import Manifest, convert, open_catalog, verify_manifest
from pzcenter.catalogs.content_hash import content_hash
from pzcenter.catalogs.densities import code_column, codes_of, grid_metadata, grid_of
from pzcenter.catalogs.tiling import SkyCounts, choose_pixels
from pzcenter.errors import ChecksumError, ConfigError, PartitionError, SchemaError
from pzcenter.pipelines.repository.tiling import nuniq, order_and_pixel
from pzcenter.pipelines.tasks.catalog_store import CatalogStore
from pzcenter.pipelines.tasks.consolidate_pz import ConsolidatePzTask, records_of
from pzcenter.pipelines.tasks.finish_catalog import FinishCatalogTask
from pzcenter.schema import arrow_schema, pz_flag_table
from pzcenter.science.sky import healpix29

SKYMAP, RUN, N_OBJ = "toy", "release/main/step5/001", 400
TRACTS = (100, 101, 102)
Z_GRID = np.linspace(0.0, 3.0, 31)
TABLES = ("pz_template", "pz_pdf_template", "pz_quality_template")


def make_tract(tract, n_obj=N_OBJ):
    """Core table of objects in a square degree, and the densities of all but three of them."""
    random = np.random.default_rng(tract)
    ra, dec = random.uniform(tract, tract + 1, n_obj), random.uniform(0, 1, n_obj)
    columns = {"objectId": tract * 10_000 + np.arange(n_obj), "ra": ra, "dec": dec, "_healpix_29": healpix29(ra, dec)}
    columns |= {"tract": np.full(n_obj, tract), "flags": random.integers(0, 4, n_obj)}
    schema = arrow_schema("pz")
    arrays = [pa.array(columns.get(field.name, np.zeros(n_obj))).cast(field.type, safe=False) for field in schema]
    pz = pa.Table.from_arrays(arrays, schema=schema)
    code = random.integers(1, 255, (n_obj, Z_GRID.size)).astype(np.uint8)
    pdf = pa.Table.from_arrays(
        [
            *(pz[name].combine_chunks() for name in ("objectId", "ra", "dec", "_healpix_29")),
            code_column(code),
            pa.array(np.ones(n_obj, np.float32)),
        ],
        names=["objectId", "ra", "dec", "_healpix_29", "pdf_code", "pdf_max"],
    ).replace_schema_metadata(grid_metadata(Z_GRID))
    # What the repository or a host add to the metadata must not reach the files.
    noise = {"lsst::arrow::rowcount": str(n_obj), "host": os.uname().nodename, "time": str(os.getpid())}
    pz = pz.replace_schema_metadata({**schema.metadata, **noise})
    return pz, pdf.slice(3)


def pixels_of(tables):
    counts = SkyCounts()
    for pz, _ in tables.values():
        counts.add(pz["_healpix_29"].to_numpy())
    rows = [{"order": o, "pixel": p, "n_rows": n} for o, p, n in choose_pixels(counts, N_OBJ // 2)]
    return pa.Table.from_pylist(rows)


def quality(tract):
    row = {"partition": f"tract_{tract}", "n_obj": N_OBJ, "n_estimate": N_OBJ, "n_flagged": 0, "n_spec": 0}
    return pa.Table.from_pylist([row], schema=arrow_schema("pz_quality"))


def make_repository(root, tables, *, skymap=SKYMAP, pixels=None):
    """Repository with what steps 1 to 5 leave for these tracts."""
    Butler.makeRepo(root)
    butler = Butler.from_config(root, run=RUN)
    butler.registry.insertDimensionData(
        "skymap",
        {
            "name": skymap,
            "hash": hashlib.sha1(skymap.encode()).digest(),
            "tract_max": 2**30,
            "patch_nx_max": 1,
            "patch_ny_max": 1,
        },
    )
    butler.registry.insertDimensionData("tract", *({"skymap": skymap, "id": tract} for tract in tables))
    for name in (*TABLES, "pz_tract_plan", "pz_pixels", "pz_model_template"):
        dimensions = ("skymap", "tract") if name in TABLES else ("skymap",)
        butler.registry.registerDatasetType(DatasetType(name, dimensions, "ArrowTable", universe=butler.dimensions))
    for tract, (pz, pdf) in tables.items():
        for name, table in zip(TABLES, (pz, pdf, quality(tract)), strict=True):
            butler.put(table, name, skymap=skymap, tract=tract)
    plan = pa.table({"tract": list(tables), "n_obj": [pz.num_rows for pz, _ in tables.values()]})
    butler.put(plan, "pz_tract_plan", skymap=skymap)
    butler.put(pixels_of(tables) if pixels is None else pixels, "pz_pixels", skymap=skymap)
    butler.put(
        pa.table({"model_id": pa.array([0], pa.int16()), "algorithm": ["template"]}), "pz_model_template", skymap=skymap
    )
    return butler


def consolidate(butler, destination, run, *, tasks=(ConsolidatePzTask, FinishCatalogTask), inputs=()):
    """Run step 6; the description of the catalogue."""
    graph = PipelineGraph()
    for task in tasks:
        config = task.ConfigClass()
        config.destination = str(destination)
        graph.add_task(task._DefaultName, task, config)
    executor_butler = Butler.from_config(butler=butler, collections=[*inputs, RUN], run=run)
    executor = SimplePipelineExecutor.from_pipeline_graph(graph, butler=executor_butler)
    executor.run(register_dataset_types=True, save_versions=False)
    if FinishCatalogTask in tasks:
        skymap = next(iter(butler.registry.queryDataIds("skymap")))["skymap"]
        return executor_butler.get("pz_catalog_template", skymap=skymap, collections=run)
    return None


@pytest.fixture(scope="module")
def tables():
    return {tract: make_tract(tract) for tract in TRACTS}


@pytest.fixture(scope="module")
def butler(tables, tmp_path_factory):
    return make_repository(tmp_path_factory.mktemp("repo"), tables)


@pytest.fixture(scope="module")
def release(butler, tmp_path_factory):
    root = tmp_path_factory.mktemp("release") / "{algo}"
    description = consolidate(butler, root, "step6/001")
    return root.with_name("template"), description


def test_catalogue_holds_each_object_once_with_its_density(release, tables):
    root, description = release
    for name in ("pz", "pz_pdf", "pz_margin"):
        verify_manifest(root / name)
    pz, pdf = open_catalog(root / "pz").read(), open_catalog(root / "pz_pdf").read()
    assert description["n_rows"] == pz.num_rows == pdf.num_rows == len(TRACTS) * N_OBJ
    assert pz["objectId"].equals(pdf["objectId"])
    expected = np.concatenate([core["objectId"].to_numpy() for core, _ in tables.values()])
    assert np.array_equal(np.sort(pz["objectId"].to_numpy()), np.sort(expected))
    assert np.array_equal(grid_of(open_catalog(root / "pz_pdf").schema), Z_GRID)
    rows = zip(codes_of(pdf["pdf_code"]), pdf["pdf_max"].to_pylist(), strict=True)
    by_id = dict(zip(pdf["objectId"].to_pylist(), rows, strict=True))
    for core, density in tables.values():
        assert all(np.isnan(by_id[i][1]) and not by_id[i][0].any() for i in core["objectId"].to_pylist()[:3])
        for i, code in zip(density["objectId"].to_pylist(), codes_of(density["pdf_code"]), strict=True):
            assert np.array_equal(by_id[i][0], code)


def test_description_names_what_was_made(release):
    root, description = release
    assert description["path"] == str(root)
    assert description["missing_tracts"] == []
    assert description["content_hash"] == content_hash(root)
    assert description["catalogs"]["pz"]["content_hash"] == content_hash(root / "pz")
    assert set(description["companions"]) == {"pz_model", "pz_flag", "pz_quality"}
    assert pq.read_table(root / "pz_flag.parquet").equals(pz_flag_table())
    assert pq.read_table(root / "pz_quality.parquet").num_rows == len(TRACTS)


def test_files_say_nothing_of_the_run(release):
    root, _ = release
    for record in Manifest.read(root / "pz").files:
        if record.n_rows is not None:
            metadata = pq.read_schema(root / "pz" / record.path).metadata
            assert set(metadata) == {b"pz.table", b"pz.table_version"}


def test_another_run_elsewhere_gives_the_same_hash(release, butler, tmp_path):
    description = consolidate(butler, tmp_path / "elsewhere", "step6/002")
    assert description["content_hash"] == release[1]["content_hash"]
    again = consolidate(butler, tmp_path / "elsewhere", "step6/003")
    assert again["content_hash"] == release[1]["content_hash"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_lsdb_joins_it_with_the_object_catalogue(release, tables, tmp_path):
    lsdb = pytest.importorskip("lsdb")
    core = pa.concat_tables([pz for pz, _ in tables.values()])
    objects = core.select(["objectId", "ra", "dec"]).append_column("i_mag", pa.array(np.arange(core.num_rows) * 1.0))
    pq.write_table(objects, tmp_path / "objects.parquet")
    convert(tmp_path / "objects.parquet", tmp_path / "object", "hats")
    pz = lsdb.open_catalog(release[0])
    assert pz.margin is not None
    joined = (
        lsdb.open_catalog(tmp_path / "object")
        .join(pz, left_on="objectId", right_on="objectId", suffixes=("_object", "_pz"))
        .compute()
    )
    assert len(joined) == core.num_rows
    assert (joined["objectId_object"] == joined["objectId_pz"]).all()
    assert (joined["ra_object"] == joined["ra_pz"]).all()
    densities = lsdb.open_catalog(release[0] / "pz_pdf").compute()
    assert len(densities) == core.num_rows


def test_tracts_that_are_pixels_have_one_file_each(tmp_path):
    tables = {}
    for pixel in (1140, 1141):
        tract = nuniq(4, pixel)
        assert order_and_pixel(tract) == (4, pixel)
        pz, pdf = make_tract(100)
        hpx29 = (np.arange(N_OBJ) * 10**12) + (pixel << 50)
        pz = pz.set_column(3, "_healpix_29", pa.array(hpx29)).set_column(0, "objectId", pa.array(hpx29 >> 3))
        tables[tract] = pz, pdf.set_column(0, "objectId", pz["objectId"].slice(3))
    pixels = pa.table({"order": [4, 4], "pixel": [1140, 1141]})
    butler = make_repository(tmp_path / "repo", tables, skymap="healpix_nuniq", pixels=pixels)
    consolidate(butler, tmp_path / "release", "step6/001")
    paths = sorted(path.name for path in (tmp_path / "release" / "pz").glob("dataset/Norder*/**/*.parquet"))
    assert paths == ["Npix=1140.parquet", "Npix=1141.parquet"]
    assert open_catalog(tmp_path / "release").n_rows == 2 * N_OBJ


def test_an_object_outside_the_tiling_is_an_error_of_its_tract(tables):
    task = ConsolidatePzTask()
    pz, pdf = tables[100]
    pixels = pixels_of({100: tables[100]})
    with pytest.raises(SchemaError, match=r"objects lie outside all \d+ pixels of the tiling: object 100\d+ at ra"):
        task.run(pz, pdf, pixels.slice(1), tract=100)
    with pytest.raises(SchemaError, match="tract 2164 is the pixel 1140 of order 4"):
        task.run(pz, pdf, pixels, tract=nuniq(4, 1140), skymap="healpix_nuniq")
    assert len(task.run(pz, pdf, pixels, tract=100).tables["pz"]) == pixels.num_rows
    assert task.metadata["n_obj"] == N_OBJ


def test_missing_and_incomplete_tracts_are_named(butler, tmp_path):
    consolidate(butler, tmp_path, "step6/011", tasks=(ConsolidatePzTask,))
    reader = Butler.from_config(butler=butler, collections="step6/011")
    files = {tract: reader.get("pz_files_template", skymap=SKYMAP, tract=tract) for tract in TRACTS}
    plan = pa.table({"tract": [*TRACTS, 103, 104], "n_obj": [N_OBJ] * 4 + [0]})
    task = FinishCatalogTask()
    with pytest.raises(PartitionError, match=r"1 of 5 tracts are missing, with 400 objects: 103"):
        task.run(files, plan)
    config = FinishCatalogTask.ConfigClass()
    config.allow_missing_tracts = True
    assert FinishCatalogTask(config=config).run(files, plan).missing_tracts == [103]
    short = pa.table({"tract": TRACTS, "n_obj": [N_OBJ, N_OBJ + 1, N_OBJ]})
    with pytest.raises(PartitionError, match="tract 101 has 400 rows for 401 objects"):
        task.run(files, short)
    without_pdf = {**files, 100: files[100].filter(pa.array([r[0] != "pz_pdf" for r in records_of(files[100])]))}
    with pytest.raises(ChecksumError, match="tract 100 has 400 rows in pz and 0 in pz_pdf"):
        task.run(without_pdf, plan)


def test_lost_and_foreign_files_are_refused(butler, tmp_path):
    consolidate(butler, tmp_path, "step6/021", tasks=(ConsolidatePzTask,))
    path = min((tmp_path / "pz_pdf").rglob("tract_101.parquet"))
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(ChecksumError, match=r"1 files of pz_pdf are missing or have another size .*tract_101.parquet"):
        consolidate(butler, tmp_path, "step6/022", tasks=(FinishCatalogTask,), inputs=["step6/021"])
    path.write_bytes(content)
    path.with_name("tract_99.parquet").write_bytes(content)
    with pytest.raises(ChecksumError, match=r"pz_pdf holds 1 files that no tract of this run wrote: .*tract_99"):
        consolidate(butler, tmp_path, "step6/023", tasks=(FinishCatalogTask,), inputs=["step6/021"])


def test_what_a_killed_writer_left_is_removed(butler, release, tmp_path):
    left = tmp_path / "pz" / ".tmp" / "4711-tract_100.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"PAR1 half a file")
    description = consolidate(butler, tmp_path, "step6/031")
    assert not left.parent.exists()
    verify_manifest(tmp_path / "pz")
    assert description["content_hash"] == release[1]["content_hash"]


def test_destinations():
    with pytest.raises(ConfigError, match="consolidatePz:destination"):
        CatalogStore(" ")
    with pytest.raises(ConfigError, match="known URI"):
        CatalogStore("nowhere://x/y")
