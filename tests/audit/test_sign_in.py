"""Signing in and out, and what ends a sign-in."""

from __future__ import annotations

import re
from http.cookies import Morsel
from typing import Literal
from urllib.parse import urlencode

import pytest
from argon2 import PasswordHasher, extract_parameters

from bridge import passwords
from bridge.audit.access.cookies import COOKIE
from bridge.audit.access.login_throttle import FREE_FAILURES, FREE_FAILURES_PER_ADDRESS, account_subject
from bridge.operations import accounts as account_operations
from bridge.operations.audit_context import AuditContext
from bridge.settings import AuditSettings
from storage import accounts
from storage.engine import reading, writing
from tests.audit.conftest import Meet
from tests.support.accounts import PASSWORD, add_account
from tests.support.bridge import Bridge, StartBridge
from tests.support.browser import Visitor, csrf_token


async def _is_in(person: Visitor) -> bool:
    return (await person.get("/audit/targets")).status == 200


def _sign_in_cookie(person: Visitor) -> Morsel[str]:
    return next(cookie for cookie in person.client.cookie_jar if cookie.key == COOKIE)


async def test_who_signs_in_comes_to_the_page_they_wanted(bridge: Bridge, meet: Meet) -> None:
    add_account(bridge.engine, "ada", "admin")
    person = await meet(bridge)
    sent = await person.get("/audit/log?by=ada&action=pause")
    form = await person.text(sent.headers["Location"])
    wanted = re.search(r'name="next" value="([^"]*)"', form)
    assert wanted is not None
    answer = await person.sign_in("ada", next=wanted[1].replace("&amp;", "&"))

    assert (answer.status, answer.headers["Location"]) == (303, "/audit/log?by=ada&action=pause")
    assert (await person.get(answer.headers["Location"])).status == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "https://elsewhere.example.org",
        "//elsewhere.example.org",
        "/audit//../..",
        "/v1/sessions",
        "/audit/\\x",
        "/audit/\r",
    ],
)
async def test_nobody_is_led_away_after_signing_in(bridge: Bridge, meet: Meet, wanted: str) -> None:
    add_account(bridge.engine, "ada", "admin")
    answer = await (await meet(bridge)).sign_in("ada", next=wanted)

    assert (answer.status, answer.headers["Location"]) == (303, "/audit/")


async def test_a_wrong_password_and_an_unknown_name_are_answered_alike(bridge: Bridge, meet: Meet) -> None:
    add_account(bridge.engine, "ada", "admin")
    person = await meet(bridge)
    answers = [await person.sign_in("ada", "wrong"), await person.sign_in("nobody", PASSWORD), await person.sign_in("")]
    assert [answer.status for answer in answers] == [401, 401, 401]
    first, second, _ = [(await answer.text()).replace("nobody", "ada") for answer in answers]
    assert first == second
    assert not await _is_in(person)


