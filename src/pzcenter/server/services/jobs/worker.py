"""A worker: takes jobs from the queue, as many at once as the settings say, and takes up what others dropped."""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import TYPE_CHECKING

from pzcenter.server.services.context import open_services
from pzcenter.server.services.housekeeping import keep_house
from pzcenter.server.services.jobs.queue import JobQueue
from pzcenter.server.services.jobs.runner import run_process
from pzcenter.server.services.jobs.stalls import mark_stalled
from pzcenter.server.services.jobs.states import forgotten

if TYPE_CHECKING:
    from pzcenter.server.settings import ServerSettings

__all__ = ["Worker"]

log = logging.getLogger(__name__)

LOOK_SECONDS = 20.0
"""Between two looks for jobs that nobody works on."""
HOUSE_SECONDS = 3600.0
"""Between two times that the house is kept."""


class Worker:
    """Threads that run jobs until they are told to stop.

    Parameters
    ----------
    settings : ServerSettings
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.services = open_services(settings)
        self.stopping = threading.Event()
        self.queue = JobQueue(settings, self._run)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin; returns at once."""
        targets = [self._work] * self.settings.job_workers + [self._look]
        self._threads = [threading.Thread(target=each, daemon=True, name=each.__name__) for each in targets]
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 20.0) -> None:
        """End; jobs under way are left to another worker."""
        self.stopping.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.services.close()

    def run(self) -> None:
        """Work until the process is asked to end."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.stopping.set())
        self.start()
        self.stopping.wait()
        self.stop()

    def _run(self, process_id: int) -> None:
        run_process(self.services, process_id, stopping=self.stopping)

    def _work(self) -> None:
        huey = self.queue.huey
        while not self.stopping.is_set():
            try:
                task = huey.dequeue()
                if task is None:
                    self.stopping.wait(1.0)
                else:
                    huey.execute(task)
            except Exception:
                log.exception("a job could not be run")
                self.stopping.wait(5.0)
        self.queue.close()

    def _look(self) -> None:
        next_time = time.monotonic() + LOOK_SECONDS
        while not self.stopping.is_set():
            try:
                for number in forgotten(self.services):
                    self.queue.put(number)
                mark_stalled(self.services)
                if time.monotonic() >= next_time:
                    keep_house(self.services)
                    next_time = time.monotonic() + HOUSE_SECONDS
            except Exception:
                next_time = time.monotonic() + HOUSE_SECONDS
                log.exception("looking for forgotten jobs failed")
            self.stopping.wait(LOOK_SECONDS)
        self.queue.close()
