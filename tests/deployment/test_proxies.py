"""The shipped configurations of nginx, Caddy and HAProxy, run with the real servers in front of a real bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, TCPConnector, web

from bridge.http.forwarded import TrustedProxies
from bridge.settings import ProxySettings
from tests.deployment.conftest import ROOT
from tests.deployment.proxies import NAME, RunningProxy, start_proxy, trust
from tests.support.accounts import PASSWORD, add_account
from tests.support.bridge import Bridge, start_bridge
from tests.support.browser import Visitor
from tests.support.http_server import serve
from tests.support.server import free_port

SETTINGS = ProxySettings(hops=1, addresses=("127.0.0.1",), header="x-forwarded-for")
"""What `docs/deployment.md` says to set."""
StartProxy = Callable[[int, int], Awaitable[RunningProxy]]


@pytest.fixture(params=["nginx", "caddy", "haproxy"])
async def start_in_front(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StartProxy]:
    """Start the proxy before a port; it is stopped after the test."""
    folder = tmp_path / "proxy"
    folder.mkdir()
    running: list[RunningProxy] = []

    async def starter(upstream: int, port: int) -> RunningProxy:
        running.append(await start_proxy(request.param, upstream, folder, port))
        return running[-1]

    yield starter
    for proxy in running:
        await proxy.stop()


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    """A client that asks for the host that the configurations name, and keeps cookies."""
    async with ClientSession(
        connector=TCPConnector(ssl=trust()), cookie_jar=CookieJar(unsafe=True), headers={"Host": NAME}
    ) as session:
        yield session


@pytest.fixture
async def bridge_behind(sqlite_url: str, start_in_front: StartProxy) -> AsyncIterator[tuple[Bridge, RunningProxy]]:
    """A bridge with the settings that go with a proxy, and the proxy."""
    port = free_port()
    bridge = await start_bridge(database_url=sqlite_url, proxy=SETTINGS, public_url=f"https://127.0.0.1:{port}")
    proxy = await start_in_front(bridge.url.port or 0, port)
    yield bridge, proxy
    await bridge.close()


async def test_commits_pass_and_no_log_has_their_token(
    bridge_behind: tuple[Bridge, RunningProxy], client: ClientSession
) -> None:
    bridge, proxy = bridge_behind
    opened = await bridge.open()
    address = opened["commit_url"]
    token = address.partition("token=")[2]
    assert address.startswith(proxy.url)
    async with client.post(address, data=b'{"cmi": {"core": {"lesson_status": "passed"}}}') as response:
        assert (response.status, (await response.json())["disposition"]) == (200, "applied")
        assert response.headers["X-Request-Id"]

    await bridge.close()
    async with client.post(address, data=b'{"cmi": {}}') as response:
        assert response.status == (503 if proxy.kind == "haproxy" else 502)
    await proxy.stop()
    assert f"/v1/sessions/{opened['session_id']}/commits" in proxy.logs()
    assert token not in proxy.logs()


async def test_the_bridge_refuses_what_is_too_large_itself_up_to_a_limit_of_the_proxy(
    bridge_behind: tuple[Bridge, RunningProxy], client: ClientSession
) -> None:
    bridge, proxy = bridge_behind
    headers = {"Authorization": f"Bearer {bridge.token}"}
    async with client.post(f"{proxy.url}/v1/commits", data=BytesIO(b" " * 1_500_000), headers=headers) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (413, "body-too-large")
    async with client.post(f"{proxy.url}/v1/commits", data=BytesIO(b" " * 3_000_000), headers=headers) as response:
        assert (response.status, response.content_type) != (200, "application/problem+json")
        assert response.status in {413, 502}


async def test_pages_are_live_and_cookies_are_for_https_alone(
    bridge_behind: tuple[Bridge, RunningProxy], client: ClientSession
) -> None:
    bridge, proxy = bridge_behind
    add_account(bridge.engine, "ada", "admin")
    visitor = Visitor(
        ClientSession(
            proxy.url, connector=TCPConnector(ssl=trust()), cookie_jar=CookieJar(unsafe=True), headers={"Host": NAME}
        )
    )
    async with visitor:
        signed_in = await visitor.sign_in("ada", PASSWORD, headers={"Origin": f"https://{NAME}"})
        assert signed_in.status == 303, await signed_in.text()
        assert "Secure" in signed_in.headers["Set-Cookie"]
        async with visitor.client.get("/audit/live") as stream:
            assert await stream.content.readuntil(b"\n\n") == b": here\n\n"
            await bridge.commit({"core": {"lesson_status": "passed"}})
            assert await stream.content.readuntil(b"\n\n") == b"event: stored\ndata: new\n\n"


async def test_metrics_are_not_for_those_who_come_through_the_proxy(
    bridge_behind: tuple[Bridge, RunningProxy], client: ClientSession
) -> None:
    _, proxy = bridge_behind
    async with client.get(f"{proxy.url}/metrics") as response:
        assert response.status == 404
    async with client.get(f"{proxy.url}/healthz") as response:
        assert response.status == 200


async def test_the_bridge_learns_the_client_s_address_and_nothing_that_the_client_made_up(
    start_in_front: StartProxy, client: ClientSession
) -> None:
    received: list[web.Request] = []

    async def keep(request: web.Request) -> web.Response:
        received.append(request)
        return web.Response()

    async with serve(keep) as upstream:
        proxy = await start_in_front(int(upstream.rstrip("/").rpartition(":")[2]), free_port())
        lies = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "http", "Forwarded": "for=192.0.2.9;proto=http"}
        async with client.get(f"{proxy.url}/healthz", headers=lies) as response:
            assert response.status == 200
    (request,) = [request for request in received if request.path == "/healthz"]  # HAProxy asks for itself, too

    assert (request.host, request.headers["X-Forwarded-Proto"]) == (NAME, "https")
    assert request.headers.getall("X-Forwarded-For") == ["127.0.0.1"]
    assert "Forwarded" not in request.headers
    assert str(TrustedProxies(SETTINGS).address(request)) == "127.0.0.1"


def test_the_documentation_says_what_to_set() -> None:
    text = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    section = '[proxy]\nhops = 1\naddresses = ["127.0.0.1"]\nheader = "x-forwarded-for"\n'

    assert section in text
