"""The same graphs on several executors: Parsl here and on a make-believe Slurm through BPS, and the local pool."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

pytest.importorskip("lsst.ctrl.bps.parsl")

from pzcenter.errors import ExecutorError
from pzcenter.pipelines.campaign.bps import BpsExecutor, BpsSettings

HERE = Path(__file__).parent
SECRET = "a-password-that-must-not-be-found"


@pytest.fixture
def surroundings(monkeypatch, tmp_path):
    """What a user's shell may hold."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.setenv("PZ_TOY_MARKER", str(tmp_path / "killed-once"))
    monkeypatch.setenv("PZ_TOY_MENDED", str(tmp_path / "mended"))
    monkeypatch.setenv("PGPASSWORD", SECRET)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", SECRET)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def states(outcomes):
    return Counter((outcome.task, outcome.state) for outcome in outcomes)


def assert_private_and_clean(submit_root):
    """Nobody else can enter, and no file holds the secret, a pickle or a dump of the environment."""
    directories = list(submit_root.iterdir())
    assert directories
    for directory in directories:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for path in submit_root.rglob("*"):
        assert path.suffix not in {".pickle", ".pkl"}, path
        assert not path.name.endswith((".env.info.yaml", ".key_secret")), path
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_bps_tells_what_failed_and_goes_on_with_what_is_missing(toy, tmp_path):
    root, submit_root = tmp_path / "repo", tmp_path / "submit"
    toy.make_repository(root, {1: 1, 2: -2, 3: 3, 4: 13})
    graph = toy.make_graph(root, tmp_path / "toy.qg")
    told = []
    settings = BpsSettings(tracts_per_job=2)
    executor = BpsExecutor(settings, root, submit_root, progress=lambda outcome, _done: told.append(outcome))

    first = executor.execute(graph, "toy/out")
    # bps ended with 0. One quantum failed; the one whose process was killed was tried again.
    assert states(first) == {("double", "done"): 3, ("double", "failed"): 1, ("gather", "blocked"): 1}
    assert [outcome.error for outcome in first if outcome.state == "failed"] == ["ValueError: cannot double -2"]
    assert states(told) == states(first)
    assert (tmp_path / "killed-once").exists()
    assert_private_and_clean(submit_root)
    jobs = {path.stem for path in submit_root.rglob("logs/tracts0/*.stderr")}
    assert len(jobs) == 2

    before = {name: path.stat().st_mtime_ns for name, path in toy.files(root, "doubled").items()}
    assert len(before) == 3
    (tmp_path / "mended").touch()
    second = executor.execute(graph, "toy/out")
    assert states(second) == {("double", "done"): 4, ("gather", "done"): 1}
    after = {name: path.stat().st_mtime_ns for name, path in toy.files(root, "doubled").items()}
    assert {name: after[name] for name in before} == before
    assert [path.read_text().strip() for path in toy.files(root, "total").values()] == ["value: 30"]
    assert_private_and_clean(submit_root)


DRIVER = """
import sys
from pathlib import Path
from pzcenter.pipelines.campaign.bps import BpsExecutor, BpsSettings
place = Path(sys.argv[1])
BpsExecutor(BpsSettings(), place / "repo", place / "submit").execute(place / "toy.qg", "toy/out")
"""


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_a_killed_driver_takes_its_jobs_along_and_leaves_nothing_secret(toy, tmp_path, monkeypatch):
    root, submit_root = tmp_path / "repo", tmp_path / "submit"
    toy.make_repository(root, {1: 1, 2: 2})
    graph = toy.make_graph(root, tmp_path / "toy.qg")
    monkeypatch.setenv("PZ_TOY_SLEEP", "300")
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)])
    try:
        wait_for(lambda: list(submit_root.rglob("logs/tracts0/*.stderr")))
        (bps,) = psutil.Process(driver.pid).children()
        # Rubin's bps, Parsl's interchange, pool and workers, and a job: not all of them are descendants.
        assert len(session_of(bps.pid)) >= 5
        assert any(path.name == "object-store-credentials" for path in submit_root.rglob("*"))
    finally:
        driver.kill()
        driver.wait()
    wait_for(lambda: not session_of(bps.pid))

    monkeypatch.delenv("PZ_TOY_SLEEP")
    outcomes = BpsExecutor(BpsSettings(), root, submit_root).execute(graph, "toy/out")
    assert states(outcomes) == {("double", "done"): 2, ("gather", "done"): 1}
    assert_private_and_clean(submit_root)


