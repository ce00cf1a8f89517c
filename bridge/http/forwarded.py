"""Where a request comes from, and by which address it reached the service, with proxies in between.

X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and Forwarded (RFC 7239). A proxy adds its entry at the right end
of what came to it. Everything further left was sent by the client, who may write there what they like.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple, TypeVar

from aiohttp import hdrs, web

from bridge.settings import HeaderName, ProxySettings

Address = IPv4Address | IPv6Address
_T = TypeVar("_T")

GROUPED_BITS = 64
"""Bits of an IPv6 address that tell one network from another (RFC 6177): all others are its user's to choose."""

_PAIR = re.compile(
    r"""[ \t]*+(?:(?P<name>[\w!#$%&'*+.^`|~-]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s;,"]+)))?"""
    r"""[ \t]*+(?P<end>[;,]|$)""",
    re.ASCII,
)
_ESCAPED = re.compile(r"\\(.)")
_PORT = re.compile(r":[0-9]{1,5}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


class RequestOrigin(NamedTuple):
    """Where a request comes from, and what its client asked for; None where that is not known."""

    address: Address | None = None
    scheme: str | None = None
    host: str | None = None


class TrustedProxies:
    """Reads headers as far as proxies that are trusted have added to them."""

    def __init__(self, settings: ProxySettings) -> None:
        self._hops = settings.hops
        self._header: HeaderName = settings.header
        self._networks = [ip_network(address) for address in settings.addresses]

    def address(self, request: web.BaseRequest) -> Address | None:
        """Return the address of the client, or of the nearest proxy where nothing behind it can be believed."""
        return self._forwarded_origin(request).address or parse_address(request.remote or "")

    def scheme(self, request: web.BaseRequest) -> str:
        """Return `http` or `https`: what the client speaks to the outermost trusted proxy."""
        return self._forwarded_origin(request).scheme or request.scheme

    def host(self, request: web.BaseRequest) -> str:
        """Return the host, with a port where there is one, that the client asked for."""
        return self._forwarded_origin(request).host or request.host

    def forwarded_host(self, request: web.BaseRequest) -> str | None:
        """Return the host that a trusted proxy names, None where none does."""
        return self._forwarded_origin(request).host

    def _forwarded_origin(self, request: web.BaseRequest) -> RequestOrigin:
        if not self._hops or not self._is_trusted(request.remote or ""):
            return RequestOrigin()
        by_name = {"x-forwarded-for": self._x_forwarded(request), "forwarded": self._forwarded(request)}
        if self._header != "auto":
            return by_name[self._header] or RequestOrigin()
        present = [origin for origin in by_name.values() if origin is not None]
        if len(present) < 2:
            return present[0] if present else RequestOrigin()
        # a proxy that adds one of the two passes the other on as the client wrote it, and nothing says which it added
        return RequestOrigin(*(left if left == right else None for left, right in zip(*present, strict=True)))

    def _is_trusted(self, remote: str) -> bool:
        if not self._networks or not remote:  # nobody but this machine reaches a socket that is a file
            return True
        address = parse_address(remote)
        return address is not None and any(address in network for network in self._networks)

    def _x_forwarded(self, request: web.BaseRequest) -> RequestOrigin | None:
        names = (hdrs.X_FORWARDED_FOR, hdrs.X_FORWARDED_PROTO, hdrs.X_FORWARDED_HOST)
        if not any(name in request.headers for name in names):
            return None
        return _origin(*(self._outermost(",".join(request.headers.getall(name, ())).split(",")) for name in names))

    def _forwarded(self, request: web.BaseRequest) -> RequestOrigin | None:
        lines = request.headers.getall(hdrs.FORWARDED, ())
        if not lines:
            return None
        elements = [element for line in lines for element in parse_forwarded(line)]
        outermost = self._outermost(elements)
        return _origin(*(outermost.get(name, "") for name in ("for", "proto", "host")))

    def _outermost(self, entries: Sequence[_T]) -> _T:
        """Return what the outermost proxy that is trusted added."""
        return entries[-min(self._hops, len(entries))]


PROXIES = web.AppKey("proxies", TrustedProxies)


def parse_address(text: str) -> Address | None:
    """Parse an address as headers have it: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.

    An IPv4 address in the clothes of IPv6 (`::ffff:192.0.2.1`) is returned as what it is. None where it is no address.
    """
    text = text.strip().strip('"')
    if text.startswith("["):
        text, closed, port = text[1:].partition("]")
        if not closed or (port and _PORT.fullmatch(port) is None):
            return None
    elif text.count(":") == 1:
        text, colon, port = text.partition(":")
        if _PORT.fullmatch(colon + port) is None:
            return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))  # the zone after % is of one machine alone
    return address


def parse_forwarded(line: str) -> list[dict[str, str]]:
    """Parse one line of `Forwarded` (RFC 7239, section 4), an element for each proxy: lower-case name -> value.

    Where the line breaks the grammar all of it is one empty element: a quotation mark that a client leaves open reaches
    into what a proxy adds, and would make the client's element the last one.
    """
    elements: list[dict[str, str]] = [{}]
    at = 0
    while at <= len(line):
        match = _PAIR.match(line, at)
        if match is None:
            return [{}]
        name, quoted, plain, end = match.group("name", "quoted", "plain", "end")
        if name is not None:
            elements[-1][name.lower()] = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        if not end:
            break
        if end == ",":
            elements.append({})
        at = match.end()
    return elements


def network_of(address: Address) -> str:
    """Return what addresses of one client have in common: all of an IPv4 address, the /64 of an IPv6 one."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), GROUPED_BITS), strict=False))
    return str(address)


def _origin(address: str, scheme: str, host: str) -> RequestOrigin:
    scheme, host = scheme.strip().lower(), host.strip()
    return RequestOrigin(
        parse_address(address),
        scheme if scheme in {"http", "https"} else None,
        host if _HOST.fullmatch(host) else None,
    )
