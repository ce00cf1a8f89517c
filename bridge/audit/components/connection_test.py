"""Testing the connection to an LRS, at the press of a button."""

from __future__ import annotations

from typing import NamedTuple

import aiohttp

from bridge.forwarding.about import versions_of
from bridge.forwarding.outcomes import Reply
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import Transport
from bridge.http_client import describe_failure, open_session
from bridge.outgoing import OutgoingGuard

TEST_TIMEOUT = 15
"""Seconds for each request: somebody is waiting."""
MAX_ANSWER_CHARS = 4_000
"""Characters of the answer that the page shows."""


class ConnectionTestResult(NamedTuple):
    """The result in words; `hint` says what to do, or what it does not prove; `answer` is what the LRS answered."""

    target: str
    summary: str
    hint: str
    answer: str
    is_success: bool = False


async def check_connection(target: Target, guard: OutgoingGuard) -> ConnectionTestResult:
    """Request the LRS's `about` with the target's credentials; failures of the LRS or the network are results, too."""
    try:
        async with open_session(guard, timeout_seconds=TEST_TIMEOUT) as session:
            reply = await Transport(session, target).about()
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        reply = Reply(None, describe_failure(error, TEST_TIMEOUT))
    return _result(target, reply)


def _result(target: Target, reply: Reply) -> ConnectionTestResult:
    answer = reply.text[:MAX_ANSWER_CHARS]
    versions = versions_of(reply)
    if versions:
        hint = "Many LRSs answer this without credentials. The next delivery will show whether it accepts statements."
        return ConnectionTestResult(
            target.name, f"connected, supports xAPI {', '.join(versions)}", hint, "", is_success=True
        )
    summary, hint = _failure(reply)
    return ConnectionTestResult(target.name, summary, hint, answer)


def _failure(reply: Reply) -> tuple[str, str]:
    """Return what is wrong with an answer, and what to do about it."""
    status = reply.status
    if not reply.is_from_lrs:
        return "no access token", "Check token_url, client_id and client_secret. The LRS itself was not contacted."
    if reply.is_truncated:
        return "the answer is too long", _NO_LRS
    if status is None:
        return "no answer", "Check the endpoint, and that the LRS is running."
    if status in {401, 403}:
        return f"unauthorized ({status})", "Correct the credentials, at the LRS or in the settings."
    if 300 <= status < 400:
        hint = f"It redirects to {reply.redirects_to or 'another address'}; the bridge follows no redirects."
        return f"redirected ({status})", hint
    return f"unexpected answer ({status})", _NO_LRS


_NO_LRS = "This is not an LRS's answer. Check the endpoint: it is the address that `statements` is appended to."
