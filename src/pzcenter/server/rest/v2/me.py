"""Who asks: rights, what is kept here, the password, identities, signing out."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.fields import Body, Identifier
from pzcenter.server.rest.v2.people_fields import Email, Line, Secret
from pzcenter.server.services.accounts import change_password
from pzcenter.server.services.identities import identities_of, unlink
from pzcenter.server.services.limits import Usage, usage_of
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.sessions import sign_out_everywhere
from pzcenter.server.services.users import edit_self
from pzcenter.server.storage.accounts import Group, Identity, Role, User
from pzcenter.server.storage.releases import Release

__all__ = ["router"]

router = APIRouter(tags=["me"])


class UsageAnswer(BaseModel):
    """What somebody keeps here, and may keep."""

    bytes_used: int
    bytes_limit: int
    bytes_left: int
    products_used: int
    products_limit: int
    products_left: int
    requests_per_minute: int

    @classmethod
    def of(cls, usage: Usage) -> UsageAnswer:
        """With what is left."""
        return cls(
            **vars(usage), bytes_left=max(0, usage.bytes_limit - usage.bytes_used),
            products_left=max(0, usage.products_limit - usage.products_used),
        )  # fmt: skip


class MeAnswer(BaseModel):
    """Who asks, and what they may do."""

    username: str
    name: str
    first_name: str
    last_name: str
    email: str | None
    role: Role
    scopes: list[Scope] = Field(description="What this token or session may be used for.")
    releases: list[str] = Field(description="Releases that you have rights to.")
    groups: list[str]
    has_password: bool
    created_at: datetime
    usage: UsageAnswer


class MeBody(Body):
    """New words about oneself; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"display_name": "Ada L."}]})

    first_name: Line = ""
    last_name: Line = ""
    display_name: Line = ""
    email: Email | None = None


class PasswordBody(Body):
    """Another password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"old": "…", "new": "three words and a number 7"}]})

    old: Secret = Field(default="", description="Not needed by somebody who has none yet.")
    new: Secret


class SignOutBody(Body):
    """What is to end."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tokens": False}]})

    tokens: bool = Field(default=False, description="Have all tokens refused as well.")


class SignedOutAnswer(BaseModel):
    """What ended."""

    sessions: int = Field(description="Browsers that were signed out.")


class IdentityAnswer(BaseModel):
    """An account at an identity provider."""

    id: int
    provider: str | None = Field(description="Its title; null where it is no longer in use here.")
    issuer: str
    subject: str
    releases: list[str] = Field(description="Releases that it claimed at the last sign-in.")
    seen_at: datetime

    @classmethod
    def of(cls, services: CurrentServices, identity: Identity) -> IdentityAnswer:
        """Of a row."""
        titles = {each.issuer: each.title for each in services.settings.oidc}
        return cls(
            id=identity.id, provider=titles.get(identity.issuer), issuer=identity.issuer, subject=identity.subject,
            releases=list(identity.claims.get("releases", [])), seen_at=identity.seen_at,
        )  # fmt: skip


@router.get("/me", operation_id="get_me")
def read(services: CurrentServices, principal: SignedIn) -> MeAnswer:
    """Who you are, what you may do, how much you keep here and may keep."""
    user_id = principal.need(Scope.READ)
    with services.database.reading() as session:
        user = session.get_one(User, user_id)
        releases = select(Release.name).where(Release.id.in_(principal.release_ids)).order_by(Release.name)
        groups = select(Group.name).where(Group.id.in_(principal.group_ids)).order_by(Group.name)
        return MeAnswer(
            username=user.username, name=user.name, first_name=user.first_name, last_name=user.last_name,
            email=user.email, role=user.role, scopes=sorted(principal.scopes), created_at=user.created_at,
            releases=list(session.scalars(releases)), groups=list(session.scalars(groups)),
            has_password=user.password_hash is not None,
            usage=UsageAnswer.of(usage_of(services, session, principal)),
        )  # fmt: skip


@router.patch("/me", operation_id="edit_me")
def edit(services: CurrentServices, principal: SignedIn, body: MeBody) -> MeAnswer:
    """Change your name or e-mail address."""
    with services.database.writing() as session:
        edit_self(session, principal, **body.model_dump(exclude_unset=True))
    return read(services, principal)


@router.put("/me/password", operation_id="set_my_password", status_code=204)
def set_password(request: Request, services: CurrentServices, principal: SignedIn, body: PasswordBody) -> None:
    """Take another password; your other browsers are signed out."""
    change_password(services, principal, body.old, body.new, keep=getattr(request.state, "session_id", None))


@router.post("/me/sign-out-everywhere", operation_id="sign_out_everywhere")
def sign_out(services: CurrentServices, principal: SignedIn, body: SignOutBody) -> SignedOutAnswer:
    """Sign all your browsers out, and on request have all tokens refused."""
    with services.database.writing() as session:
        return SignedOutAnswer(sessions=sign_out_everywhere(session, principal, tokens=body.tokens))


@router.get("/me/identities", operation_id="list_my_identities")
def identities(services: CurrentServices, principal: SignedIn) -> list[IdentityAnswer]:
    """Accounts at identity providers that you sign in with."""
    with services.database.reading() as session:
        return [IdentityAnswer.of(services, each) for each in identities_of(session, principal)]


@router.delete("/me/identities/{identity_id}", operation_id="unlink_identity", status_code=204)
def remove_identity(services: CurrentServices, principal: SignedIn, identity_id: Identifier) -> None:
    """No longer sign in with an identity; the rights that it gave are taken back."""
    with services.database.writing() as session:
        unlink(services, session, principal, identity_id)
