"""Testing the connection to an LRS: what it supports, and whether it lets the bridge in."""

from __future__ import annotations

from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import msgspec

from bridge.forwarding.about import select_version, versions_of
from bridge.forwarding.outcomes import Reply
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import Transport
from bridge.http_client import open_session
from bridge.outgoing import OutgoingGuard

TEST_TIMEOUT = 15
"""Seconds for each request: somebody is waiting."""
MAX_ANSWER_CHARS = 4_000
"""Characters of the answer that is shown."""


class ConnectionTestResult(NamedTuple):
    """The result in words; `hint` says what to do, or what it does not prove; `answer` is what the LRS answered.

    `clock` is the LRS's time in milliseconds since the epoch, by the answer's `Date`; None where it has none.
    """

    target: str
    summary: str
    hint: str
    answer: str
    is_success: bool = False
    clock: int | None = None


class _StatementResult(msgspec.Struct):
    statements: list[Any]


async def check_connection(target: Target, guard: OutgoingGuard) -> ConnectionTestResult:
    """Ask an LRS for its versions and for a statement, with the target's credentials.

    Only an answer to the second proves that it lets the bridge in: many LRSs tell their versions to everybody. Failures
    of the LRS or the network are results, too.
    """
    async with open_session(guard, timeout_seconds=TEST_TIMEOUT) as session:
        transport = Transport(session, target)
        about = await transport.about()
        if target.version == "auto" and select_version(about) is None:
            return _failed(target, about)
        newest = await transport.read_newest()
    if newest.status == 200 and not _is_result(newest):
        # not shown: it may be a learner's statement all the same
        return _failed(target, replace(newest, text=""))
    if newest.status != 200:
        return _failed(target, newest)
    versions = ", ".join(versions_of(about)) or target.version
    who = "without credentials" if target.credentials is None else "let in"
    hint = "It has read a statement. Whether it may store some, the next delivery will show."
    return ConnectionTestResult(
        target.name, f"connected and {who}, supports xAPI {versions}", hint, "", is_success=True, clock=_clock(newest)
    )


def _is_result(reply: Reply) -> bool:
    try:
        msgspec.json.decode(reply.text, type=_StatementResult)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _clock(reply: Reply) -> int | None:
    date = next((value for name, value in reply.headers.items() if name.lower() == "date"), "")
    try:
        return int(parsedate_to_datetime(date).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None


def _failed(target: Target, reply: Reply) -> ConnectionTestResult:
    summary, hint = _failure(reply)
    return ConnectionTestResult(target.name, summary, hint, reply.text[:MAX_ANSWER_CHARS], clock=_clock(reply))


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
        return f"unauthorized ({status})", _UNAUTHORIZED[status]
    if 300 <= status < 400:
        hint = f"It redirects to {reply.redirects_to or 'another address'}; the bridge follows no redirects."
        return f"redirected ({status})", hint
    return f"unexpected answer ({status})", _NO_LRS


_UNAUTHORIZED = {
    401: "Correct the credentials, at the LRS or in the settings.",
    403: "The LRS does not allow these credentials to read statements. Allow it, or correct them: the bridge reads a"
    " statement back where an answer was lost.",
}
_NO_LRS = "This is not an LRS's answer. Check the endpoint: it is the address that `statements` is appended to."
