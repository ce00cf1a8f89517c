"""Signing in with OpenID Connect: the authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636).

Authlib and joserfc make and check what goes over the wire. Nothing is stored between leaving and coming back: state,
nonce and verifier are derived from the browser's own secret, so an answer to another browser is refused.
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
from bridge.outgoing import OutgoingAddressError, OutgoingGuard
from bridge.settings import OidcSettings
from storage.accounts import NewAccount

STATE_TTL = 600_000
"""Milliseconds that somebody has for signing in at the issuer."""
METADATA_TTL = 3_600_000
"""Milliseconds after which the issuer is asked again for its addresses and keys."""
CLOCK_LEEWAY = 60
"""Seconds that the issuer's clock may be off."""
ISSUER_TIMEOUT = 15
"""Seconds that the issuer has for each answer, to its last byte."""
MAX_ISSUER_ANSWER_BYTES = 1024 * 1024
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
"""Signatures with a key pair: an ID token that anybody could have made proves nothing."""


class OidcError(Exception):
    """The sign-in failed; the message is for the person, `fault` for the log."""

    def __init__(self, message: str, fault: str = "") -> None:
        super().__init__(message)
        self.fault = fault or message


class IssuerMetadata(msgspec.Struct):
    """The metadata that an issuer publishes (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class TokenResponse(msgspec.Struct):
    """The answer of a token endpoint."""

    id_token: str
    access_token: str = ""


_Answer = TypeVar("_Answer", IssuerMetadata, TokenResponse)


class AuthorizationRequest(NamedTuple):
    """A sign-in at the issuer: the browser's secret, the address to return to, and the page to show then."""

    secret: str
    redirect_uri: str
    next_page: str = ""


