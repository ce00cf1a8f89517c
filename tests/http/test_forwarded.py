"""Where a request comes from, with proxies in between that can be trusted, and clients that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bridge.http.forwarded import TrustedProxies, network_of, parse_address, parse_forwarded
from bridge.settings import ProxySettings
from tests.support.bridge import StartBridge

CLIENT = "198.51.100.7"
PROXY = "10.0.0.1"
Headers = Sequence[tuple[str, str]]


def _address(headers: Headers, *, remote: str = PROXY, **settings: object) -> str:
    request = make_mocked_request("GET", "/", CIMultiDict(headers), transport=_transport(remote))
    return str(TrustedProxies(ProxySettings(**settings)).address(request))  # type: ignore[arg-type]  # as given


def _network(text: str) -> str:
    address = parse_address(text)
    assert address is not None
    return network_of(address)


def _transport(remote: str) -> Mock:
    transport = Mock()
    transport.get_extra_info = lambda name, default=None: (remote, 1234) if name == "peername" else None
    return transport


def _for(*lines: str) -> Headers:
    return [("X-Forwarded-For", line) for line in lines]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:4711 ", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ('"[2001:DB8:0::1]:443"', "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        *(
            (unreadable, "None")
            for unreadable in ("", "unknown", "_hidden", "192.0.2.1:x", "192.0.2.1:123456", "[::1", "[::1]x", "1.2.3")
        ),
    ],
)
def test_an_address_is_read_with_and_without_a_port(text: str, address: str) -> None:
    assert str(parse_address(text)) == address


def test_without_proxies_no_header_is_believed() -> None:
    headers = [*_for("192.0.2.9"), ("Forwarded", "for=192.0.2.9"), ("X-Forwarded-Proto", "https")]

    assert _address(headers, remote=CLIENT) == CLIENT


@pytest.mark.parametrize(
    ("lines", "hops", "address"),
    [
        ([CLIENT], 1, CLIENT),
        ([f"192.0.2.9, {CLIENT}"], 1, CLIENT),
        (["192.0.2.9", CLIENT], 1, CLIENT),
        (["192.0.2.9, 192.0.2.8", f"192.0.2.7,{CLIENT}:4711"], 1, CLIENT),
        (["192.0.2.9", f"{CLIENT}, 10.0.0.2"], 2, CLIENT),
        ([f"192.0.2.9, {CLIENT}", "10.0.0.2", "10.0.0.3"], 3, CLIENT),
        ([CLIENT], 2, CLIENT),
        ([f"{CLIENT}, unknown"], 1, PROXY),
        (["192.0.2.9,"], 1, PROXY),
        ([], 1, PROXY),
    ],
)
def test_what_trusted_proxies_added_counts_and_nothing_before_it(lines: list[str], hops: int, address: str) -> None:
    assert _address(_for(*lines), hops=hops) == address


@pytest.mark.parametrize(
    ("lines", "hops", "address"),
    [
        ([f"for={CLIENT}"], 1, CLIENT),
        ([f'For="{CLIENT}:4711";proto=https;by=10.0.0.1'], 1, CLIENT),
        (['for=192.0.2.9, for="[2001:db8::1]:443" ; proto=http'], 1, "2001:db8::1"),
        (["for=192.0.2.9", f"for={CLIENT}"], 1, CLIENT),
        ([f"for=192.0.2.9, for={CLIENT}, for=10.0.0.2"], 2, CLIENT),
        ([f"for={CLIENT}:4711"], 1, CLIENT),
        (["for=unknown"], 1, PROXY),
        (["for=_secret"], 1, PROXY),
        # a quotation mark that the client left open would swallow what the proxy added
        (['for=192.0.2.9;by="x, for="[2001:db8::1]:443"'], 1, PROXY),
        (['for=192.0.2.9;by="x', f"for={CLIENT}"], 1, CLIENT),
        ([f'for=192.0.2.9;x="\\", for={CLIENT}'], 1, PROXY),
    ],
)
def test_forwarded_is_read_as_its_standard_has_it(lines: list[str], hops: int, address: str) -> None:
    assert _address([("Forwarded", line) for line in lines], hops=hops) == address


def test_of_two_headers_that_disagree_neither_is_believed_unless_it_is_set_which() -> None:
    """A proxy that adds one passes the other on as the client wrote it."""
    headers = [*_for(CLIENT), ("Forwarded", "for=192.0.2.9")]

    assert _address(headers, hops=1) == PROXY
    assert _address(headers, hops=1, header="x-forwarded-for") == CLIENT
    assert _address(headers, hops=1, header="forwarded") == "192.0.2.9"
    assert _address([*_for(CLIENT), ("Forwarded", f"for={CLIENT}")], hops=1) == CLIENT


def test_headers_count_only_from_the_addresses_of_proxies() -> None:
    trusted = ("10.0.0.0/8", "2001:db8:ffff::/48")

    assert _address(_for(CLIENT), hops=1, addresses=trusted) == CLIENT
    assert _address(_for(CLIENT), remote="2001:db8:ffff::7", hops=1, addresses=trusted) == CLIENT
    assert _address(_for("192.0.2.9"), remote="203.0.113.5", hops=1, addresses=trusted) == "203.0.113.5"


def test_a_network_of_ipv6_counts_as_one_client() -> None:
    networks = {_network(f"2001:db8:0:1::{host:x}") for host in (1, 2, 0xFFFF)}

    assert networks == {"2001:db8:0:1::/64"}
    assert _network("192.0.2.1") == "192.0.2.1"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("line", ["for=a,", " \t", 'for="\\a', ";", "a=b", '"', "for=a;;, "])
def test_what_is_read_grows_no_faster_than_the_header(line: str) -> None:
    """A thousand times what any header can have would take many minutes if it did."""
    header = line * (1_000_000 // len(line)) + "?"

    assert len(parse_forwarded(header)) <= header.count(",") + 1


@pytest.mark.parametrize(
    ("settings", "headers", "begins"),
    [
        ({}, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example.org"}, "http://127.0.0.1:"),
        ({"hops": 1}, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "b.example.org"}, "https://b.example.org/v1/"),
        ({"hops": 1}, {"X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "x, b.org:8443"}, "https://b.org:8443/"),
        ({"hops": 1}, {"Forwarded": 'for=192.0.2.1;proto=https;host="b.org:8443"'}, "https://b.org:8443/v1/"),
        ({"hops": 1}, {"X-Forwarded-Proto": "javascript", "X-Forwarded-Host": "a/b"}, "http://127.0.0.1:"),
        ({"hops": 1, "addresses": ("10.0.0.0/8",)}, {"X-Forwarded-Proto": "https"}, "http://127.0.0.1:"),
    ],
)
async def test_commit_urls_have_scheme_and_host_of_the_trusted_proxy_alone(
    start: StartBridge, settings: dict[str, object], headers: dict[str, str], begins: str
) -> None:
    bridge = await start(proxy=ProxySettings(**settings))  # type: ignore[arg-type]  # as given
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}}
    status, answer = await bridge.post("/v1/sessions", body, headers=headers)

    assert status == 200
    assert answer["commit_url"].startswith(begins)
