"""Scores of a challenge, made by several processes."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from pzcenter.pipelines.pool import run_tasks
from pzcenter.validation.challenges import ScoreFailure, score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pzcenter.validation.challenges import Challenge, ScoreReport
    from pzcenter.validation.challenges.scoring import ScoreTask

__all__ = ["score_challenge"]


def score_challenge(challenge: Challenge, *, workers: int | None = None, **options: Any) -> ScoreReport:
    """Score what is not scored; the bytes do not depend on the number of processes.

    Parameters
    ----------
    challenge : Challenge
    workers : int, optional
        Processes; one per processor by default.
    **options
        Of :func:`pzcenter.validation.challenges.score`.

    Returns
    -------
    ScoreReport
        A submission that brings its process down is among the failures.

    Raises
    ------
    PZCenterError
        As :func:`pzcenter.validation.challenges.score`.
    """
    return score(challenge, run=partial(_in_processes, workers=workers or os.cpu_count() or 1), **options)


def _in_processes(
    function: Callable[[ScoreTask], ScoreFailure | None], tasks: Sequence[ScoreTask], *, workers: int
) -> list[ScoreFailure | None]:
    """Results in the order of the tasks."""
    results: dict[ScoreTask, ScoreFailure | None] = {}
    for outcome in run_tasks(tasks, function, workers=min(workers, len(tasks))):
        task = outcome.task
        failed = bool(outcome.error)
        results[task] = (
            ScoreFailure(task.submission_id, task.scenario, "internal", outcome.error) if failed else outcome.result
        )
    return [results[task] for task in tasks]
