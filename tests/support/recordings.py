"""API calls as a page that records them sends them."""

from __future__ import annotations

import json
from typing import Any

from tests.support.accounts import START
from tests.support.bridge import Bridge
from tests.support.browser_keys import PAGE, path_of

Call = list[Any]


def call(number: int, method: str, *arguments: Any, answer: Any = "true", commit: int = 1, manner: str = "") -> Call:
    """Return a call that began 100 ms after the one before it and took 2 ms."""
    return [number, number * 100, 2, commit, method, [*arguments], answer, manner]


def calls_path(url: str) -> str:
    """Return where the calls of a session are sent, by its commit URL."""
    return path_of(url).replace("/commits?", "/calls?")


async def send_calls(
    bridge: Bridge, url: str, calls: list[Call], *, origin: str | None = PAGE, **fields: Any
) -> tuple[int, dict[str, Any]]:
    """Send calls as a page does."""
    made = max((each[0] for each in calls), default=0)
    body = json.dumps({"started_at": START, "made": made, "calls": calls} | fields)
    headers = {"Content-Type": "text/plain;charset=UTF-8"} | ({} if origin is None else {"Origin": origin})
    return await bridge.post(calls_path(url), token=None, data=body, headers=headers)
