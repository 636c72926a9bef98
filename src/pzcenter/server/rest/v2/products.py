"""Products one by one: made, read, edited, published, followed by versions, deleted."""

from __future__ import annotations

from fastapi import APIRouter, Response, status

from pzcenter.errors import UsageError
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import ProductAnswer, ProductSummary
from pzcenter.server.rest.v2.bodies import NewProductBody, OfficialBody, ProductBody
from pzcenter.server.rest.v2.etags import IfMatch, IfNoneMatch, etag_of, seen_revision, tell_etag
from pzcenter.server.rest.v2.fields import ProductKey
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.products import (
    NewProduct,
    create_product,
    delete_product,
    edit_product,
    new_version,
    publish_product,
    set_official,
)
from pzcenter.server.services.revisions import need_revision
from pzcenter.server.services.versions import versions_of

__all__ = ["router"]

router = APIRouter(tags=["products"])


@router.post("/products", status_code=status.HTTP_201_CREATED, operation_id="create_product")
def create(services: CurrentServices, principal: SignedIn, body: NewProductBody, response: Response) -> ProductAnswer:
    """Begin a product; its owner alone sees it until it is published."""
    new = NewProduct(**body.model_dump(exclude={"tags"}), tags=tuple(body.tags))
    with services.database.writing() as session:
        product = create_product(services, session, principal, new)
        session.flush()
        session.refresh(product)
        answer = ProductAnswer.seen_by(principal, product)
        tell_etag(response, product)
    response.headers["Location"] = f"/api/v2/products/{answer.id}"
    return answer


@router.get("/products/{product_id}", operation_id="get_product", responses={304: {"description": "As it was."}})
def read(
    services: CurrentServices,
    principal: SignedIn,
    product_id: ProductKey,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> ProductAnswer:
    """A product with its files, its report, and what you may do with it."""
    with services.database.reading() as session:
        product = product_for(session, principal, product_id)
        tell_etag(response, product)
        if if_none_match == etag_of(product):
            return Response(None, status.HTTP_304_NOT_MODIFIED, dict(response.headers))  # type: ignore[return-value]
        return ProductAnswer.seen_by(principal, product)


@router.patch("/products/{product_id}", operation_id="edit_product")
def edit(
    services: CurrentServices,
    principal: SignedIn,
    product_id: ProductKey,
    *,
    body: ProductBody,
    response: Response,
    if_match: IfMatch = None,
) -> ProductAnswer:
    """Change what is said of a product; ``If-Match`` says which state of it you have read."""
    words = body.model_dump(exclude_unset=True)
    if not words:
        raise UsageError(f"nothing to change; accepted are {', '.join(ProductBody.model_fields)}")
    tags = words.pop("tags", None)
    if "display_name" in words and not words["display_name"]:
        raise UsageError("display_name: a product needs a name")
    revision = seen_revision(if_match, needed=True)
    with services.database.writing() as session:
        product = product_for(session, principal, product_id, Action.EDIT)
        need_revision(session, product, revision)
        edit_product(session, principal, product.id, words, tags=tags)
        session.flush()
        tell_etag(response, product)
        return ProductAnswer.seen_by(principal, product)


@router.post("/products/{product_id}/publish", operation_id="publish_product")
def publish(
    services: CurrentServices, principal: SignedIn, product_id: ProductKey, response: Response
) -> ProductAnswer:
    """Finish a product: from now on its main file and columns never change."""
    with services.database.writing() as session:
        product = publish_product(session, principal, product_id)
        session.flush()
        tell_etag(response, product)
        return ProductAnswer.seen_by(principal, product)


@router.post("/products/{product_id}/versions", status_code=status.HTTP_201_CREATED, operation_id="new_version")
def begin_version(
    services: CurrentServices, principal: SignedIn, product_id: ProductKey, response: Response
) -> ProductAnswer:
    """Begin the next version of a published product, with its words and without its files."""
    with services.database.writing() as session:
        product = new_version(services, session, principal, product_id)
        session.flush()
        session.refresh(product)
        tell_etag(response, product)
        answer = ProductAnswer.seen_by(principal, product)
    response.headers["Location"] = f"/api/v2/products/{answer.id}"
    return answer


@router.get("/products/{product_id}/versions", operation_id="list_versions")
def versions(services: CurrentServices, principal: SignedIn, product_id: ProductKey) -> list[ProductSummary]:
    """All versions of a product that you may see, the newest first."""
    with services.database.reading() as session:
        return [ProductSummary.of(each) for each in versions_of(session, principal, product_id)]


@router.put("/products/{product_id}/official", operation_id="set_official")
def official(
    services: CurrentServices, principal: SignedIn, product_id: ProductKey, body: OfficialBody, response: Response
) -> ProductAnswer:
    """Call a product official, or no longer; for coordinators."""
    with services.database.writing() as session:
        product = set_official(session, principal, product_id, official=body.official)
        session.flush()
        tell_etag(response, product)
        return ProductAnswer.seen_by(principal, product)


@router.delete("/products/{product_id}", status_code=status.HTTP_204_NO_CONTENT, operation_id="delete_product")
def delete(services: CurrentServices, principal: SignedIn, product_id: ProductKey, if_match: IfMatch = None) -> None:
    """Delete a product; what was made from it keeps saying so."""
    revision = seen_revision(if_match)
    with services.database.writing() as session:
        product = product_for(session, principal, product_id, Action.DELETE)
        need_revision(session, product, revision)
        delete_product(session, principal, product.id)
