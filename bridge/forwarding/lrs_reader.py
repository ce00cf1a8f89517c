"""Reads what an LRS has: the statements of a registration page by page, and single ones by their ids.

Trouble with the network or the LRS is waited out for some tries. Nothing is ever taken for missing because of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import msgspec

from bridge.clock import Now, format_timestamp
from bridge.forwarding.backoff import backoff_delay
from bridge.forwarding.outcomes import Reply, find_statement, retry_after
from bridge.forwarding.transport import Transport
from mappings.xapi.timestamps import parse_timestamp

PAGE_LIMIT = 200
"""Statements of a page that are asked for; an LRS may give fewer."""
MAX_TRIES = 6
"""Tries of a request, about a minute, until it is given up."""
MAX_RETRY_DELAY = 30.0
"""Seconds between two tries at most, unless the LRS asks for more."""
MAX_RETRY_AFTER = 120.0
"""Seconds that an LRS may ask to wait; who asks for more is not waited for, as somebody waits for the result."""
UNKNOWN_LAG = 60_000
"""Milliseconds after which a statement must be readable at an LRS that does not say through when it is consistent."""
CONSISTENT_THROUGH = "x-experience-api-consistent-through"
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})


class LrsReadError(Exception):
    """The LRS does not answer, or not as an LRS does; the message says what came instead."""


class Presence(NamedTuple):
    """A statement as an LRS has it; a voided one can be read by its id alone."""

    content: dict[str, Any]
    is_voided: bool


class Absence(NamedTuple):
    """An LRS does not have a statement, as far as it may have been stored by `readable_until`.

    That is in milliseconds since the epoch by our clock: what was delivered later may not be readable there yet.
    """

    readable_until: int


class RegistrationPage(NamedTuple):
    """Some statements of a registration; `is_last`: there are no others."""

    statements: list[dict[str, Any]]
    is_last: bool


class _QueryPage(msgspec.Struct):
    statements: list[dict[str, Any]]
    more: str | None = None


class LrsReader:
    """Reads statements of one LRS.

    Args:
        transport: to the LRS; keeps to its rate.
        now: returns milliseconds since the epoch.
        random: returns numbers from 0 to 1.
        sleep: waits for seconds between two tries.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        now: Now,
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._transport = transport
        self._now = now
        self._random = random
        self._sleep = sleep
        self._limit = PAGE_LIMIT
        self.requests = 0

    async def pages(self, registration: str, since: int | None) -> AsyncIterator[RegistrationPage]:
        """Yield the statements of a registration that are in force, a page at a time, the oldest first.

        `since` is the time, in milliseconds since the epoch, after which they were stored there. It ends early where a
        page cannot be read whole, or does not get on: what was not given is to be asked for by its id.

        Raises:
            LrsReadError: no page of statements came.
        """
        async for page in self._follow({"registration": registration}, since):
            if page is not None:
                yield RegistrationPage(page.statements, is_last=not page.more)

    async def listing(self, since: int | None) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield all statements that are in force, whoever sent them, a page at a time, the oldest first.

        `since` is the time, in milliseconds since the epoch, after which they were stored there. Where a page cannot be
        read whole, it begins again behind the last one, with smaller pages.

        Raises:
            LrsReadError: no page of statements came, or the list does not get on.
        """
        latest = since
        at_latest: set[str] = set()
        is_in_order = True
        while True:
            limit, is_whole = self._limit, False
            async for page in self._follow({}, since):
                if page is None:
                    break
                is_whole = not page.more
                statements = [each for each in page.statements if each.get("id") not in at_latest]
                for each in statements:
                    stored = _stored_at(each)
                    is_in_order &= latest is None or stored >= latest
                    if latest is None or stored > latest:
                        latest = stored
                        at_latest.clear()
                    if stored == latest:
                        at_latest.add(str(each.get("id")))
                yield statements
            if is_whole:
                return
            # some LRSs give the newest first: what is behind the last one is not the rest then
            if self._limit == limit or not is_in_order:
                raise LrsReadError("it does not give its list of statements to the end")
            # what was stored at the same moment may not have come yet
            since = None if latest is None else latest - 1

    async def _follow(self, query: dict[str, str], since: int | None) -> AsyncIterator[_QueryPage | None]:
        """Yield the pages of a query; last of all None, where one cannot be read whole or does not get on."""
        parameters = {**query, "limit": str(self._limit), "ascending": "true"}
        if since is not None:
            parameters["since"] = str(format_timestamp(since))
        reply = await self._read(lambda: self._transport.query(parameters))
        continued: set[str] = set()
        while not reply.is_truncated:
            page = self._page(reply)
            more = page.more
            yield page
            if not more:
                return
            if more in continued:
                yield None
                return
            continued.add(more)
            reply = await self._read(lambda more=more: self._transport.continue_query(more))  # type: ignore[misc]
        self._limit = max(1, self._limit // 2)
        yield None

    async def statement(self, statement_id: str) -> Presence | Absence:
        """Return a statement by its id, voided or not.

        Raises:
            LrsReadError: what came is no answer to that.
        """
        sent_at = self._now()
        reply = await self._read(lambda: self._transport.get(statement_id))
        if reply.is_truncated:
            return Presence({}, is_voided=False)
        content = self._single(reply, statement_id)
        if content is not None:
            return Presence(content, is_voided=False)
        # an LRS that knows no voiding may refuse the parameter
        voided = await self._read(lambda: self._transport.get(statement_id, voided=True), accepts=(400, 501))
        content = find_statement(voided.text, statement_id) if voided.status == 200 else None
        return Absence(_readable_until(reply, sent_at)) if content is None else Presence(content, is_voided=True)

    def _page(self, reply: Reply) -> _QueryPage:
        if reply.status == 200:
            try:
                return msgspec.json.decode(reply.text, type=_QueryPage)
            except (msgspec.MsgspecError, RecursionError):
                pass
        raise LrsReadError(f"asked for statements, it answered {reply.status}: {reply.text[:500]}")

    def _single(self, reply: Reply, statement_id: str) -> dict[str, Any] | None:
        """Return the statement of an answer; None where the LRS says that it has none."""
        if reply.status == 404:
            return None
        content = find_statement(reply.text, statement_id) if reply.status == 200 else None
        if content is None:
            self._page(reply)  # some answer with an empty list; what is no list is no answer
        return content

    async def _read(self, send: Callable[[], Awaitable[Reply]], accepts: tuple[int, ...] = ()) -> Reply:
        """Send a request until it is answered as an LRS does.

        Raises:
            LrsReadError: it was not, in all tries, or the LRS refuses it.
        """
        for failures in range(1, MAX_TRIES + 1):
            self.requests += 1
            reply = await send()
            if reply.is_truncated or reply.status in {200, 404, *accepts}:
                return reply
            requested = retry_after(reply, self._now())
            is_retried = reply.status is None or reply.status in _RETRIED
            if failures == MAX_TRIES or not is_retried or (requested or 0.0) > MAX_RETRY_AFTER:
                break
            await self._sleep(backoff_delay(failures + 1, self._random, requested, max_delay=MAX_RETRY_DELAY))
        raise LrsReadError(_describe(reply))


def _describe(reply: Reply) -> str:
    if reply.status is None:
        return f"it does not answer: {reply.text[:500]}"
    if reply.status in {401, 403}:
        return (
            f"it does not let the bridge read statements ({reply.status}): {reply.text[:500]}; allow these credentials"
            " to read, or correct them"
        )
    return f"it answered {reply.status}: {reply.text[:500]}"


def _readable_until(reply: Reply, sent_at: int) -> int:
    """Return through when, by our clock, what was stored could be read by a request sent at a time.

    The LRS tells by its own clock, which the answer's `Date` shows.
    """
    headers = {name.lower(): value for name, value in reply.headers.items()}
    through = parse_timestamp(headers.get(CONSISTENT_THROUGH, ""))
    if through is None:
        return sent_at - UNKNOWN_LAG
    date = _http_time(headers.get("date", ""))
    if date is None:
        return min(sent_at, through)
    # `Date` has whole seconds, and is earlier than the answer by up to one
    return sent_at if through >= date else sent_at - (date - through) - 1000


def _stored_at(statement: dict[str, Any]) -> int:
    """Return when an LRS says that it stored a statement; the epoch where it does not say it."""
    return parse_timestamp(str(statement.get("stored"))) or 0


def _http_time(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None
