"""For coordinators and admins: who waits, whether the server is well, what was done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import func, select

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.pages.render import page
from pzcenter.server.services.access import visible
from pzcenter.server.services.approvals import pending_users
from pzcenter.server.services.audit_log import AuditQuery, find_events
from pzcenter.server.services.operation import health_of
from pzcenter.server.storage.processes import Process
from pzcenter.server.storage.products import Product

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
EVENTS = 50
MOST_WAITING = 200
Word = Annotated[str, Query(max_length=200)]


@router.get("/admin")
def overview(request: Request, services: CurrentServices, principal: SignedIn) -> Response:
    """Who waits, and whether all is well."""
    principal.need_curator()
    health = health_of(services) if principal.administers else None
    with services.database.reading() as session:
        seen = select(func.count()).select_from(Product).where(visible(principal))
        jobs = select(func.count()).select_from(Process).where(Process.ended_at.is_(None))
        return page(
            request, "admin.html", waiting=pending_users(session, principal, limit=MOST_WAITING), health=health,
            n_products=session.scalar(seen) or 0, n_jobs=session.scalar(jobs) or 0,
        )  # fmt: skip


@router.get("/admin/audit")
def audit(
    request: Request,
    services: CurrentServices,
    principal: SignedIn,
    *,
    action: Word = "",
    username: Word = "",
    subject: Word = "",
    number: Word = "",
    before: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
) -> Response:
    """What was done, by whom, to what."""
    said = {"action": action, "username": username, "subject": subject, "number": number}
    plain = {name: text.replace("\0", "").strip() or None for name, text in said.items()}
    query = AuditQuery(
        action=plain["action"], username=plain["username"], subject_type=plain["subject"],
        subject_id=plain["number"], before=before, limit=EVENTS + 1,
    )  # fmt: skip
    with services.database.reading() as session:
        events = find_events(session, principal, query)
        return page(request, "admin_audit.html", events=events[:EVENTS], more=len(events) > EVENTS, said=said)
