"""Small pages with the marks that pages of LMSs have, written for these tests, and servers that give them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.http_server import serve


@dataclass(frozen=True)
class SamplePage:
    """An answer of an LMS: what is in its head and body, its headers, and the cookies that it sets."""

    head: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()
    status: int = 200

    @property
    def html(self) -> str:
        """Return its HTML."""
        return f"<!DOCTYPE html>\n<html><head><title>Campus</title>{self.head}</head><body>{self.body}</body></html>"

    def response(self) -> web.Response:
        """Return it as a server gives it."""
        response = web.Response(
            status=self.status, text=self.html, content_type="text/html", headers=dict(self.headers)
        )
        for name in self.cookies:
            response.set_cookie(name, "0123456789abcdef", httponly=True)
        return response


SIGN_IN = '<form method="post"><input name="username"><input type="password" name="password"></form>'

MOODLE = SamplePage(
    head=(
        '<meta name="keywords" content="moodle, Campus" />'
        '<link rel="stylesheet" href="/theme/styles.php/boost/17/all" />'
        '<script>var M = {}; M.cfg = {"wwwroot":"https:\\/\\/lms.example.org","theme":"boost"};</script>'
    ),
    body='<a href="https://docs.moodle.org/405/en/mod/scorm/view">Documentation for this page</a>',
    cookies=("MoodleSession",),
)
OPEN_EDX = SamplePage(head='<meta name="openedx-release-line" content="sumac" />', body="<main>Courses</main>")
ILIAS = SamplePage(
    head='<link href="./assets/css/delos.css" rel="stylesheet">',
    body='<a href="ilias.php?baseClass=ilDashboardGUI">Home</a><footer>powered by ILIAS (v9.4 2024-09-17)</footer>',
    cookies=("PHPSESSID", "ilClientId"),
)
CHAMILO = SamplePage(
    head='<link href="https://chamilo.org/chamilo-lms/" rel="help" /><meta name="Generator" content="Chamilo 1" />',
    body='<footer>Created with <a href="https://chamilo.org">Chamilo 1.11.26</a></footer>',
    headers={"X-Powered-By": "Chamilo 1"},
    cookies=("ch_sid",),
)
SAKAI = SamplePage(
    head='<script>var portal = { "portalPath": "/portal", "loggedIn": false };</script>',
    body=(
        '<footer id="footer" class="Mrphs-footer"><p class="Mrphs-footer--nav__build">Campus - 23.3 - Sakai 23.3'
        " - Server node1</p></footer>"
    ),
    cookies=("SAKAIID",),
)
CANVAS = SamplePage(
    head='<link rel="stylesheet" href="/dist/brandable_css/new_styles/common.css" />',
    body='<div id="application" class="ic-app"></div>',
    headers={"X-Canvas-Meta": "o=login;n=new;"},
    cookies=("canvas_session",),
)
SCORM_AGAIN = SamplePage(
    head='<script src="https://cdn.example.org/npm/scorm-again@3.0.2/dist/scorm-again.js"></script>',
    body="<script>window.API = new Scorm12API({ autocommit: true });</script>",
)
SCORM_CLOUD = SamplePage(body='<script src="/ScormEngineInterface/defaultui/player/modern.js"></script>'
                         '<a href="https://app.cloud.scorm.com/sc/">Back</a>')  # fmt: skip
DOCEBO = SamplePage(head='<script src="https://cdn5.dcbstatic.com/assets/main.js"></script>')
ABSORB = SamplePage(head='<link rel="preconnect" href="https://images.myabsorb.com">')
CORNERSTONE = SamplePage(head='<script>csod.context={"corp":"campus","cultureName":"en-GB"};</script>')
OTHER = SamplePage(body="<h1>Welcome</h1>")


@asynccontextmanager
async def serve_page(page: SamplePage) -> AsyncIterator[str]:
    """Serve a page at every address; yield the server's own with a slash at its end."""

    async def handler(_request: web.Request) -> web.StreamResponse:
        return page.response()

    async with serve(handler) as url:
        yield url
