"""Help: requests and their answers, frequent questions, how the service is."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from pzcenter.errors import PZCenterError
from pzcenter.server.http.forms import FormSender
from pzcenter.server.http.requests import CurrentServices, SignedIn, SomebodyOrNobody
from pzcenter.server.http.status import status_of
from pzcenter.server.pages.fields import LongText, ShortText, Uid
from pzcenter.server.pages.prose import prose
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.help_desk import (
    MAX_SUBJECT,
    NewTicket,
    add_message,
    open_ticket,
    product_of,
    set_ticket_state,
    ticket_for,
    tickets_of,
)
from pzcenter.server.services.service_status import service_status
from pzcenter.server.storage.help_desk import TicketState

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
MOST = 200
QUESTIONS = Path(__file__).parent / "questions.md"
NOTHING = {"subject": "", "text": "", "product": "", "challenge": ""}

Wish = Annotated[str, Query(max_length=64)]


@cache
def _questions() -> str:
    return QUESTIONS.read_text(encoding="utf-8")


@router.get("/help/questions")
def questions(request: Request, _principal: SomebodyOrNobody) -> Response:
    """What people ask often."""
    return page(request, "help_questions.html", text=prose(_questions()))


@router.get("/help/status")
def status(request: Request, services: CurrentServices, principal: SignedIn) -> Response:
    """How the service is."""
    return page(request, "help_status.html", found=service_status(services, principal))


@router.get("/help/requests")
def requests(
    request: Request, services: CurrentServices, principal: SignedIn, *, product: Wish = "", challenge: Wish = "",
    state: Annotated[TicketState | None, Query()] = None,
) -> Response:  # fmt: skip
    """Requests that the asker sees, and a form for another one."""
    said = NOTHING | {"product": product, "challenge": challenge}
    return _list(request, services, principal, said=said, state=state)


@router.post("/help/requests")
def ask(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    *,
    subject: ShortText = "",
    text: LongText = "",
    product: ShortText = "",
    challenge: ShortText = "",
) -> Response:
    """Ask for help."""
    key = product.strip()
    new = NewTicket(
        subject.replace("\0", ""), text.replace("\0", ""), int(key) if _is_number(key) else key or None,
        challenge.strip() or None,
    )  # fmt: skip
    try:
        with services.database.writing() as session:
            uid = open_ticket(services, session, principal, new).uid
    except PZCenterError as error:
        if status_of(error) == 401 or status_of(error) >= 500:
            raise
        said = {"subject": subject, "text": text, "product": product, "challenge": challenge}
        return _list(request, services, principal, said=said, error=str(error), status=status_of(error))
    return go_on(f"/help/requests/{uid}")


@router.get("/help/requests/{uid}")
def read(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """One request with its answers."""
    return _one(request, services, principal, uid)


@router.post("/help/requests/{uid}/messages")
def answer(
    request: Request, services: CurrentServices, principal: FormSender, uid: Uid, text: LongText = ""
) -> Response:
    """Answer a request, or add to one's own."""
    try:
        with services.database.writing() as session:
            add_message(services, session, principal, uid, text.replace("\0", ""))
    except PZCenterError as error:
        if status_of(error) in {401, 404} or status_of(error) >= 500:
            raise
        return _one(request, services, principal, uid, said=text, error=str(error), status=status_of(error))
    return go_on(f"/help/requests/{uid}")


@router.post("/help/requests/{uid}/state")
def change(
    services: CurrentServices, principal: FormSender, uid: Uid, state: Annotated[TicketState, Form()]
) -> Response:
    """Close a request, or open it again."""
    with services.database.writing() as session:
        set_ticket_state(session, principal, uid, state)
    return go_on(f"/help/requests/{uid}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < len(text) < 10


def _list(
    request: Request, services: Services, principal: Principal, *, said: dict[str, str],
    state: TicketState | None = None, error: str | None = None, status: int = 200,
) -> Response:  # fmt: skip
    with services.database.reading() as session:
        found = tickets_of(session, principal, state=state, limit=MOST)
        return page(
            request, "help_requests.html", status=status, tickets=found, curates=principal.curates, said=said,
            error=error, longest=MAX_SUBJECT,
        )  # fmt: skip


def _one(
    request: Request, services: Services, principal: Principal, uid: str, *, said: str = "",
    error: str | None = None, status: int = 200,
) -> Response:  # fmt: skip
    with services.database.reading() as session:
        ticket = ticket_for(session, principal, uid)
        return page(
            request, "help_request.html", status=status, ticket=ticket, product=product_of(session, principal, ticket),
            messages=[(each, prose(each.text)) for each in ticket.messages], said=said, error=error,
        )  # fmt: skip