def session_of(leader):
    """Processes of a session that live."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(each.pid) == leader and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


SLURM = {
    "sacct": "echo 'Slurm accounting storage is disabled' >&2; exit 1",
    "sbatch": """
        number=$(( $(cat "$PZ_TOY_SLURM/last" 2>/dev/null || echo 0) + 1 ))
        echo $number > "$PZ_TOY_SLURM/last"
        cp "$1" "$PZ_TOY_SLURM/script-$number"
        setsid bash "$1" > "$PZ_TOY_SLURM/out-$number" 2>&1 < /dev/null &
        echo $! > "$PZ_TOY_SLURM/pid-$number"
        echo "Submitted batch job $number"
        """,
    "squeue": """
        for path in "$PZ_TOY_SLURM"/pid-*; do
            kill -0 $(cat "$path") 2>/dev/null && echo "${path##*-} R"
        done
        exit 0
        """,
    "scancel": """
        for number in "$@"; do kill -- -$(cat "$PZ_TOY_SLURM/pid-$number"); done
        echo "$@" >> "$PZ_TOY_SLURM/cancelled"
        """,
}


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_slurm_as_far_as_it_goes_without_a_cluster(toy, tmp_path, monkeypatch):
    """Parsl's own Slurm provider with our site class, and commands of Slurm that run the scripts on this machine."""
    commands, state = tmp_path / "commands", tmp_path / "slurm"
    commands.mkdir()
    state.mkdir()
    for name, words in SLURM.items():
        path = commands / name
        path.write_text("#!/bin/bash\n" + textwrap.dedent(words))
        path.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(commands), os.environ["PATH"]]))
    monkeypatch.setenv("PZ_TOY_SLURM", str(state))
    root, submit_root = tmp_path / "repo", tmp_path / "submit"
    toy.make_repository(root, {1: 1, 2: 2})
    graph = toy.make_graph(root, tmp_path / "toy.qg")
    site = {
        "partition": "night", "account": "photoz", "walltime": "00:10:00", "nodes": 1, "cores_per_node": 2,
        "workers_per_node": 2, "interface": "lo", "worker_init": "export PZ_TOY_WORKER=yes",
    }  # fmt: skip
    executor = BpsExecutor(BpsSettings(site="slurm", settings={"site": {"slurm": site}}), root, submit_root)
    assert states(executor.execute(graph, "toy/out")) == {("double", "done"): 2, ("gather", "done"): 1}
    script = (state / "script-1").read_text()
    assert "#SBATCH --partition=night" in script
    assert "#SBATCH --account=photoz" in script
    assert "export PZ_TOY_WORKER=yes" in script
    assert (state / "cancelled").read_text().split() == ["1"]
    assert_private_and_clean(submit_root)


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_a_batch_system_that_does_not_wait_is_asked_until_it_has_ended(toy, tmp_path):
    root, submit_root = tmp_path / "repo", tmp_path / "submit"
    toy.make_repository(root, {1: 1})
    graph = toy.make_graph(root, tmp_path / "toy.qg")
    settings = {"wmsServiceClass": "toy_service.DetachedService"}
    executor = BpsExecutor(BpsSettings(settings=settings, poll_seconds=0.5), root, submit_root)
    assert states(executor.execute(graph, "toy/out")) == {("double", "done"): 1, ("gather", "done"): 1}
    assert_private_and_clean(submit_root)


@pytest.mark.usefixtures("surroundings")
def test_graphs_that_would_end_in_silence_are_refused(toy, tmp_path):
    root = tmp_path / "repo"
    toy.make_repository(root, {1: 1})
    executor = BpsExecutor(BpsSettings(), root, tmp_path / "submit")
    with pytest.raises(ExecutorError, match="no datastore records"):
        executor.execute(toy.make_graph(root, tmp_path / "bare.qg", records=False), "toy/out")
    with pytest.raises(ExecutorError, match="not into 'another'"):
        executor.execute(toy.make_graph(root, tmp_path / "toy.qg"), "another")
    assert not (tmp_path / "submit").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_a_submission_that_fails_or_lasts_says_so(toy, tmp_path):
    root, submit_root = tmp_path / "repo", tmp_path / "submit"
    toy.make_repository(root, {1: 1})
    graph = toy.make_graph(root, tmp_path / "toy.qg")
    wrong = BpsSettings(settings={"site": {"local": {"class": "no.such.Site"}}})
    with pytest.raises(ExecutorError, match=r"bps submit ended with 1: .*no"):
        BpsExecutor(wrong, root, submit_root).execute(graph, "toy/out")
    with pytest.raises(ExecutorError, match="did not end within 2 s"):
        BpsExecutor(BpsSettings(time_limit=2), root, submit_root).execute(graph, "toy/out")
    assert BpsExecutor(BpsSettings(), root, submit_root, should_stop=lambda: True).execute(graph, "toy/out") == []
    mine = [each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(each.info["cmdline"] or ())]
    assert not mine
    assert_private_and_clean(submit_root)
