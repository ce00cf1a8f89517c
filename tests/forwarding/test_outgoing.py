"""Where the bridge connects to, and where it does not, whatever a name resolves to."""

from __future__ import annotations

import ast
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext as does_not_raise
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from bridge.http_client import open_session, send_request
from bridge.outgoing import OutgoingAddressError, OutgoingGuard, is_readable_on_the_way
from bridge.settings import AuditSettings, OidcSettings, OutgoingSettings, Settings, SettingsError, TargetSettings
from bridge.settings.loader import load_settings

PUBLIC = ("8.8.8.8", "93.184.216.34", "2606:4700::6810:84e5", "::ffff:8.8.8.8", "64:ff9b::808:808")
NOT_PUBLIC = (
    *("127.0.0.1", "127.8.9.10", "::1"),
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12:3456::1"),
    # where clouds keep the credentials of machines: AWS, Google and Azure; Alibaba; Oracle; Azure; AWS by IPv6
    *("169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"),
    *("169.254.0.1", "fe80::1", "fe80::1%eth0", "fec0::1"),
    *("0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1", "240.0.0.1", "255.255.255.255"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1", "2001:db8::1", "3fff::1", "100::1"),
    # IPv4 in IPv6: mapped, compatible, NAT64, local NAT64, 6to4, Teredo
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::1"),
)
LINK_LOCAL = ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe")


class FakeResolver(AbstractResolver):
    """Resolves every name to the next of some addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the next address."""
        address = self._addresses.pop(0)
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
            for each in address.split()
        ]

    async def close(self) -> None:
        """Do nothing."""


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    """A server at all addresses of this machine that counts what arrives."""
    app = web.Application()
    arrivals = app[ARRIVALS] = []

    async def answer(request: web.Request) -> web.Response:
        arrivals.append(request.path)
        return web.Response()

    app.router.add_route("*", "/{path:.*}", answer)
    started = TestServer(app, host="0.0.0.0")
    async with started:
        yield started


ARRIVALS: web.AppKey[list[str]] = web.AppKey("arrivals")


async def _get(guard: OutgoingGuard, url: str, *addresses: str, proxy: str | None = None) -> int:
    resolver = FakeResolver(*addresses) if addresses else None
    async with open_session(guard, timeout_seconds=5, resolver=resolver) as session:
        return (await send_request(session, "GET", url, max_bytes=100, proxy=proxy)).status


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_connected_to(address: str) -> None:
    with does_not_raise():
        OutgoingGuard().check("lrs.example.org", 443, address)
        OutgoingGuard().check(address, 443, address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
@pytest.mark.parametrize("guard", [OutgoingGuard(), OutgoingGuard(["lrs.internal", "172.30.0.0/16"])], ids=["", "else"])
def test_other_addresses_are_refused_with_the_address_and_the_remedy(address: str, guard: OutgoingGuard) -> None:
    for host in ("lrs.example.org", address):
        with pytest.raises(OutgoingAddressError) as raised:
            guard.check(host, 443, address)
        assert host in str(raised.value)
        assert "add it to `allow` of [outgoing]" in str(raised.value), host


@pytest.mark.parametrize("allow", ["10.20.0.0/16", "10.20.30.40", "lrs.internal", "LRS.Internal.", "0.0.0.0/0"])
def test_what_is_allowed_is_connected_to(allow: str) -> None:
    for notation in ("10.20.30.40", "::ffff:10.20.30.40"):
        with does_not_raise():
            OutgoingGuard([allow]).check("lrs.internal", 8080, notation)


@pytest.mark.parametrize("address", LINK_LOCAL)
def test_a_name_that_is_allowed_may_be_private_but_never_where_clouds_keep_credentials(address: str) -> None:
    with pytest.raises(OutgoingAddressError, match=r"link-local"):
        OutgoingGuard(["lrs.internal"]).check("lrs.internal", 80, address)
    OutgoingGuard(["169.254.0.0/16", "fe80::/10"]).check("lrs.internal", 80, address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machine_is_connected_to_where_the_settings_say_so_at_that_port_alone(host: str) -> None:
    guard = OutgoingGuard(urls=[f"http://{host}:8081/xapi/"])
    address = "::1" if ":" in host else "127.0.0.1"
    guard.check(host, 8081, address)
    for other_host, port, resolved in (
        (host, 6379, address),
        ("lrs.example.org", 8081, address),
        (host, 8081, "10.0.0.1"),
    ):
        with pytest.raises(OutgoingAddressError):
            guard.check(other_host, port, resolved)


async def test_a_name_that_resolves_elsewhere_the_next_time_is_checked_the_next_time(server: TestServer) -> None:
    resolver, guard = FakeResolver("127.0.0.2", "127.0.0.1"), OutgoingGuard(["127.0.0.2"])
    url = f"http://lrs.example.org:{server.port}/about"
    async with open_session(guard, timeout_seconds=5, resolver=resolver) as session:
        assert (await send_request(session, "GET", url, max_bytes=100, headers={"Connection": "close"})).status == 200
        assert isinstance(session.connector, aiohttp.TCPConnector)
        session.connector.clear_dns_cache()
        with pytest.raises(
            aiohttp.ClientConnectorError, match=r"lrs.example.org has the address 127.0.0.1, an address"
        ):
            await send_request(session, "GET", url, max_bytes=100)

    assert server.app[ARRIVALS] == ["/about"]


async def test_one_address_among_others_that_must_not_be_used_is_enough(server: TestServer) -> None:
    guard = OutgoingGuard(["127.0.0.2"])
    with pytest.raises(aiohttp.ClientConnectorError, match=r"has the address 127.0.0.1"):
        await _get(guard, f"http://lrs.example.org:{server.port}/", "127.0.0.2 127.0.0.1")

    assert server.app[ARRIVALS] == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1", "0x7f000001", "127.0.0.1."],
)
async def test_however_this_machine_is_written_nothing_arrives(server: TestServer, host: str) -> None:
    with pytest.raises((aiohttp.ClientError, ValueError)):
        await _get(OutgoingGuard(), f"http://{host}:{server.port}/")

    assert server.app[ARRIVALS] == []


async def test_a_proxy_is_checked_like_any_other_address(server: TestServer) -> None:
    proxy = f"http://127.0.0.1:{server.port}"
    with pytest.raises(aiohttp.ClientConnectorError, match=r"127.0.0.1 is an address of this machine"):
        await _get(OutgoingGuard(), "http://lrs.example.org/", proxy=proxy)

    assert server.app[ARRIVALS] == []
    assert await _get(OutgoingGuard(urls=[proxy]), "http://lrs.example.org/", proxy=proxy) == 200


@pytest.mark.parametrize("url", ["ftp://lrs.example.org/", "file:///etc/passwd", "ws://lrs.example.org/", "//x/"])
async def test_no_other_scheme_is_spoken(url: str) -> None:
    with pytest.raises((aiohttp.ClientError, ValueError)):
        await _get(OutgoingGuard(["0.0.0.0/0"]), url, "127.0.0.1")


def test_settings_with_private_addresses_are_refused_with_all_of_them(
    tmp_path: Path,
) -> None:
    file = tmp_path / "scorm-bridge.toml"
    file.write_text(
        """
        [[targets]]
        name = "near"
        endpoint = "http://10.0.0.5/xapi/"

        [[targets]]
        name = "far"
        endpoint = "https://lrs.example.org/xapi/"
        token_url = "http://169.254.169.254/latest"
        client_id = "bridge"
        client_secret = "secret"

        [[targets]]
        name = "here"
        endpoint = "http://localhost:8081/xapi/"
        """
    )
    with pytest.raises(SettingsError) as raised:
        load_settings(file)
    faults = str(raised.value).splitlines()
    assert [fault.split(" is ")[0] for fault in faults] == [
        "targets[0].endpoint: 10.0.0.5",
        "targets[1].token_url: 169.254.169.254",
    ]
    file.write_text(file.read_text() + '\n[outgoing]\nallow = ["10.0.0.0/8", "169.254.169.254"]\n')
    assert load_settings(file).outgoing.allow == ("10.0.0.0/8", "169.254.169.254")


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "10.0.0.300", "http://lrs.internal", "lrs internal", "", "*", "127.1"])
def test_what_allows_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"is no network such as"):
        OutgoingSettings(allow=(entry,))


