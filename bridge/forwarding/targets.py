"""The LRSs that statements go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Target:
    """One LRS.

    Attributes:
        name: under which its deliveries are stored; must not change.
        endpoint: the xAPI endpoint with a slash at its end; `statements` is below it.
        username: for Basic authentication, with `password`.
        version: of xAPI, or `auto` to ask the LRS.
        documents: names of the documents that it gets.
    """

    name: str
    endpoint: str
    username: str
    password: str
    version: Literal["auto", "1.0.3", "2.0.0"] = "auto"
    documents: frozenset[str] = frozenset()
