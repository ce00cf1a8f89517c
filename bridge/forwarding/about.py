"""The About Resource of an LRS: which versions of xAPI it supports (xAPI Communication 2.8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from bridge.forwarding.outcomes import Reply

SendAbout = Callable[[dict[str, str]], Awaitable[Reply]]
"""Sends a `GET about` with these headers."""
VERSION_HEADER = "X-Experience-API-Version"


class _About(msgspec.Struct):
    version: Any


async def request_about(send: SendAbout) -> Reply:
    """Request `about` without the version header, as it is not known yet, and then with it: some LRSs require one."""
    reply = await send({})
    for version in ("1.0.3", "2.0.0"):
        # 404: it has no such resource; any other answer may be better with a version
        if reply.status not in {200, 400, 406, 412, 422} or versions_of(reply):
            break
        second = await send({VERSION_HEADER: version})
        if versions_of(second):
            return second
    return reply


def versions_of(about: Reply) -> list[str]:
    """Return the versions that an LRS says it supports; none where it is not the answer of an LRS."""
    if about.status != 200:
        return []
    try:
        content = msgspec.json.decode(about.text, type=_About).version
    except (msgspec.MsgspecError, RecursionError):
        return []
    listed = content if isinstance(content, list) else [content]
    return [version for version in listed if isinstance(version, str)]


def select_version(about: Reply) -> Literal["1.0.3", "2.0.0"] | None:
    """Return 1.0.3 where the LRS supports it or has no `about`, else 2.0.0, None where it is not known yet.

    Guessing would be costly: an LRS refuses statements in a version that it does not support, and they become dead.
    """
    if about.status == 404:
        return "1.0.3"
    versions = versions_of(about)
    if any(version.startswith("1.0") for version in versions):
        return "1.0.3"
    return "2.0.0" if any(version.startswith("2.0") for version in versions) else None
