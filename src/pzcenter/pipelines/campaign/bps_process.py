"""The commands of BPS as processes: started in a clean environment, watched, and gone when nobody waits for them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from pzcenter.errors import ExecutorError
from pzcenter.pipelines.campaign.rubin_command import end_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Submission", "last_words"]

LOG_NAME = "bps.log"
TICK_SECONDS = 0.5
CANCEL_SECONDS = 120.0
_WAITING_STATES = frozenset({"UNKNOWN", "UNREADY", "READY", "PENDING", "RUNNING", "HELD"})
_ERROR_LINE = re.compile(r"[\w.]*(Error|Exception)\b")


@dataclass(frozen=True)
class Submission:
    """One submission to BPS.

    Parameters
    ----------
    directory : Path
        For its files alone.
    document : dict
        See :func:`~pzcenter.pipelines.campaign.bps_submission.submission_document`.
    environment : dict of str to str
        Of all processes.
    tick : callable
        Called about twice a second; what it raises ends the submission.
    time_limit : float, optional
        Seconds.
    poll_seconds : float
        Between two looks at a batch system that does not wait.
    """

    directory: Path
    document: dict[str, Any]
    environment: dict[str, str]
    tick: Callable[[], None]
    time_limit: float | None = None
    poll_seconds: float = 30.0

    def run(self) -> None:
        """Submit, and wait until the batch system has nothing left to do.

        Raises
        ------
        ExecutorError
            BPS could not submit, lost the run, or time ran out.
        """
        deadline = None if self.time_limit is None else time.monotonic() + self.time_limit
        path = self.directory / "submit.yaml"
        path.write_text(yaml.safe_dump(self.document, sort_keys=False), encoding="utf-8")
        log = self.directory / LOG_NAME
        options = ["--long-log", "--log-level", "INFO"]
        status = self._command(["--end-with-parent", "bps", *options, "submit", str(path)], log, deadline)
        if status != 0:
            first_job = self.directory / "bps" / "logs" / "pipetaskInit" / "pipetaskInit.stderr"
            why = first_job if first_job.is_file() and last_words(first_job) else log
            raise ExecutorError(f"bps submit ended with {status}: {last_words(why)} (all of it in {why})")
        if "parsl" not in self.document["wmsServiceClass"].lower():
            self._wait(_run_id(log), deadline)

    def _wait(self, run_id: str, deadline: float | None) -> None:
        """Ask a batch system that took the jobs and returned, until it has ended them."""
        whose = ["--id", run_id, "--wms-service-class", str(self.document["wmsServiceClass"])]
        log = self.directory / "bps-status.log"
        states = _wms_states()
        try:
            while True:
                status = self._command(["bps", "status", *whose], log, deadline)
                state = states.get(status)
                if state is None:
                    raise ExecutorError(f"bps status of {run_id} ended with {status}: {last_words(log)}")
                if state not in _WAITING_STATES:
                    return
                next_look = time.monotonic() + self.poll_seconds
                while time.monotonic() < next_look:
                    self.tick()
                    self._check_time(deadline, log)
                    time.sleep(TICK_SECONDS)
        except BaseException:
            # Nobody waits for these jobs any more.
            self._command(["bps", "cancel", *whose], log, time.monotonic() + CANCEL_SECONDS, watched=False)
            raise

    def _command(self, words: list[str], log: Path, deadline: float | None, *, watched: bool = True) -> int:
        """Run one of Rubin's commands; however this ends, it and all that it started is gone afterwards."""
        command = [sys.executable, "-m", "pzcenter.pipelines.campaign.rubin_command", *words]
        with log.open("ab") as stream:
            process = subprocess.Popen(  # noqa: S603 -- our own module, words from settings
                command, cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL, stdout=stream,
                stderr=stream, start_new_session=True,
            )  # fmt: skip
        try:
            while True:
                try:
                    return process.wait(TICK_SECONDS)
                except subprocess.TimeoutExpired:
                    self._check_time(deadline, log)
                    if watched:
                        self.tick()
        finally:
            end_session(process.pid)
            process.wait()

    def _check_time(self, deadline: float | None, log: Path) -> None:
        if deadline is not None and time.monotonic() > deadline:
            raise ExecutorError(f"bps did not end within {self.time_limit:g} s; its log is {log}")


def last_words(log: Path) -> str:
    """The last line of a log that names an error, or the last that says anything."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    return (errors or lines or ["it said nothing"])[-1][-500:]


def _run_id(log: Path) -> str:
    """What BPS calls the run."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("Run Id: "):
            return line.removeprefix("Run Id: ").strip()
    raise ExecutorError(f"bps submit named no run: {last_words(log)}")


def _wms_states() -> dict[int, str]:
    from lsst.ctrl.bps import WmsStates

    return {state.value: state.name for state in WmsStates}
