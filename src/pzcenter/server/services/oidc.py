"""Signing in with an identity provider: OpenID Connect, authorization code flow with PKCE.

A browser is sent off with a state, a nonce and a challenge that are kept for it alone; what comes back must fit all
three. The ID token must be signed by the provider with one of its keys, name it and us, and be of now.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from pzcenter.errors import (
    AuthenticationError,
    PermissionDeniedError,
    PZCenterError,
    SourceUnavailableError,
)
from pzcenter.server.services.accounts import WRONG, NewSession, open_browser
from pzcenter.server.services.audit import record
from pzcenter.server.services.identities import arrive
from pzcenter.server.services.invitations import hash_of_code, open_invitation
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.providers import client_of, fetch_json, provider_named
from pzcenter.server.storage.accounts import UserState
from pzcenter.server.storage.base import now
from pzcenter.server.storage.sign_ins import SignInAttempt

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.settings import OidcProvider

__all__ = ["ATTEMPT_MINUTES", "Begun", "Finished", "begin", "finish"]

ATTEMPT_MINUTES = 15
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with a public key; neither 'none' nor those with a shared secret."""
LEEWAY_SECONDS = 60
LONGEST_SUBJECT = 255


@dataclass(frozen=True)
class Begun:
    """A browser that is to be sent to a provider.

    Attributes
    ----------
    address : str
        Where to.
    secret : str
        For a cookie, by which it is known when it comes back.
    title : str
        Of the provider.
    """

    address: str
    secret: str
    title: str


@dataclass(frozen=True)
class Finished:
    """A browser that came back.

    Attributes
    ----------
    opened : NewSession or None
        None: an identity was linked, and the session stays.
    next_path : str
        Where it wanted to go.
    """

    opened: NewSession | None
    next_path: str


def begin(
    services: Services,
    name: str,
    *,
    next_path: str = "/",
    linking: Principal | None = None,
    invitation: str | None = None,
) -> Begun:
    """Begin to sign a browser in with a provider.

    Parameters
    ----------
    services : Services
    name : str
        Short name of the provider.
    next_path : str
        Path of this server to go on to afterwards; the caller sees to it that it is one.
    linking : Principal, optional
        Who links an identity to the own account.
    invitation : str, optional
        Code that the person came with.

    Returns
    -------
    Begun

    Raises
    ------
    NotFoundError
        No such provider, or the invitation is not open.
    SourceUnavailableError
        The provider does not answer.
    """
    provider = provider_named(services.settings, name)
    metadata = services.providers.metadata(provider)
    secret, state, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 32, 32, 48))
    with client_of(provider, metadata, _redirect_uri(services, provider)) as client:
        address, _ = client.create_authorization_url(
            str(metadata["authorization_endpoint"]), state=state, nonce=nonce, code_verifier=verifier
        )
    with services.database.writing() as session:
        session.execute(delete(SignInAttempt).where(SignInAttempt.expires_at <= now()))
        if invitation is not None:
            open_invitation(session, invitation)
        session.add(
            SignInAttempt(
                hash=_hash(secret), state=_hash(state), provider=provider.name, nonce=nonce, verifier=verifier,
                next_path=next_path, user_id=None if linking is None else linking.need(Scope.WRITE),
                invitation=None if invitation is None else hash_of_code(invitation),
                expires_at=now() + timedelta(minutes=ATTEMPT_MINUTES),
            )
        )  # fmt: skip
    return Begun(str(address), secret, provider.title)


def finish(
    services: Services,
    asker: Principal,
    name: str,
    answer: dict[str, str],
    *,
    secret: str,
    old: str | None = None,
) -> Finished:
    """Sign the browser in that comes back from a provider, or link the identity that it proved.

    Parameters
    ----------
    services : Services
    asker : Principal
        Who the browser's session belongs to; nobody, if there is none.
    name : str
        Short name of the provider.
    answer : dict of str to str
        Its parameters: ``state``, ``code``, ``iss``, ``error``.
    secret : str
        Of the cookie that :func:`begin` gave.
    old : str, optional
        Secret of the session that the browser had.

    Returns
    -------
    Finished

    Raises
    ------
    AuthenticationError
        Something does not fit, or the user may not come in.
    PermissionDeniedError
        No account, or one that waits for approval.
    SourceUnavailableError
        The provider does not answer.
    """
    provider = provider_named(services.settings, name)
    attempt = _take_attempt(services, provider, secret, answer.get("state", ""))
    try:
        claims = _proven(services, provider, attempt, answer)
        if attempt.user_id is not None and attempt.user_id != asker.user_id:
            raise AuthenticationError("you are no longer signed in; sign in and link the identity again")
    except PZCenterError as error:
        with services.database.writing() as session:
            record(session, asker, "user.sign_in_failed", None, provider=provider.name, reason=str(error)[:500])
        raise
    with services.database.writing() as session:
        user = arrive(
            services, session, asker, provider, claims, link_to=attempt.user_id, invitation=attempt.invitation
        )
        user_id, state = user.id, user.state
    if attempt.user_id is not None:
        return Finished(None, attempt.next_path)
    if state is UserState.PENDING:
        raise PermissionDeniedError("your account waits for approval by a coordinator")
    if state is UserState.DISABLED:
        raise AuthenticationError(WRONG)
    opened = open_browser(services, asker, user_id, how=provider.name, old=old)
    return Finished(opened, attempt.next_path)


