from __future__ import annotations

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import open_catalog
from pzcenter.errors import (
    ChecksumError,
    ConfigError,
    FileFormatError,
    NotFoundError,
    OutputExistsError,
)
from pzcenter.pipelines import estimate_catalog, train_model
from pzcenter.pipelines.nz import NzSettings, estimate_nz, parse_bins, read_nz
from pzcenter.pipelines.nz.bins import equal_bins
from pzcenter.pipelines.nz.objects import RunObjects
from pzcenter.testing import synthetic_sky

BANDS = "ugrizy"


def write_table(path, sky, first_id=0):
    n = sky.z_spec.size
    columns = {"objectId": np.arange(first_id, first_id + n)}
    for place, band in enumerate(BANDS):
        columns[f"flux_{band}"] = sky.photometry.flux[:, place]
        columns[f"flux_err_{band}"] = sky.photometry.flux_err[:, place]
    columns |= {"z_spec": sky.z_spec, "flags": np.zeros(n, np.uint32)}
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    place = tmp_path_factory.mktemp("nz")
    write_table(place / "train.parquet", synthetic_sky(1500, seed=1))
    write_table(place / "target.parquet", synthetic_sky(3000, seed=2), first_id=100_000)
    train_model(place / "train.parquet", place / "knn", "neighbours")
    estimate_catalog(
        place / "target.parquet", place / "run", model=place / "knn", report=False, workers=1, rows_per_partition=1000
    )
    return place


def true_means(room, product):
    points = open_catalog(room / "run" / "pz").read(["objectId", "z_best"])
    z = (
        pq.read_table(room / "target.parquet")
        .column("z_spec")
        .to_numpy()[points.column("objectId").to_numpy() - 100_000]
    )
    index = product.bins.assign(points.column("z_best").to_numpy())
    return np.array([z[index == b].mean() for b in range(product.bins.n_bin)])


@pytest.mark.parametrize("method", ["stack", "som", "hierarchical"])
def test_each_method_makes_a_product(room, tmp_path, method):
    settings = NzSettings(method=method, bins="0.2,0.6,1.0,1.6", n_sample=40, n_iter=400, step=0.1)
    made = estimate_nz(room / "run", tmp_path / "nz", settings, training=room / "train.parquet", command=["pz", "nz"])
    np.testing.assert_allclose(made.estimate.mean, true_means(room, made), atol=0.06)
    assert made.counts["rows"] == 3000 and 0 < made.counts["in_bins"] <= 3000
    names = {path.name for path in (tmp_path / "nz").iterdir()}
    assert {"nz.json", "nz.parquet", "nz_bins.parquet", "nz_samples.parquet", "nz_covariance.parquet"} <= names
    assert ("cells.parquet" in names) == (method == "som")
    page = (tmp_path / "nz" / "nz.html").read_text()
    assert page.count("data:image/png") == 2 and "<script" not in page
    manifest = json.loads((tmp_path / "nz" / "nz.json").read_text())
    assert manifest["provenance"]["command"] == ["pz", "nz"] and manifest["provenance"]["model"]["sha256"]
    assert manifest["label"] and len(manifest["covariance_of_means"]) == 3
    again = read_nz(tmp_path / "nz")
    np.testing.assert_array_equal(again.estimate.samples, made.estimate.samples)
    np.testing.assert_allclose(again.estimate.mean_error, made.estimate.mean_error)
    assert again.bins == made.bins and again.notes == made.notes
    with h5py.File(tmp_path / "nz" / "nz_qp.hdf5") as file:
        assert file["data/yvals"].shape == (3, 30) and file["ancil/n_objects"][:].sum() == made.counts["in_bins"]


def test_equal_numbers_are_equal(room, tmp_path):
    made = estimate_nz(room / "run", tmp_path / "nz", NzSettings(bins="equal:4", n_sample=5), page=False)
    assert made.bins.n_bin == 4
    np.testing.assert_allclose(made.estimate.n_obj, 750, rtol=0.1)
    assert made.counts["in_bins"] == made.counts["rows"] - made.counts["without_estimate"]


def test_partitions_change_nothing(room, tmp_path):
    """The same objects in other files give the same n(z), but for the order of sums."""
    estimate_catalog(room / "target.parquet", tmp_path / "run", model=room / "knn", report=False, workers=1)
    settings = NzSettings(method="hierarchical", bins="0.2,0.8,1.4", n_sample=20, n_iter=60, n_max=500)
    first = estimate_nz(room / "run", tmp_path / "a", settings, page=False)
    second = estimate_nz(tmp_path / "run", tmp_path / "b", settings, page=False)
    np.testing.assert_allclose(first.estimate.nz, second.estimate.nz, rtol=1e-6)
    assert "500 of " in first.notes[1] and first.counts["took_part"] == 500


