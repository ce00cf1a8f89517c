"""The LRSs that statements go to."""

from __future__ import annotations

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
    """OAuth 2 client credentials (RFC 6749, 4.4), which give tokens that run out. `scope` may be empty."""

    token_url: str
    client_id: str
    client_secret: str
    scope: str = ""


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
    """

    name: str
    endpoint: str
    credentials: Credentials = field(default=None, repr=False)
    version: Literal["auto", "1.0.3", "2.0.0"] = "auto"
    documents: frozenset[str] = frozenset()
    unwanted_rules: frozenset[str] = frozenset()
    rate: float | None = None