class OidcClient:
    """Signs people in at one issuer."""

    def __init__(self, settings: OidcSettings, signer: Signer, now: Now, guard: OutgoingGuard) -> None:
        self._settings = settings
        self._signer = signer
        self._now = now
        self._guard = guard
        self._metadata: tuple[int, IssuerMetadata] | None = None
        self._keys: tuple[int, KeySet] | None = None

    @property
    def label(self) -> str:
        """The label of the button on the sign-in page."""
        return self._settings.label

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """Return the address at the issuer where a person signs in.

        Raises:
            OidcError: the issuer does not answer as it should.
        """
        metadata = await self._fetch_metadata()
        parts = [secrets.token_urlsafe(16), self._now() + STATE_TTL, request.next_page]
        text = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
        state = self._signer.sign(f"state of {request.secret}", text)
        client = OAuth2Client(
            None,
            client_id=self._settings.client_id,
            redirect_uri=request.redirect_uri,
            scope=self._settings.scope,
            code_challenge_method="S256",
        )
        address, _ = client.create_authorization_url(
            metadata.authorization_endpoint,
            state=state,
            code_verifier=self._derive(request, "verifier", state),
            nonce=self._derive(request, "nonce", state),
        )
        return str(address)

    async def fetch_account(self, request: AuthorizationRequest, query: Mapping[str, str]) -> tuple[NewAccount, str]:
        """Return the account that the issuer signed in, with the role it grants, and the page to show.

        Raises:
            OidcError: nobody was signed in, they have no role here, or the answer was not made for this browser.
        """
        state = query.get("state", "")
        next_page = self._next_page(request, state)
        if "error" in query:
            raise OidcError("Your organisation did not sign you in.", f"the issuer says {query['error'][:100]}")
        # an answer in the name of another issuer is a mix-up attack (RFC 9207)
        if query.get("iss", self._settings.issuer) != self._settings.issuer or not query.get("code"):
            raise OidcError("This answer does not come from your organisation.")
        metadata = await self._fetch_metadata()
        tokens = await self._exchange(metadata, request, query["code"], self._derive(request, "verifier", state))
        claims = await self._validated_claims(metadata, tokens, self._derive(request, "nonce", state))
        return self._account(claims), next_page

    def _derive(self, request: AuthorizationRequest, purpose: str, state: str) -> str:
        return self._signer.signature(f"{purpose} of {request.secret}", state)

    def _next_page(self, request: AuthorizationRequest, state: str) -> str:
        text = self._signer.verify(f"state of {request.secret}", state)
        if text is None:
            raise OidcError("This sign-in was started in another browser. Please sign in again.")
        _, expires_at, next_page = json.loads(base64.urlsafe_b64decode(text))
        if expires_at < self._now():
            raise OidcError("This sign-in took too long. Please sign in again.")
        return str(next_page)

    async def _fetch_metadata(self) -> IssuerMetadata:
        if self._metadata is None or self._now() - self._metadata[0] >= METADATA_TTL:
            address = self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            metadata = _decode(await self._ask("GET", address), IssuerMetadata)
            if metadata.issuer != self._settings.issuer:
                raise OidcError(_UNAVAILABLE, f"{address} names the issuer {metadata.issuer}")
            scheme = urlsplit(self._settings.issuer).scheme
            for endpoint in (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri):
                if urlsplit(endpoint).scheme not in {"https", scheme}:
                    raise OidcError(_UNAVAILABLE, f"the issuer's {endpoint} is not https")
            self._metadata = (self._now(), metadata)
        return self._metadata[1]

    async def _fetch_keys(self, metadata: IssuerMetadata, *, refresh: bool = False) -> KeySet:
        if refresh or self._keys is None or self._now() - self._keys[0] >= METADATA_TTL:
            try:
                keys = KeySet.import_key_set(json.loads(await self._ask("GET", metadata.jwks_uri)))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError, JoseError) as error:
                raise OidcError(_UNAVAILABLE, f"the issuer's keys cannot be read: {type(error).__name__}") from None
            self._keys = (self._now(), keys)
        return self._keys[1]

    async def _exchange(
        self, metadata: IssuerMetadata, request: AuthorizationRequest, code: str, verifier: str
    ) -> TokenResponse:
        secret = self._settings.secret("client_secret")
        fields = {"code": code, "code_verifier": verifier} | ({} if secret else {"client_id": self._settings.client_id})
        body = prepare_token_request("authorization_code", redirect_uri=request.redirect_uri, **fields)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if secret:
            headers["Authorization"] = client_basic(self._settings.client_id, secret)
        return _decode(await self._ask("POST", metadata.token_endpoint, body=body, headers=headers), TokenResponse)

    async def _validated_claims(self, metadata: IssuerMetadata, tokens: TokenResponse, nonce: str) -> dict[str, Any]:
        """Return the ID token's claims, validated as OpenID Connect Core 3.1.3.7 requires."""
        try:
            try:
                token = jwt.decode(tokens.id_token, await self._fetch_keys(metadata), algorithms=ALGORITHMS)
            except (JoseError, ValueError, RecursionError):
                # the key may be newer than the cached ones
                keys = await self._fetch_keys(metadata, refresh=True)
                token = jwt.decode(tokens.id_token, keys, algorithms=ALGORITHMS)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self._settings.issuer},
                    "aud": {"essential": True, "value": self._settings.client_id},
                },
                params={"nonce": nonce, "client_id": self._settings.client_id, "access_token": tokens.access_token},
            )
            claims.validate(now=self._now() // 1000, leeway=CLOCK_LEEWAY)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            fault = f"the ID token is not valid: {type(error).__name__}: {error}"
            raise OidcError("This answer does not come from your organisation.", fault) from None
        return dict(claims)

    def _account(self, claims: Mapping[str, Any]) -> NewAccount:
        values = _claim_values(claims, self._settings.role_claim)
        roles = [ROLES[role] for value, role in self._settings.roles.items() if value in values]
        subject = str(claims["sub"])
        name = str(claims.get(self._settings.name_claim) or subject)
        if not roles:
            raise OidcError(f"{name} has no role here. Ask the operator of this bridge for one.")
        sees_names = any(value in values for value in self._settings.sees_names)
        return NewAccount(name, max(roles).word, sees_names, None, self._settings.issuer, subject)

    async def _ask(
        self, method: str, address: str, *, body: str | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        try:
            async with open_session(self._guard, timeout_seconds=ISSUER_TIMEOUT) as session:
                response = await send_request(
                    session, method, address, max_bytes=MAX_ISSUER_ANSWER_BYTES, data=body, headers=headers
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise OidcError(_UNAVAILABLE, f"{address} does not answer: {_reason(error)}") from None
        if response.status != 200:
            location = response.headers.get("Location", "")[:500]
            redirects = f" and redirects to {location!r}" if response.status < 400 else ""
            raise OidcError(_UNAVAILABLE, f"{address} answers {response.status}{redirects}")
        if response.is_truncated:
            raise OidcError(_UNAVAILABLE, f"{address}: {too_large(MAX_ISSUER_ANSWER_BYTES)}")
        return response.body


def _reason(error: Exception) -> str:
    """Return why no answer came: the guard's words, and else no more than the kind of error."""
    refusal = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else None
    return str(refusal.strerror) if isinstance(refusal, OutgoingAddressError) else type(error).__name__


_UNAVAILABLE = "Your organisation's sign-in is not available. Try again later, or sign in with a password."


def _decode(content: bytes, kind: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise OidcError(_UNAVAILABLE, f"an answer of the issuer is no {kind.__name__}") from None


def _claim_values(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Return the texts of a claim; `a.b` is the claim b inside of a, unless there is one of that very name."""
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
    return frozenset(text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))
