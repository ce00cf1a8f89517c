"""What people look for, as the address of a page tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from bridge.audit.components.filter_options import Vocabulary
from bridge.audit.components.request_params import moment
from mappings.xapi.timestamps import rfc3339
from storage.deliveries import STATES, DeliveryFilter
from storage.queries.documents import DocumentFilter
from storage.states import DeliveryState

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMES = {
    "statement": "A statement's id",
    "session": "A session's id",
    "attempt": "An attempt's id",
    "enrollment": "A registration",
}
DOCUMENT_STATES = (DeliveryState.WAITING.value, DeliveryState.DELIVERED.value, DeliveryState.DEAD.value)
RESOURCES = ("activities/state", "activities/profile", "agents/profile")


def deliveries_told(told: Mapping[str, str], known: Vocabulary | None = None) -> DeliveryFilter:
    """Read which statements or deliveries. A verb can be told by its name, where `known` has it.

    A field `target` that is there and says `(none)` means what waits while no LRS is configured.

    Raises:
        web.HTTPBadRequest: something cannot be what it says, in words.
    """
    found: dict[str, Any] = {name: _text(told, name) for name in ("rule", "verb", "lms", "learner", "activity")}
    found |= {name: _uuid(told, name) for name in ("statement", "session", "attempt")}
    found |= {"target": _target(told), "state": _word(told, "state", STATES), "outcome": _text(told, "outcome")}
    found["status"] = _number(told, "status")
    if known is not None and found["verb"] is not None:
        found["verb"] = known.verb_iri(found["verb"])
    return DeliveryFilter(**found | _times(told))


def documents_told(told: Mapping[str, str]) -> DocumentFilter:
    """Read which documents.

    Raises:
        web.HTTPBadRequest: something cannot be what it says, in words.
    """
    found: dict[str, Any] = {name: _text(told, name) for name in ("name", "lms", "learner", "activity", "course")}
    found |= {name: _uuid(told, name) for name in ("attempt", "enrollment")}
    found |= {"resource": _word(told, "resource", RESOURCES), "state": _word(told, "state", DOCUMENT_STATES)}
    return DocumentFilter(**found | {"target": _target(told)} | _times(told))


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID as the database has them."""
    return _UUID.fullmatch(text) is not None


def fields_of(which: DeliveryFilter) -> dict[str, str]:
    """Return a filter as the fields that `deliveries_told` reads."""
    found: dict[str, str] = {}
    for name, value in msgspec.structs.asdict(which).items():
        if value is not None:
            found[name] = rfc3339(value) if name in {"since", "until"} else str(value)
    if which.target == "":
        found["target"] = "(none)"
    return found


def query_of(which: DeliveryFilter) -> str:
    """Return a filter as the query of an address."""
    return urlencode(fields_of(which))


def _text(told: Mapping[str, str], name: str) -> str | None:
    return told.get(name, "").strip().replace("\0", "") or None


def _target(told: Mapping[str, str]) -> str | None:
    value = _text(told, "target")
    return "" if value == "(none)" else value


def _uuid(told: Mapping[str, str], name: str) -> str | None:
    value = _text(told, name)
    if value is not None and not is_uuid(value.lower()):
        raise web.HTTPBadRequest(text=f"{_NAMES[name]} looks like 1b4e28ba-2fa1-41d2-883f-0016d3cca427.")
    return None if value is None else value.lower()


def _word(told: Mapping[str, str], name: str, words: tuple[str, ...]) -> str | None:
    value = _text(told, name)
    if value is not None and value not in words:
        raise web.HTTPBadRequest(text=f"There is no {name} of that name; there are: {', '.join(words)}.")
    return value


def _number(told: Mapping[str, str], name: str) -> int | None:
    value = _text(told, name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 4):
        raise web.HTTPBadRequest(text=f"A {name} is a number such as 400.")
    return int(value)


def _times(told: Mapping[str, str]) -> dict[str, int | None]:
    return {
        "since": moment(told.get("since", "").strip()),
        "until": moment(told.get("until", "").strip(), after=True),
    }
