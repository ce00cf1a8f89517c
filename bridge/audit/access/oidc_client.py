"""Signing in with OpenID Connect: the authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636).

Authlib and joserfc make and check what goes over the wire. Nothing is remembered between leaving and coming back:
state, nonce and verifier are made of the browser's own secret, so what was fetched in another browser is refused.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bridge.audit.access.roles import ROLES
from bridge.audit.access.signer import Signer
from bridge.clock import Now
from bridge.forwarding.auth import client_basic
from bridge.http_client import open_session, send_request, too_large
from bridge.settings import OidcSettings
from storage.accounts import NewAccount

STATE_LASTS = 600_000
"""Milliseconds that somebody has for signing in there."""
KNOWN_FOR = 3_600_000
"""Milliseconds after which the issuer is asked again for its addresses and keys."""
LEEWAY = 60
"""Seconds that the issuer's clock may be off."""
ISSUER_TIMEOUT = 15
"""Seconds that the issuer has for each answer, to its last byte."""
MAX_ISSUER_ANSWER_BYTES = 1024 * 1024
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
"""Signatures with a key pair: an ID token that anybody could have made is none."""


class OidcError(Exception):
    """The sign-in did not work out; says why, in words for who tried. `fault` is for the log."""

    def __init__(self, words: str, fault: str = "") -> None:
        super().__init__(words)
        self.fault = fault or words


class Issuer(msgspec.Struct):
    """What an issuer tells about itself (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Tokens(msgspec.Struct):
    id_token: str
    access_token: str = ""


_Told = TypeVar("_Told", Issuer, _Tokens)


class Trip(NamedTuple):
    """A way to the issuer and back: the browser's secret, the address to come back to, and the page to show then."""

    secret: str
    redirect_uri: str
    next_page: str = ""


