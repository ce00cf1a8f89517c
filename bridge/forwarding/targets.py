"""The LRSs that statements are sent to."""

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
    """OAuth 2 client credentials (RFC 6749, 4.4), which return tokens that expire.

    `scope` and `audience` may be empty. `is_posted`: id and secret are in the request's body, as
    `client_secret_post`, and not in a header.
    """

    token_url: str
    client_id: str
    client_secret: str
    scope: str = ""
    audience: str = ""
    is_posted: bool = False


class Proxy(NamedTuple):
    """An HTTP proxy; `headers` authenticate the bridge there."""

    url: str
    headers: dict[str, str]


Credentials = Basic | Bearer | ClientCredentials | None
"""How the bridge authenticates at an LRS; None for not at all."""


@dataclass(frozen=True, slots=True)
class Target:
    """One LRS.

    Attributes:
        name: under which its deliveries are stored; it must not change.
        endpoint: the xAPI endpoint with a slash at its end; `statements` is below it.
        credentials: never shown.
        version: of xAPI, or `auto` to ask the LRS.
        documents: names of the documents that it receives.
        unwanted_rules: names of the rules whose statements it does not receive.
        rate: requests a second that a process sends it at most; None for no limit.
        tls: trusted authorities and the client certificate; None for the system's defaults.
        proxy: None for none.
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
