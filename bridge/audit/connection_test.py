"""Asking an LRS whether it is there, at the press of a button."""

from __future__ import annotations

from typing import NamedTuple

import aiohttp
import msgspec

from bridge.forwarding.auth import Authorization
from bridge.forwarding.outcomes import Reply
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import MAX_ABOUT_BYTES
from bridge.http_client import describe_failure, open_session, send_request, too_large

TEST_TIMEOUT = 15
"""Seconds for each request: somebody is waiting."""
MAX_SHOWN = 4_000
"""Characters of the answer that are shown."""


class Tested(NamedTuple):
    """What came of it, in words; `hint` says what to do or what it does not prove, `answer` is what the LRS said."""

    target: str
    words: str
    hint: str
    answer: str
    is_well: bool = False


class _About(msgspec.Struct):
    version: str | list[str]


async def try_connection(target: Target) -> Tested:
    """Ask the LRS's `about` with the target's credentials. Never raises for what the LRS or the network does."""
    try:
        async with open_session(timeout_seconds=TEST_TIMEOUT) as session:
            reply = await _ask(session, target)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        reply = Reply(None, describe_failure(error, TEST_TIMEOUT))
    return _in_words(target, reply)


async def _ask(session: aiohttp.ClientSession, target: Target) -> Reply:
    told = await Authorization(session, target.credentials).header()
    if isinstance(told, Reply):
        return told
    headers = {} if told is None else {"Authorization": told}
    if target.version != "auto":
        headers["X-Experience-API-Version"] = target.version
    response = await send_request(session, "GET", f"{target.endpoint}about", max_bytes=MAX_ABOUT_BYTES, headers=headers)
    if response.is_truncated and response.status == 200:
        return Reply(None, too_large(MAX_ABOUT_BYTES), response.headers, is_truncated=True)
    return Reply(response.status, response.text, response.headers)


def _in_words(target: Target, reply: Reply) -> Tested:
    shown = reply.text[:MAX_SHOWN]
    if reply.is_truncated:
        hint = "This is no answer of an LRS: is the endpoint right? It ends where `statements` would follow."
        return Tested(target.name, "it answers, but with too much to be read", hint, shown)
    if reply.status is None:
        return Tested(target.name, "no answer", "Is the endpoint right, and is the LRS running?", shown)
    if reply.status in {401, 403}:
        hint = "Mend the credentials, at the LRS or in the settings."
        return Tested(target.name, f"it does not let the bridge in ({reply.status})", hint, shown)
    if 300 <= reply.status < 400:
        hint = f"It points to {reply.headers.get('Location', 'elsewhere')}; redirects are not followed."
        return Tested(target.name, f"it redirects ({reply.status})", hint, shown)
    versions = _versions(reply) if reply.status == 200 else None
    if versions is None:
        hint = "This is no answer of an LRS: is the endpoint right? It ends where `statements` would follow."
        return Tested(target.name, f"it answers {reply.status}, not as an LRS does", hint, shown)
    hint = "Many LRSs tell this to everybody: whether it takes statements shows when the next one is sent."
    words = f"it answers, and speaks xAPI {', '.join(versions)}"
    return Tested(target.name, words, hint, "", is_well=True)


def _versions(reply: Reply) -> list[str] | None:
    try:
        told = msgspec.json.decode(reply.text, type=_About).version
    except (msgspec.MsgspecError, RecursionError):
        return None
    return [told] if isinstance(told, str) else told
