"""The queue of jobs, on the server's own database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from huey.contrib.sql_huey import SqlHuey
from huey.registry import Message
from huey.serializer import Serializer
from peewee import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Callable

    from pzcenter.server.services.context import Services
    from pzcenter.server.settings import ServerSettings

__all__ = ["JobQueue", "enqueue"]

BUSY_SECONDS = 30


class JsonSerializer(Serializer):  # type: ignore[misc] # huey has no types
    """Messages as JSON: the name of a task and plain arguments. Nothing is ever unpickled."""

    def _serialize(self, data: Any) -> bytes:
        if isinstance(data, Message):
            return json.dumps({"id": data.id, "name": data.name, "args": list(data.args)}).encode()
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Any:
        value = json.loads(data)
        if not isinstance(value, dict) or set(value) != {"id", "name", "args"}:
            return value
        blank = dict.fromkeys(Message._fields)
        plain = {"retries": 0, "retry_delay": 0, "kwargs": {}}
        return Message(**{**blank, **plain, **value, "args": tuple(value["args"])})


class JobQueue:
    """Numbers of processes that wait for a worker. A number may be there twice, or be lost: see the worker.

    Parameters
    ----------
    settings : ServerSettings
    run : callable, optional
        What a worker does with a number.
    """

    def __init__(self, settings: ServerSettings, run: Callable[[int], None] | None = None) -> None:
        self.huey = SqlHuey("jobs", database=_database(settings), serializer=JsonSerializer(), results=False, utc=True)

        def run_process(number: int) -> None:
            assert run is not None, "this queue only takes numbers in"
            run(number)

        self._task = self.huey.task(name="run_process")(run_process)

    def put(self, process_id: int) -> None:
        """Have a process run by the next free worker."""
        self._task(process_id)

    def __len__(self) -> int:
        """Numbers that wait."""
        return int(self.huey.pending_count())

    def close(self) -> None:
        """Give the connection of this thread back."""
        database = self.huey.storage.database
        if not database.is_closed():
            database.close()


def enqueue(services: Services, process_id: int) -> None:
    """Have a process run by the next free worker; to be called when the transaction that made it is through.

    Parameters
    ----------
    services : Services
    process_id : int
    """
    queue = JobQueue(services.settings)
    try:
        queue.put(process_id)
    finally:
        queue.close()


def _database(settings: ServerSettings) -> Any:
    if settings.database.startswith("sqlite"):
        # A file of its own: polling for jobs must not hold up the one writer of the server's tables.
        pragmas = {"journal_mode": "wal", "synchronous": "full"}
        return SqliteDatabase(str(settings.data_dir / "queue.sqlite3"), pragmas=pragmas, timeout=BUSY_SECONDS)
    return settings.database
