"""One job from its claim to its product."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pzcenter.errors import PZCenterError
from pzcenter.server.services.jobs.control import end
from pzcenter.server.services.jobs.publish import publish_result
from pzcenter.server.services.jobs.scoring import publish_scores
from pzcenter.server.services.jobs.states import beat, claim, give_back
from pzcenter.server.services.jobs.workspace import make_workspace, workspace_of
from pzcenter.server.storage.base import now
from pzcenter.server.storage.processes import Process, ProcessState

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services

__all__ = ["run_process"]

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
GRACE_SECONDS = 5.0
LOG_LINES = 500
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "NUMBA_CACHE_DIR", "PYTHONPATH")
"""Of the environment, which may hold secrets of the server."""


def run_process(services: Services, process_id: int, *, stopping: threading.Event | None = None) -> None:
    """Run one process, if nobody else does.

    Parameters
    ----------
    services : Services
    process_id : int
    stopping : Event, optional
        The worker is to end: the job is left for another one.
    """
    attempt = claim(services, process_id)
    if attempt is None:
        return
    with services.database.reading() as session:
        process = session.get_one(Process, process_id)
        uid = process.uid
        try:
            workspace = make_workspace(services, session, process)
        except PZCenterError as error:
            _end(services, process_id, attempt, ProcessState.FAILED, str(error))
            return
    child = _start(workspace)
    watch = _Watch(child)
    outcome = _wait(services, process_id, attempt, watch, stopping or threading.Event())
    watch.join()
    beat(services, process_id, attempt, progress=watch.progress, log=watch.log)
    if outcome is not None:
        _end(services, process_id, attempt, *outcome)
    elif stopping is not None and stopping.is_set() and watch.child.returncode != 0:
        give_back(services, process_id, attempt)
    else:
        _finish(services, process_id, attempt, workspace, watch)
    shutil.rmtree(workspace_of(services, uid), ignore_errors=True)


class _Watch:
    """What a running child says."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.child = child
        self.progress: dict[str, Any] = {}
        self.lines: deque[str] = deque(maxlen=LOG_LINES)
        assert child.stdout is not None
        assert child.stderr is not None
        self._readers = [
            threading.Thread(target=self._read_progress, args=(child.stdout,), daemon=True),
            threading.Thread(target=self._read_log, args=(child.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_progress(self, stream: IO[bytes]) -> None:
        for line in stream:
            try:
                told = dict(json.loads(line))
            except (TypeError, ValueError):
                self.lines.append(line.decode(errors="replace"))
                continue
            if told.get("stage") != self.progress.get("stage"):
                self.lines.append(f"{now():%H:%M:%S} {told.get('stage')}\n")
            self.progress = told

    def _read_log(self, stream: IO[bytes]) -> None:
        for line in stream:
            self.lines.append(line.decode(errors="replace"))

    @property
    def log(self) -> str:
        """Its last lines."""
        return "".join(self.lines)

    def stop(self) -> None:
        """End the child and all that it started."""
        for number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
            try:
                os.killpg(self.child.pid, number)
                self.child.wait(seconds)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def join(self) -> None:
        """Wait until all that it said is read, and close its pipes."""
        for reader in self._readers:
            reader.join(GRACE_SECONDS)
        for pipe in (self.child.stdin, self.child.stdout, self.child.stderr):
            assert pipe is not None
            pipe.close()


def _start(workspace: Path) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    environment |= dict.fromkeys(THREADS, "1")
    return subprocess.Popen(  # noqa: S603 - our own module, in its own group, without the server's secrets
        [sys.executable, "-m", "pzcenter.server.services.jobs.child", str(workspace)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=workspace,
        start_new_session=True,
    )  # fmt: skip


def _wait(
    services: Services, process_id: int, attempt: int, watch: _Watch, stopping: threading.Event
) -> tuple[ProcessState, str] | None:
    """Wait for the child; the outcome if it was stopped."""
    deadline = time.monotonic() + services.settings.job_hours * 3600
    while True:
        try:
            watch.child.wait(BEAT_SECONDS)
        except subprocess.TimeoutExpired:
            if stopping.is_set():
                watch.stop()
                return None
            if not beat(services, process_id, attempt, progress=watch.progress, log=watch.log):
                watch.stop()
                return ProcessState.STOPPED, "stopped"
            if time.monotonic() > deadline:
                watch.stop()
                return ProcessState.FAILED, f"it ran for more than {services.settings.job_hours:g} hours"
            continue
        return None


def _finish(services: Services, process_id: int, attempt: int, workspace: Path, watch: _Watch) -> None:
    path = workspace / "result.json"
    result = json.loads(path.read_text()) if path.is_file() else {}
    if watch.child.returncode != 0 or "failure" in result:
        failure = result.get("failure") or f"it ended with status {watch.child.returncode}, without a word"
        _end(services, process_id, attempt, ProcessState.FAILED, failure)
        return
    if "scored" in result:
        publish_scores(services, process_id, attempt, result)
        return
    try:
        publish_result(services, process_id, attempt, workspace, result)
    except PZCenterError as error:
        _end(services, process_id, attempt, ProcessState.FAILED, str(error))


def _end(services: Services, process_id: int, attempt: int, state: ProcessState, failure: str) -> None:
    with services.database.writing() as session:
        process = session.get_one(Process, process_id)
        if process.attempts == attempt and not process.state.ended:
            end(session, process, state, failure)
            log.info("process ended", extra={"process_id": process_id, "state": str(state)})
