"""The process in which RAIL runs, seen from here: started when needed, limited in time, ended with all it started."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ExecutorError, MissingDependencyError, ModelError, NotFoundError
from pzcenter.estimators.rail import worker
from pzcenter.estimators.rail.settings import PREFIX, RailSettings, rail_python

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["RailProcess", "end_rail_processes", "rail_process"]

_PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX",
    "XDG_CACHE_HOME", "LEPHAREDIR", "LEPHAREWORK", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
"""Environment of the process: no secrets of the site go into it."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_LOG_TAIL_BYTES, _LOG_TAIL_LINES = 8192, 12
_PIECE_BYTES = 1 << 20


class RailProcess:
    """A running worker.

    Parameters
    ----------
    settings : RailSettings

    Raises
    ------
    MissingDependencyError, ConfigError
        No interpreter with RAIL.
    """

    def __init__(self, settings: RailSettings) -> None:
        self.settings = settings
        self.opened = ""
        """Name that a user gave to what is open in the worker; empty when nothing is."""
        self.cpu_s = 0.0
        """Processor seconds that the worker had used when it wrote its last answer."""
        self.lock = threading.RLock()
        python = rail_python(settings)
        self._folder = Path(tempfile.mkdtemp(prefix="pz-rail-"))
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the site's own interpreter, our own program
                [
                    python, "-P", "-u", worker.__file__,
                    "--memory-bytes", str(round(settings.memory_gb * 1e9)), "--parent", str(os.getpid()),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._folder,
                env=self._environment(),
                start_new_session=True,
                bufsize=0,
            )  # fmt: skip
        self._close = weakref.finalize(self, _end, self._process, self._folder, os.getpid())
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)

    @property
    def is_alive(self) -> bool:
        """Whether the worker can still be asked."""
        return self._close.alive and self._process.poll() is None

    def close(self) -> None:
        """End the worker and everything it started; nothing of it stays on disk."""
        self._close()

    def ask(
        self,
        header: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        *,
        within_s: float,
        doing: str,
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Send a request and wait for its answer.

        Parameters
        ----------
        header : mapping
            With ``command``.
        arrays : mapping of str to ndarray, optional
        within_s : float
            Seconds, after which the worker is ended.
        doing : str
            What is done, for messages.

        Returns
        -------
        header : dict
        arrays : dict of str to ndarray

        Raises
        ------
        ModelError
            The method of RAIL raised something.
        MissingDependencyError
            The interpreter lacks RAIL or a package of the method.
        NotFoundError
            There is no such method; the message is the list of those there are.
        ExecutorError
            The worker ended, took too long or too much memory.
        """
        end = time.monotonic() + within_s
        try:
            with self.lock:
                for part in worker.pack(header, arrays):
                    self._write(memoryview(part).cast("B"), end)
                answer, contents = self._answer(end)
                self.cpu_s = float(answer.get("cpu_s", 0.0))
        except _TooLateError:
            self._fail(
                f"{doing} by RAIL took longer than {within_s:g} s and was ended. {PREFIX}TRAIN_S and {PREFIX}BATCH_S "
                "set the limits"
            )
        except (_GoneError, OSError):
            self._fail(f"the process of RAIL {self._ending()} during {doing}")
        except BaseException:
            # A question without its answer: nothing that comes later could be trusted to belong to it.
            self.close()
            raise
        if "problem" in answer:
            self._raise(answer, doing)
        return answer, contents

    def _answer(self, end: float) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        (n_bytes,) = worker.LENGTH.unpack(self._read(worker.LENGTH.size, end))
        if n_bytes > worker.MAX_HEADER_BYTES:
            raise _GoneError
        try:
            header = json.loads(self._read(n_bytes, end))
            return header, worker.unpack(header, [self._read(size, end) for size in worker.array_sizes(header)])
        except (ValueError, KeyError, TypeError) as error:
            raise _GoneError from error

    def _write(self, content: memoryview, end: float) -> None:
        assert self._process.stdin is not None
        descriptor = self._process.stdin.fileno()
        while content:
            _wait([], [descriptor], end)
            content = content[os.write(descriptor, content[:_PIECE_BYTES]) :]

    def _read(self, n_bytes: int, end: float) -> bytearray:
        assert self._process.stdout is not None
        descriptor, found = self._process.stdout.fileno(), bytearray()
        while len(found) < n_bytes:
            _wait([descriptor], [], end)
            piece = os.read(descriptor, min(n_bytes - len(found), _PIECE_BYTES))
            if not piece:
                raise _GoneError
            found += piece
        return found

    def _ending(self) -> str:
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "gave no answer that can be read"
        if status < 0:
            limit = f"; it may use {self.settings.memory_gb:g} GB ({PREFIX}MEMORY_GB)"
            return f"was ended by signal {-status} ({signal.Signals(-status).name}{limit})"
        return f"ended with status {status}"

    def _fail(self, words: str) -> None:
        tail = self._log_tail()
        self.close()
        raise ExecutorError(f"{words}.{tail}") from None

    def _raise(self, answer: Mapping[str, Any], doing: str) -> None:
        kind, words = answer["problem"], str(answer.get("message", ""))
        if kind == "method":
            raise NotFoundError(words)
        python = self.settings.python or "this Python"
        if kind == "import":
            raise MissingDependencyError(f"{doing}: {python} lacks a package: {words}")
        if kind == "memory":
            self._fail(
                f"{doing} by RAIL needs more than {self.settings.memory_gb:g} GB of memory ({words}); "
                f"{PREFIX}MEMORY_GB sets the limit"
            )
        raise ModelError(f"{doing} by RAIL failed: {answer.get('type')}: {words}.{self._log_tail()}")

    def _log_tail(self) -> str:
        """Last lines that RAIL printed, for a message."""
        try:
            with (self._folder / "log").open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
                lines = log.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        plain = ("".join(letter if letter.isprintable() else " " for letter in line) for line in lines)
        last = [line for line in plain if line.strip()][-_LOG_TAIL_LINES:]
        return "".join(["\nThe last lines of its log:", *(f"\n  {line}" for line in last)]) if last else ""

    def _environment(self) -> dict[str, str]:
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        private = {"TMPDIR": str(self._folder), "MPLCONFIGDIR": str(self._folder), "MPLBACKEND": "Agg"}
        return {**passed, **private, **dict.fromkeys(_THREADS, str(self.settings.threads))}


class _TooLateError(Exception):
    """The time is over."""


class _GoneError(Exception):
    """The worker does not speak any more."""


def _wait(readable: list[int], writable: list[int], end: float) -> None:
    left = end - time.monotonic()
    poll = select.poll()
    for descriptor in readable:
        poll.register(descriptor, select.POLLIN)
    for descriptor in writable:
        poll.register(descriptor, select.POLLOUT)
    if left <= 0 or not poll.poll(left * 1000):
        raise _TooLateError


def _end(process: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    """Kill the group of the worker; a process that was forked from its owner leaves it alone."""
    if os.getpid() != owner:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    shutil.rmtree(folder, ignore_errors=True)


_RUNNING: dict[tuple[int, RailSettings], RailProcess] = {}
_STARTING: dict[int, threading.Lock] = {}
"""One lock for each process: that of a forked one must not be held by a thread which it does not have."""


def rail_process(settings: RailSettings | None = None) -> RailProcess:
    """The worker of this process, started when there is none; all models of a process use the same.

    Parameters
    ----------
    settings : RailSettings, optional
        Those of the environment by default.

    Returns
    -------
    RailProcess
    """
    chosen = settings or RailSettings.from_environment()
    key = (os.getpid(), chosen)
    with _STARTING.setdefault(os.getpid(), threading.Lock()):
        running = _RUNNING.get(key)
        if running is None or not running.is_alive:
            if running is not None:
                running.close()
            running = _RUNNING[key] = RailProcess(chosen)
        return running


def end_rail_processes() -> None:
    """End the workers of this process, to have their memory back; the next request starts another."""
    for key in [key for key in _RUNNING if key[0] == os.getpid()]:
        _RUNNING.pop(key).close()
