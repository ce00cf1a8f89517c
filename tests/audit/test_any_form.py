"""Forms and filters of the audit pages made at random: each is answered, and none makes a page fail."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.audit.routes import ROUTES, Route
from storage import mapping_versions
from storage.engine import open_engine, reading
from tests.support.accounts import PASSWORD, add_account
from tests.support.browser import csrf_token
from tests.support.server import Server

CASES = {"": 150, "full": 5_000}[os.environ.get("CHAOS", "")]
"""Forms and filters made at random for each database."""
ANSWER_TIMEOUT = 30
"""Seconds after which a request counts as hanging."""
POSTED = [
    route for route in ROUTES if route.method == "POST" and route.path not in {"/sign-out", "/targets/{name}/test"}
]
LOOKED_AT = [
    route for route in ROUTES if route.method == "GET" and "live" not in route.path and "static" not in route.path
]
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
FIELDS = (
    *("name", "password", "next", "reason", "target", "state", "lms", "learner", "activity", "since", "until", "days"),
    *(
        "session",
        "number",
        "text",
        "body",
        "file",
        "after",
        "statement",
        "rule",
        "verb",
        "outcome",
        "status",
        "q",
        "from",
        "home_page",
        "origins",
        "commit",
        "expires",
        "overlap",
    ),
)
CONTENT_TYPES = (
    *(URLENCODED, MULTIPART, f"{URLENCODED}; charset=utf-8", f"{URLENCODED}; charset=utf-7", "text/plain", ""),
    *(f"{URLENCODED}; charset=no-such", "multipart/form-data", 'multipart/form-data; boundary="', "multipart/mixed"),
    *("application/json", f"multipart/form-data; boundary={'b' * 71}", "multipart/form-data; boundary=\xe9"),
)
PART_HEADERS = (
    *("", "Content-Type: text/plain; charset=no-such\r\n", "Content-Transfer-Encoding: base64\r\n", "X: \0\r\n"),
    *("Content-Type: multipart/mixed; boundary=b\r\n", "Content-Length: x\r\n", "Content-Encoding: gzip\r\n", " a\r\n"),
    *("Content-Type: application/x-www-form-urlencoded; charset=utf-16\r\n", "a\r\n", "Content-Disposition: x\r\n"),
)


@dataclass
class Served:
    """A bridge, an admin's browser, and how often it gave which status."""

    server: Server
    browser: requests.Session
    csrf: str
    version: str
    seen: Counter[int] = field(default_factory=Counter)

    def path(self, route: Route) -> str:
        path = route.path.replace("{hash}", self.version).replace("{name}", "lrs")
        return f"{self.server.url}/audit{path}".replace("{id}", "6f3c2a9e-0000-4000-8000-000000000001")


@pytest.fixture(scope="module")
def served(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(doing: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(doing, loop).result()

    server = Server(tmp_path_factory.mktemp("served"), module_database_url)
    run(server.start())
    engine = open_engine(module_database_url)
    add_account(engine, "ada")
    with reading(engine) as connection:
        version = mapping_versions.versions(connection)[0].content_hash
    engine.dispose()
    browser = requests.Session()
    sign_in = f"{server.url}/audit/sign-in"
    token = csrf_token(browser.get(sign_in, timeout=ANSWER_TIMEOUT).text)
    credentials = {"csrf": token, "name": "ada", "password": PASSWORD}
    assert browser.post(sign_in, data=credentials, timeout=ANSWER_TIMEOUT).status_code == 200
    csrf = csrf_token(browser.get(f"{server.url}/audit/targets", timeout=ANSWER_TIMEOUT).text)
    yield Served(server, browser, csrf, version)
    browser.close()
    assert run(server.stop()) == 0
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    assert "page_not_made" not in server.log
    assert "Traceback" not in server.log


texts = st.text(max_size=40) | st.sampled_from(
    [
        "\0",
        "\ud800",
        "x" * 2_000,
        "%",
        "..",
        "6f3c2a9e-0000-4000-8000-000000000001",
        "2026-01-01",
        "9" * 5_000,
        "-1",
        "dead",
    ]
)
fields = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), texts, max_size=6)


def _encoded(text: str) -> str:
    return quote_plus(text.encode(errors="surrogatepass"))


@st.composite
def forms(draw: st.DrawFn, csrf: str) -> tuple[bytes, str]:
    """Make a body and its content type: mostly forms with the browser's token, whole or with a bite taken out."""
    values = draw(fields)
    if draw(st.booleans()):
        body = "&".join(
            f"{_encoded(name)}={_encoded(value)}" for name, value in ({"csrf": csrf} | values).items()
        ).encode()
        content_type = URLENCODED
    else:
        body, content_type = b"", MULTIPART
        for name, value in ({"csrf": csrf} | values).items():
            head = f'--b\r\nContent-Disposition: form-data; name="{name}"'.encode(errors="surrogatepass")
            head += b'; filename="f"' if name == "file" else b""
            headers = "" if name == "csrf" else draw(st.sampled_from(PART_HEADERS))
            body += head + b"\r\n" + headers.encode() + b"\r\n" + value.encode(errors="surrogatepass") + b"\r\n"
        body += b"--b--\r\n"
    if draw(st.integers(0, 3)) == 0:
        begin = draw(st.integers(0, len(body)))
        body = body[:begin] + draw(st.binary(max_size=20)) + body[begin + draw(st.integers(0, 20)) :]
    if draw(st.integers(0, 3)) == 0:
        content_type = draw(st.sampled_from(CONTENT_TYPES))
    return body, content_type


LENIENT = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))


@LENIENT
@given(data=st.data())
def test_every_form_is_answered(served: Served, data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(POSTED))
    body, content_type = data.draw(forms(served.csrf))
    answer = served.browser.post(
        served.path(route),
        data=body,
        headers={"Content-Type": content_type.encode("latin-1")},
        allow_redirects=False,
        timeout=ANSWER_TIMEOUT,
    )
    served.seen[answer.status_code] += 1

    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "<h1" in answer.text


@LENIENT
@given(data=st.data())
def test_every_filter_is_answered(served: Served, data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(LOOKED_AT))
    values = data.draw(fields)
    query = "&".join(
        f"{quote(name.encode(errors='surrogatepass'))}={quote(value.encode(errors='surrogatepass')[:500])}"
        for name, value in values.items()
    )
    answer = served.browser.get(f"{served.path(route)}?{query}", allow_redirects=False, timeout=ANSWER_TIMEOUT)

    assert answer.status_code < 500, answer.text


def test_forms_were_both_taken_and_refused(served: Served) -> None:
    """Else the first test says little."""
    print(f"{served.seen.total()} forms: {sorted(served.seen.items())}")  # noqa: T201 -- `pytest -s` shows the figure

    assert served.seen[400]
    assert served.seen.keys() & {200, 303, 401, 404, 409}
