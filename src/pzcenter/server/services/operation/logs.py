"""Logs as lines of JSON, for machines that collect them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

__all__ = ["JsonLines", "log_to"]

TALKATIVE = ("alembic", "huey", "uvicorn.error")
PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; anything else was given by the one who logs."""


class JsonLines(logging.Formatter):
    """One event as one line: time, level, logger, event, and what was given with it."""

    def format(self, record: logging.LogRecord) -> str:
        """Text of one event."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in PLAIN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def log_to(level: str, stream: TextIO | None = None) -> None:
    """Have all loggers write lines of JSON.

    Parameters
    ----------
    level : str
        ``debug``, ``info``, ``warning`` or ``error``.
    stream : file, optional
        Standard error by default.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # On a terminal what libraries say of each start would bury what the server says.
    quiet = level == "info" and handler.stream.isatty()
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING if quiet else logging.NOTSET)
