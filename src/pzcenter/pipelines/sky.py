"""A simulated sky, made by several processes."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pzcenter.errors import TransientError
from pzcenter.pipelines.pool import run_tasks
from pzcenter.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pzcenter.simulation import SimulationReport

__all__ = ["simulate_sky"]

T = TypeVar("T")
R = TypeVar("R")


def simulate_sky(destination: str | Path, *, workers: int | None = None, **settings: Any) -> SimulationReport:
    """Make a simulated sky; the bytes do not depend on the number of processes.

    Parameters
    ----------
    destination : path
        Folder to make.
    workers : int, optional
        Processes; one per processor by default.
    **settings
        Of :func:`pzcenter.simulation.simulate`.

    Returns
    -------
    SimulationReport

    Raises
    ------
    PZCenterError
        As :func:`pzcenter.simulation.simulate`.
    """
    n_worker = workers or os.cpu_count() or 1
    return simulate(destination, run=partial(_in_processes, workers=n_worker), **settings)


def _in_processes(function: Callable[[T], R], tasks: Sequence[T], *, workers: int) -> Iterator[R]:
    """Results in the order of the tasks; the first failure ends it."""
    finished: dict[int, R] = {}
    following = 0
    for outcome in run_tasks(list(enumerate(tasks)), partial(_numbered, function), workers=min(workers, len(tasks))):
        if outcome.exception is not None:
            raise outcome.exception
        if outcome.result is None:
            raise TransientError(outcome.error)
        index, result = outcome.result
        finished[index] = result
        while following in finished:
            yield finished.pop(following)
            following += 1


def _numbered(function: Callable[[T], R], task: tuple[int, T]) -> tuple[int, R]:
    index, argument = task
    return index, function(argument)
