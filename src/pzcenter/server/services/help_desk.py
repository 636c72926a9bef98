"""The help desk: people ask, coordinators answer; each request is seen by its author and by them alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, true

from pzcenter.errors import NotFoundError, QuotaError, UsageError
from pzcenter.server.services.access import product_for, visible
from pzcenter.server.services.audit import record
from pzcenter.server.services.cooperative import challenge_for
from pzcenter.server.services.limits import limit_help
from pzcenter.server.services.principal import Scope
from pzcenter.server.storage.base import now
from pzcenter.server.storage.help_desk import Ticket, TicketMessage, TicketState
from pzcenter.server.storage.products import Product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = [
    "MAX_SUBJECT", "MAX_TEXT", "NewTicket", "add_message", "open_ticket", "product_of", "set_ticket_state",
    "ticket_for", "tickets_of",
]  # fmt: skip

MAX_SUBJECT, MAX_TEXT = 200, 10_000
"""Letters."""
MAX_OPEN = 20
"""Requests of one person that are not closed."""
MAX_MESSAGES = 200
"""About one request."""


@dataclass(frozen=True)
class NewTicket:
    """What somebody asks.

    Attributes
    ----------
    subject : str
        In one line.
    text : str
        Markdown.
    product : int, str or None
        That it is about: a number or a public name.
    challenge : str or None
        That it is about.
    """

    subject: str
    text: str
    product: int | str | None = None
    challenge: str | None = None


def open_ticket(services: Services, session: Session, principal: Principal, new: NewTicket) -> Ticket:
    """Ask for help.

    Parameters
    ----------
    services : Services
    session : Session
        One that writes.
    principal : Principal
    new : NewTicket

    Returns
    -------
    Ticket

    Raises
    ------
    UsageError
        Nothing is said, or too much.
    NotFoundError
        No such product or challenge, or none that the asker sees.
    QuotaError
        Too many requests of the asker are not closed.
    RateLimitError
    """
    author_id = principal.need(Scope.WRITE)
    subject = " ".join(new.subject.split())
    if not subject or len(subject) > MAX_SUBJECT:
        raise UsageError(f"a subject has 1 to {MAX_SUBJECT} letters; this one has {len(subject):,}")
    words = _words(new.text)
    limit_help(services, principal)
    waiting = select(func.count()).where(Ticket.author_id == author_id, Ticket.state != TicketState.CLOSED)
    if (session.scalar(waiting) or 0) >= MAX_OPEN:
        raise QuotaError(f"{MAX_OPEN} of your requests are not closed; close some, or add to them")
    product = None if new.product is None else product_for(session, principal, new.product)
    challenge = None if new.challenge is None else challenge_for(session, principal, new.challenge)
    ticket = Ticket(
        author_id=author_id, subject=subject, product_id=None if product is None else product.id,
        challenge_id=None if challenge is None else challenge.id,
        messages=[TicketMessage(author_id=author_id, text=words)],
    )  # fmt: skip
    session.add(ticket)
    session.flush()
    session.refresh(ticket)
    record(session, principal, "ticket.open", ("ticket", ticket.id), title=subject)
    return ticket


def seen(principal: Principal) -> ColumnElement[bool]:
    """Condition on requests: one's own, and all for coordinators."""
    user_id = principal.need(Scope.READ)
    return true() if principal.curates else Ticket.author_id == user_id


def ticket_for(session: Session, principal: Principal, uid: str) -> Ticket:
    """A request, for its author and for coordinators.

    Raises
    ------
    AuthenticationError, NotFoundError
    """
    ticket = session.scalar(select(Ticket).where(Ticket.uid == uid, seen(principal)))
    if ticket is None:
        raise NotFoundError(f"no request {uid!r}")
    return ticket


def tickets_of(
    session: Session, principal: Principal, *, state: TicketState | None = None, before: int | None = None,
    limit: int = 100,
) -> Sequence[Ticket]:  # fmt: skip
    """Requests that the asker sees, the newest first.

    Parameters
    ----------
    session : Session
    principal : Principal
    state : TicketState, optional
    before : int, optional
        Number of the last one seen.
    limit : int

    Returns
    -------
    sequence of Ticket
    """
    wanted = select(Ticket).where(seen(principal))
    if state is not None:
        wanted = wanted.where(Ticket.state == state)
    if before is not None:
        wanted = wanted.where(Ticket.id < before)
    return session.scalars(wanted.order_by(Ticket.id.desc()).limit(limit)).all()


def add_message(services: Services, session: Session, principal: Principal, uid: str, text: str) -> TicketMessage:
    """Answer a request, or add to one's own; the latter opens it again.

    Raises
    ------
    UsageError
        Nothing is said, or too much.
    QuotaError
        Enough was said of this request.
    NotFoundError, RateLimitError
    """
    author_id = principal.need(Scope.WRITE)
    ticket = ticket_for(session, principal, uid)
    words = _words(text)
    limit_help(services, principal)
    said = select(func.count()).where(TicketMessage.ticket_id == ticket.id)
    if (session.scalar(said) or 0) >= MAX_MESSAGES:
        raise QuotaError(f"request {uid} has {MAX_MESSAGES} messages already; open another one")
    message = TicketMessage(ticket_id=ticket.id, author_id=author_id, text=words)
    session.add(message)
    own = ticket.author_id == author_id
    ticket.state, ticket.updated_at = TicketState.OPEN if own else TicketState.ANSWERED, now()
    session.flush()
    session.refresh(message)
    record(session, principal, "ticket.message", ("ticket", ticket.id), state=str(ticket.state))
    return message


def set_ticket_state(session: Session, principal: Principal, uid: str, state: TicketState) -> Ticket:
    """Close a request, or open it again.

    Raises
    ------
    NotFoundError
    """
    principal.need(Scope.WRITE)
    ticket = ticket_for(session, principal, uid)
    ticket.state, ticket.updated_at = state, now()
    record(session, principal, "ticket.state", ("ticket", ticket.id), state=str(state))
    return ticket


def product_of(session: Session, principal: Principal, ticket: Ticket) -> Product | None:
    """The product that a request is about, if the one who looks may see it."""
    if ticket.product_id is None:
        return None
    return session.scalar(select(Product).where(Product.id == ticket.product_id, visible(principal)))


def _words(text: str) -> str:
    words = text.strip()
    if not words or len(words) > MAX_TEXT:
        raise UsageError(f"a message has 1 to {MAX_TEXT:,} letters; this one has {len(words):,}")
    return words
