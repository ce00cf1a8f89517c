"""Nobody sees a page without a sign-in and the role for it, and no form counts that is not the bridge's own."""

from __future__ import annotations

import gzip
import re

import pytest

from bridge.audit.access.cookies import COOKIE
from bridge.audit.access.roles import Role
from bridge.audit.routes import ROUTES, Route
from bridge.settings import AuditSettings
from tests.audit.conftest import Meet
from tests.support.accounts import HOME_PAGE
from tests.support.bridge import Bridge, StartBridge
from tests.support.browser import Visitor, csrf_token

OPEN = {
    ("GET", "/static/{version}/{name}"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/sign-in/oidc"),
    ("GET", "/sign-in/oidc/back"),
}
"""What is there for those who have not signed in: nothing of it shows anything stored."""
GUARDED = [route for route in ROUTES if route.role is not None]
POSTED = [route for route in ROUTES if route.method != "GET"]


def _path(route: Route) -> str:
    return "/audit" + re.sub(r"\{(\w+)(?::[^{}]*)?\}", "1", route.path)


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_only_what_signing_in_takes_is_open() -> None:
    assert {(route.method, route.path) for route in ROUTES if route.role is None} == OPEN
    assert {route.method for route in ROUTES} <= {"GET", "POST"}


def test_no_route_stands_behind_another_of_its_method() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("route", GUARDED, ids=_name)
async def test_without_a_sign_in_a_program_is_answered_401_and_a_browser_is_sent_to_sign_in(
    bridge: Bridge, meet: Meet, route: Route
) -> None:
    stranger = await meet(bridge)
    token = csrf_token(await stranger.text("/audit/sign-in"))
    for data in (None, {"csrf": token}):
        sent = await stranger.client.request(
            route.method, _path(route), data=data if route.method == "POST" else None, allow_redirects=False
        )
        assert sent.status == 401, data
        assert "Please sign in" in await sent.text(), data
    browser = {"Accept": "text/html,*/*;q=0.8"}
    sent = await stranger.client.request(route.method, _path(route), headers=browser, allow_redirects=False)

    if route.method == "GET":
        assert (sent.status, sent.headers["Location"].partition("?")[0]) == (303, "/audit/sign-in")
    else:
        assert sent.status == 401


@pytest.mark.parametrize("route", [route for route in GUARDED if route.role != Role.READER], ids=_name)
async def test_with_too_small_a_role_the_answer_is_403(
    bridge: Bridge, reader: Visitor, auditor: Visitor, route: Route
) -> None:
    people = {Role.READER: reader, Role.AUDITOR: auditor}
    for role, person in people.items():
        if route.role is not None and role < route.role:
            csrf = csrf_token(await person.text("/audit/targets"))
            data = {"csrf": csrf} if route.method == "POST" else None
            answer = await person.client.request(route.method, _path(route), data=data, allow_redirects=False)
            assert answer.status == 403, role
            assert f"has the role {role.word}" in await answer.text()


@pytest.mark.parametrize("route", POSTED, ids=_name)
async def test_a_form_without_its_browsers_own_token_is_answered_403(
    bridge: Bridge, meet: Meet, admin: Visitor, route: Route
) -> None:
    of_another = csrf_token(await (await meet(bridge, "bob", "admin")).text("/audit/targets"))
    of_before = csrf_token(await (await meet(bridge)).text("/audit/sign-in"))
    for token in ({}, {"csrf": ""}, {"csrf": of_another}, {"csrf": of_before}, {"csrf": "é"}):
        answer = await admin.client.post(_path(route), data=token, allow_redirects=False)
        assert answer.status == 403, token
        assert "belongs to another browser" in await answer.text(), token

    assert (await admin.get("/audit/targets")).status == 200


async def test_a_cookie_that_the_bridge_did_not_sign_is_none(bridge: Bridge, meet: Meet) -> None:
    visitor = await meet(bridge, "ada", "admin")
    cookie = next(entry for entry in visitor.client.cookie_jar if entry.key == COOKIE)
    for wrong in (cookie.value[:-1] + ("A" if cookie.value[-1] != "A" else "B"), "x", ".", "é", cookie.value + "."):
        stranger = await meet(bridge)
        answer = await stranger.client.get("/audit/targets", headers={"Cookie": f"{cookie.key}={wrong}"})
        assert answer.status == 401, wrong


async def test_pages_of_lmss_cannot_read_the_audit_pages_of_who_looks_at_both(bridge: Bridge, admin: Visitor) -> None:
    for path in ("/audit/targets", "/audit", "/audit/live?x", "/audit/nothing"):
        answer = await admin.client.options(
            path, headers={"Origin": HOME_PAGE, "Access-Control-Request-Method": "GET"}, allow_redirects=False
        )
        assert "Access-Control-Allow-Origin" not in answer.headers, path
    answer = await admin.get("/audit/targets", Origin=HOME_PAGE)

    assert (answer.status, "Access-Control-Allow-Origin" in answer.headers) == (200, False)


URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n%b\r\nTOKEN\r\n--x--\r\n'
ODD_FORMS = {
    "a charset nobody knows": (f"{URLENCODED}; charset=no-such", b"csrf=TOKEN"),
    "a charset of two bytes": (f"{URLENCODED}; charset=utf-16", b"csrf=TOKEN"),
    "NUL": (URLENCODED, b"csrf=TOKEN&reason=%00"),
    "NUL in a part": (MULTIPART, (PART % b"").replace(b"TOKEN", b"\0TOKEN")),
    "JSON": ("application/json", b'{"csrf":"TOKEN"}'),
    "a part for mail": (MULTIPART, PART % b"Content-Transfer-Encoding: base64\r\n"),
    "a part of a wrong encoding": (MULTIPART, PART % b"Content-Transfer-Encoding: no-such\r\n"),
    "a part with a length that is none": (MULTIPART, PART % b"Content-Length: x\r\n"),
    "a part with a header that is none": (MULTIPART, PART % b"x\r\n"),
    "a part with a folded header": (MULTIPART, PART % b"X: y\r\n z\r\n"),
    "a part without a name of its own": (MULTIPART, (PART % b"").replace(b'; name="csrf"', b"")),
    "a part that is no field": (MULTIPART, (PART % b"").replace(b"form-data", b"attachment")),
    "parts in parts": (MULTIPART, b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" * 3),
    "no end": (MULTIPART, (PART % b"").replace(b"--x--", b"")),
    "no boundary": ("multipart/form-data", PART % b""),
    "another boundary": ("multipart/form-data; boundary=y", PART % b""),
    "a boundary that is too long": (f"multipart/form-data; boundary={'x' * 100}", PART % b""),
}


@pytest.mark.parametrize("name", ODD_FORMS)
async def test_an_odd_form_is_answered_400_in_words_wherever_it_comes(
    bridge: Bridge, admin: Visitor, meet: Meet, name: str
) -> None:
    content_type, body = ODD_FORMS[name]
    stranger = await meet(bridge)
    for person, paths in ((stranger, ["/audit/sign-in"]), (admin, [_path(route) for route in POSTED])):
        csrf = csrf_token(await person.text("/audit/sign-in" if person is stranger else "/audit/targets"))
        for path in paths:
            answer = await person.client.post(
                path,
                data=body.replace(b"TOKEN", csrf.encode()),
                headers={"Content-Type": content_type},
                allow_redirects=False,
            )
            assert (answer.status, answer.content_type) == (400, "text/html"), path
            assert "Nothing was done." in await answer.text(), path


async def test_a_form_that_is_too_large_is_answered_413(bridge: Bridge, admin: Visitor) -> None:
    csrf = csrf_token(await admin.text("/audit/targets")).encode()
    for body in (b"csrf=" + csrf + b"&reason=" + b"x" * 40_000, b"csrf=" + csrf + b"&a=b" * 100):
        for path in ("/audit/sign-in", "/audit/sign-out", "/audit/targets/lrs/pause"):
            answer = await admin.client.post(
                path, data=body, headers={"Content-Type": URLENCODED}, allow_redirects=False
            )
            assert answer.status == 413, path
            assert "Nothing was done." in await answer.text(), path


async def test_a_compressed_form_is_answered_400(bridge: Bridge, admin: Visitor) -> None:
    csrf = csrf_token(await admin.text("/audit/targets"))
    headers = {"Content-Type": URLENCODED, "Content-Encoding": "gzip"}
    answer = await admin.client.post("/audit/sign-out", data=gzip.compress(f"csrf={csrf}".encode()), headers=headers)

    assert (answer.status, "compressed" in await answer.text()) == (400, True)


async def test_the_pages_can_be_switched_off(start: StartBridge) -> None:
    bridge = await start(audit=AuditSettings(enabled=False))

    for path in ("/audit", "/audit/", "/audit/sign-in"):
        assert (await bridge.client.get(path, allow_redirects=False)).status == 404
