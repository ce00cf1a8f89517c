"""The document resources over HTTP: activity state, activity profile, agent profile.

Source: xAPI Communication, sections 2.2, 2.3, 2.6, 2.7 and 3.1. A PUT over a document that exists needs If-Match or
If-None-Match on the profiles, and in xAPI 2.0.0 on the state too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec
from aiohttp import hdrs, web

from bridge.sandbox.lrs import gate, parameters
from bridge.sandbox.lrs.documents import DOCUMENTS, Document, Place, Precondition
from bridge.sandbox.lrs.gate import RefusedError, json_response
from mappings.xapi.validation import Edition, actors, shape, syntax

_CONTEXTS: Final[dict[str, shape.Check]] = {
    "activityId": syntax.check_iri,
    "agent": parameters.check_agent_json,
    "registration": syntax.check_uuid,
}


class Resource(msgspec.Struct, frozen=True):
    """One of the three resources.

    Attributes:
        path: where it lives under the prefix.
        identifier: the parameter that names one document.
        required: the parameters that say what a document belongs to.
        optional: the one that may say it more closely, or none.
        clears: whether a DELETE without the identifier removes all of a context.
    """

    path: str
    identifier: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    clears: bool = False

    def read(self, request: web.Request, *, is_single: bool, since: bool = False) -> dict[str, str]:
        """Return the checked parameters of a request for one document, or for all of a context."""
        checks = {name: _CONTEXTS[name] for name in (*self.required, *self.optional)}
        if is_single:
            checks[self.identifier] = shape.check_string
        if since:
            checks["since"] = syntax.check_timestamp
        return parameters.read(request, checks, (*self.required, self.identifier) if is_single else self.required)

    def place(self, values: Mapping[str, str]) -> Place:
        """Return what documents with these parameters belong to."""
        names = (*self.required, *self.optional)
        return (self.path, *(_key(name, values.get(name)) for name in names))

    def covers(self, wanted: Place, place: Place) -> bool:
        """Return whether a place lies in a wanted one; without a registration any registration does."""
        closest = 1 + len(self.required)
        return wanted[:closest] == place[:closest] and wanted[closest:] in {place[closest:], (None,)}


def _key(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    if name == "agent":
        return msgspec.json.encode(actors.identity(msgspec.json.decode(value))).decode()
    return value.lower() if name == "registration" else value


STATE: Final = Resource("activities/state", "stateId", ("activityId", "agent"), ("registration",), clears=True)
ACTIVITY_PROFILE: Final = Resource("activities/profile", "profileId", ("activityId",))
AGENT_PROFILE: Final = Resource("agents/profile", "profileId", ("agent",))


def routes() -> list[web.RouteDef]:
    """Return the routes of the three resources."""
    route_table = []
    for resource in (STATE, ACTIVITY_PROFILE, AGENT_PROFILE):
        path = f"{gate.PREFIX}/{resource.path}"
        route_table.append(web.get(path, partial(_get, resource)))
        route_table.append(web.put(path, partial(_put, resource)))
        route_table.append(web.post(path, partial(_post, resource)))
        route_table.append(web.delete(path, partial(_delete, resource)))
    return route_table


def _condition(request: web.Request) -> Precondition:
    return Precondition(request.if_match, request.if_none_match)


async def _received(request: web.Request) -> Document:
    now = request.app[gate.NOW]()
    return Document(
        content=await request.read(),
        content_type=request.headers.get(hdrs.CONTENT_TYPE, "application/octet-stream"),
        updated=now.replace(microsecond=now.microsecond // 1000 * 1000),
    )


async def _put(resource: Resource, request: web.Request) -> web.Response:
    values = resource.read(request, is_single=True)
    free = resource is STATE and request[gate.EDITION] is Edition.ONE
    request.app[DOCUMENTS].put(
        resource.place(values),
        values[resource.identifier],
        await _received(request),
        _condition(request),
        guarded=not free,
    )
    return web.Response(status=204)


async def _post(resource: Resource, request: web.Request) -> web.Response:
    values = resource.read(request, is_single=True)
    request.app[DOCUMENTS].merge(
        resource.place(values), values[resource.identifier], await _received(request), _condition(request)
    )
    return web.Response(status=204)


async def _delete(resource: Resource, request: web.Request) -> web.Response:
    is_single = resource.identifier in request.query or not resource.clears
    values = resource.read(request, is_single=is_single)
    place = resource.place(values)
    if is_single:
        request.app[DOCUMENTS].delete(place, values[resource.identifier], _condition(request))
    else:
        request.app[DOCUMENTS].delete_matching(partial(resource.covers, place))
    return web.Response(status=204)


async def _get(resource: Resource, request: web.Request) -> web.Response:
    if resource.identifier not in request.query:
        return _ids(resource, request)
    values = resource.read(request, is_single=True)
    document = request.app[DOCUMENTS].get(resource.place(values), values[resource.identifier])
    if document is None:
        raise RefusedError(404, f"document {values[resource.identifier]}: is not here")
    response = web.Response(body=document.content, headers={hdrs.CONTENT_TYPE: document.content_type})
    response.etag = document.etag
    response.last_modified = document.updated
    return response


def _ids(resource: Resource, request: web.Request) -> web.Response:
    values = resource.read(request, is_single=False, since=True)
    since = syntax.instant(values["since"]) if "since" in values else None
    everything = request.app[DOCUMENTS].matching(partial(resource.covers, resource.place(values)))
    matching = [
        (document_id, document.updated)
        for document_id, document in everything
        if since is None or document.updated > since
    ]
    # A state id may stand under several registrations, and is told once.
    response = json_response(list(dict.fromkeys(document_id for document_id, _ in matching)))
    if matching:
        response.last_modified = max(updated for _, updated in matching)
    return response
