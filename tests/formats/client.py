"""Parsing bodies as the formats do, and posting them to the addresses of a whole bridge."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bridge.formats import CommitRequest, FormatRequest, detect
from mappings.attempt.commit import Commit
from tests.support.bridge import Bridge

FORM = "application/x-www-form-urlencoded"
SUSPEND_DATA = 'x"&=%+é' * 18_432
"""126 KiB in UTF-8, with all that the formats have to encode or leave alone."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content_type: str
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def read(body: str | bytes | object, **post: Any) -> tuple[str, FormatRequest]:
    """Recognise a body; return the format's name and the call. Anything but text and bytes is posted as JSON."""
    wire_format, call = detect(CommitRequest(raw(body), **post))
    return wire_format.name, call


def commit(body: str | bytes | object, **post: Any) -> Commit:
    """Recognise a body that has something to store."""
    decoded = read(body, **post)[1].commit
    assert decoded is not None
    return decoded


def raw(body: str | bytes | object) -> bytes:
    """Return a body's bytes."""
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


class FormatClient:
    """A client of one session that posts in one format, or in any."""

    def __init__(self, bridge: Bridge, opened: dict[str, Any], name: str | None) -> None:
        self.bridge = bridge
        self.session_id = opened["session_id"]
        address = urlsplit(opened["commit_url"])
        path = address.path if name is None else f"/v1/formats/{name}/sessions/{self.session_id}/commits"
        self.address = f"{path}?{address.query}"

    async def post(
        self, body: str | bytes | object, *, method: str = "POST", query: str = "", **headers: str
    ) -> Answer:
        """Post a body; headers are told with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        address = f"{self.address}&{query}" if query else self.address
        async with self.bridge.client.request(method, address, data=io.BytesIO(raw(body)), headers=named) as response:
            return Answer(response.status, response.headers["Content-Type"], await response.text())

    async def get(self, query: str = "") -> Answer:
        """Ask."""
        return await self.post(b"", method="GET", query=query)

    async def session(self) -> dict[str, Any]:
        """Return the session as the LMS sees it."""
        status, body = await self.bridge.get(f"/v1/sessions/{self.session_id}")
        assert status == 200
        return body


async def open_format_client(bridge: Bridge, name: str | None, **opening: Any) -> FormatClient:
    """Open a session and return a client of it."""
    return FormatClient(bridge, await bridge.open(**opening), name)
