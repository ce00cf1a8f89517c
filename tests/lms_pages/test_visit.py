"""Loading a stranger's page: what is followed, what is not, and where it ends."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from bridge.lms_pages.marks import LmsProduct
from bridge.lms_pages.recognition import recognize
from bridge.lms_pages.visit import (
    MAX_PAGE_BYTES,
    MAX_REDIRECTS,
    PageVisitError,
    check_page_url,
    printable,
    visit_page,
)
from bridge.outgoing import OutgoingGuard
from tests.lms_pages import pages
from tests.lms_pages.pages import serve_page
from tests.support.http_server import LOOPBACK, cut, serve


def _redirect(location: str) -> web.Response:
    return web.Response(status=302, headers={"Location": location, "Set-Cookie": "MoodleSession=1; path=/"})


async def test_redirects_on_the_same_host_lead_to_the_page() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return pages.ILIAS.response() if request.path == "/login.php" else _redirect("/login.php?client_id=c1#top")

    async with serve(handler) as url:
        page = await visit_page(LOOPBACK, url)

    assert urlsplit(page.url)[2:] == ("/login.php", "client_id=c1", "")
    assert [answer.status for answer in page.answers] == [302, 200]
    assert recognize(page).product is LmsProduct.ILIAS


async def test_another_host_is_named_and_not_asked() -> None:
    """It would be asked by this machine, which may reach what the page's author cannot."""
    asked: list[str] = []

    async def sign_on(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return pages.OTHER.response()

    async with serve(sign_on) as elsewhere:
        other_host = elsewhere.replace("127.0.0.1", "localhost")

        async def handler(_request: web.Request) -> web.StreamResponse:
            return _redirect(f"{other_host}sso")

        async with serve(handler) as url:
            page = await visit_page(OutgoingGuard(["127.0.0.0/8", "localhost"]), url)

    assert (page.leads_to, asked) == (f"{other_host}sso", [])
    assert page.asks_to_sign_in
    assert recognize(page).product is LmsProduct.MOODLE


@pytest.mark.parametrize("location", ["ftp://lms.example.org/", "javascript:alert(1)", "/a\u202eb"])
async def test_a_redirect_to_what_is_no_page_of_the_site_is_not_followed(location: str) -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return _redirect(location)

    async with serve(handler) as url:
        page = await visit_page(LOOPBACK, url)

    assert len(page.answers) == 1
    assert page.leads_to.isprintable()


async def test_a_redirect_to_no_address_at_all_is_said_in_words() -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return _redirect("https://[")

    async with serve(handler) as url:
        with pytest.raises(PageVisitError, match="no answer that could be read"):
            await visit_page(LOOPBACK, url)


async def test_redirects_in_circles_end_with_what_was_seen() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return _redirect("/b" if request.path == "/a" else "/a")

    async with serve(handler) as url:
        page = await visit_page(LOOPBACK, f"{url}a")

    assert len(page.answers) == 2
    assert recognize(page).product is LmsProduct.MOODLE


async def test_redirects_without_end_are_followed_some_times() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return _redirect(f"{request.path}a")

    async with serve(handler) as url:
        page = await visit_page(LOOPBACK, url)

    assert len(page.answers) == MAX_REDIRECTS + 1


async def test_of_a_long_page_the_beginning_is_read() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        await response.prepare(request)
        await response.write(pages.SAKAI.html.encode())
        while True:
            await response.write(b"<p>more</p>" * 10_000)

    async with serve(handler) as url:
        page = await visit_page(LOOPBACK, url)

    assert len(page.text) == MAX_PAGE_BYTES
    assert recognize(page).product is LmsProduct.SAKAI


async def test_an_answer_that_does_not_end_is_given_up_after_a_time() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"<html>")
        assert request.transport is not None
        while not request.transport.is_closing():  # noqa: ASYNC110 -- nothing is set when a client goes
            await asyncio.sleep(0.01)
        return response

    async with serve(handler) as url:
        with pytest.raises(PageVisitError, match=r"no whole answer within 0\.2 s"):
            await visit_page(LOOPBACK, url, timeout_seconds=0.2)


async def test_an_address_that_the_settings_do_not_allow_is_not_asked() -> None:
    async with serve_page(pages.MOODLE) as url:
        with pytest.raises(PageVisitError, match=r"`allow` of \[outgoing\]") as refused:
            await visit_page(OutgoingGuard(), url)

    assert refused.value.is_forbidden


async def test_a_server_that_hangs_up_is_said_in_words() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        cut(request)
        return web.Response()

    async with serve(handler) as url:
        with pytest.raises(PageVisitError, match="no answer that could be read") as refused:
            await visit_page(LOOPBACK, url)

    assert not refused.value.is_forbidden


async def test_nothing_that_identifies_anybody_is_sent() -> None:
    seen: list[dict[str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(dict(request.headers))
        return _redirect("/next") if request.path == "/" else pages.OTHER.response()

    async with serve(handler) as url:
        await visit_page(LOOPBACK, url)

    assert len(seen) == 2
    assert {name.lower() for headers in seen for name in headers} == {
        "host", "accept", "accept-encoding", "user-agent",
    }  # fmt: skip


@pytest.mark.parametrize(
    "url", ["lms.example.org", "ftp://lms.example.org/", "https://", "https://u:p@lms.example.org/", "https://a:port/"]
)
def test_what_is_no_address_of_a_page_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|[Pp]ort"):
        check_page_url(url)


def test_what_a_stranger_wrote_does_nothing_to_a_terminal() -> None:
    assert printable("Cam\x1b[31mpus\n\r two\u202e", 20) == "Cam [31mpus two"
    assert printable("x" * 30, 20) == "x" * 19 + "…"
