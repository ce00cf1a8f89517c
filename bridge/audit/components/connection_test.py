"""Asking an LRS whether it is there, at the press of a button."""

from __future__ import annotations

from typing import NamedTuple

import aiohttp

from bridge.forwarding.about import versions_of
from bridge.forwarding.outcomes import Reply
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import Transport
from bridge.http_client import describe_failure, open_session

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


async def try_connection(target: Target) -> Tested:
    """Ask the LRS's `about` with the target's credentials. Never raises for what the LRS or the network does."""
    try:
        async with open_session(timeout_seconds=TEST_TIMEOUT) as session:
            reply = await Transport(session, target).about()
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        reply = Reply(None, describe_failure(error, TEST_TIMEOUT))
    return _in_words(target, reply)


def _in_words(target: Target, reply: Reply) -> Tested:
    shown = reply.text[:MAX_SHOWN]
    versions = versions_of(reply)
    if versions:
        hint = "Many LRSs tell this to everybody: whether it takes statements shows when the next one is sent."
        return Tested(target.name, f"it answers, and speaks xAPI {', '.join(versions)}", hint, "", is_well=True)
    words, hint = _trouble(reply)
    return Tested(target.name, words, hint, shown)


def _trouble(reply: Reply) -> tuple[str, str]:
    """Return what is the matter with an answer, and what to do about it."""
    status = reply.status
    if not reply.is_from_lrs:
        return "the token endpoint gives no token", "See token_url, client_id and client_secret; the LRS was not asked."
    if reply.is_truncated:
        return "it answers, but with too much to be read", _NO_LRS
    if status is None:
        return "no answer", "Is the endpoint right, and is the LRS running?"
    if status in {401, 403}:
        return f"it denies the bridge access ({status})", "Correct the credentials, at the LRS or in the settings."
    if 300 <= status < 400:
        hint = f"It points to {reply.redirects_to or 'elsewhere'}; redirects are not followed."
        return f"it redirects ({status})", hint
    return f"it answers {status}, not as an LRS does", _NO_LRS


_NO_LRS = "This is no answer of an LRS: is the endpoint right? It ends where `statements` would follow."
