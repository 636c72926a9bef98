from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import open_catalog, photometry_of, verify_manifest
from pzcenter.catalogs.densities import codes_of, grid_of
from pzcenter.errors import BandError, NotFoundError, OutputExistsError, PartitionError
from pzcenter.estimators import get_estimator, load_model
from pzcenter.pipelines import estimate_partition, read_objects, run_estimate
from pzcenter.pipelines import run as run_module
from pzcenter.schema import PZFlag
from pzcenter.science.packing import unpack_u8sqrt
from pzcenter.science.pz import point_estimates

DATA = ("pz", "pz_pdf")


def digests(root):
    """Checksum of every data file."""
    return {(table, record.path): record.sha256 for table in DATA for record in verify_manifest(root / table).files}


@pytest.fixture(scope="module")
def finished(skinny, model, tmp_path_factory):
    root = tmp_path_factory.mktemp("run") / "out"
    return run_estimate(skinny, root, model)


def test_every_object_once_and_in_order(skinny, finished):
    for before, after, pdf in zip(
        open_catalog(skinny).partitions,
        open_catalog(finished.destination / "pz").partitions,
        open_catalog(finished.destination / "pz_pdf").partitions,
        strict=True,
    ):
        assert before.name == after.name == pdf.name
        ids = before.read(["objectId"])
        assert after.read(["objectId"]).equals(ids)
        assert pdf.read(["objectId"]).equals(ids)
    assert finished.n_obj == 3000
    assert finished.n_partition > 1


def test_stored_densities_give_the_stored_points(finished):
    pz = open_catalog(finished.destination / "pz").read()
    stored = open_catalog(finished.destination / "pz_pdf")
    table, grid = stored.read(), grid_of(stored.schema)
    pdf = unpack_u8sqrt(codes_of(table["pdf_code"]), table["pdf_max"].to_numpy(), grid)
    again = point_estimates(pdf, grid)
    np.testing.assert_allclose(again.z_mean, pz["z_mean"].to_numpy(), atol=2e-3)
    np.testing.assert_allclose(again.z_median, pz["z_median"].to_numpy(), atol=5e-3)


def test_partition_agrees_with_the_estimator(skinny, model):
    estimator = load_model(model)
    table = open_catalog(skinny).partitions[0].read()
    product = estimate_partition(table, estimator)
    direct = estimator.estimate(photometry_of(table, estimator.bands))
    np.testing.assert_array_equal(
        product.pz["z_mode"].to_numpy(), estimator.z_grid[np.argmax(direct.pdf, axis=1)].astype(np.float32)
    )
    assert product.pz["n_bands"].to_numpy().max() == 6
    assert product.pz["band_mask"].to_numpy().max() == 0b111111


def test_partition_without_rows(skinny, model):
    table = open_catalog(skinny).partitions[0].read().slice(0, 0)
    product = estimate_partition(table, load_model(model))
    assert product.pz.num_rows == product.pz_pdf.num_rows == 0


def test_an_object_without_any_flux_is_flagged(skinny, model):
    table = open_catalog(skinny).partitions[0].read()
    for name in table.column_names:
        if name.startswith("flux_"):
            values = table[name].to_numpy().copy()
            values[3] = np.nan
            table = table.set_column(table.column_names.index(name), name, [values])
    pz = estimate_partition(table, load_model(model)).pz
    assert pz["flags"].to_numpy()[3] & PZFlag.no_estimate
    assert np.isnan(pz["z_best"].to_numpy()[3])
    assert np.isfinite(np.delete(pz["z_best"].to_numpy(), 3)).all()


def test_any_number_of_workers_gives_the_same_bytes(skinny, model, finished, tmp_path):
    run_estimate(skinny, tmp_path / "out", model, workers=2)
    assert digests(tmp_path / "out") == digests(finished.destination)


def test_quality_and_model_tables(finished):
    quality = pq.read_table(finished.destination / "pz_quality.parquet").to_pylist()
    assert sum(row["n_obj"] for row in quality) == 3000
    assert sum(row["n_spec"] for row in quality) == 1500
    assert all(0 <= row["sigma_nmad"] < 0.2 for row in quality)
    (model,) = pq.read_table(finished.destination / "pz_model.parquet").to_pylist()
    assert model["algorithm"] == "neighbours"
    assert pq.read_table(finished.destination / "pz_flag.parquet").num_rows == len(PZFlag)


