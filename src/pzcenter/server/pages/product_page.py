"""The page of a product, and what people say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy import select

from pzcenter.server.http.forms import FormSender
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.pages.fields import Uid
from pzcenter.server.pages.figures import figures_of
from pzcenter.server.pages.findings import warnings_of
from pzcenter.server.pages.graph import draw_graph
from pzcenter.server.pages.prose import prose
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.access import Action, may, product_for
from pzcenter.server.services.citations import bibtex
from pzcenter.server.services.comments import add_comment, comments_of, delete_comment
from pzcenter.server.services.products import set_official
from pzcenter.server.services.provenance_graph import provenance_graph
from pzcenter.server.services.tombstones import tombstone_of
from pzcenter.server.services.versions import versions_of
from pzcenter.server.storage.processes import Process

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.products import Product

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
MOST_COMMENTS = 200
MOST_COLUMNS = 500


@router.get("/products/{uid}")
def see(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """Everything about a product; of a deleted one that it was there."""
    with services.database.reading() as session:
        gone = tombstone_of(session, principal, uid)
        if gone is not None:
            return page(request, "deleted.html", status=410, gone=gone)
        product = product_for(session, principal, uid)
        comments = [(each, prose(each.text)) for each in comments_of(session, principal, uid, limit=MOST_COMMENTS)]
        return page(
            request, "product.html", product=product, description=prose(product.description or ""),
            comments=comments, columns=product.columns[:MOST_COLUMNS], n_columns=len(product.columns),
            versions=versions_of(session, principal, uid), bibtex=bibtex(services, product),
            graph=draw_graph(provenance_graph(session, principal, uid)), figures=figures_of(product),
            warnings=warnings_of(product), snippets=_snippets(services, product), rights=_rights(principal, product),
            job=_job(session, principal, product),
        )  # fmt: skip


@router.post("/products/{uid}/comments")
def comment(
    services: CurrentServices, principal: FormSender, uid: Uid, text: Annotated[str, Form(max_length=20_000)] = ""
) -> Response:
    """Say something of a product."""
    with services.database.writing() as session:
        number = add_comment(session, principal, uid, text.replace("\0", "").replace("\r\n", "\n")).id
    return go_on(f"/products/{uid}#comment-{number}")


@router.post("/products/{uid}/comments/{number}/delete")
def take_comment_back(services: CurrentServices, principal: FormSender, uid: Uid, number: int) -> Response:
    """Take a comment back."""
    with services.database.writing() as session:
        delete_comment(session, principal, uid, number)
    return go_on(f"/products/{uid}#comments")


@router.post("/products/{uid}/official")
def official(
    services: CurrentServices, principal: FormSender, uid: Uid, yes: Annotated[str, Form(max_length=1)] = ""
) -> Response:
    """Call a product official, or no longer."""
    with services.database.writing() as session:
        set_official(session, principal, uid, official=yes == "1")
    return go_on(f"/products/{uid}")


def _rights(principal: Principal, product: Product) -> dict[str, bool]:
    return {action.value: may(principal, action, product) for action in Action}


def _job(session: Session, principal: Principal, product: Product) -> str | None:
    """Public name of the job that makes or made the product, for those who may look at it: its owner."""
    if product.owner_id != principal.user_id and not principal.administers:
        return None
    return session.scalar(
        select(Process.uid).where(Process.output_id == product.id).order_by(Process.id.desc()).limit(1)
    )


def _snippets(services: Services, product: Product) -> list[tuple[str, str]]:
    """How programs open the product: with our client, with the one in use, and from the command line."""
    address = services.settings.base_url
    table = product.n_rows is not None
    ours = [
        "from pzcenter.client import PZClient", "",
        f'server = PZClient("{address}", token="<your token>")',
        f"table = server.table({product.id})" if table else f'server.download({product.id}, ".")',
    ]  # fmt: skip
    theirs = [
        "from pzserver import PzServer", "",
        f'server = PzServer(token="<your token>", host="{address}/api/")',
        f"table = server.get_product({product.id})" if table else f"server.download_product({product.id})",
    ]  # fmt: skip
    return [
        ("pzcenter", "\n".join(ours)),
        ("pzserver", "\n".join(theirs)),
        ("Shell", f"pz server download {product.id}"),
    ]
