"""An OpenID Connect provider on a real port: signs in whoever comes, as whom the test says, with real signatures."""

from __future__ import annotations

import secrets
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus, urlencode

from aiohttp import web
from aiohttp.test_utils import TestServer
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core.util import create_half_hash
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from bridge.clock import Now

CLIENT = "bridge"
SECRET = "the client's secret: %/+"


@dataclass
class Provider:
    """The provider, and what it is to do.

    Attributes:
        claims: of whom it signs in; `sub` must be among them.
        forged: claims that the next ID token has instead of the right ones.
        error: what it says instead of signing in.
        key: signs; tests exchange it.
        published: the keys that it tells; by default the one that signs.
    """

    now: Now
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "7", "preferred_username": "ada", "roles": ["ops"]})
    forged: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", auto_kid=True))
    published: ECKey | None = None
    requests: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    server: TestServer = field(init=False)

    def __post_init__(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/.well-known/openid-configuration", self._discovery),
                web.get("/authorize", self._authorize),
                web.post("/token", self._token),
                web.get("/keys", self._keys),
            ]
        )
        self.server = TestServer(app)

    @property
    def issuer(self) -> str:
        """Its address."""
        return str(self.server.make_url("")).rstrip("/")

    async def _discovery(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        )

    async def _authorize(self, request: web.Request) -> web.Response:
        parameters = dict(request.query)
        self.requests.append(parameters)
        assert parameters["response_type"] == "code"
        assert parameters["code_challenge_method"] == "S256"
        answer = {"state": parameters["state"], "iss": self.issuer}
        if self.error:
            answer["error"] = self.error
        else:
            answer["code"] = secrets.token_urlsafe(16)
            self.codes[answer["code"]] = parameters
        return web.Response(status=302, headers={"Location": f"{parameters['redirect_uri']}?{urlencode(answer)}"})

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        scheme, _, encoded = request.headers["Authorization"].partition(" ")
        user, _, password = b64decode(encoded).decode().partition(":")
        parameters = self.codes.pop(str(form["code"]), None)
        if (
            scheme != "Basic"
            or (unquote_plus(user), unquote_plus(password)) != (CLIENT, SECRET)
            or parameters is None
            or form["grant_type"] != "authorization_code"
            or form["redirect_uri"] != parameters["redirect_uri"]
            or create_s256_code_challenge(str(form["code_verifier"])) != parameters["code_challenge"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        access_token, now = secrets.token_urlsafe(16), self.now() // 1000
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": parameters["nonce"],
            "at_hash": create_half_hash(access_token, "ES256").decode(),
        }
        header = {"alg": "ES256", "kid": self.key.kid}
        token = jwt.encode(header, claims | self.claims | self.forged, self.key, algorithms=["ES256"])
        return web.json_response({"access_token": access_token, "token_type": "Bearer", "id_token": token})

    async def _keys(self, _request: web.Request) -> web.Response:
        return web.json_response(KeySet([self.published or self.key]).as_dict(private=False))
