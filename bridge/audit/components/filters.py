"""Search filters, parsed from the query of a page's address and written back to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from bridge.audit.components.filter_options import FilterOptions
from bridge.audit.components.request_params import parse_time
from mappings.xapi.timestamps import rfc3339
from storage.deliveries import STATES, DeliveryFilter
from storage.queries.documents import DocumentFilter
from storage.queries.keyset import is_stored_uuid
from storage.states import DeliveryState

_NAMES = {
    "statement": "A statement id",
    "session": "A session id",
    "attempt": "An attempt id",
    "enrollment": "A registration",
}
DOCUMENT_STATES = (DeliveryState.WAITING.value, DeliveryState.DELIVERED.value, DeliveryState.DEAD.value)
RESOURCES = ("activities/state", "activities/profile", "agents/profile")


def parse_delivery_filter(
    fields: Mapping[str, str], options: FilterOptions | None = None, *, zone: tzinfo = UTC
) -> DeliveryFilter:
    """Return the filter for statements or deliveries. A verb may be given by its name, where `options` have it.

    Days are meant in `zone`. The target `(none)` stands for what waits while no LRS is configured.

    Raises:
        web.HTTPBadRequest: a field is not valid.
    """
    values: dict[str, Any] = {name: _text(fields, name) for name in ("rule", "verb", "lms", "learner", "activity")}
    values |= {name: _uuid(fields, name) for name in ("statement", "session", "attempt")}
    values |= {
        "target": _target(fields),
        "state": _choice(fields, "state", STATES),
        "outcome": _text(fields, "outcome"),
    }
    values["status"] = _number(fields, "status")
    if options is not None and values["verb"] is not None:
        values["verb"] = options.verb_iri(values["verb"])
    return DeliveryFilter(**values | _times(fields, zone))


def parse_document_filter(fields: Mapping[str, str], *, zone: tzinfo = UTC) -> DocumentFilter:
    """Return the filter for documents; days are meant in `zone`.

    Raises:
        web.HTTPBadRequest: a field is not valid.
    """
    values: dict[str, Any] = {name: _text(fields, name) for name in ("name", "lms", "learner", "activity", "course")}
    values |= {name: _uuid(fields, name) for name in ("attempt", "enrollment")}
    values |= {"resource": _choice(fields, "resource", RESOURCES), "state": _choice(fields, "state", DOCUMENT_STATES)}
    return DocumentFilter(**values | {"target": _target(fields)} | _times(fields, zone))


def filter_fields(filter_: DeliveryFilter) -> dict[str, str]:
    """Return a filter as the fields that `parse_delivery_filter` reads."""
    values: dict[str, str] = {}
    for name, value in msgspec.structs.asdict(filter_).items():
        if value is not None:
            values[name] = rfc3339(value) if name in {"since", "until"} else str(value)
    if filter_.target == "":
        values["target"] = "(none)"
    return values


def filter_query(filter_: DeliveryFilter) -> str:
    """Return a filter as the query of an address."""
    return urlencode(filter_fields(filter_))


def _text(fields: Mapping[str, str], name: str) -> str | None:
    return fields.get(name, "").strip().replace("\0", "") or None


def _target(fields: Mapping[str, str]) -> str | None:
    value = _text(fields, "target")
    return "" if value == "(none)" else value


def _uuid(fields: Mapping[str, str], name: str) -> str | None:
    value = _text(fields, name)
    if value is not None and not is_stored_uuid(value.lower()):
        raise web.HTTPBadRequest(text=f"{_NAMES[name]} must look like 1b4e28ba-2fa1-41d2-883f-0016d3cca427.")
    return None if value is None else value.lower()


def _choice(fields: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    value = _text(fields, name)
    if value is not None and value not in choices:
        raise web.HTTPBadRequest(text=f"Unknown {name}. It must be one of: {', '.join(choices)}.")
    return value


def _number(fields: Mapping[str, str], name: str) -> int | None:
    value = _text(fields, name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 4):
        raise web.HTTPBadRequest(text=f"The {name} must be a number such as 400.")
    return int(value)


def _times(fields: Mapping[str, str], zone: tzinfo) -> dict[str, int | None]:
    return {
        "since": parse_time(fields.get("since", "").strip(), zone=zone),
        "until": parse_time(fields.get("until", "").strip(), after=True, zone=zone),
    }
