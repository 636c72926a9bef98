"""What is done from time to time, without anybody asking."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

from pzcenter.server.services.jobs.stalls import mark_stalled
from pzcenter.server.services.notes import HOUSEKEEPING, keep_note
from pzcenter.server.services.public_extract import make_extracts
from pzcenter.server.services.sessions import sweep_sessions
from pzcenter.server.services.sweep import sweep

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services

__all__ = ["keep_house"]

log = logging.getLogger(__name__)


def keep_house(services: Services) -> dict[str, int]:
    """Clear up what is over, unfinished, or not referred to by anything; mark jobs that stand still.

    Several may do it at once.

    Parameters
    ----------
    services : Services

    Returns
    -------
    dict of str to int
        What was removed, and found.
    """
    with services.database.writing() as session:
        n_sessions = sweep_sessions(session)
    removed = {"n_sessions": n_sessions, **asdict(sweep(services)), "n_stalled": len(mark_stalled(services))}
    removed["n_extracts"] = make_extracts(services)
    with services.database.writing() as session:
        keep_note(session, HOUSEKEEPING, removed)
    log.info("housekeeping", extra=removed)
    return removed
