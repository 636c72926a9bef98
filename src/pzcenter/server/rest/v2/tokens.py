"""Tokens: what programs show in place of a password."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.fields import Body
from pzcenter.server.rest.v2.people_fields import Line
from pzcenter.server.services.my_tokens import ask_token, tokens_of
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.tokens import revoke_token
from pzcenter.server.storage.accounts import Token
from pzcenter.server.storage.base import now

__all__ = ["router"]

router = APIRouter(tags=["tokens"])


class TokenBody(Body):
    """A token to be made."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "notebook", "scopes": ["read", "write"], "days": 90}]}
    )

    name: Line = Field(min_length=1, max_length=100, description="What it is for.")
    scopes: list[Scope] = Field(
        default=[Scope.READ], min_length=1, max_length=3, description="What it may be used for."
    )
    days: float | None = Field(
        default=None, gt=0, le=36_500, allow_inf_nan=False, description="How long it lives; as long as it may."
    )


class TokenAnswer(BaseModel):
    """A token, without its secret."""

    id: str
    name: str
    hint: str = Field(description="The first letters of the secret.")
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    expired: bool

    @classmethod
    def fields_of(cls, token: Token) -> dict[str, object]:
        """Values of a row."""
        names = ("name", "hint", "scopes", "created_at", "expires_at", "last_used_at")
        values = {name: getattr(token, name) for name in names}
        return values | {"id": token.uid, "expired": token.expires_at <= now()}

    @classmethod
    def of(cls, token: Token) -> TokenAnswer:
        """Of a row."""
        return cls.model_validate(cls.fields_of(token))


class NewTokenAnswer(TokenAnswer):
    """A token that was just made."""

    secret: str = Field(description="Shown this once: nobody can show it again.")


@router.get("/tokens", operation_id="list_tokens")
def read(services: CurrentServices, principal: SignedIn) -> list[TokenAnswer]:
    """Your tokens, the newest first."""
    with services.database.reading() as session:
        return [TokenAnswer.of(each) for each in tokens_of(session, principal)]


@router.post("/tokens", operation_id="make_token", status_code=201)
def make(services: CurrentServices, principal: SignedIn, body: TokenBody, response: Response) -> NewTokenAnswer:
    """Make a token; its secret is in the answer, and nowhere else."""
    response.headers["Cache-Control"] = "no-store"
    with services.database.writing() as session:
        token, secret = ask_token(services, session, principal, body.name, scopes=body.scopes, days=body.days)
        return NewTokenAnswer.model_validate(TokenAnswer.fields_of(token) | {"secret": secret})


@router.delete("/tokens/{token_id}", operation_id="revoke_token", status_code=204)
def revoke(
    services: CurrentServices, principal: SignedIn, token_id: Annotated[str, Path(pattern=r"^[0-9a-z]{1,32}$")]
) -> None:
    """Have a token refused from now on."""
    with services.database.writing() as session:
        revoke_token(session, principal, token_id)
