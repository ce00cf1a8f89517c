"""Authentication of LMSs: by LMS tokens, and by the signed tokens in commit URLs (beacons cannot send headers)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from bridge.clock import Now
from bridge.database import Database
from bridge.errors import BadCommitToken, CommitTokenExpired, NoToken, UnknownToken
from storage import lms
from storage.lms import Lms

TOKEN_PREFIX = "sxb_"  # noqa: S105 -- so that a leaked token can be recognized
TOKEN_CACHE_TTL = 30_000
"""Milliseconds for which a valid token is cached: a revoked one works no longer than that."""


def new_token() -> str:
    """Return a new LMS token of 256 random bits (OWASP ASVS 5.0, 11.5.1 requires at least 128)."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


class LmsTokens:
    """Checks `Authorization: Bearer …` against the stored digests, with a cache."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now
        self._cache: dict[str, tuple[int, Lms]] = {}

    async def check(self, authorization: str | None) -> Lms:
        """Return the LMS of a request.

        Raises:
            NoToken: the header is missing or of another scheme.
            UnknownToken: the token is not known or was revoked.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise NoToken("Send the LMS's token in the header `Authorization: Bearer <token>`.")
        if not token.isascii():
            raise UnknownToken("This is no LMS token; `scorm-bridge tokens create` makes one.")
        digest = lms.digest(token)
        cached = self._cache.get(digest)
        if cached is not None and self._now() - cached[0] < TOKEN_CACHE_TTL:
            return cached[1]
        owner = await self._database.read(lms.by_token, digest)
        if owner is None:
            self._cache.pop(digest, None)
            raise UnknownToken("This LMS token is not known or was revoked; `scorm-bridge tokens create` makes one.")
        self._cache[digest] = (self._now(), owner)
        return owner


class CommitOwner(NamedTuple):
    """The owner of a session: the LMS's id, and a tag that stands for the learner without naming them."""

    lms_id: int
    learner_tag: str


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
        until, lms_id, learner_tag = claims.split("-")
        if int(until, 16) < self._now() // 1000:
            raise CommitTokenExpired(int(lms_id, 16))
        return CommitOwner(int(lms_id, 16), learner_tag)

    def learner_tag(self, lms_id: int, learner_id: str) -> str:
        """Return what stands for a learner in commit URLs: a keyed hash, the same in all processes."""
        who = f"{lms_id}\n{learner_id}".encode(errors="replace")
        return hashlib.blake2b(who, digest_size=8, key=self._keys[0][:64]).hexdigest()


def _signature(key: bytes, session_id: str, claims: str) -> str:
    mac = hmac.digest(key, f"commit\n{session_id}\n{claims}".encode(errors="replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
