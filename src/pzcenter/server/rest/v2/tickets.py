"""The help desk: requests for help, and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import Page
from pzcenter.server.rest.v2.fields import MAX_ID, Body, Name, Text, Uid, Word
from pzcenter.server.rest.v2.paging import Cursor, Limit, number_of, tell_next, wanted_rows
from pzcenter.server.services.help_desk import (
    NewTicket,
    add_message,
    open_ticket,
    product_of,
    set_ticket_state,
    ticket_for,
    tickets_of,
)
from pzcenter.server.services.principal import Principal
from pzcenter.server.storage.help_desk import Ticket, TicketMessage, TicketState

__all__ = ["router"]

router = APIRouter(tags=["help desk"])


class TicketBody(Body):
    """A request for help."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"subject": "A column is missing", "text": "Where is z_err?", "product": 17}]}
    )

    subject: Name
    text: Text
    product: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None
    challenge: Word | None = None


class MessageBody(Body):
    """Something to be said about a request."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "It is there now."}]})

    text: Text


class TicketStateBody(Body):
    """A state of a request."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "closed"}]})

    state: TicketState


class MessageAnswer(BaseModel):
    """Something that was said."""

    author: str
    text: str
    created_at: datetime

    @classmethod
    def of(cls, row: TicketMessage) -> MessageAnswer:
        """Of a row."""
        return cls(author=row.author.username, text=row.text, created_at=row.created_at)


class TicketAnswer(BaseModel):
    """A request for help."""

    uid: str
    subject: str
    state: TicketState
    author: str
    product_id: int | None
    challenge: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, session: Session, principal: Principal, row: Ticket) -> TicketAnswer:
        """Of a row; products are told of to those alone who see them."""
        product = product_of(session, principal, row)
        return cls(
            uid=row.uid, subject=row.subject, state=row.state, author=row.author.username,
            product_id=None if product is None else product.id,
            challenge=None if row.challenge is None else row.challenge.name, created_at=row.created_at,
            updated_at=row.updated_at,
        )  # fmt: skip


class TicketDetail(TicketAnswer):
    """A request with all that was said."""

    messages: list[MessageAnswer]


def _detail(session: Session, principal: Principal, row: Ticket) -> TicketDetail:
    told = TicketAnswer.of(session, principal, row).model_dump()
    return TicketDetail(**told, messages=[MessageAnswer.of(each) for each in row.messages])


@router.get("/tickets", operation_id="list_tickets")
def read_all(
    request: Request,
    response: Response,
    services: CurrentServices,
    principal: SignedIn,
    *,
    state: Annotated[TicketState | None, Query(description="In this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[TicketAnswer]:
    """Your requests for help, the newest first; for coordinators everybody's."""
    n = wanted_rows(services, limit)
    with services.database.reading() as session:
        rows = tickets_of(session, principal, state=state, before=number_of(cursor), limit=n)
        items = [TicketAnswer.of(session, principal, each) for each in rows]
        following = tell_next(request, response, rows, n, "id")
    return Page[TicketAnswer](items=items, next_cursor=following)


@router.post("/tickets", status_code=status.HTTP_201_CREATED, operation_id="open_ticket")
def add(services: CurrentServices, principal: SignedIn, body: TicketBody) -> TicketDetail:
    """Ask for help."""
    new = NewTicket(body.subject, body.text, body.product, body.challenge)
    with services.database.writing() as session:
        return _detail(session, principal, open_ticket(services, session, principal, new))


@router.get("/tickets/{ticket_uid}", operation_id="get_ticket")
def read(services: CurrentServices, principal: SignedIn, ticket_uid: Uid) -> TicketDetail:
    """A request, with all that was said; for its author and for coordinators."""
    with services.database.reading() as session:
        return _detail(session, principal, ticket_for(session, principal, ticket_uid))


@router.post("/tickets/{ticket_uid}/messages", status_code=status.HTTP_201_CREATED, operation_id="add_ticket_message")
def answer(services: CurrentServices, principal: SignedIn, ticket_uid: Uid, body: MessageBody) -> MessageAnswer:
    """Answer a request, or add to your own, which opens it again."""
    with services.database.writing() as session:
        return MessageAnswer.of(add_message(services, session, principal, ticket_uid, body.text))


@router.put("/tickets/{ticket_uid}/state", operation_id="set_ticket_state")
def change(services: CurrentServices, principal: SignedIn, ticket_uid: Uid, body: TicketStateBody) -> TicketAnswer:
    """Close a request, or open it again."""
    with services.database.writing() as session:
        return TicketAnswer.of(session, principal, set_ticket_state(session, principal, ticket_uid, body.state))