def _take_attempt(services: Services, provider: OidcProvider, secret: str, state: str) -> SignInAttempt:
    """The sign-in that this browser began; it is used up, whatever comes of it."""
    with services.database.writing() as session:
        attempt = session.scalar(select(SignInAttempt).where(SignInAttempt.hash == _hash(secret)).with_for_update())
        if attempt is not None:
            session.delete(attempt)
    fits = attempt is not None and secrets.compare_digest(attempt.state, _hash(state))
    if attempt is None or not fits or attempt.provider != provider.name or attempt.expires_at <= now():
        raise AuthenticationError("this sign-in was not begun by this browser, or is too old; begin again")
    return attempt


def _proven(
    services: Services, provider: OidcProvider, attempt: SignInAttempt, answer: dict[str, str]
) -> dict[str, Any]:
    """Claims of the person, checked."""
    metadata = services.providers.metadata(provider)
    if "error" in answer:
        raise AuthenticationError(f"{provider.title} did not sign you in: {answer['error'][:80]!r}")
    # Which provider answers, RFC 9207, where it says so.
    if answer.get("iss", provider.issuer) != provider.issuer:
        raise AuthenticationError("another identity provider answered than was asked")
    if metadata.get("authorization_response_iss_parameter_supported") and "iss" not in answer:
        raise AuthenticationError("the identity provider does not say who it is")
    tokens = _exchange(services, provider, metadata, attempt, answer.get("code", ""))
    claims = _checked_id_token(services, provider, tokens, attempt.nonce)
    if metadata.get("userinfo_endpoint"):
        info = fetch_json(str(metadata["userinfo_endpoint"]), str(tokens["access_token"]))
        if info.get("sub") != claims["sub"]:
            raise AuthenticationError("the identity provider speaks of two different people")
        claims = info | claims
    return claims


def _exchange(
    services: Services, provider: OidcProvider, metadata: dict[str, Any], attempt: SignInAttempt, code: str
) -> dict[str, Any]:
    import httpx2
    from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]

    with client_of(provider, metadata, _redirect_uri(services, provider)) as client:
        try:
            tokens = client.fetch_token(
                str(metadata["token_endpoint"]), grant_type="authorization_code", code=code,
                code_verifier=attempt.verifier,
            )  # fmt: skip
        except AuthlibBaseError as error:
            raise AuthenticationError(f"{provider.title} refuses the sign-in: {str(error)[:200]}") from error
        except (httpx2.HTTPError, ValueError) as error:
            raise SourceUnavailableError(f"{provider.title} does not answer: {type(error).__name__}") from error
    if not all(isinstance(tokens.get(each), str) for each in ("id_token", "access_token")):
        raise AuthenticationError(f"{provider.title} gave no ID token")
    return dict(tokens)


def _checked_id_token(services: Services, provider: OidcProvider, tokens: dict[str, Any], nonce: str) -> dict[str, Any]:
    """Claims of an ID token (OpenID Connect Core 1.0, section 3.1.3.7)."""
    from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
    from joserfc import jwt
    from joserfc.errors import InvalidKeyIdError, JoseError
    from joserfc.jws import JWSRegistry

    registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
    try:
        try:
            token = jwt.decode(tokens["id_token"], services.providers.keys(provider), registry=registry)
        except InvalidKeyIdError:
            # It signs with a new key since we last asked.
            token = jwt.decode(tokens["id_token"], services.providers.keys(provider, again=True), registry=registry)
        claims = CodeIDToken(
            token.claims, token.header,
            {
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": provider.client_id},
            },
            {"nonce": nonce, "client_id": provider.client_id, "access_token": tokens["access_token"]},
        )  # fmt: skip
        claims.validate(leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise AuthenticationError(f"the ID token of {provider.title} is not accepted: {str(error)[:200]}") from error
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise AuthenticationError(f"the ID token of {provider.title} names nobody")
    return dict(claims)


def _redirect_uri(services: Services, provider: OidcProvider) -> str:
    return f"{services.settings.base_url}/sign-in/{provider.name}/callback"


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
