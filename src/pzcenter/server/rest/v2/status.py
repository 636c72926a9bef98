"""How the service is."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.services.service_status import service_status

__all__ = ["router"]

router = APIRouter(tags=["status"])


class StatusAnswer(BaseModel):
    """How the service is."""

    ready: bool
    checks: dict[str, str] = Field(description="'well' or 'not well'; admins are told what is wrong.")
    jobs_waiting: int
    jobs_running: int
    jobs_stalled: int = Field(description="That run, and made no progress for a quarter of an hour.")
    waiting_since: datetime | None
    last_sweep: datetime | None
    version: str
    asked_at: datetime


@router.get("/status", operation_id="get_status")
def read(services: CurrentServices, principal: SignedIn) -> StatusAnswer:
    """Whether all is well, and how many jobs wait, run and stand still."""
    return StatusAnswer(**asdict(service_status(services, principal)))