class Oidc:
    """Signs people in at one issuer."""

    def __init__(self, settings: OidcSettings, signer: Signer, now: Now) -> None:
        self._settings = settings
        self._signer = signer
        self._now = now
        self._issuer: tuple[int, Issuer] | None = None
        self._keys: tuple[int, KeySet] | None = None

    @property
    def label(self) -> str:
        """What stands on the sign-in page."""
        return self._settings.label

    async def leave(self, trip: Trip) -> str:
        """Give the address at the issuer where a person signs in.

        Raises:
            OidcError: the issuer cannot be asked.
        """
        issuer = await self._known_issuer()
        told = [secrets.token_urlsafe(16), self._now() + STATE_LASTS, trip.next_page]
        text = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
        state = self._signer.sign(f"state of {trip.secret}", text)
        client = OAuth2Client(
            None,
            client_id=self._settings.client_id,
            redirect_uri=trip.redirect_uri,
            scope=self._settings.scope,
            code_challenge_method="S256",
        )
        address, _ = client.create_authorization_url(
            issuer.authorization_endpoint,
            state=state,
            code_verifier=self._of(trip, "verifier", state),
            nonce=self._of(trip, "nonce", state),
        )
        return str(address)

    async def come_back(self, trip: Trip, query: Mapping[str, str]) -> tuple[NewAccount, str]:
        """Give whom the issuer signed in, with the role it tells, and the page they wanted.

        Raises:
            OidcError: they were not signed in, have no role here, or the answer was not made for this browser.
        """
        state = query.get("state", "")
        next_page = self._next_page(trip, state)
        if "error" in query:
            raise OidcError("Your organisation did not sign you in.", f"the issuer says {query['error'][:100]}")
        # who answers for another issuer mixes two up (RFC 9207)
        if query.get("iss", self._settings.issuer) != self._settings.issuer or not query.get("code"):
            raise OidcError("The answer is not one of your organisation.")
        issuer = await self._known_issuer()
        tokens = await self._exchange(issuer, trip, query["code"], self._of(trip, "verifier", state))
        claims = await self._checked(issuer, tokens, self._of(trip, "nonce", state))
        return self._account(claims), next_page

    def _of(self, trip: Trip, purpose: str, state: str) -> str:
        return self._signer.seal(f"{purpose} of {trip.secret}", state)

    def _next_page(self, trip: Trip, state: str) -> str:
        text = self._signer.read(f"state of {trip.secret}", state)
        if text is None:
            raise OidcError("This was not begun in this browser. Please sign in anew.")
        _, until, next_page = json.loads(base64.urlsafe_b64decode(text))
        if until < self._now():
            raise OidcError("This took too long. Please sign in anew.")
        return str(next_page)

    async def _known_issuer(self) -> Issuer:
        if self._issuer is None or self._now() - self._issuer[0] >= KNOWN_FOR:
            address = self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = _read(await self._ask("GET", address), Issuer)
            if found.issuer != self._settings.issuer:
                raise OidcError(_AWAY, f"{address} tells of the issuer {found.issuer}")
            scheme = urlsplit(self._settings.issuer).scheme
            for one in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                if urlsplit(one).scheme not in {"https", scheme}:
                    raise OidcError(_AWAY, f"the issuer's {one} is not https")
            self._issuer = (self._now(), found)
        return self._issuer[1]

    async def _known_keys(self, issuer: Issuer, *, anew: bool = False) -> KeySet:
        if anew or self._keys is None or self._now() - self._keys[0] >= KNOWN_FOR:
            try:
                found = KeySet.import_key_set(json.loads(await self._ask("GET", issuer.jwks_uri)))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError, JoseError) as error:
                raise OidcError(_AWAY, f"the issuer's keys cannot be read: {type(error).__name__}") from None
            self._keys = (self._now(), found)
        return self._keys[1]

    async def _exchange(self, issuer: Issuer, trip: Trip, code: str, verifier: str) -> _Tokens:
        secret = self._settings.secret("client_secret")
        told = {"code": code, "code_verifier": verifier} | ({} if secret else {"client_id": self._settings.client_id})
        body = prepare_token_request("authorization_code", redirect_uri=trip.redirect_uri, **told)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if secret:
            headers["Authorization"] = client_basic(self._settings.client_id, secret)
        return _read(await self._ask("POST", issuer.token_endpoint, body=body, headers=headers), _Tokens)

    async def _checked(self, issuer: Issuer, tokens: _Tokens, nonce: str) -> dict[str, Any]:
        """Give the ID token's claims, all of which are checked as OpenID Connect Core 3.1.3.7 wants it."""
        try:
            try:
                token = jwt.decode(tokens.id_token, await self._known_keys(issuer), algorithms=ALGORITHMS)
            except (JoseError, ValueError, RecursionError):
                # signed with a key that is newer than what is known of them, it may be
                token = jwt.decode(tokens.id_token, await self._known_keys(issuer, anew=True), algorithms=ALGORITHMS)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self._settings.issuer},
                    "aud": {"essential": True, "value": self._settings.client_id},
                },
                params={"nonce": nonce, "client_id": self._settings.client_id, "access_token": tokens.access_token},
            )
            claims.validate(now=self._now() // 1000, leeway=LEEWAY)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            fault = f"the ID token is not valid: {type(error).__name__}: {error}"
            raise OidcError("The answer is not one of your organisation.", fault) from None
        return dict(claims)

    def _account(self, claims: Mapping[str, Any]) -> NewAccount:
        told = _values(claims, self._settings.role_claim)
        roles = [ROLES[role] for value, role in self._settings.roles.items() if value in told]
        subject = str(claims["sub"])
        name = str(claims.get(self._settings.name_claim) or subject)
        if not roles:
            raise OidcError(f"{name} has no role here. Ask who looks after this bridge.")
        sees_names = any(value in told for value in self._settings.sees_names)
        return NewAccount(name, max(roles).word, sees_names, None, self._settings.issuer, subject)

    async def _ask(
        self, method: str, address: str, *, body: str | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        try:
            async with open_session(timeout_seconds=ISSUER_TIMEOUT) as session:
                response = await send_request(
                    session, method, address, max_bytes=MAX_ISSUER_ANSWER_BYTES, data=body, headers=headers
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise OidcError(_AWAY, f"{address} does not answer: {type(error).__name__}") from None
        if response.status != 200:
            points = (
                f" and redirects to {response.headers.get('Location', '')[:500]!r}" if response.status < 400 else ""
            )
            raise OidcError(_AWAY, f"{address} answers {response.status}{points}")
        if response.is_truncated:
            raise OidcError(_AWAY, f"{address}: {too_large(MAX_ISSUER_ANSWER_BYTES)}")
        return response.body


_AWAY = "Your organisation's sign-in does not answer as it should. Try again later, or sign in with a password."


def _read(content: bytes, kind: type[_Told]) -> _Told:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise OidcError(_AWAY, f"an answer of the issuer is no {kind.__name__.strip('_')}") from None


def _values(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Give what a claim holds; `a.b` is the claim b inside of a, unless there is one that is called so."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for step in name.split("."):
            found = found.get(step) if isinstance(found, dict) else None
    return frozenset(one for one in (found if isinstance(found, list) else [found]) if isinstance(one, str))