def test_every_address_of_the_settings_that_is_connected_to_is_checked() -> None:
    target = TargetSettings(
        name="lrs",
        endpoint="http://localhost:1/",
        token_url="http://localhost:2/",
        client_id="bridge",
        client_secret="secret",
        proxy="http://localhost:3/",
    )
    oidc = OidcSettings(issuer="http://localhost:4", client_id="bridge", roles={"staff": "reader"})
    guard = Settings(targets=(target,), audit=AuditSettings(oidc=oidc)).outgoing_guard()
    for port in range(1, 5):
        with does_not_raise():
            guard.check("localhost", port, "127.0.0.1")


@pytest.mark.parametrize(
    ("url", "is_readable"),
    [("http://lrs.internal/", True), ("https://lrs.internal/", False), ("http://localhost:8081/", False)],
)
def test_what_is_not_encrypted_on_its_way_to_another_machine_is_known(url: str, *, is_readable: bool) -> None:
    assert is_readable_on_the_way(url) == is_readable


ROOT = Path(__file__).parents[2]
CLIENTS = frozenset({"ClientSession", "TCPConnector", "UnixConnector", "urlopen", "HTTPConnection", "HTTPSConnection"})
CLIENT_MODULES = frozenset({"httpx", "requests", "urllib3", "http.client", "urllib.request"})


def _clients(source: str) -> Sequence[str]:
    """Return what opens connections over HTTP in a module, by its names."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            is_shortcut = ast.unparse(node.func) == "aiohttp.request"
            found += [name] if name in CLIENTS or is_shortcut else []
        elif isinstance(node, ast.ImportFrom):
            found += [node.module] if node.module in CLIENT_MODULES else []
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in CLIENT_MODULES]
    return found


def test_connections_to_other_servers_are_opened_in_one_place_alone() -> None:
    sources = [path for package in ("bridge", "mappings", "storage") for path in (ROOT / package).rglob("*.py")]
    clients = {
        str(path.relative_to(ROOT)): names
        for path in sources
        if "node_modules" not in path.parts and (names := _clients(path.read_text(encoding="utf-8")))
    }

    assert clients == {"bridge/http_client.py": ["ClientSession"]}
    assert _clients("import aiohttp\naiohttp.request('GET', url)\nimport httpx") == ["httpx", "request"]
