"""Campaigns that are disturbed: what was done stays, nothing is skipped in silence, and the catalogue is the same."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import OutputExistsError, RegistryError, SequencePointError
from pzcenter.pipelines.campaign.graph import Overrides
from pzcenter.pipelines.campaign.produce import approve, run_campaign, stop_campaign
from pzcenter.pipelines.campaign.state import driver_lock
from pzcenter.pipelines.campaign.status import campaign_status
from pzcenter.pipelines.repository.open import open_repository

N_OBJ = 1800
RUN = [sys.executable, "-c", "from pzcenter.cli import main; main()", "produce", "run"]


@pytest.fixture
def own(release, six_tracts, tmp_path):
    """A repository whose object tables may be damaged, and the directory of these."""
    objects = shutil.copytree(six_tracts, tmp_path / "sky" / "object")
    return release.make_repository(tmp_path / "repo", objects), objects


def digest_of(release, root, name):
    return release.catalog_of(root, f"sim1/{name}")["content_hash"]


def times_done(release, directory):
    """How often each quantum was executed to its end."""
    done = [event for event in release.events(directory, "quantum") if event["state"] == "done"]
    return Counter(json.dumps([each["step"], each["task"], each["data_id"]], sort_keys=True) for each in done)


def test_a_corrupt_partition_fails_alone_and_is_mended(release, own, undisturbed, tmp_path):
    root, objects = own
    path = objects / "tract_9002.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    directory = release.begin(root, tmp_path / "mended")
    end = run_campaign(directory)
    assert (end.state, end.step) == ("failed", "step1")
    step = campaign_status(directory).steps[0]
    assert (step.n_done, step.n_failed) == (10, 2)
    assert {failure["data_id"]["tract"] for failure in step.failures} == {9002}
    assert all(failure["error"] for failure in step.failures)
    with pytest.raises(SequencePointError, match="2 failures"):
        approve(directory, "step1", by="A")
    path.write_bytes(whole)
    assert run_campaign(directory).state == "done"
    assert release.n_quanta(directory, "step1", 2) == {"ingestQa": 1, "skinny": 1}
    assert set(times_done(release, directory).values()) == {1}
    assert digest_of(release, root, "mended") == digest_of(release, undisturbed[0], "first")


def test_going_on_without_a_partition_is_recorded(release, own, tmp_path):
    root, objects = own
    path = objects / "tract_9002.parquet"
    path.write_bytes(b"no table")
    directory = release.begin(root, tmp_path / "without")
    assert run_campaign(directory).state == "failed"
    approve(directory, "step1", by="A. Name", note="9002 is lost", accept_failures=True)
    end = run_campaign(directory)
    assert end.state == "done", end
    made = release.catalog_of(root, "sim1/without")
    assert made["n_rows"] == N_OBJ - 300
    assert made["missing_tracts"] == [9002]
    with open_repository(root, collections="sim1/without") as butler:
        report = butler.get("pz_qa_report_template", skymap="lsst_cells_v1")
    assert "1 tracts are missing and not counted in this: 9002." in report
    assert "2 failures accepted" in campaign_status(directory).steps[0].signed


def test_what_was_never_planned_is_a_failure(release, repo, tmp_path):
    directory = release.begin(repo, tmp_path / "silent")
    run_campaign(directory, until="step2")
    with open_repository(repo, writeable=True) as butler:
        found = butler.query_datasets(
            "pz_skinny", collections="sim1/silent", where="skymap='lsst_cells_v1' AND tract=9003"
        )
        butler.pruneDatasets(found, unstore=True, purge=True, disassociate=True)
    end = run_campaign(directory)
    assert (end.state, end.step) == ("failed", "step3")
    (failure,) = next(step for step in campaign_status(directory).steps if step.name == "step3").failures
    assert (failure["state"], failure["data_id"]["tract"]) == ("missing", 9003)
    assert "pz_skinny" in failure["error"]


def test_stopped_and_continued(release, repo, undisturbed, tmp_path):
    directory = release.begin(repo, tmp_path / "stopped")

    def stop(event):
        if event["event"] == "quantum" and event["task"] == "estimatePz":
            assert stop_campaign(directory)

    end = run_campaign(directory, progress=stop)
    assert (end.state, end.step) == ("stopped", "step3")
    assert not stop_campaign(directory)
    n_before = len(release.events(directory, "quantum"))
    assert run_campaign(directory).state == "done"
    assert len(release.events(directory, "quantum")) > n_before
    assert set(times_done(release, directory).values()) == {1}
    assert digest_of(release, repo, "stopped") == digest_of(release, undisturbed[0], "first")


def test_the_registry_goes_away_and_comes_back(release, repo, undisturbed, tmp_path):
    directory = release.begin(repo, tmp_path / "away")
    registry = repo / "gen3.sqlite3"

    def take_away(event):
        if event["event"] == "quantum" and event["task"] == "joinPz" and registry.exists():
            registry.rename(tmp_path / "elsewhere")

    with pytest.raises(RegistryError):
        run_campaign(directory, progress=take_away)
    assert release.states_of(directory)["step3"] == "done"
    registry.unlink(missing_ok=True)  # what a database driver makes where there is none
    (tmp_path / "elsewhere").rename(registry)
    assert run_campaign(directory).state == "done"
    assert set(times_done(release, directory).values()) == {1}
    assert digest_of(release, repo, "away") == digest_of(release, undisturbed[0], "first")


def test_one_driver_at_a_time(release, repo, tmp_path):
    directory = release.begin(repo, tmp_path / "alone")
    with driver_lock(directory), pytest.raises(OutputExistsError, match="is driven by process"):
        run_campaign(directory)


def test_many_small_submissions_make_the_same_catalogue(release, repo, undisturbed, tmp_path):
    directory = release.begin(repo, tmp_path / "cut", tracts_per_submission=2)
    assert run_campaign(directory).state == "done"
    assert len([event for event in release.events(directory, "graph") if event["step"] == "step3"]) == 3
    assert digest_of(release, repo, "cut") == digest_of(release, undisturbed[0], "first")


def test_failed_ones_are_tried_again_with_another_setting(release, repo, tmp_path):
    directory = release.begin(repo, tmp_path / "patched", overrides={"skinny": {"mapping": "no-such-mapping"}})
    assert run_campaign(directory, until="step1").state == "failed"
    end = run_campaign(directory, until="step1", patch=Overrides(values=(("skinny", "mapping", "rubin_gaap"),)))
    assert end.state == "done", campaign_status(directory).steps[0].failures
    assert release.n_quanta(directory, "step1", 2) == {"skinny": 6, "ingestQa": 6} or release.n_quanta(
        directory, "step1", 2
    ) == {"skinny": 6}
    assert release.events(directory, "graph")[-1]["overrides"] == [["skinny", "mapping", "rubin_gaap"]]


@pytest.mark.slow
def test_killed_workers_and_drivers(release, repo, undisturbed, tmp_path):
    directory = release.begin(repo, tmp_path / "killed", executor={"kind": "local", "workers": 2})
    for victim in ("driver", "worker", "driver"):
        n_before = len(release.events(directory, "quantum"))
        driver = subprocess.Popen([*RUN, str(directory)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            kill_after(release, directory, driver, n_before + 5, victim)
        finally:
            driver.wait(timeout=300)
    end = run_campaign(directory)
    assert end.state == "done", end
    table = release.catalog_of(repo, "sim1/killed")
    assert table["n_rows"] == N_OBJ
    assert digest_of(release, repo, "killed") == digest_of(release, undisturbed[0], "first")
    files = sorted((directory / "catalog" / "template" / "pz" / "dataset").rglob("tract_*.parquet"))
    ids = [
        number
        for path in files
        for number in pq.read_table(path, columns=["objectId"], partitioning=None).column("objectId").to_pylist()
    ]
    assert len(ids) == len(set(ids)) == N_OBJ


def kill_after(release, directory, driver, n_quanta, victim):
    """Kill a driver or one of its workers once a number of quanta is done; does nothing if all ends before."""
    while driver.poll() is None and len(release.events(directory, "quantum")) < n_quanta:
        time.sleep(0.05)
    try:
        process = psutil.Process(driver.pid)
        if victim == "worker":
            workers = [
                each
                for each in process.children(recursive=True)
                if "forkserver" in " ".join(each.cmdline()) and not each.children()
            ]
            process = workers[0] if workers else process
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        pass
