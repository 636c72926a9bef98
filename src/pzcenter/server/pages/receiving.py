"""Files that a plain form sends: for browsers without scripts. With scripts they come in pieces and can go on."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from pzcenter.errors import AuthenticationError, PermissionDeniedError, PZCenterError, UsageError
from pzcenter.server.http.multipart import ReceivedForm, receive_form
from pzcenter.server.http.requests import CurrentServices, somebody_or_nobody
from pzcenter.server.pages.fields import Uid
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.principal import Principal
from pzcenter.server.services.product_files import add_file, check_quota
from pzcenter.server.services.registry import register_main_file
from pzcenter.server.storage.products import FileRole, ProductState

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services

__all__ = ["ROLES", "router"]

router = APIRouter(include_in_schema=False)
ROLES = {role.name.lower(): role for role in FileRole}


def sender(request: Request, principal: Annotated[Principal, Depends(somebody_or_nobody)]) -> Principal:
    """Who sends a form whose secret is looked at as it comes in.

    Raises
    ------
    AuthenticationError
        Nobody is signed in.
    """
    found: Principal = getattr(request.state, "unproven", principal)
    if not found.signed_in:
        raise AuthenticationError("please sign in")
    return found


@router.post("/upload/{uid}/files")
async def receive(
    request: Request, services: CurrentServices, principal: Annotated[Principal, Depends(sender)], uid: Uid
) -> Response:
    """Take a file in, and give it to the product; who may, is asked before its bytes are kept."""
    length = request.headers.get("content-length", "")

    def look(form: ReceivedForm) -> None:
        _check_secret(request, principal, form)
        _check(services, principal, uid, form, int(length) if length.isdecimal() else 0)

    await run_in_threadpool(_need_edit, services, principal, uid)
    folder = services.settings.data_dir / "incoming"
    form = await receive_form(request, folder, max_bytes=services.settings.max_upload_bytes, look=look)
    try:
        _check_secret(request, principal, form)
        return await run_in_threadpool(_keep, services, principal, uid, form)
    finally:
        form.discard()


def _check_secret(request: Request, principal: Principal, form: ReceivedForm) -> None:
    if principal.token_id is not None:
        return
    sent = form.fields.get("csrf", [""])[-1]
    if not secrets.compare_digest(sent.encode(), str(request.state.csrf).encode()):
        raise PermissionDeniedError("this form is too old, or does not come from this server; load the page again")


def _role(form: ReceivedForm) -> FileRole:
    word = form.fields.get("role", ["main"])[-1]
    if word not in ROLES:
        raise UsageError(f"role {word[:40]!r}; accepted are {', '.join(ROLES)}")
    return ROLES[word]


def _need_edit(services: Services, principal: Principal, uid: str) -> None:
    with services.database.reading() as session:
        product_for(session, principal, uid, Action.EDIT)


def _check(services: Services, principal: Principal, uid: str, form: ReceivedForm, size: int) -> None:
    wanted = Action.FILL if _role(form) is FileRole.MAIN else Action.EDIT
    with services.database.reading() as session:
        check_quota(services, session, product_for(session, principal, uid, wanted).owner_id, size)


def _keep(services: Services, principal: Principal, uid: str, form: ReceivedForm) -> Response:
    role = _role(form)
    if not form.files or form.files[0].size == 0:
        raise UsageError("no file was sent, or an empty one; choose a file")
    file = form.files[0]
    _check(services, principal, uid, form, file.size)
    content = services.store.put_file(file.path)
    with services.database.writing() as session:
        add_file(services, session, principal, uid, content, name=file.filename.replace("\0", ""), role=role)
    if role is not FileRole.MAIN:
        return go_on(f"/upload/{uid}/files")
    return go_on(f"/upload/{uid}/{'columns' if _read(services, principal, uid) else 'files'}")


def _read(services: Services, principal: Principal, uid: str) -> bool:
    """Read the new main file; what is wrong with it stands in the product."""
    try:
        register_main_file(services, principal, uid)
    except PZCenterError:
        with services.database.reading() as session:
            if product_for(session, principal, uid).state is not ProductState.FAILED:
                raise
        return False
    return True
