"""What the service tells of itself: a line of the log and numbers for each request."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import func, select

from pzcenter.server.services.jobs.stalls import count_stalled
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.processes import Process
from pzcenter.server.storage.products import Blob, Product

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pzcenter.server.services.context import Services

__all__ = ["Numbers", "Observing"]

log = logging.getLogger("pzcenter.server.requests")

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
QUIET = {"/-/health", "/-/ready", "/-/metrics"}


class Numbers:
    """Counters of this worker, and counts of the database, in the format of Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        worker = str(os.getpid())
        self._requests = Counter(
            "pz_requests_total", "Requests answered", ("worker", "interface", "method", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "pz_request_seconds", "Time to the first byte of the answer", ("worker", "interface"), buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._rows = Gauge("pz_rows", "Rows of the database", ("kind", "state"), registry=self.registry)
        self._bytes = Gauge("pz_store_bytes", "Bytes of all contents", registry=self.registry)
        self._stalled = Gauge(
            "pz_jobs_stalled", "Jobs that run and made no progress for 15 minutes", registry=self.registry
        )
        self._damaged = Gauge("pz_damaged_contents", "Contents that are damaged", registry=self.registry)
        self._worker = worker

    def count(self, interface: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(self._worker, interface, method, str(status)).inc()
        self._seconds.labels(self._worker, interface).observe(seconds)

    def text(self, services: Services) -> bytes:
        """All numbers, those of the database as they are now."""
        with services.database.reading() as session:
            for kind, table in (("product", Product), ("process", Process), ("user", User)):
                for state, n in session.execute(select(table.state, func.count()).group_by(table.state)):
                    self._rows.labels(kind, str(state)).set(n)
            self._stalled.set(count_stalled(session))
            self._bytes.set(int(session.scalar(select(func.coalesce(func.sum(Blob.size), 0))) or 0))
            self._damaged.set(session.scalar(select(func.count()).where(Blob.damaged)) or 0)
        return generate_latest(self.registry)


class Observing:
    """Layer that counts and logs, plain ASGI.

    Parameters
    ----------
    app : ASGIApp
    numbers : Numbers
    """

    def __init__(self, app: ASGIApp, *, numbers: Numbers) -> None:
        self.app = app
        self.numbers = numbers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        seen: dict[str, int] = {}

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                self._tell(scope, message["status"], time.perf_counter() - began)
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            if not seen:
                # The client went away before there was an answer.
                self._tell(scope, 499, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"]
        interface = "v2" if path.startswith("/api/v2") else "v1" if path.startswith("/api") else "pages"
        self.numbers.count(interface, scope["method"], status, seconds)
        if path not in QUIET:
            # Queries may hold what users look for; they are not logged.
            log.info(
                "request",
                extra={
                    "method": scope["method"], "path": path, "status": status, "ms": round(1000 * seconds, 1),
                    "request_id": scope.get("state", {}).get("request_id"),
                },
            )  # fmt: skip
