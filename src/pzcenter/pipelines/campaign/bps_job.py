"""What one job of a BPS submission runs: some quanta of a graph, in one process.

``python -m pzcenter.pipelines.campaign.bps_job REPO GRAPH OUTCOMES QUANTUM[,QUANTUM...]``

It is ``pipetask run-qbb`` with zip reading mended and a report of every quantum left in the directory OUTCOMES: the
submitting side reads there why a quantum failed. Quanta whose outputs exist are skipped, so that a job can be repeated.
"""

from __future__ import annotations

import os
import socket
import sys
import uuid
from pathlib import Path

from pzcenter.pipelines.campaign.rubin_command import main as rubin_command

__all__ = ["job_words", "main"]


def job_words(repository: str, graph: str, outcomes: Path, quanta: str) -> list[str]:
    """The pipetask command of a job.

    Parameters
    ----------
    repository, graph : str
        Root or URI.
    outcomes : Path
        Directory of reports; the name in it is unique.
    quanta : str
        Quantum ids, with commas.
    """
    report = outcomes / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.json"
    options = ["--long-log", "--log-level", "INFO"]
    return ["pipetask", *options, "run-qbb", repository, graph, "--qgraph-node-id", quanta, "--summary", str(report)]


def main(words: list[str]) -> int:
    """Run one job; the process ends with the exit code of pipetask: 0 where every quantum succeeded."""
    if len(words) != 4:
        sys.stderr.write("usage: bps_job REPO GRAPH OUTCOMES QUANTUM[,QUANTUM...]\n")
        return 2
    repository, graph, outcomes, quanta = words
    return rubin_command(job_words(repository, graph, Path(outcomes), quanta))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
