"""The audit log, for coordinators and admins."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import Page
from pzcenter.server.rest.v2.paging import PER_PAGE, Cursor, Limit, number_of, tell_next, wanted_rows
from pzcenter.server.services.audit_log import AuditQuery, find_events
from pzcenter.server.storage.audit import AuditEvent

__all__ = ["router"]

router = APIRouter(tags=["audit"])

Word = Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._@+-]+$")]


class EventAnswer(BaseModel):
    """One thing that somebody did, or tried."""

    id: int
    at: AwareDatetime
    username: str | None = Field(description="Null: nobody was signed in.")
    token_id: int | None
    action: str
    subject_type: str | None
    subject_id: str | None
    detail: dict[str, Any]
    request_id: str | None

    @classmethod
    def of(cls, event: AuditEvent) -> EventAnswer:
        """Of a row."""
        names = ("id", "at", "token_id", "action", "subject_type", "subject_id", "detail", "request_id")
        username = None if event.user is None else event.user.username
        return cls(username=username, **{name: getattr(event, name) for name in names})


@router.get("/audit", operation_id="list_audit_events")
def read(
    services: CurrentServices,
    principal: SignedIn,
    *,
    request: Request,
    response: Response,
    action: Annotated[Word, Query(description="Such as product.publish, or product for all that begins so.")] = None,
    username: Annotated[Word, Query(description="Who did it.")] = None,
    subject_type: Annotated[Word, Query(description="What it was done to, such as product.")] = None,
    subject_id: Annotated[Word, Query(description="Its number.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="With its time zone.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="With its time zone; left out itself.")] = None,
    cursor: Cursor = None,
    limit: Limit = PER_PAGE,
) -> Page[EventAnswer]:
    """What was done and tried, the newest first."""
    number = wanted_rows(services, limit)
    query = AuditQuery(
        action=action, username=username, subject_type=subject_type, subject_id=subject_id, since=since, until=until,
        before=number_of(cursor), limit=number,
    )  # fmt: skip
    with services.database.reading() as session:
        rows = find_events(session, principal, query)
        following = tell_next(request, response, rows, number, "id")
        return Page[EventAnswer](items=[EventAnswer.of(each) for each in rows], next_cursor=following)
