from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from pzcenter.pipelines.pool import WORKER_DIED, run_tasks


def square(number):
    if number == 3:
        raise ValueError("three is refused")
    return number * number


def slow_square(number):
    time.sleep(0.1)
    return number * number


def die_on_three(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number


def die_once(task):
    marker, number = task
    if number == 3 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_one_failure_is_one_outcome(workers):
    outcomes = {outcome.task: outcome for outcome in run_tasks(range(6), square, workers=workers)}
    assert {task: outcome.result for task, outcome in outcomes.items()} == {0: 0, 1: 1, 2: 4, 3: None, 4: 16, 5: 25}
    assert outcomes[3].error == "ValueError: three is refused"


def test_no_task():
    assert list(run_tasks([], square, workers=2)) == []


def test_a_task_that_kills_its_worker_harms_no_other():
    outcomes = {outcome.task: outcome for outcome in run_tasks(range(6), die_on_three, workers=2)}
    assert outcomes[3].error == WORKER_DIED
    assert sorted(task for task, outcome in outcomes.items() if not outcome.error) == [0, 1, 2, 4, 5]


def test_a_worker_that_somebody_killed_is_replaced(tmp_path):
    tasks = [(str(tmp_path / "marker"), number) for number in range(5)]
    assert sorted(outcome.result for outcome in run_tasks(tasks, die_once, workers=2)) == [0, 1, 2, 3, 4]


def test_closing_early_stops_the_workers():
    begin = time.monotonic()
    outcomes = run_tasks([0.01, 60, 60, 60], time.sleep, workers=2)
    next(outcomes)
    outcomes.close()
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("workers", [1, 2])
def test_when_told_to_stop_it_finishes_what_is_in_flight(workers):
    n_asked = 0

    def should_stop():
        nonlocal n_asked
        n_asked += 1
        return n_asked > 3

    ended = list(run_tasks(range(10), slow_square, workers=workers, should_stop=should_stop))
    assert 1 <= len(ended) <= 3
    assert [outcome.error for outcome in ended] == [""] * len(ended)


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_begins_when_it_is_to_stop_from_the_first(workers):
    assert list(run_tasks(range(3), square, workers=workers, should_stop=lambda: True)) == []
