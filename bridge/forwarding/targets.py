"""The LRSs that statements go to."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


class Basic(NamedTuple):
    """HTTP Basic authentication (RFC 7617)."""

    username: str
    password: str


class Bearer(NamedTuple):
    """A token that does not change."""

    token: str


class ClientCredentials(NamedTuple):
    """OAuth 2 client credentials (RFC 6749, 4.4), which give tokens that run out.

    `scope` and `audience` may be empty. `is_posted` tells that id and secret stand in the request's body, as
    `client_secret_post`, and not in a header.
    """

    token_url: str
    client_id: str
    client_secret: str
    scope: str = ""
    audience: str = ""
    is_posted: bool = False


class Proxy(NamedTuple):
    """An HTTP proxy; `headers` let the bridge in there."""

    url: str
    headers: dict[str, str]


Credentials = Basic | Bearer | ClientCredentials | None
"""How an LRS lets the bridge in; None for one that asks for nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """One LRS.

    Attributes:
        name: under which its deliveries are stored; must not change.
        endpoint: the xAPI endpoint with a slash at its end; `statements` is below it.
        credentials: never shown.
        version: of xAPI, or `auto` to ask the LRS.
        documents: names of the documents that it gets.
        unwanted_rules: names of the rules whose statements it does not get.
        rate: requests a second that a process sends it at most; None for no limit.
        tls: whom to trust, and with which certificate to come; None as the system has it.
        proxy: to go through; None for none.
    """

    name: str
    endpoint: str
    credentials: Credentials = field(default=None, repr=False)
    version: Literal["auto", "1.0.3", "2.0.0"] = "auto"
    documents: frozenset[str] = frozenset()
    unwanted_rules: frozenset[str] = frozenset()
    rate: float | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    proxy: Proxy | None = field(default=None, repr=False)
