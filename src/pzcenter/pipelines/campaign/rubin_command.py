"""Rubin's commands, run by this very Python: ``python -m pzcenter.pipelines.campaign.rubin_command bps submit ...``.

What BPS starts elsewhere must find the same environment and the same mended zip reading, which the installed scripts
``bps`` and ``pipetask`` would not give. With ``--end-with-parent`` first, the command and all of its session end when
the process that started it is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from importlib import import_module

import psutil

from pzcenter.pipelines.campaign.zip_reading import mend_zip_reading

__all__ = ["COMMANDS", "end_session", "main"]

COMMANDS = {
    "bps": "lsst.ctrl.bps.cli.bps",
    "butler": "lsst.daf.butler.cli.butler",
    "pipetask": "lsst.ctrl.mpexec.cli.pipetask",
}
POLL_SECONDS = 1.0
SWEEPS, SWEEP_SECONDS = 20, 0.1


def main(words: list[str]) -> int:
    """Run one command; it ends the process with its own exit code.

    Parameters
    ----------
    words : list of str
        ``[--end-with-parent] {bps,butler,pipetask} ...``.

    Returns
    -------
    int
        2 for an unknown command.
    """
    if words[:1] == ["--end-with-parent"]:
        words = words[1:]
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    if not words or words[0] not in COMMANDS:
        sys.stderr.write(f"usage: rubin_command [--end-with-parent] {{{','.join(COMMANDS)}}} ...\n")
        return 2
    mend_zip_reading()
    sys.argv = list(words)
    import_module(COMMANDS[words[0]]).main()
    return 0


def end_session(leader: int) -> None:
    """Kill all processes of a session but this one.

    Parsl's workers are no children of the process that asked for them, but they are of its session.

    Parameters
    ----------
    leader : int
        Process id of the first process of the session.
    """
    for _ in range(SWEEPS):
        members = [pid for pid in psutil.pids() if pid != os.getpid() and _session_of(pid) == leader]
        if not members:
            return
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(SWEEP_SECONDS)


def _session_of(pid: int) -> int | None:
    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return None
        return os.getsid(pid)
    except (psutil.Error, OSError):
        return None


def _end_with_parent(parent: int) -> None:
    """Wait until the parent is another process, then end all of this session, this process last."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    if os.getsid(0) == os.getpid():
        end_session(os.getpid())
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
