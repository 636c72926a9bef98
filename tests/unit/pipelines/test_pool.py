"""The process pool: every task once, with its own outcome, and one that fails harms no other."""

from __future__ import annotations

import math
import os

import pytest

from pzcenter.pipelines.pool import WORKER_DIED, run_tasks


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_has_its_own_outcome(workers: int) -> None:
    tasks = [4.0, 9.0, -1.0, 16.0, 25.0]
    outcomes = {outcome.task: outcome for outcome in run_tasks(tasks, math.sqrt, workers=workers)}
    assert sorted(outcomes) == sorted(tasks)
    assert {task: outcome.result for task, outcome in outcomes.items() if task > 0} == {4: 2, 9: 3, 16: 4, 25: 5}
    assert outcomes[-1.0].result is None
    assert "ValueError" in outcomes[-1.0].error


def test_task_that_kills_its_worker_fails_alone() -> None:
    outcomes = list(run_tasks([3], os._exit, workers=2))
    assert [outcome.error for outcome in outcomes] == [WORKER_DIED]
