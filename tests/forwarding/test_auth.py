"""How an LRS lets the bridge in."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.forwarding import transport
from bridge.forwarding.outcomes import classify, retry_after
from bridge.forwarding.targets import Basic, Bearer, ClientCredentials, Credentials, Target
from bridge.forwarding.transport import Transport
from storage.states import TryOutcome
from tests.support.http_server import LOOPBACK

ID = "0d1b7a5e-6f0c-5d3c-9a43-9a7d61c3b8ef"
SECRET = "canary-5b1d"


@dataclass
class Guarded:
    """An LRS that asks for a header, and a token endpoint beside it that gives `tokens` in turn."""

    url: str = ""
    accepted: set[str | None] = field(default_factory=set)
    tokens: list[object] = field(default_factory=list)
    headers: list[str | None] = field(default_factory=list)
    forms: list[tuple[str | None, dict[str, str]]] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def statements(self, request: web.Request) -> web.Response:
        """Take statements of who is let in."""
        header = request.headers.get("Authorization")
        self.headers.append(header)
        return web.json_response([ID]) if header in self.accepted else web.Response(status=401, text="who are you")

    async def token(self, request: web.Request) -> web.Response:
        """Return the next token, or answer as it says."""
        await self.answers.wait()
        self.forms.append(
            (request.headers.get("Authorization"), {k: str(v) for k, v in (await request.post()).items()})
        )
        given = self.tokens.pop(0)
        if isinstance(given, web.Response):
            return given
        return web.json_response(given)


@pytest.fixture
async def guarded() -> AsyncIterator[Guarded]:
    """Start one."""
    site = Guarded()
    site.answers.set()
    app = web.Application()
    app.add_routes([web.post("/xapi/statements", site.statements), web.post("/token", site.token)])
    async with TestServer(app) as server:
        site.url = str(server.make_url("/"))
        yield site


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """The client session as the service opens it."""
    async with transport.open_session(LOOPBACK) as opened:
        yield opened


def _to(session: aiohttp.ClientSession, guarded: Guarded, credentials: Credentials) -> Transport:
    return Transport(session, Target("lrs", f"{guarded.url}xapi/", credentials, "1.0.3"))


def _oauth(guarded: Guarded, scope: str = "") -> ClientCredentials:
    return ClientCredentials(f"{guarded.url}token", "bridge", SECRET, scope)


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (None, None),
        (Basic("ada", "lövelace"), "Basic " + base64.b64encode("ada:lövelace".encode()).decode()),
        (Bearer("t0ken"), "Bearer t0ken"),
    ],
)
async def test_what_does_not_change_is_sent_with_every_request(
    guarded: Guarded, session: aiohttp.ClientSession, credentials: Credentials, header: str | None
) -> None:
    guarded.accepted = {header}
    to = _to(session, guarded, credentials)

    assert [(await to.post(b"[{}]")).status for _ in range(2)] == [200, 200]
    assert guarded.headers == [header, header]


async def test_a_token_is_fetched_once_and_used_until_shortly_before_it_runs_out(
    guarded: Guarded, session: aiohttp.ClientSession
) -> None:
    guarded.tokens = [{"access_token": "long", "token_type": "bearer", "expires_in": 3600}]
    guarded.accepted = {"Bearer long"}
    to = _to(session, guarded, _oauth(guarded, "statements/write"))
    assert [(await to.post(b"[{}]")).status for _ in range(3)] == [200, 200, 200]
    ((header, form),) = guarded.forms
    assert header == "Basic " + base64.b64encode(f"bridge:{SECRET}".encode()).decode()
    assert form == {"grant_type": "client_credentials", "scope": "statements/write"}


async def test_a_token_that_is_about_to_run_out_is_not_used_again(
    guarded: Guarded, session: aiohttp.ClientSession
) -> None:
    guarded.tokens = [{"access_token": "a", "expires_in": "20"}, {"access_token": "b", "expires_in": 20}]
    guarded.accepted = {"Bearer a", "Bearer b"}
    to = _to(session, guarded, _oauth(guarded))

    assert [(await to.post(b"[{}]")).status for _ in range(2)] == [200, 200]
    assert guarded.headers == ["Bearer a", "Bearer b"]


async def test_a_token_that_was_withdrawn_is_fetched_anew_within_the_request(
    guarded: Guarded, session: aiohttp.ClientSession
) -> None:
    guarded.tokens = [{"access_token": "a", "expires_in": 3600}, {"access_token": "b", "expires_in": 3600}]
    guarded.accepted = {"Bearer a"}
    to = _to(session, guarded, _oauth(guarded))
    assert (await to.post(b"[{}]")).status == 200
    guarded.accepted = {"Bearer b"}
    assert (await to.post(b"[{}]")).status == 200


async def test_an_lrs_that_takes_no_token_is_asked_twice_and_no_more(
    guarded: Guarded, session: aiohttp.ClientSession
) -> None:
    guarded.tokens = [{"access_token": name} for name in "abc"]
    reply = await _to(session, guarded, _oauth(guarded)).post(b"[{}]")

    assert (reply.status, guarded.headers) == (401, ["Bearer a", "Bearer b"])
    assert classify(reply, [ID]) is TryOutcome.NOT_ALLOWED


async def test_senders_that_need_a_token_at_once_fetch_one(guarded: Guarded, session: aiohttp.ClientSession) -> None:
    guarded.answers.clear()
    guarded.tokens = [{"access_token": "one", "expires_in": 3600}]
    guarded.accepted = {"Bearer one"}
    to = _to(session, guarded, _oauth(guarded))
    posts = [asyncio.create_task(to.post(b"[{}]")) for _ in range(5)]
    await asyncio.sleep(0)
    guarded.answers.set()

    assert {(await post).status for post in posts} == {200}
    assert len(guarded.forms) == 1


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_token_endpoint_that_refuses_is_as_an_lrs_that_does_not_let_the_bridge_in(
    guarded: Guarded, session: aiohttp.ClientSession, status: int
) -> None:
    guarded.tokens = [web.json_response({"error": "invalid_client"}, status=status)]
    reply = await _to(session, guarded, _oauth(guarded)).post(b"[{}]")

    assert classify(reply, [ID]) is TryOutcome.NOT_ALLOWED
    assert f"the token endpoint answered {status}" in reply.text
    assert "invalid_client" in reply.text
    assert SECRET not in reply.text
    assert guarded.headers == []


@pytest.mark.parametrize("status", [302, 404, 413, 429, 500, 503])
async def test_a_token_endpoint_in_trouble_is_waited_for(
    guarded: Guarded, session: aiohttp.ClientSession, status: int
) -> None:
    """Nothing that it says is ever held against a statement."""
    guarded.tokens = [web.Response(status=status, headers={"Retry-After": "7", "Location": "/xapi/statements"})]
    reply = await _to(session, guarded, _oauth(guarded)).post(b"[{}]")

    assert classify(reply, [ID]) is TryOutcome.RETRY
    assert retry_after(reply, 0) == 7


@pytest.mark.parametrize("content", [b"<html>", b'{"access_token": 5', b'{"token": "x"}', b"\xff"])
async def test_an_answer_without_a_token_is_trouble(
    guarded: Guarded, session: aiohttp.ClientSession, content: bytes
) -> None:
    guarded.tokens = [web.Response(body=content)]
    reply = await _to(session, guarded, _oauth(guarded)).post(b"[{}]")

    assert classify(reply, [ID]) is TryOutcome.RETRY
    assert "holds no access_token" in reply.text


async def test_a_token_endpoint_that_is_not_there_is_trouble(guarded: Guarded, session: aiohttp.ClientSession) -> None:
    credentials = ClientCredentials("http://127.0.0.1:1/token", "bridge", SECRET)
    reply = await _to(session, guarded, credentials).post(b"[{}]")

    assert classify(reply, [ID]) is TryOutcome.RETRY
    assert SECRET not in reply.text


def test_a_target_shows_no_secret() -> None:
    assert SECRET not in repr(Target("lrs", "https://lrs.example.org/", Basic("ada", SECRET)))
