"""Asking an LRS whether it is there, at the press of a button."""

from __future__ import annotations

from typing import NamedTuple

import aiohttp
import msgspec

from bridge.forwarding.auth import Authorization
from bridge.forwarding.outcomes import Reply
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import open_session

PATIENCE = 15
"""Seconds: somebody is waiting."""
LONGEST_ANSWER = 4_000
"""Bytes of the answer that are shown."""


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
        async with open_session() as session:
            reply = await _ask(session, target)
    except TimeoutError:
        reply = Reply(None, f"no answer within {PATIENCE} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        reply = Reply(None, f"{type(error).__name__}: {error}")
    return _in_words(target, reply)


async def _ask(session: aiohttp.ClientSession, target: Target) -> Reply:
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    told = await Authorization(session, target.credentials).header()
    if isinstance(told, Reply):
        return told
    headers = {} if told is None else {"Authorization": told}
    if target.version != "auto":
        headers["X-Experience-API-Version"] = target.version
    async with session.get(
        f"{target.endpoint}about", headers=headers, allow_redirects=False, timeout=timeout
    ) as response:
        content = await response.content.read(LONGEST_ANSWER)
        return Reply(response.status, content.decode(errors="replace"), dict(response.headers))


def _in_words(target: Target, reply: Reply) -> Tested:
    if reply.status is None:
        return Tested(target.name, "no answer", "Is the endpoint right, and is the LRS running?", reply.text)
    if reply.status in {401, 403}:
        hint = "Mend the credentials, at the LRS or in the settings."
        return Tested(target.name, f"it does not let the bridge in ({reply.status})", hint, reply.text)
    if 300 <= reply.status < 400:
        hint = f"It points to {reply.headers.get('Location', 'elsewhere')}; redirects are not followed."
        return Tested(target.name, f"it redirects ({reply.status})", hint, reply.text)
    versions = _versions(reply) if reply.status == 200 else None
    if versions is None:
        hint = "This is no answer of an LRS: is the endpoint right? It ends where `statements` would follow."
        return Tested(target.name, f"it answers {reply.status}, not as an LRS does", hint, reply.text)
    hint = "Many LRSs tell this to everybody: whether it takes statements shows when the next one is sent."
    words = f"it answers, and speaks xAPI {', '.join(versions)}"
    return Tested(target.name, words, hint, "", is_well=True)


def _versions(reply: Reply) -> list[str] | None:
    try:
        told = msgspec.json.decode(reply.text, type=_About).version
    except (msgspec.MsgspecError, RecursionError):
        return None
    return [told] if isinstance(told, str) else told
