"""Who sees a product, and the words to find it by."""

from __future__ import annotations

from fastapi import APIRouter, Response

from pzcenter.errors import UsageError
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import SharingAnswer
from pzcenter.server.rest.v2.bodies import SharingBody, TagsBody
from pzcenter.server.rest.v2.etags import IfMatch, seen_revision, tell_etag
from pzcenter.server.rest.v2.fields import ProductKey
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.products import edit_product, share_product
from pzcenter.server.services.revisions import need_revision

__all__ = ["router"]

router = APIRouter(tags=["sharing"])


@router.get("/products/{product_id}/sharing", operation_id="get_sharing")
def read(services: CurrentServices, principal: SignedIn, product_id: ProductKey) -> SharingAnswer:
    """Who sees a product; for those who may change it."""
    with services.database.reading() as session:
        return SharingAnswer.of(product_for(session, principal, product_id, Action.SHARE))


@router.patch("/products/{product_id}/sharing", operation_id="share_product")
def share(
    services: CurrentServices,
    principal: SignedIn,
    product_id: ProductKey,
    *,
    body: SharingBody,
    response: Response,
    if_match: IfMatch = None,
) -> SharingAnswer:
    """Say who sees a product: visibility, groups, users, embargo."""
    words = body.model_dump(exclude_unset=True)
    if not words:
        raise UsageError(f"nothing to change; accepted are {', '.join(SharingBody.model_fields)}")
    lift = "embargo_until" in words and words["embargo_until"] is None
    revision = seen_revision(if_match)
    with services.database.writing() as session:
        product = product_for(session, principal, product_id, Action.SHARE)
        need_revision(session, product, revision)
        share_product(session, principal, product.id, **words, lift_embargo=lift)
        session.flush()
        session.refresh(product)
        tell_etag(response, product)
        return SharingAnswer.of(product)


@router.get("/products/{product_id}/tags", operation_id="list_tags")
def tags(services: CurrentServices, principal: SignedIn, product_id: ProductKey) -> list[str]:
    """Words to find a product by."""
    with services.database.reading() as session:
        return [each.tag for each in product_for(session, principal, product_id).tags]


@router.put("/products/{product_id}/tags", operation_id="set_tags")
def set_tags(
    services: CurrentServices, principal: SignedIn, product_id: ProductKey, body: TagsBody, if_match: IfMatch = None
) -> list[str]:
    """Words to find a product by, in place of those there."""
    revision = seen_revision(if_match)
    with services.database.writing() as session:
        product = product_for(session, principal, product_id, Action.EDIT)
        need_revision(session, product, revision)
        edit_product(session, principal, product.id, {}, tags=body.tags)
        session.flush()
        return sorted(each.tag for each in product.tags)
