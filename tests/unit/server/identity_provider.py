"""An identity provider for tests: OpenID Connect, code flow with PKCE, on a port of this machine.

It signs with an RSA or an elliptic-curve key, and misbehaves on request: see ``Provider.fault``.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Form, Header, Request
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

# Each fault, and what the server says of it.
FAULTS = {
    "wrong nonce": "nonce", "no nonce": "nonce", "wrong audience": "aud", "two audiences": "azp", "wrong issuer": "iss",
    "expired": "expired", "not yet": "future", "alg none": "not allowed", "alg HS256": "not allowed",
    "other key": "bad_signature", "another person": "two different people", "no id token": "no ID token",
    "wrong at_hash": "at_hash", "wrong iss parameter": "another identity provider", "empty subject": "names nobody",
    "token refused": "invalid_grant", "userinfo fails": "answers 401",
}  # fmt: skip


@dataclass
class Provider:
    """What the provider knows, and how it misbehaves."""

    client_id: str = "pz"
    client_secret: str | None = "a secret"
    kind: str = "RSA"
    issuer: str = ""
    person: dict = field(default_factory=lambda: {"sub": "1001", "preferred_username": "ada", "name": "Ada L."})
    """Who is signed in at the provider: the claims."""
    fault: str = ""
    codes: dict = field(default_factory=dict)
    tokens: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    """Parameters of each request to sign in."""

    def __post_init__(self):
        self.turn_key()

    def turn_key(self):
        """Sign with another key from now on."""
        name = secrets.token_hex(4)
        words = {"kid": name}
        self.key = RSAKey.generate_key(2048, words) if self.kind == "RSA" else ECKey.generate_key("P-256", words)
        self.algorithm = {"RSA": "RS256", "EC": "ES256"}[self.kind]

    def id_token(self, nonce, access_token):
        """Signed claims, wrong where a fault says so."""
        at = int(time.time())
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims = {
            "iss": self.issuer, "aud": self.client_id, "iat": at, "exp": at + 300, "nonce": nonce,
            "at_hash": _base64(half), "sub": self.person["sub"],
        }  # fmt: skip
        changes = {
            "wrong nonce": {"nonce": "another"}, "no nonce": {"nonce": None}, "wrong audience": {"aud": "another"},
            "two audiences": {"aud": [self.client_id, "another"]}, "wrong issuer": {"iss": "https://evil.example"},
            "expired": {"iat": at - 7200, "exp": at - 3600}, "not yet": {"iat": at + 7200, "exp": at + 9000},
            "wrong at_hash": {"at_hash": "AAAA"}, "empty subject": {"sub": ""},
        }  # fmt: skip
        claims = {k: v for k, v in (claims | changes.get(self.fault, {})).items() if v is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid}
        if self.fault in {"alg none", "alg HS256"}:
            unsafe = {"alg": self.fault.removeprefix("alg "), "kid": self.key.kid}
            body = f"{_base64(json.dumps(unsafe).encode())}.{_base64(json.dumps(claims).encode())}"
            # The classic confusion: the public key taken for a shared secret.
            mac = hmac.digest(self.key.as_pem(private=False), body.encode(), "sha256")
            return f"{body}.{'' if self.fault == 'alg none' else _base64(mac)}"
        if self.fault == "other key":
            stranger = RSAKey.generate_key(2048, {"kid": self.key.kid})
            return jwt.encode(header | {"alg": "RS256"}, claims, stranger)
        return jwt.encode(header, claims, self.key)


def provider_app(provider):
    """The provider as an application."""
    app = FastAPI()

    @app.get("/.well-known/openid-configuration")
    def discover():
        base = provider.issuer
        return {
            "issuer": base, "authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/jwks", "userinfo_endpoint": f"{base}/userinfo",
            "authorization_response_iss_parameter_supported": True,
        }  # fmt: skip

    @app.get("/jwks")
    def keys():
        return KeySet([provider.key]).as_dict(private=False)

    @app.get("/authorize")
    def authorize(request: Request):
        asked = dict(request.query_params)
        provider.asked.append(asked)
        answer = {"state": asked["state"], "iss": provider.issuer}
        if provider.fault == "wrong iss parameter":
            answer["iss"] = "https://evil.example"
        if provider.person:
            code = secrets.token_urlsafe(8)
            provider.codes[code] = asked
            answer["code"] = code
        else:
            answer["error"] = "access_denied"
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 303)

    @app.post("/token")
    def token(
        code: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
        client_id: Annotated[str, Form()] = "",
        authorization: Annotated[str, Header()] = "",
    ):
        asked = provider.codes.pop(code, None)
        known = client_id == provider.client_id
        if provider.client_secret is not None:
            expected = base64.b64encode(f"{provider.client_id}:{provider.client_secret}".replace(" ", "+").encode())
            plain = base64.b64encode(f"{provider.client_id}:{provider.client_secret}".encode())
            known = authorization.removeprefix("Basic ") in {expected.decode(), plain.decode()}
        if asked is None or not known or provider.fault == "token refused":
            return JSONResponse({"error": "invalid_grant"}, 400)
        challenge = _base64(hashlib.sha256(code_verifier.encode()).digest())
        if asked["code_challenge_method"] != "S256" or asked["code_challenge"] != challenge:
            return JSONResponse({"error": "invalid_grant", "error_description": "PKCE"}, 400)
        if asked["redirect_uri"] != redirect_uri:
            return JSONResponse({"error": "invalid_grant", "error_description": "redirect_uri"}, 400)
        access_token = secrets.token_urlsafe(8)
        provider.tokens[access_token] = dict(provider.person)
        body = {"access_token": access_token, "token_type": "Bearer", "expires_in": 300}
        if provider.fault != "no id token":
            body["id_token"] = provider.id_token(asked["nonce"], access_token)
        return body

    @app.get("/userinfo")
    def userinfo(authorization: Annotated[str, Header()] = ""):
        person = provider.tokens.get(authorization.removeprefix("Bearer "))
        if person is None or provider.fault == "userinfo fails":
            return JSONResponse({"error": "invalid_token"}, 401)
        return person | ({"sub": "somebody else"} if provider.fault == "another person" else {})

    return app


@contextmanager
def running(provider):
    """A provider that answers on a free port, until the block ends."""
    config = uvicorn.Config(provider_app(provider), port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the provider did not start"
        time.sleep(0.01)
    provider.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join(10)


def _base64(content):
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
