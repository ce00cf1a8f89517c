"""Which addresses the bridge connects to: public ones, and those that the settings allow.

The address is checked when a connection is opened, after its name was resolved: a name that resolves to another address
the next time (DNS rebinding) is checked the next time.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from bridge.loopback import is_loopback

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST_NAME = re.compile(r"(?=.{1,253}$)(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NUMBERS = re.compile(r"[0-9a-fx.]+")

# what `ipaddress` calls global and nobody's LRS has: clouds' machines among them
_NOT_PUBLIC_4 = tuple(map(IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))
_GLOBAL_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_NAT64 = IPv6Network("64:ff9b::/96")
_SHARED = IPv4Network("100.64.0.0/10")


class OutgoingAddressError(OSError):
    """The bridge must not connect to an address; `strerror` says which one, and how to allow it."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EACCES, message)


class OutgoingGuard:
    """Checks the addresses that the bridge connects to.

    `allow` are networks, and names of hosts whatever their private addresses are. `urls` are the addresses that the
    settings name: what they say of this machine (`localhost`, 127.0.0.1) is allowed, with its port.
    """

    def __init__(self, allow: Sequence[str] = (), urls: Iterable[str] = ()) -> None:
        entries = [parse_allowed(entry) for entry in allow]
        self._networks = tuple(entry for entry in entries if not isinstance(entry, str))
        self._hosts = frozenset(entry for entry in entries if isinstance(entry, str))
        self._local = frozenset((host, port) for host, port in map(_host_and_port, urls) if is_loopback(host))

    def check(self, host: str, port: int, address: str) -> None:
        """Check an address that a host resolved to, or that stands in its place.

        Raises:
            OutgoingAddressError: the bridge must not connect to it.
        """
        ip = ip_address(address.partition("%")[0])
        # an IPv4 address in another notation is judged, and allowed, as what it is
        ip = _embedded_ipv4(ip) or ip
        name = _normalized(host)
        if is_public(ip) or any(ip.version == network.version and ip in network for network in self._networks):
            return
        if name in self._hosts and _is_of_a_private_network(ip):
            return
        if ip.is_loopback and (name, port) in self._local:
            return
        what = f"{host} is" if name == _normalized(address) else f"{host} has the address {ip},"
        raise OutgoingAddressError(
            f"{what} {_describe(ip)}, to which the bridge does not connect; if that is intended, add it to `allow` of"
            " [outgoing] in the settings"
        )

    def check_url(self, url: str) -> None:
        """Check an address whose host is an IP address; names are checked when they are resolved.

        Raises:
            OutgoingAddressError: the bridge must not connect to it.
        """
        host, port = _host_and_port(url)
        try:
            ip_address(host)
        except ValueError:
            return
        self.check(host, port, host)


def is_public(ip: IpAddress) -> bool:
    """Return whether an address is one of the public internet's, and of one machine."""
    if isinstance(ip, IPv4Address):
        return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC_4)
    # 6to4 and Teredo are no more in use, and lead to IPv4 addresses of all kinds
    return ip in _GLOBAL_UNICAST_6 and not any(ip in network for network in _NOT_PUBLIC_6)


def is_readable_on_the_way(url: str) -> bool:
    """Return whether what is sent to an address is not encrypted, and leaves this machine."""
    return urlsplit(url).scheme == "http" and not is_loopback(_host_and_port(url)[0])


def parse_allowed(entry: str) -> IpNetwork | str:
    """Return an entry of `allow`: a network, or the name of a host.

    Raises:
        ValueError: it is neither.
    """
    try:
        return ip_network(entry)
    except ValueError:
        name = _normalized(entry)
        if not _HOST_NAME.fullmatch(name) or _NUMBERS.fullmatch(name):
            raise ValueError(
                f"{entry!r} is no network such as 10.20.0.0/16, no address, and no host's name such as lrs.internal"
            ) from None
        return name


def _embedded_ipv4(ip: IpAddress) -> IPv4Address | None:
    if isinstance(ip, IPv4Address):
        return None
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def _is_of_a_private_network(ip: IpAddress) -> bool:
    """Return whether an address is one that machines have in networks of their own, or this machine's.

    Link-local ones are not: clouds hand out the credentials of machines there, whatever names lead to it.
    """
    is_unicast = not (ip.is_multicast or ip.is_unspecified or ip.is_reserved or ip.is_link_local)
    return is_unicast and (ip.is_private or ip.is_loopback or ip in _SHARED)


def _describe(ip: IpAddress) -> str:
    if ip.is_loopback:
        return "an address of this machine"
    if ip.is_link_local:
        return "a link-local address"
    return "a private address" if _is_of_a_private_network(ip) else "not a public address"


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return _normalized(parts.hostname or ""), parts.port or DEFAULT_PORTS.get(parts.scheme, 0)


def _normalized(host: str) -> str:
    return host.lower().removeprefix("[").removesuffix("]").rstrip(".")
