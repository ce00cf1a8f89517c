"""Known browsers have a lane of their own at the sign-in page, so that no stranger shuts a person out."""

from __future__ import annotations

from http.cookies import Morsel

import pytest

from bridge.audit.access.known_browsers import BROWSER_TTL, COOKIE_PREFIX
from bridge.audit.access.login_throttle import FREE_FAILURES, FREE_FAILURES_PER_ADDRESS
from bridge.settings import AuditSettings
from tests.audit.conftest import Meet
from tests.support.accounts import PASSWORD, add_account
from tests.support.bridge import Bridge, StartBridge
from tests.support.browser import Visitor, csrf_token


async def _guess(person: Visitor, name: str, times: int) -> list[int]:
    return [(await person.sign_in(name, "wrong")).status for _ in range(times)]


def _device(person: Visitor) -> Morsel[str]:
    (device,) = [cookie for cookie in person.client.cookie_jar if cookie.key.startswith(COOKIE_PREFIX)]
    return device


async def _try_with(person: Visitor, name: str, cookies: dict[str, str], password: str = PASSWORD) -> int:
    """Return the status of a try to sign in with cookies beside those that the person's browser keeps."""
    token = csrf_token(await person.text("/audit/sign-in"))
    data = {"csrf": token, "name": name, "password": password}
    url = person.client._base_url
    assert url is not None
    known_cookies = {cookie.key: cookie.value for cookie in person.client.cookie_jar}
    header = "; ".join(f"{key}={value}" for key, value in (known_cookies | cookies).items())
    answer = await person.client.post(
        "/audit/sign-in", data=data, headers={"Cookie": header}, cookies={}, allow_redirects=False
    )
    return answer.status


async def test_a_stranger_who_knows_a_name_shuts_out_strangers_and_not_the_person(bridge: Bridge, meet: Meet) -> None:
    ada = await meet(bridge, "ada", "admin")
    await ada.post("/audit/sign-out")
    stranger, other = await meet(bridge), await meet(bridge)

    assert await _guess(stranger, "ada", FREE_FAILURES + 1) == [401] * FREE_FAILURES + [429]
    assert (await other.sign_in("ada")).status == 429
    assert (await ada.sign_in("ada")).status == 303


async def test_guesses_from_the_same_network_do_not_shut_a_known_browser_out(bridge: Bridge, meet: Meet) -> None:
    ada = await meet(bridge, "ada", "admin")
    stranger = await meet(bridge)
    for number in range(FREE_FAILURES_PER_ADDRESS):
        await stranger.sign_in(f"name {number}", "wrong")

    assert (await stranger.sign_in("anybody", "wrong")).status == 429
    assert (await ada.sign_in("ada")).status == 303


async def test_a_known_browser_is_slowed_down_by_itself_and_its_success_helps_no_stranger(
    bridge: Bridge, meet: Meet
) -> None:
    ada = await meet(bridge, "ada", "admin")
    stranger = await meet(bridge)
    assert await _guess(stranger, "ada", FREE_FAILURES) == [401] * FREE_FAILURES
    assert (await ada.sign_in("ada")).status == 303
    assert (await stranger.sign_in("ada", "wrong")).status == 429
    assert await _guess(ada, "ada", FREE_FAILURES + 1) == [401] * FREE_FAILURES + [429]
    assert (await ada.sign_in("ada")).status == 429
    bridge.clock.advance(1)
    assert (await ada.sign_in("ada")).status == 303


async def test_a_browser_is_known_for_the_accounts_that_signed_in_with_it_alone(bridge: Bridge, meet: Meet) -> None:
    shared = await meet(bridge, "ada", "admin")
    add_account(bridge.engine, "bob", "admin")
    add_account(bridge.engine, "eve", "admin")
    assert (await shared.sign_in("bob")).status == 303
    stranger = await meet(bridge)
    for name in ("ada", "bob", "eve"):
        await _guess(stranger, name, FREE_FAILURES)
    assert [(await shared.sign_in(name)).status for name in ("ada", "bob", "eve")] == [303, 303, 429]


async def test_a_cookie_that_was_altered_is_of_another_account_or_ran_out_makes_no_browser_known(
    bridge: Bridge, meet: Meet
) -> None:
    ada, eve = await meet(bridge, "ada", "admin"), await meet(bridge, "eve", "reader")
    stranger = await meet(bridge)
    await _guess(stranger, "ada", FREE_FAILURES)
    name, value, foreign_value = _device(ada).key, _device(ada).value, _device(eve).value
    device, owner, rest = value.split(".", 2)
    for forged in (
        foreign_value,
        f"x{value}",
        f"{device}.{owner}.1{rest}",
        "",
        "a.b.c",
        ".".join("\u00e9" * 4),
        value[:-1],
    ):
        assert await _try_with(stranger, "ada", {name: forged}) == 429, forged
    assert await _try_with(stranger, "ada", {name: value}, "wrong") == 401, "as it is, it is taken"
    bridge.clock.advance(BROWSER_TTL)
    await _guess(stranger, "ada", FREE_FAILURES)
    assert await _try_with(stranger, "ada", {name: value}) == 429


