"""Reading what a request carries, before anything is known of it."""

from __future__ import annotations

import hashlib
import re

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge

from bridge.errors import MalformedBody, MalformedField, MalformedSessionId
from bridge.formats import Post
from mappings.attempt.commit import Arrival, Commit
from mappings.cmi import read

LONGEST_KEY = 200
OWN_PARAMETERS = frozenset({"token", "session_id"})
"""Parameters of a commit's address that are the bridge's; any other one is the player's."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


async def read_post(request: web.Request) -> Post:
    """Read a commit as it was posted.

    Raises:
        MalformedBody: it was cut short or is not compressed as it says.
    """
    return Post(
        await read_body(request),
        _header(request, "Content-Type") or "",
        {name: value for name, value in request.query.items() if name not in OWN_PARAMETERS},
        request.headers.get("Sec-Fetch-Mode") == "no-cors",
    )


async def read_body(request: web.Request) -> bytes:
    """Read a body whole.

    Raises:
        MalformedBody: it was cut short or is not compressed as it says.
    """
    try:
        return await request.read()
    except HTTPRequestEntityTooLarge:
        raise
    except (ContentEncodingError, web.RequestPayloadError) as error:
        raise MalformedBody(f"The body could not be read: {error}.") from None


def session_id(text: str) -> str:
    """Give a session id in its canonical form.

    Raises:
        MalformedSessionId: it is not a UUID.
    """
    if _UUID.fullmatch(text) is None:
        raise MalformedSessionId(
            f"A session id is a UUID such as 6f3c2a9e-…, not {text[:60]!r}; leave it out to get one."
        )
    return text.lower()


def arrival(request: web.Request, commit: Commit, body: bytes, received_at: int) -> Arrival:
    """Put together what is judged of a commit.

    Raises:
        MalformedField: the idempotency key is too long.
    """
    key = _header(request, "Idempotency-Key")
    if key is not None and len(key) > LONGEST_KEY:
        raise MalformedField(f"Idempotency-Key has {len(key)} characters; at most {LONGEST_KEY} are taken.")
    return Arrival(
        commit=commit,
        reading=read(commit.tree, declared=commit.scorm_version),
        digest=hashlib.sha256(body).hexdigest(),
        received_at=received_at,
        idempotency_key=key,
    )


def _header(request: web.Request, name: str) -> str | None:
    """Give a header as text that can be stored: bytes that are not UTF-8 come from aiohttp as lone surrogates."""
    value = request.headers.get(name)
    return None if value is None else value.encode(errors="replace").decode()
