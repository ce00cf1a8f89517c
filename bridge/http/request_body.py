"""Reading what a request carries, before anything is known of it."""

from __future__ import annotations

import zlib

from aiohttp import hdrs, web
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge
from multidict import istr

from bridge.errors import BodyTooLarge, MalformedBody, MalformedField, MalformedSessionId, UnsupportedEncoding
from bridge.formats import CommitRequest
from mappings.xapi.validation.syntax import UUID_PATTERN

MAX_BODY_BYTES = 1024 * 1024
"""Bytes of a commit, packed and unpacked: suspend data alone can be 128 KiB once it is escaped as JSON."""
MAX_KEY_LENGTH = 200
OWN_PARAMETERS = frozenset({"token", "session_id"})
"""Parameters of a commit's address that are the bridge's; any other one is the player's."""

_IDEMPOTENCY_KEY = istr("Idempotency-Key")
_SEC_FETCH_MODE = istr("Sec-Fetch-Mode")


async def read_commit_request(request: web.Request) -> CommitRequest:
    """Read a commit as it was posted.

    Raises:
        BridgeError: what `read_body` says.
    """
    query = request.query
    return CommitRequest(
        await read_body(request),
        header(request, hdrs.CONTENT_TYPE) or "",
        {name: value for name, value in query.items() if name not in OWN_PARAMETERS} if query else {},
        request.headers.get(_SEC_FETCH_MODE) == "no-cors",
    )


async def read_body(request: web.Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read a body whole and unpack it; the server must leave packed bodies as they came.

    Raises:
        MalformedBody: it was cut short or is not compressed as it says.
        BodyTooLarge: it is larger than `max_bytes`, packed or unpacked.
        UnsupportedEncoding: it is compressed in a way that is not taken.
    """
    content = request.content
    if max_bytes < MAX_BODY_BYTES and (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    try:
        # all of a short one is there as soon as its head
        body = content.read_nowait() if content.is_eof() and content.exception() is None else await request.read()
    except HTTPRequestEntityTooLarge:
        body = None
    except web.RequestPayloadError as error:
        raise MalformedBody(f"The body could not be read: {error}.") from None
    if body is None or len(body) > max_bytes:
        raise _too_large(max_bytes)
    if hdrs.CONTENT_ENCODING not in request.headers or not body:
        return body
    encoding = ", ".join(request.headers.getall(hdrs.CONTENT_ENCODING)).strip().lower()
    return body if encoding in {"", "identity"} else _unpacked(body, encoding, max_bytes)


def _unpacked(body: bytes, encoding: str, max_bytes: int) -> bytes:
    if encoding in {"gzip", "x-gzip"}:
        window = 16 + zlib.MAX_WBITS
    elif encoding == "deflate":
        # many clients leave out the zlib header, whose first byte ends in 8
        window = zlib.MAX_WBITS if body[0] & 0x0F == 8 else -zlib.MAX_WBITS
    else:
        raise UnsupportedEncoding(
            f"The body's Content-Encoding is {encoding[:60]!r}; send it as it is, or compressed with gzip or deflate."
        )
    stream = zlib.decompressobj(window)
    try:
        content = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise MalformedBody(f"The body is not compressed with {encoding} as it says: {error}.") from None
    if len(content) > max_bytes:
        raise BodyTooLarge(f"The body unpacks to more than the {_size(max_bytes)} that is taken.")
    if not stream.eof or stream.unused_data:
        raise MalformedBody(f"The body, compressed with {encoding}, was cut short or is followed by something else.")
    return content


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the {_size(max_bytes)} that is taken.")


def _size(count: int) -> str:
    return "1 MiB" if count == MAX_BODY_BYTES else f"{count // 1024} KiB"


def session_id(text: str) -> str:
    """Return a session id in its canonical form.

    Raises:
        MalformedSessionId: it is not a UUID.
    """
    if UUID_PATTERN.fullmatch(text) is None:
        raise MalformedSessionId(
            f"A session id is a UUID such as 6f3c2a9e-…, not {text[:60]!r}; leave it out to get one."
        )
    return text.lower()


def idempotency_key(request: web.Request) -> str | None:
    """Return the client's own key of a commit, None where it sent none.

    Raises:
        MalformedField: it is too long.
    """
    key = (header(request, _IDEMPOTENCY_KEY) or "").strip() or None
    if key is not None and len(key) > MAX_KEY_LENGTH:
        raise MalformedField(f"Idempotency-Key has {len(key)} characters; at most {MAX_KEY_LENGTH} are taken.")
    return key


def header(request: web.Request, name: str) -> str | None:
    """Return a header as text that can be stored: bytes that are not UTF-8 come from aiohttp as lone surrogates."""
    value = request.headers.get(name)
    return value if value is None or value.isascii() else value.encode(errors="replace").decode()
