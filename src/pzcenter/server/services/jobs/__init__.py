"""Jobs: what the server makes for its users in the background.

A job is a row of the table ``process``; the queue carries its number only. A worker claims the row, runs the work in a
process of its own with limits of memory and time, and publishes what came out in one transaction. A worker that is
killed leaves a row whose heartbeat stops: another worker takes it up again.
"""

from __future__ import annotations

from pzcenter.server.services.jobs.control import process_for, process_log, request_stop, rerun, submit, visible_jobs
from pzcenter.server.services.jobs.queue import enqueue

__all__ = ["enqueue", "process_for", "process_log", "request_stop", "rerun", "submit", "visible_jobs"]