def test_prior_of_the_pz_is_asked_for(room, tmp_path):
    (room / "run" / "model" / "card.json").rename(tmp_path / "card.json")
    settings = NzSettings(method="hierarchical", bins="0.2,0.8", n_sample=10, n_iter=40)
    try:
        with pytest.raises(ConfigError, match="--prior training"):
            estimate_nz(room / "run", tmp_path / "nz", settings)
    finally:
        (tmp_path / "card.json").rename(room / "run" / "model" / "card.json")
    flat = NzSettings(method="hierarchical", bins="0.2,0.8", n_sample=10, n_iter=40, prior="flat")
    assert "flat prior" in estimate_nz(room / "run", tmp_path / "nz", flat, page=False).notes[0]


def test_templates_have_no_histogram_for_a_prior(room, tmp_path, monkeypatch):
    name = "pzcenter.pipelines.nz.estimate.parse_manifest"
    monkeypatch.setattr(name, lambda *_, **__: SimpleNamespace(estimator="template"))
    with pytest.raises(ConfigError, match="no histogram of redshifts stands for it"):
        estimate_nz(room / "run", tmp_path / "nz", NzSettings(method="hierarchical", n_sample=10, n_iter=40))
    assert not (tmp_path / "nz").exists()


def test_objects_with_flags_are_left_out_and_counted(room, tmp_path):
    made = estimate_nz(
        room / "run", tmp_path / "nz", NzSettings(bins="0,3", n_sample=5, exclude=("broad_0p2",)), page=False
    )
    assert made.counts["excluded_by_flag"] > 0
    assert made.counts["in_bins"] + made.counts["excluded_by_flag"] + made.counts["without_estimate"] == 3000
    with pytest.raises(ConfigError, match="no flags"):
        estimate_nz(room / "run", tmp_path / "other", NzSettings(exclude=("nonsense",)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "magic"}, "no method"),
        ({"method": "som"}, "--training"),
        ({"bins": "0.2:0.5,0.4:0.8"}, "overlap"),
        ({"bins": "0.5"}, "two edges"),
        ({"bins": "a,b"}, "equal:N"),
        ({"bins": "equal:0"}, "got 0"),
        ({"bins": "0.1:0.2:0.3"}, "equal:N"),
        ({"point": "z_spec"}, "z_best"),
        ({"n_sample": 1}, "2 samples"),
        ({"step": 0.0}, "positive"),
        ({"step": 5.0, "bins": "0.2,0.8"}, "wider than the narrowest bin, 0.6"),
        ({"groups": "sky"}, "no positions"),
        ({"groups": "moon"}, "random or sky"),
        ({"prior": "mine"}, "flat"),
        ({"method": "hierarchical", "n_iter": 10}, "steps"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_written(room, tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        estimate_nz(room / "run", tmp_path / "nz", NzSettings(**changes))
    assert not (tmp_path / "nz").exists()


def test_other_directories_are_left_alone(room, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    quick = NzSettings(n_sample=3)
    with pytest.raises(OutputExistsError, match="other things"):
        estimate_nz(room / "run", tmp_path / "mine", quick, overwrite=True)
    estimate_nz(room / "run", tmp_path / "nz", quick, page=False)
    with pytest.raises(OutputExistsError, match="--overwrite"):
        estimate_nz(room / "run", tmp_path / "nz", quick)
    estimate_nz(room / "run", tmp_path / "nz", quick, page=False, overwrite=True)


def test_what_is_no_run_is_refused(room, tmp_path):
    with pytest.raises(NotFoundError, match="did you mean"):
        RunObjects.open(room / "run" / "pz")
    with pytest.raises(NotFoundError, match="pz estimate"):
        estimate_nz(tmp_path, tmp_path / "nz")


def test_changed_products_are_refused(room, tmp_path):
    estimate_nz(room / "run", tmp_path / "nz", NzSettings(n_sample=3), page=False)
    manifest = tmp_path / "nz" / "nz.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"version": 2}))
    with pytest.raises(FileFormatError, match="version 2"):
        read_nz(tmp_path / "nz")
    manifest.write_text(json.dumps(content)[:-30])
    with pytest.raises(FileFormatError, match="damaged"):
        read_nz(tmp_path / "nz")
    manifest.write_text(json.dumps(content))
    table = tmp_path / "nz" / "nz.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    with pytest.raises(ChecksumError):
        read_nz(tmp_path / "nz")
    with pytest.raises(NotFoundError):
        read_nz(tmp_path)


def test_bins_are_read_in_all_forms():
    assert parse_bins("lens_y1").low == (0.2, 0.4, 0.6, 0.8, 1.0)
    assert parse_bins("0.2:0.4,0.5:0.8").high == (0.4, 0.8)
    assert parse_bins(" 0,0.5,1 ").n_bin == 2
    assert parse_bins("equal:7") == 7


def test_equal_bins_of_piled_up_objects_are_fewer():
    bins = equal_bins([np.full(100, 0.5), np.array([0.7])], 5)
    assert bins.assign([0.5, 0.7]).tolist() == [0, bins.n_bin - 1]
    assert bins.n_bin <= 2