@pytest.mark.parametrize("is_secure", [True, False])
async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    start: StartBridge, meet: Meet, *, is_secure: bool
) -> None:
    scheme = "https" if is_secure else "http"
    bridge = await start(public_url=f"{scheme}://b.example.org", audit=AuditSettings())
    add_account(bridge.engine, "ada", "admin")
    person = await meet(bridge)
    cookies = {morsel.key: morsel.value for morsel in person.client.cookie_jar}
    page = await person.get("/audit/sign-in")
    cookies = {key: morsel.value for key, morsel in page.cookies.items()}
    answer = await person.client.post(
        "/audit/sign-in",
        data={"csrf": csrf_token(await page.text()), "name": "ada", "password": PASSWORD},
        cookies=cookies,
        allow_redirects=False,
    )
    (cookie,) = [header for header in answer.headers.getall("Set-Cookie") if header.startswith(COOKIE_PREFIX)]
    parts = set(cookie.split("; "))

    assert {"HttpOnly", "SameSite=Strict", "Path=/audit/sign-in", f"Max-Age={BROWSER_TTL}"} <= parts
    assert ("Secure" in parts) is is_secure
    assert "ada" not in cookie


async def test_who_fails_to_sign_in_is_not_known(bridge: Bridge, meet: Meet) -> None:
    add_account(bridge.engine, "ada", "admin")
    person = await meet(bridge)
    answer = await person.sign_in("ada", "wrong")

    assert not [header for header in answer.headers.getall("Set-Cookie", []) if header.startswith(COOKIE_PREFIX)]


@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        ([{"X-Forwarded-For": f"2001:db8:0:1::{host:x}"} for host in range(FREE_FAILURES_PER_ADDRESS + 1)], 429),
        ([{"X-Forwarded-For": f"2001:db8:0:{net:x}::1"} for net in range(FREE_FAILURES_PER_ADDRESS + 1)], 401),
        ([{"X-Forwarded-For": f"192.0.2.1:{port}"} for port in range(4000, 4001 + FREE_FAILURES_PER_ADDRESS)], 429),
        (
            [
                {"Forwarded": f'for="[2001:db8::{port:x}]:{port}"'}
                for port in range(4000, 4001 + FREE_FAILURES_PER_ADDRESS)
            ],
            429,
        ),
        (
            [
                {"X-Forwarded-For": "198.51.100.7", "Forwarded": f"for=192.0.2.{n}"}
                for n in range(FREE_FAILURES_PER_ADDRESS + 1)
            ],
            429,
        ),
    ],
    ids=["one /64", "many /64", "ports", "Forwarded", "a second header"],
)
async def test_guesses_through_a_proxy_count_by_the_client_however_it_is_spelled(
    start: StartBridge, meet: Meet, headers: list[dict[str, str]], statuses: int
) -> None:
    bridge = await start(audit=AuditSettings(behind_proxy=True))
    person = await meet(bridge)
    token = csrf_token(await person.text("/audit/sign-in"))
    observed_statuses = []
    for number, each in enumerate(headers):
        data = {"csrf": token, "name": f"name {number}", "password": "wrong"}
        answer = await person.client.post("/audit/sign-in", data=data, headers=each, allow_redirects=False)
        observed_statuses.append(answer.status)

    assert observed_statuses == [401] * FREE_FAILURES_PER_ADDRESS + [statuses]


async def test_lines_that_a_client_adds_to_what_the_proxy_says_change_nothing(start: StartBridge, meet: Meet) -> None:
    bridge = await start(audit=AuditSettings(behind_proxy=True))
    person = await meet(bridge)
    token = csrf_token(await person.text("/audit/sign-in"))
    statuses = []
    for number in range(FREE_FAILURES_PER_ADDRESS + 1):
        data = {"csrf": token, "name": f"name {number}", "password": "wrong"}
        lines = [("X-Forwarded-For", f"192.0.2.{number}"), ("X-Forwarded-For", "198.51.100.7")]
        answer = await person.client.post("/audit/sign-in", data=data, headers=lines, allow_redirects=False)
        statuses.append(answer.status)

    assert statuses == [401] * FREE_FAILURES_PER_ADDRESS + [429]
