"""Many partitions over a pool of processes, in which one bad partition or one dying worker harms no other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_handles
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

__all__ = ["Outcome", "run_tasks"]

T = TypeVar("T")
R = TypeVar("R")

WORKER_DIED = "the worker process died, as it does when memory runs out or somebody kills it"


class Outcome(Generic[T, R]):
    """A task with its result, or with the reason why it has none: in words, and as the exception that there was."""

    __slots__ = ("error", "exception", "result", "task")

    def __init__(
        self, task: T, result: R | None = None, error: str = "", *, exception: Exception | None = None
    ) -> None:
        self.task = task
        self.result = result
        self.error = error or ("" if exception is None else f"{type(exception).__name__}: {exception}")
        self.exception = exception


def run_tasks(
    tasks: Iterable[T],
    function: Callable[[T], R],
    *,
    workers: int,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
    more: Callable[[Outcome[T, R]], Iterable[T]] = lambda _outcome: (),
    preload: tuple[str, ...] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[Outcome[T, R]]:
    """Call ``function`` on each task and give the outcomes as they come.

    With one worker all happens in this process. Otherwise each worker runs ``initializer(*initargs)`` once. Only as
    many tasks are handed out as there are workers, so that when a worker dies the suspects are few: each of them
    is tried once more, alone, and fails for good only when it brings its worker down again.

    Parameters
    ----------
    tasks : iterable
        Small, since they travel to another process.
    function : callable
        Importable; its exceptions become outcomes.
    workers : int
        Started when there is work for them.
    initializer, initargs
        Importable; what every worker needs before its first task.
    more : callable
        Gives the tasks that may begin now that a task has ended; called after its outcome was given.
    preload : tuple of str
        Modules that a server process imports once, from which workers are then forked: they start in no time. They
        must not start threads when they are imported. Without any, each worker is a new process.
    should_stop : callable
        Asked before each task is handed out; when it says so, those that were are finished, and no other begins.

    Yields
    ------
    Outcome
    """
    if workers <= 1:
        if initializer is not None:
            initializer(*initargs)
        queue = deque(tasks)
        while queue and not should_stop():
            outcome = _attempt(queue.popleft(), function)
            yield outcome
            queue.extend(more(outcome))
        return
    waiting = deque(tasks)
    while waiting and not should_stop():
        suspects: list[T] = []
        with _Pool(workers, initializer, initargs, preload) as pool:
            running: dict[Future[R], T] = {}
            while not suspects:
                while waiting and len(running) < workers and not should_stop():
                    task = waiting.popleft()
                    try:
                        running[_submit(pool, function, task)] = task
                    except BrokenProcessPool:  # a worker died between two tasks
                        suspects.append(task)
                        break
                if suspects or not running:
                    break
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    task = running.pop(future)
                    try:
                        outcome = _outcome(task, future)
                    except BrokenProcessPool:
                        suspects.append(task)
                        continue
                    yield outcome
                    waiting.extend(more(outcome))
            suspects.extend(running.values())
        for task in suspects:
            with _Pool(1, initializer, initargs, preload) as pool:
                try:
                    outcome = _outcome(task, _submit(pool, function, task))
                except BrokenProcessPool:
                    outcome = Outcome(task, error=WORKER_DIED)
            yield outcome
            waiting.extend(more(outcome))


def _outcome(task: T, future: Future[R]) -> Outcome[T, R]:
    """Result of a task, or what it raised; that its worker died is raised here."""
    try:
        return Outcome(task, future.result())
    except BrokenProcessPool:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever one task raises is its own outcome
        return Outcome(task, exception=error)


def _attempt(task: T, function: Callable[[T], R]) -> Outcome[T, R]:
    try:
        return Outcome(task, function(task))
    except Exception as error:  # noqa: BLE001 -- whatever one task raises is its own outcome
        return Outcome(task, exception=error)


def _submit(pool: ProcessPoolExecutor, function: Callable[[T], R], task: T) -> Future[R]:
    """Hand out a task; a worker that starts on the way knows from its birth that Ctrl-C is not for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(function, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pool:
    """A process pool that is gone, with its workers, when the block ends in whatever way."""

    def __init__(
        self,
        workers: int,
        initializer: Callable[..., None] | None,
        initargs: tuple[Any, ...],
        preload: tuple[str, ...],
    ) -> None:
        if preload:
            multiprocessing.set_forkserver_preload(list(preload))
        self._executor = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("forkserver" if preload else "spawn"),
            initializer=_start_worker,
            initargs=(initializer, initargs),
        )

    def __enter__(self) -> ProcessPoolExecutor:
        return self._executor

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None:
            self._executor.shutdown(wait=True)
            return
        workers = list((self._executor._processes or {}).values())  # noqa: SLF001 -- no public way to stop workers
        self._executor.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join()


def _start_worker(initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
    # Ctrl-C reaches the whole process group: the parent alone decides what then happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*initargs)


def _end_with_parent() -> None:
    """End this worker when its parent is gone, also when that was killed: nobody waits for the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_handles([parent.sentinel])
        os._exit(1)