def test_an_unknown_name_costs_what_a_wrong_password_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is worked out, which no clock tells reliably: one hash of the same parameters each."""
    verified: list[str] = []

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 -- argon2's own name
            verified.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "HASHER", Watched())
    stored = passwords.hash_password(PASSWORD)

    assert not passwords.verify_password("wrong", stored)
    assert not passwords.verify_password("wrong", None)
    assert not passwords.verify_password("of nobody", None)
    assert [password_hash == stored for password_hash in verified] == [True, False, False]
    assert {str(extract_parameters(password_hash)) for password_hash in verified} == {
        str(extract_parameters(PasswordHasher().hash("x")))
    }
    assert passwords.verify_password(PASSWORD, stored)


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_forms(bridge: Bridge, meet: Meet) -> None:
    add_account(bridge.engine, "ada", "admin")
    cookie = (await (await meet(bridge)).sign_in("ada")).headers["Set-Cookie"]

    assert set(cookie.split("; ")) >= {"HttpOnly", "SameSite=Lax", "Path=/audit", "Max-Age=43200"}
    assert "Secure" not in cookie


@pytest.mark.parametrize(
    ("public_url", "behind_proxy", "forwarded", "is_secure"),
    [
        ("https://bridge.example.org", False, "", True),
        ("http://bridge.example.org", False, "https", False),
        ("", True, "https", True),
        ("", True, "http", False),
        ("", False, "https", False),
    ],
)
async def test_the_cookie_goes_over_tls_alone_where_there_is_tls(
    start: StartBridge, meet: Meet, public_url: str, *, behind_proxy: bool, forwarded: str, is_secure: bool
) -> None:
    bridge = await start(public_url=public_url, audit=AuditSettings(behind_proxy=behind_proxy))
    answer = await (await meet(bridge)).get("/audit/sign-in", **{"X-Forwarded-Proto": forwarded})

    assert ("Secure" in answer.headers["Set-Cookie"].split("; ")) is is_secure


async def test_signing_in_gives_another_secret(bridge: Bridge, meet: Meet) -> None:
    add_account(bridge.engine, "ada", "admin")
    person = await meet(bridge)
    before = csrf_token(await person.text("/audit/sign-in"))
    await person.sign_in("ada")

    assert csrf_token(await person.text("/audit/targets")) != before


async def test_signing_out_ends_the_sign_in_even_for_who_kept_the_cookie(bridge: Bridge, meet: Meet) -> None:
    person = await meet(bridge, "ada", "admin")
    cookie = _sign_in_cookie(person)
    headers = {"Cookie": f"{cookie.key}={cookie.value}"}
    stranger = await meet(bridge)

    assert (await stranger.client.get("/audit/targets", headers=headers)).status == 200
    assert (await person.post("/audit/sign-out")).headers["Location"] == "/audit/sign-in"
    assert not await _is_in(person)
    assert (await stranger.client.get("/audit/targets", headers=headers)).status == 401


async def test_a_sign_in_lasts_as_long_as_is_set(start: StartBridge, meet: Meet) -> None:
    bridge = await start(audit=AuditSettings(session_hours=2))
    person = await meet(bridge, "ada", "admin")
    bridge.clock.advance(7199)
    assert await _is_in(person)
    bridge.clock.advance(1)
    assert not await _is_in(person)


async def test_a_new_password_another_role_and_an_end_hold_from_the_next_request_on(bridge: Bridge, meet: Meet) -> None:
    ada, bob, eve = [await meet(bridge, name, "admin") for name in ("ada", "bob", "eve")]
    who = AuditContext("root", "", bridge.clock())
    with writing(bridge.engine) as connection:
        account_operations.set_password(
            connection, "ada", passwords.hash_password("another password"), who, account_subject("ada")
        )
        account_operations.set_role(connection, "bob", "reader", who, sees_names=False)
        account_operations.remove_account(connection, "eve", who)

    assert [await _is_in(person) for person in (ada, bob, eve)] == [False, True, False]
    assert (await bob.get("/audit/log")).status == 403
    assert (await ada.sign_in("ada")).status == 401
    assert (await ada.sign_in("ada", "another password")).status == 303
    assert (await eve.sign_in("eve")).status == 401


async def test_after_some_failures_an_account_may_be_tried_now_and_then_only(bridge: Bridge, meet: Meet) -> None:
    add_account(bridge.engine, "ada", "admin")
    person = await meet(bridge)
    for _ in range(FREE_FAILURES):
        assert (await person.sign_in("ada", "wrong")).status == 401
    waits = []
    for _ in range(4):
        answer = await person.sign_in("ada")
        assert answer.status == 429
        waits.append(int(answer.headers["Retry-After"]))
        bridge.clock.advance(waits[-1])
        assert (await person.sign_in("ada", "wrong")).status == 401
    assert waits == [1, 2, 4, 8]
    bridge.clock.advance(16)
    assert (await person.sign_in("ada")).status == 303
    # and is as before
    other = await meet(bridge)
    assert (await other.sign_in("ada", "wrong")).status == 401
    assert (await other.sign_in("ada")).status == 303


async def test_an_address_that_tries_many_names_is_slowed_down_whatever_it_says(bridge: Bridge, meet: Meet) -> None:
    add_account(bridge.engine, "ada", "admin")
    person = await meet(bridge)
    for number in range(FREE_FAILURES_PER_ADDRESS):
        await person.sign_in(f"name {number}", "wrong")
    answer = await person.client.post(
        "/audit/sign-in",
        data={"csrf": csrf_token(await person.text("/audit/sign-in")), "name": "ada", "password": PASSWORD},
        headers={"X-Forwarded-For": "192.0.2.1"},
        allow_redirects=False,
    )

    assert answer.status == 429


async def test_behind_a_proxy_addresses_are_those_that_the_proxy_tells(start: StartBridge, meet: Meet) -> None:
    bridge = await start(audit=AuditSettings(behind_proxy=True))
    add_account(bridge.engine, "ada", "admin")
    person = await meet(bridge)
    token = csrf_token(await person.text("/audit/sign-in"))
    for forwarded_for, status in (("192.0.2.1", 429), ("192.0.2.1, 192.0.2.2", 303)):
        for number in range(FREE_FAILURES_PER_ADDRESS):
            data = {"csrf": token, "name": f"{forwarded_for} {number}", "password": "wrong"}
            await person.client.post("/audit/sign-in", data=data, headers={"X-Forwarded-For": "192.0.2.1"})
        answer = await person.client.post(
            "/audit/sign-in",
            data={"csrf": token, "name": "ada", "password": PASSWORD},
            headers={"X-Forwarded-For": forwarded_for},
            allow_redirects=False,
        )
        assert answer.status == status


async def test_who_has_an_account_cannot_wipe_out_their_tries_at_others(bridge: Bridge, meet: Meet) -> None:
    for name in ("ada", "eve"):
        add_account(bridge.engine, name, "admin")
    person = await meet(bridge)
    statuses = []
    for number in range(FREE_FAILURES_PER_ADDRESS):
        statuses.append((await person.sign_in(f"ada {number}", "wrong")).status)
        statuses.append((await person.sign_in("eve")).status)
        if statuses[-1] == 303:
            await person.post("/audit/sign-out")
            person.client.cookie_jar.clear()

    assert statuses[-1] == 429


async def test_failures_of_long_ago_do_not_count(bridge: Bridge, meet: Meet) -> None:
    add_account(bridge.engine, "ada", "admin")
    person = await meet(bridge)
    for _ in range(FREE_FAILURES):
        await person.sign_in("ada", "wrong")
    bridge.clock.advance(24 * 3600)

    for _ in range(FREE_FAILURES - 1):
        assert (await person.sign_in("ada", "wrong")).status == 401
    assert (await person.sign_in("ada")).status == 303


async def test_a_password_of_megabytes_is_not_worked_on(bridge: Bridge, meet: Meet) -> None:
    person = await meet(bridge)

    assert (await person.sign_in("ada", "x" * 10_000)).status == 401
    assert (await person.sign_in("ada", "x" * 900_000)).status == 413


@pytest.mark.parametrize(
    "text", ["\0", "\ud800", "\U0001f600", " ", "x" * 100_000], ids=["nul", "half", "emoji", "space", "long"]
)
async def test_no_name_or_password_makes_the_page_fail(bridge: Bridge, meet: Meet, text: str) -> None:
    person = await meet(bridge)
    token = csrf_token(await person.text("/audit/sign-in"))
    for name, password in ((text, PASSWORD), ("ada", text)):
        form = urlencode({"csrf": token, "name": name, "password": password}, errors="surrogatepass")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await person.client.post("/audit/sign-in", data=form, headers=headers)
        assert answer.status == {"\0": 400, "x" * 100_000: 413}.get(text, 401), name


async def test_neither_passwords_nor_secrets_are_stored(bridge: Bridge, meet: Meet) -> None:
    person = await meet(bridge, "ada", "admin")
    cookie = _sign_in_cookie(person)
    secret = cookie.value.partition(".")[0]
    with reading(bridge.engine) as connection:
        (account,) = accounts.all_of_them(connection)
        stored = [str(row) for row in connection.exec_driver_sql("SELECT * FROM sign_in")]

    assert account.password is not None
    assert account.password.startswith("$argon2id$")
    assert PASSWORD not in account.password
    assert len(stored) == 1
    assert secret not in stored[0]
