"""The process of RAIL: what it answers, and what is told when it does not."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pzcenter.errors import ConfigError, ExecutorError, MissingDependencyError, ModelError, NotFoundError
from pzcenter.estimators.rail import worker
from pzcenter.estimators.rail.process import RailProcess, end_rail_processes, rail_process
from pzcenter.estimators.rail.settings import RailSettings, rail_python


def ask(header, arrays=None, *, within_s=60.0, **limits):
    settings = RailSettings(python=sys.executable, **limits)
    return rail_process(settings).ask(header, arrays, within_s=within_s, doing="a test")


def train(method, **limits):
    table = np.ones((2, 5))
    header = {"command": "train", "method": method, "parameters": {}, "columns": ["mag_i_lsst", "redshift"]}
    return ask(header, {"table": table}, **limits)[1]["model"]


def estimate(method, *, within_s=60.0, **limits):
    model = train(method, **limits)
    opening = {"command": "open", "method": method, "parameters": {}}
    ask(opening, {"model": model, "z_grid": np.linspace(0, 3, 31)}, **limits)
    header = {"command": "estimate", "columns": ["mag_i_lsst"]}
    return ask(header, {"table": np.ones((1, 8))}, within_s=within_s, **limits)[1]["pdf"]


def is_running(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return status != "Z"


def ends(pid):
    for _ in range(100):
        if not is_running(pid):
            return True
        time.sleep(0.1)
    return False


def test_messages_carry_arrays():
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros((0, 4), dtype=np.float32), "c": np.uint8([1, 2])}
    parts = [bytes(part) for part in worker.pack({"command": "x"}, arrays)]
    header = json.loads(parts[1])
    assert [len(part) for part in parts[2:]] == worker.array_sizes(header)
    back = worker.unpack(header, [bytearray(part) for part in parts[2:]])
    assert all(np.array_equal(back[name], arrays[name]) and back[name].dtype == arrays[name].dtype for name in arrays)


@pytest.mark.parametrize("array", [["a", "|O", [1]], ["a", "<f8", [-1]], [3, "<f8", [1]], ["a", "<f8", [1.5]]])
def test_messages_hold_no_objects(array):
    with pytest.raises(ValueError, match="not an array"):
        worker.array_sizes({"arrays": [array]})


def test_lists_methods_without_importing_them():
    names = ask({"command": "list"})[0]["methods"]
    assert {"Counts", "Needy", "Raising"} <= set(names)
    assert "Lonely" not in names
    assert not {"Cat", "Pz", "OfDensities"} & set(names)


def test_one_process_serves_all_requests():
    first = rail_process()
    ask_again = rail_process()
    assert first is ask_again
    end_rail_processes()
    assert not first.is_alive
    assert rail_process() is not first


def test_what_rail_prints_does_not_disturb_the_answers():
    assert train("Counts").size > 0


def test_an_exception_is_told_with_the_log_and_the_process_lives_on():
    with pytest.raises(ModelError, match="not to my liking") as told:
        train("Raising")
    assert "ValueError" in str(told.value)
    assert "about to go wrong" in str(told.value)
    assert "\x1b" not in str(told.value)
    assert train("Counts").size > 0


def test_an_unknown_method_is_told():
    with pytest.raises(NotFoundError, match="Counts"):
        ask({"command": "describe", "method": "Absent"})


def test_a_missing_package_is_told():
    with pytest.raises(MissingDependencyError, match="a_package_that_nobody_has"):
        ask({"command": "describe", "method": "Needy"})


def test_a_killed_process_is_told_and_replaced():
    with pytest.raises(ExecutorError, match=r"signal 9 \(SIGKILL") as told:
        estimate("Dying")
    assert "last words" in str(told.value)
    assert train("Counts").size > 0


def test_a_process_that_leaves_is_told():
    with pytest.raises(ExecutorError, match="ended with status 3"):
        train("Leaving")


def test_the_time_limit_ends_the_process_and_its_children():
    with pytest.raises(ExecutorError, match=r"longer than 0\.5 s") as told:
        estimate("Sleeping", within_s=0.5)
    child = int(re.search(r"child (\d+)", str(told.value))[1])
    assert ends(child)


def test_the_memory_limit_holds():
    with pytest.raises(ExecutorError, match="needs more than 1 GB"):
        train("Greedy", memory_gb=1.0)


def test_nothing_is_left_on_disk():
    process = RailProcess(RailSettings(python=sys.executable))
    folder = process._folder
    process.ask({"command": "list"}, within_s=60, doing="a test")
    assert folder.is_dir()
    process.close()
    assert not folder.exists()


def test_the_worker_leaves_with_its_parent():
    program = (
        "import sys, time\n"
        "from pzcenter.estimators.rail.process import RailProcess\n"
        "from pzcenter.estimators.rail.settings import RailSettings\n"
        "process = RailProcess(RailSettings(python=sys.executable))\n"
        "process.ask({'command': 'list'}, within_s=60, doing='a test')\n"
        "print(process._process.pid, process._folder, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        pid, folder = parent.stdout.readline().decode().split()
        pid = int(pid)
        assert is_running(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert ends(pid)
    assert not Path(folder).exists()


def test_a_forked_process_has_a_worker_of_its_own():
    ours = rail_process()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"same" if rail_process() is ours else b"own ")
        end_rail_processes()
        os._exit(0)
    assert os.read(reading, 4) == b"own "
    os.waitpid(child, 0)
    assert ours.is_alive


def test_secrets_are_not_passed_on(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    environment = RailProcess(RailSettings(python=sys.executable))._environment()
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert environment["OMP_NUM_THREADS"] == "1"


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("PZCENTER_RAIL_MEMORY_GB", "2.5")
    assert RailSettings.from_environment().memory_gb == 2.5
    monkeypatch.setenv("PZCENTER_RAIL_MEMORY_GB", "much")
    with pytest.raises(ConfigError, match="PZCENTER_RAIL_MEMORY_GB='much'"):
        RailSettings.from_environment()


def test_a_wrong_interpreter_is_told(tmp_path):
    with pytest.raises(ConfigError, match="not a program"):
        rail_python(RailSettings(python=str(tmp_path / "python")))


def test_an_interpreter_without_rail_is_told(monkeypatch):
    monkeypatch.delenv("PYTHONPATH")
    with pytest.raises(MissingDependencyError, match="rail"):
        ask({"command": "describe", "method": "Counts"})


def test_no_interpreter_is_told(monkeypatch):
    monkeypatch.setattr("pzcenter.estimators.rail.settings.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="PZCENTER_RAIL_PYTHON"):
        rail_python(RailSettings())
