"""The statements resource: storing, fetching and querying statements over HTTP.

Source: xAPI Communication, section 2.1, and Data, sections 2.3 (lifecycle) and 2.5 (retrieval). Offered in part:
statements are given back in the format ``exact`` and without attachment bodies; multipart is not taken.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from aiohttp import web
from yarl import URL

from bridge.sandbox.lrs import faults, gate, parameters, query
from bridge.sandbox.lrs.gate import RefusedError, json_response
from bridge.sandbox.lrs.passage import PASSAGE
from bridge.sandbox.lrs.store import STATEMENTS
from mappings.xapi.validation import check_statement, shape, syntax

PAGE_SIZE: Final = web.AppKey("PAGE_SIZE", int)
"""The most statements of one answer."""

_AUTHORITY_HOME: Final = "https://sandbox-lrs.invalid/"
_FORM: Final[dict[str, shape.Check]] = {
    "format": shape.one_of("exact"),
    "attachments": shape.one_of("false"),
}


def routes() -> list[web.RouteDef]:
    """Return the routes of the resource."""
    path = f"{gate.PREFIX}/statements"
    return [web.post(path, _post), web.put(path, _put), web.get(path, _get), web.get(gate.MORE, _get_more)]


async def _post(request: web.Request) -> web.Response:
    parameters.read(request, {})
    body = await parameters.read_json(request)
    batch = body if isinstance(body, list) else [body]
    _refuse_invalid(request, batch, "statements[{}]" if isinstance(body, list) else "statement")
    new, equal = _sort_out(request, batch)
    stored = _keep(request, new)
    if equal and request[PASSAGE].plan.takes(faults.KnownIsNoContent):
        return json_response(stored) if stored else web.Response(status=204)
    new_ids = iter(stored)
    equal_ids = {statement_id.lower() for statement_id in equal}
    return json_response(
        [statement["id"] if statement.get("id", "").lower() in equal_ids else next(new_ids) for statement in batch]
    )


async def _put(request: web.Request) -> web.Response:
    values = parameters.read(request, {"statementId": syntax.check_uuid}, ["statementId"])
    body = await parameters.read_json(request)
    _refuse_invalid(request, [body], "statement")
    if body.get("id", values["statementId"]).lower() != values["statementId"].lower():
        raise RefusedError(400, f"statement.id: must be the statementId {values['statementId']} of the request")
    new, _ = _sort_out(request, [{**body, "id": values["statementId"]}])
    _keep(request, new)
    return web.Response(status=204)


def _refuse_invalid(request: web.Request, batch: list[Any], place: str) -> None:
    problems = list(_problems(request, batch, place))
    if problems:
        status = 500 if request[PASSAGE].plan.takes(faults.InvalidIsServerError) else 400
        raise RefusedError(status, *problems)


def _problems(request: web.Request, batch: list[Any], place: str) -> Iterator[str]:
    if not batch:
        yield "statements: must be one at least"
    for index, statement in enumerate(batch):
        yield from check_statement(statement, place.format(index), request[gate.EDITION])
    ids = [str(shape.as_dict(statement).get("id", "")).lower() for statement in batch]
    for statement_id, count in Counter(ids).items():
        if statement_id and count > 1:
            yield f"statements: the id {statement_id} is in the batch {count} times"


def _sort_out(request: web.Request, batch: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    sorting = request.app[STATEMENTS].sort_out(batch)
    if sorting.different:
        raise RefusedError(
            409,
            *(
                f"statement {statement_id}: another statement with this id is stored"
                for statement_id in sorting.different
            ),
        )
    if sorting.equal and request[PASSAGE].plan.takes(faults.KnownIsConflict):
        raise RefusedError(409, *(f"statement {statement_id}: is stored already" for statement_id in sorting.equal))
    return sorting.new, sorting.equal


def _keep(request: web.Request, batch: list[dict[str, Any]]) -> list[str]:
    authority = {
        "objectType": "Agent",
        "account": {"homePage": _AUTHORITY_HOME, "name": request[gate.USER]},
    }
    stored = request.app[STATEMENTS].keep(
        batch, at=request.app[gate.NOW](), authority=authority, edition=request[gate.EDITION]
    )
    request[PASSAGE].stored.extend(stored)
    return stored


async def _get(request: web.Request) -> web.Response:
    for name in ("statementId", "voidedStatementId"):
        if name in request.query:
            values = parameters.read(request, {name: syntax.check_uuid, **_FORM})
            return _get_one(request, values[name], voided=name == "voidedStatementId")
    # Neither is there, but both are known, so that a wrong spelling is told the right one.
    ids = {"statementId": syntax.check_uuid, "voidedStatementId": syntax.check_uuid}
    return _page(request, parameters.read(request, {**query.FILTERS, **_FORM, **ids}))


async def _get_more(request: web.Request) -> web.Response:
    checks = {**query.FILTERS, **_FORM, "start": parameters.check_not_negative}
    return _page(request, parameters.read(request, checks, ["start"]))


def _get_one(request: web.Request, statement_id: str, *, voided: bool) -> web.Response:
    store = request.app[STATEMENTS]
    stored = store.get(statement_id)
    if stored is None or store.is_voided(stored) is not voided:
        what = "voided statement" if voided else "statement"
        raise RefusedError(404, f"{what} {statement_id}: is not here")
    body = msgspec.json.encode(stored.statement)
    response = web.Response(body=body, content_type="application/json")
    response.last_modified = stored.stored
    response.etag = hashlib.sha1(body, usedforsecurity=False).hexdigest()
    return response


def _page(request: web.Request, values: dict[str, str]) -> web.Response:
    page = query.find(request.app[STATEMENTS], query.Query.of(values), request.app[PAGE_SIZE])
    more = ""
    if page.next_start is not None:
        more = str(URL(gate.MORE).with_query({**values, "start": str(page.next_start)}))
    return json_response({"statements": page.statements, "more": more})
