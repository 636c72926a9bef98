"""Identities at providers: which account one belongs to, and what its claims give and take back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError
from pzcenter.server.services.approvals import make_room
from pzcenter.server.services.audit import record
from pzcenter.server.services.groups import synchronise_groups
from pzcenter.server.services.invitations import open_invitation, use_invitation
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.releases import known_releases
from pzcenter.server.services.users import EMAIL, MAX_WORDS, NewUser, add_user, free_name
from pzcenter.server.storage.accounts import Identity, User, UserState
from pzcenter.server.storage.base import now
from pzcenter.server.storage.releases import ReleaseRight

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.settings import OidcProvider

__all__ = ["arrive", "identities_of", "listed", "synchronise_rights", "unlink"]

log = logging.getLogger(__name__)
MOST_LISTED, LONGEST_WORD = 1000, 255


def arrive(
    services: Services,
    session: Session,
    asker: Principal,
    provider: OidcProvider,
    claims: dict[str, Any],
    *,
    link_to: int | None = None,
    invitation: bytes | None = None,
) -> User:
    """The account of somebody whose identity a provider has proven, with the rights that the claims give now.

    An identity is known by issuer and subject. It is never taken for an account because an e-mail address or a name
    is the same: only a person who is signed in links a second identity.

    Parameters
    ----------
    services : Services
    session : Session
        One that writes.
    asker : Principal
        Nobody, or who links.
    provider : OidcProvider
    claims : dict
        Checked ones.
    link_to : int, optional
        Id of the user who links this identity.
    invitation : bytes, optional
        Hash of the code that the person came with.

    Returns
    -------
    User
        Perhaps one who may not come in (yet): look at the state.

    Raises
    ------
    ConflictError
        The identity to be linked belongs to another account.
    PermissionDeniedError
        There is no account, and none is made.
    """
    rights = listed(claims.get(provider.rights_claim))
    key = (Identity.issuer == provider.issuer) & (Identity.subject == str(claims["sub"]))
    identity = session.scalar(select(Identity).where(key))
    if identity is None:
        user = (
            session.get_one(User, link_to)
            if link_to is not None
            else _newcomer(services, session, asker, provider, claims, invitation=invitation)
        )
        identity = Identity(user_id=user.id, issuer=provider.issuer, subject=str(claims["sub"]))
        session.add(identity)
        record(session, asker, "identity.link", ("user", user.id), provider=provider.name)
    elif link_to is not None and identity.user_id != link_to:
        raise ConflictError(f"this identity of {provider.title} belongs to another account here")
    user = session.get_one(User, identity.user_id)
    groups = [] if provider.groups_claim is None else listed(claims.get(provider.groups_claim))
    identity.claims, identity.seen_at = {"releases": rights, "groups": groups}, now()
    session.flush()
    synchronise_rights(session, asker, user, provider, rights)
    if provider.groups_claim is not None:
        left_out = synchronise_groups(session, user.id, provider.name, groups)
        if left_out:
            record(session, asker, "identity.groups_left_out", ("user", user.id), number=left_out)
    if user.state is UserState.PENDING and _admitted(session, provider, rights):
        user.state = UserState.ACTIVE
        record(session, asker, "user.admit", ("user", user.id), provider=provider.name)
    return user


def synchronise_rights(
    session: Session, asker: Principal, user: User, provider: OidcProvider, claimed: list[str]
) -> None:
    """Make the rights that a provider gives somebody what its claim lists; those of others stay.

    Parameters
    ----------
    session : Session
        One that writes.
    asker : Principal
    user : User
    provider : OidcProvider
    claimed : list of str
        Names of releases; those that are not here are noted with the identity and count for nothing.
    """
    wanted = set(known_releases(session, claimed).values())
    mine = (ReleaseRight.user_id == user.id) & (ReleaseRight.issuer == provider.issuer)
    there = set(session.scalars(select(ReleaseRight.release_id).where(mine)))
    session.execute(delete(ReleaseRight).where(mine, ReleaseRight.release_id.in_(there - wanted)))
    session.add_all(
        ReleaseRight(release_id=each, user_id=user.id, issuer=provider.issuer) for each in sorted(wanted - there)
    )
    session.flush()
    if wanted != there:
        record(
            session, asker, "identity.rights", ("user", user.id), provider=provider.name,
            given=sorted(wanted - there), taken=sorted(there - wanted),
        )  # fmt: skip


def listed(claim: Any) -> list[str]:
    """Words of a claim: a list of words, or words with blanks or commas between them.

    Parameters
    ----------
    claim : Any
        None, and anything of another kind, lists nothing.

    Returns
    -------
    list of str
        Each once, sorted, at most a thousand.
    """
    words = claim.replace(",", " ").split() if isinstance(claim, str) else claim
    if words is None:
        return []
    if not isinstance(words, list):
        log.warning("claim of an unknown kind", extra={"kind": type(words).__name__})
        return []
    good = {each for each in words if isinstance(each, str) and 0 < len(each) <= LONGEST_WORD}
    if len(good) < len(words):
        log.warning("words of a claim left out", extra={"number": len(words) - len(good)})
    return sorted(good)[:MOST_LISTED]


def identities_of(session: Session, principal: Principal) -> list[Identity]:
    """Identities that somebody signs in with."""
    mine = Identity.user_id == principal.need(Scope.READ)
    return list(session.scalars(select(Identity).where(mine).order_by(Identity.id)))


def unlink(services: Services, session: Session, principal: Principal, identity_id: int) -> None:
    """Take an identity from the own account, and the rights that it gave.

    Parameters
    ----------
    services : Services
    session : Session
        One that writes.
    principal : Principal
    identity_id : int

    Raises
    ------
    NotFoundError
        It is not the asker's.
    ConflictError
        There would be no way in left.
    """
    user_id = principal.need(Scope.WRITE)
    identity = session.get(Identity, identity_id)
    if identity is None or identity.user_id != user_id:
        raise NotFoundError(f"no identity {identity_id} of yours")
    others = session.scalar(select(func.count()).select_from(Identity).where(Identity.user_id == user_id)) or 0
    has_password = services.settings.local_accounts and session.get_one(User, user_id).password_hash is not None
    if others < 2 and not has_password:
        raise ConflictError("this is your only way in; link another identity or take a password first")
    name = next((each.name for each in services.settings.oidc if each.issuer == identity.issuer), None)
    same = (Identity.user_id == user_id) & (Identity.issuer == identity.issuer) & (Identity.id != identity.id)
    if session.scalar(select(Identity.id).where(same).limit(1)) is None:
        rights = (ReleaseRight.user_id == user_id) & (ReleaseRight.issuer == identity.issuer)
        session.execute(delete(ReleaseRight).where(rights))
        if name is not None:
            synchronise_groups(session, user_id, name, [])
    session.delete(identity)
    record(session, principal, "identity.unlink", ("user", user_id), issuer=identity.issuer)


def _newcomer(
    services: Services,
    session: Session,
    asker: Principal,
    provider: OidcProvider,
    claims: dict[str, Any],
    *,
    invitation: bytes | None,
) -> User:
    invited = None if invitation is None else open_invitation(session, invitation)
    admitted = _admitted(session, provider, listed(claims.get(provider.rights_claim)))
    queues = services.settings.registration == "approval"
    if invited is None and not admitted and not queues:
        raise PermissionDeniedError(
            f"{provider.title} knows you, but you have no account here; ask a coordinator for an invitation"
        )
    if invited is None and not admitted:
        make_room(session)
    user = add_user(session, _described(session, claims))
    record(session, asker, "user.register", ("user", user.id), name=user.username, provider=provider.name)
    if invited is not None:
        use_invitation(session, invited, user, request_id=asker.request_id)
    return user


def _admitted(session: Session, provider: OidcProvider, rights: list[str]) -> bool:
    """Whether the right to a release of this server is enough to come in."""
    return provider.admits and bool(known_releases(session, rights))


def _described(session: Session, claims: dict[str, Any]) -> NewUser:
    def word(name: str) -> str:
        value = claims.get(name)
        return "".join(letter for letter in value if letter.isprintable())[:MAX_WORDS] if isinstance(value, str) else ""

    email = word("email")
    return NewUser(
        free_name(session, word("preferred_username") or email or word("name")), first_name=word("given_name"),
        last_name=word("family_name"), display_name=word("name"), email=email if EMAIL.fullmatch(email) else None,
    )  # fmt: skip
