"""Authentication of LMSs: by LMS tokens, and by the signed tokens in commit URLs (beacons cannot send headers)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from bridge.clock import Now, format_timestamp
from bridge.database import Database
from bridge.errors import (
    BadCommitToken,
    CommitTokenExpired,
    InsufficientScope,
    NoToken,
    TokenExpired,
    UnknownToken,
)
from storage import tokens
from storage.states import TokenScope
from storage.tokens import StoredToken

TOKEN_PREFIX = "sxb_"  # noqa: S105 -- so that a leaked token can be recognized
TOKEN_CACHE_TTL = 30_000
"""Milliseconds for which a valid token is cached where no change is noticed: the database cannot be asked."""


def new_token() -> str:
    """Return a new LMS token of 256 random bits (OWASP ASVS 5.0, 11.5.1 requires at least 128)."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


class LmsTokens:
    """Checks `Authorization: Bearer …` against the stored digests, with a cache, and notes which tokens are used.

    `forget` empties the cache when a token or an LMS was changed (`bridge/token_monitor.py`).
    """

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now
        self._cache: dict[str, tuple[int, StoredToken]] = {}
        self._uses: dict[int, int] = {}
        self._changes = 0

    async def check(self, authorization: str | None, scope: TokenScope) -> StoredToken:
        """Return the token of a request, which is valid.

        Raises:
            NoToken: the header is missing or of another scheme.
            UnknownToken: the token is not known, was revoked or has expired.
            InsufficientScope: it does not have the scope.
        """
        scheme, _, secret = (authorization or "").partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise NoToken("Send the LMS's token in the header `Authorization: Bearer <token>`.")
        if not secret.isascii():
            raise UnknownToken("This is no LMS token; `scorm-bridge tokens create` makes one.")
        now, digest = self._now(), tokens.digest(secret)
        cached = self._cache.get(digest)
        token = cached[1] if cached is not None and now - cached[0] < TOKEN_CACHE_TTL else await self._load(digest)
        if token.expires_at is not None and token.expires_at <= now:
            raise TokenExpired(
                f"This LMS token expired at {format_timestamp(token.expires_at)}; `scorm-bridge tokens create` makes"
                " another one.",
                token.lms.id,
            )
        if scope not in token.scopes and TokenScope.ADMIN not in token.scopes:
            raise InsufficientScope(scope, token.lms.id)
        self._uses[token.id] = now
        return token

    def forget(self) -> None:
        """Read every token anew when it is used next."""
        self._changes += 1
        self._cache.clear()

    def take_uses(self) -> dict[int, int]:
        """Return when tokens were last used since this was called last, by their number."""
        uses, self._uses = self._uses, {}
        return uses

    async def _load(self, digest: str) -> StoredToken:
        changes = self._changes
        token = await self._database.read(tokens.by_digest, digest)
        if token is None or token.revoked_at is not None:
            self._cache.pop(digest, None)
            raise UnknownToken("This LMS token is not known or was revoked; `scorm-bridge tokens create` makes one.")
        # what was read before a change must not be kept after it
        if changes == self._changes:
            self._cache[digest] = (self._now(), token)
        return token


class CommitOwner(NamedTuple):
    """The owner of a session: the LMS's id, and a tag that stands for the learner without naming them.

    `key_id` is the number of the browser key that a page opened the session with, None where its LMS did.
    """

    lms_id: int
    learner_tag: str
    key_id: int | None = None


class CommitTokens:
    """Signs and checks the tokens in commit URLs: HMAC-SHA256 over the session, its owner, and the expiry."""

    def __init__(self, keys: Sequence[bytes], now: Now, lifetime: int) -> None:
        """Sign with the first key, check with all. `lifetime` is in seconds."""
        self._keys = tuple(keys)
        self._now = now
        self._lifetime = lifetime

    def sign(self, session_id: str, owner: CommitOwner) -> str:
        """Return the token for a session's commits."""
        until = self._now() // 1000 + self._lifetime
        claims = f"{until:x}-{owner.lms_id:x}-{owner.learner_tag}"
        if owner.key_id is not None:
            claims = f"{claims}-{owner.key_id:x}"
        return f"{claims}.{_signature(self._keys[0], session_id, claims)}"

    def check(self, session_id: str, token: str) -> CommitOwner:
        """Check the token that came with a commit, and return the owner of the session.

        Raises:
            BadCommitToken: it is for another session, or has expired.
        """
        claims, _, signature = token.partition(".")
        valid = [
            key
            for key in self._keys
            if hmac.compare_digest(_signature(key, session_id, claims).encode(), signature.encode(errors="replace"))
        ]
        if not valid:
            raise BadCommitToken("The token in the commit URL does not belong to this session; open the session again.")
        until, lms_id, learner_tag, *key_id = claims.split("-")
        if int(until, 16) < self._now() // 1000:
            raise CommitTokenExpired(int(lms_id, 16))
        return CommitOwner(int(lms_id, 16), learner_tag, int(key_id[0], 16) if key_id else None)

    def browser_owner(self, lms_id: int, learner_id: str, key_id: int | None) -> CommitOwner:
        """Return the owner of a session that a page writes: budgets count it apart from what the LMS's server sends.

        `key_id` is None where the page has no key, and the LMS's proxy mirrors what it posts.
        """
        return CommitOwner(lms_id, f"b{self.learner_tag(lms_id, learner_id)}", key_id)

    def learner_tag(self, lms_id: int, learner_id: str) -> str:
        """Return what stands for a learner in commit URLs: a keyed hash, the same in all processes."""
        who = f"{lms_id}\n{learner_id}".encode(errors="replace")
        return hashlib.blake2b(who, digest_size=8, key=self._keys[0][:64]).hexdigest()


def _signature(key: bytes, session_id: str, claims: str) -> str:
    mac = hmac.digest(key, f"commit\n{session_id}\n{claims}".encode(errors="replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