def test_a_finished_run_is_not_run_again(skinny, model, finished):
    with pytest.raises(OutputExistsError, match="finished PZ table"):
        run_estimate(skinny, finished.destination, model)


def test_a_failing_partition_is_named_and_tried_again(skinny, model, finished, tmp_path, monkeypatch):
    whole = run_module.estimate_partition
    bad = open_catalog(skinny).partitions[1].read(["objectId"])["objectId"][0].as_py()

    def broken(table, *words, **named):
        if table["objectId"][0].as_py() == bad:
            raise ArithmeticError("no luck")
        return whole(table, *words, **named)

    monkeypatch.setattr(run_module, "estimate_partition", broken)
    with pytest.raises(PartitionError, match=r"1 of \d+ partitions failed \(.*ArithmeticError: no luck"):
        run_estimate(skinny, tmp_path / "out", model)
    assert not (tmp_path / "out" / "pz" / "manifest.json").exists()
    monkeypatch.undo()
    report = run_estimate(skinny, tmp_path / "out", model)
    assert report.n_resumed == report.n_partition - 1
    assert digests(tmp_path / "out") == digests(finished.destination)


def test_a_lost_file_is_made_again(skinny, model, finished, tmp_path):
    root = tmp_path / "out"
    shutil.copytree(finished.destination, root)
    for table in DATA:
        (root / table / "manifest.json").unlink()
    next((root / "pz" / "dataset").rglob("Npix=*.parquet")).write_bytes(b"PAR1")
    report = run_estimate(skinny, root, model)
    assert report.n_resumed == report.n_partition - 1
    assert digests(root) == digests(finished.destination)


def test_another_model_does_not_continue_a_run(skinny, model, sky, tmp_path):
    root = tmp_path / "out"
    run_estimate(skinny, root, model)
    for table in DATA:
        (root / table / "manifest.json").unlink()
    photometry, z_spec = sky
    get_estimator("trainz").train(photometry, z_spec).save(tmp_path / "other")
    with pytest.raises(OutputExistsError, match="other input, model or version"):
        run_estimate(skinny, root, tmp_path / "other")
    run_estimate(skinny, root, tmp_path / "other", overwrite=True)


def test_a_catalogue_that_lacks_a_band(skinny, model, tmp_path):
    table = open_catalog(skinny).read().drop(["flux_y", "flux_err_y"])
    pq.write_table(table, tmp_path / "five.parquet")
    with pytest.raises(BandError, match=r"lacks \['y'\]"):
        run_estimate(tmp_path / "five.parquet", tmp_path / "out", model)


KILLED = """
import sys, time
from pzcenter.pipelines import run as module
whole = module.estimate_partition
def slow(*words, **named):
    time.sleep(0.5)
    return whole(*words, **named)
module.estimate_partition = slow
module.run_estimate(sys.argv[1], sys.argv[2], sys.argv[3])
"""


def heed_ctrl_c():
    """Also where these tests run in the background of a shell, which has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_continues_to_the_same_bytes(skinny, model, finished, tmp_path, how):
    root = tmp_path / "out"
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, skinny, root, model], stderr=subprocess.DEVNULL,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - nothing runs in threads here
    )  # fmt: skip
    journal, deadline = root / "journal.jsonl", time.monotonic() + 120
    while time.monotonic() < deadline and child.poll() is None:
        if journal.exists() and sum("files" in json.loads(line) for line in journal.read_text().splitlines()) >= 1:
            break
        time.sleep(0.05)
    os.kill(child.pid, how)
    assert child.wait() != 0
    assert not (root / "pz" / "manifest.json").exists()
    report = run_estimate(skinny, root, model)
    assert 0 < report.n_resumed < report.n_partition
    assert digests(root) == digests(finished.destination)
    assert not list(root.rglob(".tmp/*"))


def test_density_of_one_object(finished):
    table = open_catalog(finished.destination / "pz").read(["objectId", "z_mode"])
    wanted = table["objectId"].to_pylist()[5:7]
    for one, z_mode in zip(read_objects(finished.destination, wanted), table["z_mode"].to_pylist()[5:7], strict=True):
        assert np.trapezoid(one.pdf, one.z_grid) == pytest.approx(1, abs=1e-3)
        assert one.z_grid[np.argmax(one.pdf)] == pytest.approx(z_mode, abs=0.03)
    with pytest.raises(NotFoundError, match="has no objects"):
        read_objects(finished.destination, [-5])
