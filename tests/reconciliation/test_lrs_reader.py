"""What an LRS answers, or does not: trouble is waited out, and nothing is called missing because of it."""

from __future__ import annotations

import pytest
from aiohttp import web

from bridge.forwarding.lrs_reader import CONSISTENT_THROUGH, LrsReader, LrsReadError
from bridge.forwarding.transport import Transport, open_session
from bridge.operations.lrs_comparison import Discrepancy
from bridge.settings import Settings
from tests.reconciliation.comparison import compare, no_sleep
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import DONE, is_settled, statements
from tests.support.lrs import GET, NO_DOCUMENTS, Lrs, StartLrs
from tests.support.waiting import wait_until


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone: what an LRS does is the same to both databases."""
    return sqlite_url


@pytest.fixture
async def bridge(start: StartBridge, lrs: Lrs) -> Bridge:
    """A bridge whose statements were delivered just now."""
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await bridge.commit(DONE)
    await wait_until(lambda: is_settled(bridge))
    return bridge


async def test_what_an_lrs_may_not_show_yet_is_not_missing(bridge: Bridge, lrs: Lrs) -> None:
    async def tell(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers[CONSISTENT_THROUGH] = "2026-01-01T00:00:00Z"
        response.headers["Date"] = "Thu, 01 Jan 2026 00:10:00 GMT"

    lrs.hooks.append(tell)
    first = statements(bridge)[0].id
    lrs.lose([first])

    # it is ten minutes behind: five minutes later, nobody knows
    bridge.clock.advance(300)
    result = await compare(bridge, lrs.settings())
    assert (result.lines, result.report.unreadable) == ([], 1)

    bridge.clock.advance(400)
    assert (await compare(bridge, lrs.settings())).ids(Discrepancy.MISSING) == [first]


@pytest.mark.parametrize("seconds", [30, 90])
async def test_where_an_lrs_does_not_say_through_when_it_is_consistent_a_minute_is_waited(
    bridge: Bridge, lrs: Lrs, seconds: int
) -> None:
    async def silence(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers.popall(CONSISTENT_THROUGH, None)

    lrs.hooks.append(silence)
    lrs.lose([statements(bridge)[0].id])
    bridge.clock.advance(seconds)

    report = (await compare(bridge, lrs.settings())).report

    assert (report.unreadable, report.discrepancies[Discrepancy.MISSING]) == ((1, 0) if seconds < 60 else (0, 1))


@pytest.mark.parametrize("status", [429, 503])
async def test_trouble_is_waited_out_and_an_lrs_that_stays_away_has_lost_nothing(
    bridge: Bridge, lrs: Lrs, status: int
) -> None:
    lrs.script(lrs.refuse(status, GET, times=3))
    assert (await compare(bridge, lrs.settings())).lines == []

    lrs.script(lrs.refuse(status, GET))
    with pytest.raises(LrsReadError, match=str(status)):
        await compare(bridge, lrs.settings())


@pytest.mark.parametrize(("status", "words"), [(401, "does not let the bridge read"), (404, "404")])
async def test_a_refusal_is_no_absence(bridge: Bridge, lrs: Lrs, status: int, words: str) -> None:
    lrs.script(lrs.refuse(status, GET))

    with pytest.raises(LrsReadError, match=words):
        await compare(bridge, lrs.settings())


async def test_a_page_that_is_put_before_the_lrs_is_no_absence(bridge: Bridge, lrs: Lrs) -> None:
    lrs.script(lrs.refuse(200, GET, body="<h1>Sign in</h1>"))

    with pytest.raises(LrsReadError, match="Sign in"):
        await compare(bridge, lrs.settings())


async def test_pages_are_followed_at_the_targets_own_server_whatever_the_lrs_calls_itself(
    start: StartBridge, start_lrs: StartLrs
) -> None:
    """As one behind a proxy does: nobody else gets the credentials."""
    lrs = await start_lrs(page_size=1)
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await bridge.commit(DONE)
    await wait_until(lambda: is_settled(bridge))
    inside = "http://lrs.invalid:8080"

    async def rename(_request: web.Request, response: web.StreamResponse) -> None:
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            response.body = response.body.replace(b'"more":"/', f'"more":"{inside}/'.encode())
            response.headers["Content-Length"] = str(len(response.body))

    lrs.hooks.append(rename)

    result = await compare(bridge, lrs.settings())

    assert result.report.equal == len(statements(bridge)) > 1
    assert result.requests >= result.report.equal


async def test_a_list_that_is_not_in_its_order_is_not_continued_behind_a_page_that_is_too_large(
    start_lrs: StartLrs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some LRSs give the newest first: behind the newest there is nothing, and nobody may think that this was all."""
    monkeypatch.setattr("bridge.forwarding.transport.MAX_CONTENT_BYTES", 500)

    async def newest_first(request: web.Request) -> web.Response:
        if "page" in request.query:
            return web.json_response({"statements": [{"id": "c", "is_long": "x" * 500}]})
        times = ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z")
        statements = [{"id": name, "stored": time} for name, time in zip("ab", times, strict=True)]
        return web.json_response({"statements": statements, "more": "/xapi/statements?page=2"})

    lrs = await start_lrs(newest_first)
    async with open_session(Settings(targets=(lrs.settings(),)).outgoing_guard()) as session:
        transport = Transport(session, lrs.target(version="1.0.3"))
        reader = LrsReader(transport, now=lambda: 0, random=lambda: 0.0, sleep=no_sleep)
        pages = reader.listing(None)

        assert [statement["id"] for statement in await anext(pages)] == ["a", "b"]
        with pytest.raises(LrsReadError, match="to the end"):
            await anext(pages)
