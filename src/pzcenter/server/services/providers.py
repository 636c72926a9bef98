"""Identity providers: what they say of themselves, the keys they sign with, the client that talks to them."""

from __future__ import annotations

import json
import threading
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ConfigError, NotFoundError, SourceUnavailableError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]
    from joserfc.jwk import KeySet

    from pzcenter.server.settings import OidcProvider, ServerSettings

__all__ = ["KnownProviders", "client_of", "provider_named"]

SECONDS = 10.0
"""A provider has that long for each answer."""
MOST_BYTES = 2**20
KEPT_SECONDS = 3600.0
KEYS_AGAIN_SECONDS = 60.0
"""Keys that are not known are looked for that often, not for each token with a made-up key."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def provider_named(settings: ServerSettings, name: str) -> OidcProvider:
    """The settings of a provider.

    Raises
    ------
    NotFoundError
    """
    found = next((each for each in settings.oidc if each.name == name), None)
    if found is None:
        raise NotFoundError(f"no identity provider {name!r}")
    return found


def fetch_json(address: str, token: str | None = None) -> dict[str, Any]:
    """A small JSON object from a provider.

    Parameters
    ----------
    address : str
    token : str, optional
        Access token to show.

    Returns
    -------
    dict

    Raises
    ------
    SourceUnavailableError
        No answer, a redirection, or something else than an object of at most 1 MiB.
    """
    import httpx2

    headers = {"Accept": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    body = bytearray()
    try:
        with (
            httpx2.Client(timeout=SECONDS, follow_redirects=False, trust_env=False, verify=_tls()) as client,
            client.stream("GET", address, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                raise SourceUnavailableError(f"the identity provider answers {answer.status_code}")
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    raise SourceUnavailableError(f"the identity provider sends more than {MOST_BYTES} bytes")
        found = json.loads(body)
    except (httpx2.HTTPError, ValueError) as error:
        raise SourceUnavailableError(f"the identity provider does not answer: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise SourceUnavailableError("the identity provider sends no JSON object")
    return found


class KnownProviders:
    """What providers say of themselves, kept for an hour.

    Parameters
    ----------
    fetch : callable
        Address to JSON object.
    clock : callable
        Seconds, never going back.
    """

    def __init__(
        self, fetch: Callable[[str], dict[str, Any]] = fetch_json, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def metadata(self, provider: OidcProvider) -> dict[str, Any]:
        """Discovery document (OpenID Connect Discovery 1.0, section 4).

        Parameters
        ----------
        provider : OidcProvider

        Returns
        -------
        dict

        Raises
        ------
        SourceUnavailableError
            It does not answer, speaks for somebody else, or leaves out where to go.
        """
        address = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = self._get("metadata", address, KEPT_SECONDS)
        if found.get("issuer") != provider.issuer:
            raise SourceUnavailableError(f"identity provider {provider.name!r} calls itself {found.get('issuer')!r}")
        secure = provider.issuer.startswith("https://")
        for name in ENDPOINTS:
            if not str(found.get(name, "")).startswith("https://" if secure else ("https://", "http://")):
                raise SourceUnavailableError(f"identity provider {provider.name!r} names no good {name}")
        return found

    def keys(self, provider: OidcProvider, *, again: bool = False) -> KeySet:
        """Public keys that a provider signs with.

        Parameters
        ----------
        provider : OidcProvider
        again : bool
            Ask the provider, if it was not asked in the last minute.

        Returns
        -------
        KeySet
        """
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        address = str(self.metadata(provider)["jwks_uri"])
        found = self._get("keys", address, KEYS_AGAIN_SECONDS if again else KEPT_SECONDS)
        try:
            return KeySet.import_key_set(found)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise SourceUnavailableError(f"identity provider {provider.name!r} has no good keys") from error

    def _get(self, kind: str, address: str, seconds: float) -> dict[str, Any]:
        at = self._clock()
        with self._lock:
            kept = self._kept.get((kind, address))
        if kept is not None and at - kept[0] < seconds:
            return kept[1]
        found = self._fetch(address)
        with self._lock:
            self._kept[kind, address] = (at, found)
        return found


def client_of(provider: OidcProvider, metadata: dict[str, Any], redirect_uri: str) -> OAuth2Client:
    """Authlib's client of a provider: code flow, PKCE with SHA-256.

    Parameters
    ----------
    provider : OidcProvider
    metadata : dict
    redirect_uri : str

    Returns
    -------
    OAuth2Client
        To be closed.
    """
    from authlib.integrations.httpx_client import OAuth2Client

    secret = _secret(provider)
    methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    basic = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
    return OAuth2Client(
        provider.client_id, secret, scope=" ".join(provider.scopes), redirect_uri=redirect_uri,
        token_endpoint_auth_method="none" if secret is None else basic,
        code_challenge_method="S256", timeout=SECONDS, follow_redirects=False, trust_env=False,
        verify=_tls(),
    )  # fmt: skip


@cache
def _tls() -> ssl.SSLContext:
    """Certificates to believe, read once: that takes longer than all the rest of a sign-in."""
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)


def _secret(provider: OidcProvider) -> str | None:
    if provider.client_secret_file is None:
        return None
    try:
        return provider.client_secret_file.read_text().strip()
    except OSError as error:
        raise ConfigError(f"the client secret of identity provider {provider.name!r} cannot be read") from error
