"""Signing in with OpenID Connect, at a provider on a real port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse
from joserfc.jwk import ECKey

from bridge.settings import AuditSettings, OidcSettings
from storage import accounts, audit_log
from storage.accounts import StoredAccount
from storage.engine import reading
from tests.audit.conftest import Meet
from tests.audit.oidc_provider import CLIENT, SECRET, Provider
from tests.support.accounts import add_account
from tests.support.bridge import Bridge, FakeClock, StartBridge
from tests.support.browser import Visitor


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    new_provider = Provider(FakeClock())
    await new_provider.server.start_server()
    yield new_provider
    await new_provider.server.close()


@pytest.fixture
async def bridge(start: StartBridge, provider: Provider) -> Bridge:
    """A bridge where people sign in at the provider."""
    oidc = OidcSettings(
        issuer=provider.issuer,
        client_id=CLIENT,
        client_secret=SECRET,
        roles={"ops": "admin", "teachers": "reader", "trainers": "reader"},
        sees_names=("trainers",),
    )
    started = await start(audit=AuditSettings(oidc=oidc))
    provider.now = started.clock
    return started


async def _to_the_provider(person: Visitor, next_page: str = "") -> str:
    """Return the address that the provider sends a person back to."""
    redirect = await person.get(f"/audit/sign-in/oidc{next_page and '?next=' + next_page}")
    assert redirect.status == 303, await redirect.text()
    answer = await person.client.get(redirect.headers["Location"], allow_redirects=False)
    return answer.headers["Location"]


async def _sign_in(person: Visitor, next_page: str = "") -> ClientResponse:
    return await person.get(await _to_the_provider(person, next_page))


def _account(bridge: Bridge, name: str = "ada") -> StoredAccount | None:
    with reading(bridge.engine) as connection:
        return accounts.by_name(connection, name)


async def test_who_the_provider_signs_in_is_signed_in_with_the_role_it_tells(
    bridge: Bridge, meet: Meet, provider: Provider
) -> None:
    person = await meet(bridge)
    assert "Sign in with your organisation" in await person.text("/audit/sign-in")
    answer = await _sign_in(person, "/audit/log")
    assert (answer.status, answer.headers["Location"]) == (303, "/audit/log")
    assert "ada <small>admin</small>" in await person.text("/audit/log")
    account = _account(bridge)
    assert account is not None
    assert (account.issuer, account.subject, account.password) == (provider.issuer, "7", None)
    with reading(bridge.engine) as connection:
        assert [(act.by, act.action, act.subject) for act in audit_log.newest(connection)] == [
            (provider.issuer, "make-account", "ada")
        ]


async def test_a_role_that_has_changed_there_is_changed_here_with_the_next_sign_in(
    bridge: Bridge, meet: Meet, provider: Provider
) -> None:
    person = await meet(bridge)
    await _sign_in(person)
    provider.claims["roles"] = "trainers"
    await _sign_in(person)
    account = _account(bridge)
    assert account is not None
    assert (account.role, account.sees_names) == ("reader", True)
    assert (await person.get("/audit/log")).status == 403
    with reading(bridge.engine) as connection:
        assert audit_log.newest(connection)[0].reason == "admin -> reader who sees names"


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"roles": ["teachers", "ops"]}, "admin"),
        ({"roles": ["teachers", 7, None]}, "reader"),
        ({"roles": ["nobody"]}, None),
        ({"roles": {"ops": True}}, None),
        ({}, None),
    ],
)
async def test_the_highest_role_counts_and_who_has_none_does_not_come_in(
    bridge: Bridge, meet: Meet, provider: Provider, claims: dict[str, Any], role: str | None
) -> None:
    provider.claims = {"sub": "7", "preferred_username": "ada"} | claims
    answer = await _sign_in(await meet(bridge))
    account = _account(bridge)

    assert (answer.status, account and account.role) == ((403, None) if role is None else (303, role))


async def test_nobody_takes_an_account_that_has_a_password_here_by_its_name(bridge: Bridge, meet: Meet) -> None:
    add_account(bridge.engine, "ada", "admin")
    person = await meet(bridge)
    answer = await _sign_in(person)

    assert answer.status == 403
    assert "There is an account ada already" in await answer.text()
    assert (await person.get("/audit/targets")).status == 303


@pytest.mark.parametrize(
    "forged",
    [
        {"nonce": "another"},
        {"iss": "https://elsewhere.example.org"},
        {"aud": "another client"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"sub": None},
    ],
    ids=str,
)
async def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    bridge: Bridge, meet: Meet, provider: Provider, forged: dict[str, Any]
) -> None:
    provider.forged = forged
    person = await meet(bridge)
    answer = await _sign_in(person)

    assert answer.status == 403
    assert (await person.get("/audit/targets")).status == 303
    assert _account(bridge) is None


async def test_an_id_token_of_another_key_is_refused_and_of_a_key_made_since_is_taken(
    bridge: Bridge, meet: Meet, provider: Provider
) -> None:
    await _sign_in(await meet(bridge))
    provider.published, provider.key = provider.key, ECKey.generate_key("P-256", auto_kid=True)
    assert (await _sign_in(await meet(bridge))).status == 403
    provider.published = None
    assert (await _sign_in(await meet(bridge))).status == 303


async def test_an_answer_counts_in_the_browser_that_asked_only_and_once_and_for_ten_minutes(
    bridge: Bridge, meet: Meet
) -> None:
    browser, other = await meet(bridge), await meet(bridge)
    back = await _to_the_provider(browser)
    await other.text("/audit/sign-in")
    assert (await other.get(back)).status == 403
    assert (await browser.get(back)).status == 303
    # the sign-in gave another secret, and the provider's code is spent
    assert (await browser.get(back)).status == 403
    late = await meet(bridge)
    back = await _to_the_provider(late)
    bridge.clock.advance(601)
    answer = await late.get(back)
    assert (answer.status, "took too long" in await answer.text()) == (403, True)


async def test_what_the_provider_says_instead_of_signing_in_is_told_in_words(
    bridge: Bridge, meet: Meet, provider: Provider
) -> None:
    provider.error = "access_denied<script>"
    answer = await _sign_in(await meet(bridge))
    assert answer.status == 403
    text = await answer.text()
    assert "did not sign you in" in text
    assert "<script>" not in text


async def test_a_provider_that_is_away_leaves_the_password(bridge: Bridge, meet: Meet, provider: Provider) -> None:
    await provider.server.close()
    person = await meet(bridge, "bob", "reader")

    assert (await person.get("/audit/sign-in/oidc")).status == 403
    assert "bob <small>reader</small>" in await person.text("/audit/targets")


async def test_without_the_setting_there_is_no_such_way_in(start: StartBridge, meet: Meet) -> None:
    person = await meet(await start())

    assert (await person.get("/audit/sign-in/oidc")).status == 404
    assert (await person.get("/audit/sign-in/oidc/back?code=1&state=2")).status == 404
    assert "organisation" not in await person.text("/audit/sign-in")


async def test_a_page_elsewhere_is_not_gone_to(bridge: Bridge, meet: Meet) -> None:
    answer = await _sign_in(await meet(bridge), "https%3A%2F%2Felsewhere.example.org%2F")

    assert answer.headers["Location"] == "/audit/"
