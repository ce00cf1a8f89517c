"""Deliveries: those in trouble by their causes, with what to do about each, and retrying and discarding them."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge import delivery_acts, target_states
from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.forms import form_of
from bridge.audit.access.roles import Role, may_see_cmi, who
from bridge.audit.components.filter_options import Vocabulary, vocabulary
from bridge.audit.components.filters import deliveries_told, fields_of, query_of
from bridge.audit.components.flash import with_words
from bridge.audit.components.remediation import Advice, advice
from bridge.audit.components.render import page, redirect
from bridge.audit.dependencies import AUDIT_PARTS
from bridge.delivery_acts import Deed, NothingChosenError, Verb
from bridge.target_states import TargetState
from storage.audit import causes, deliveries
from storage.audit.causes import Cause
from storage.audit.pages import READ, Count, Page
from storage.deliveries import STATES, Delivery, Filter
from storage.diverged import DIVERGED

EXAMPLES = 5
LONGEST_REASON = 1000

_DONE: dict[Verb, str] = {
    "retry": "Deliveries that wait again, to be sent as soon as their target's senders come to them: {number}.",
    "discard": "Deliveries given up: {number}.",
    "reissue": "Statements that are sent under new ids: {number}.",
}


class _Trouble(NamedTuple):
    """A cause with what to do about it; `query` finds its deliveries."""

    cause: Cause
    advice: Advice
    query: str


class _Looked(NamedTuple):
    page: Page[Delivery]
    known: Vocabulary
    which: Filter
    states: list[TargetState]
    causes: causes.Causes | None


async def _deliveries(request: web.Request) -> web.StreamResponse:
    parts, told = request.app[AUDIT_PARTS], request.query

    def look(connection: Connection) -> _Looked:
        known = vocabulary(connection)
        which = deliveries_told(told, known)
        found = deliveries.search(connection, which, after=told.get("after"))
        is_whole = which == Filter() and "after" not in told
        states = target_states.overview(connection, parts.settings.targets) if is_whole else []
        return _Looked(found, known, which, states, causes.causes(connection) if is_whole else None)

    found = await parts.database.read(look)
    shows_cmi = may_see_cmi(request)
    return page(
        request,
        "deliveries.html",
        page=Page([one._replace(answer=None, problem=None) for one in found.page.rows], found.page.after),
        which=found.which,
        query_told=query_of(found.which),
        known=found.known,
        states=STATES,
        can=_can(found.which),
        targets=[one.name for one in parts.targets],
        targets_now=found.states,
        troubles=None if found.causes is None else [_trouble(one, shows=shows_cmi) for one in found.causes.causes],
        of=None if found.causes is None else found.causes.of,
    )


async def _confirm(request: web.Request) -> web.StreamResponse:
    return await _asked(request, deliveries_told(request.query))


async def _do(request: web.Request) -> web.StreamResponse:
    parts, verb = request.app[AUDIT_PARTS], _verb(request)
    form = form_of(request)
    which = deliveries_told(form.texts)
    reason = form.text("reason").strip()[:LONGEST_REASON]
    if not reason:
        return await _asked(request, which, status=400, fault="Tell why: others will want to know.")
    deed = Deed(verb, _filters(verb, which), who(request).name, reason)
    steps, done = delivery_acts.carry_out(parts.database.engine, deed, parts.now, parts.database.transact), 0
    # step by step: where the bridge is stopped meanwhile, no thread of it goes on
    while (step := await parts.database.run(lambda: next(steps, None))) is not None:
        done += step.changed
    path = "/audit/deliveries" if which.statement is None else f"/audit/statements/{which.statement}"
    words = _DONE[verb].format(number=done) if done else "Nothing was left to be done."
    return redirect(with_words(request, path, words))


async def _asked(request: web.Request, which: Filter, *, status: int = 200, fault: str = "") -> web.Response:
    verb = _verb(request)
    filters = _filters(verb, which)

    def look(connection: Connection) -> list[tuple[str, deliveries.Some]]:
        looked_at = READ // len(filters)
        return [(str(one.state), deliveries.some(connection, one, EXAMPLES, looked_at=looked_at)) for one in filters]

    found = await request.app[AUDIT_PARTS].database.read(look)
    counts = [(state, some.number) for state, some in found]
    return page(
        request,
        "delivery_act.html",
        status=status,
        verb=verb,
        fields=fields_of(which),
        query_told=query_of(which),
        counts=[one for one in counts if one[1].number or one[1].more],
        total=Count(sum(one.number for _, one in counts), any(one.more for _, one in counts)),
        examples=[one for _, some in found for one in some.newest][:EXAMPLES],
        fault=fault,
    )


def _trouble(cause: Cause, *, shows: bool) -> _Trouble:
    which = Filter(target=cause.target, state=cause.state, rule=cause.rule, outcome=cause.outcome, status=cause.status)
    shown = cause if shows else cause._replace(words="")
    return _Trouble(shown, advice(cause.state, cause.outcome), query_of(which))


def _can(which: Filter) -> list[Verb]:
    """Give what can be done to all that a filter meets."""
    if which == Filter():
        return []
    verbs: list[Verb] = ["retry", "discard"] if which.outcome != DIVERGED else ["reissue", "discard"]
    return [verb for verb in verbs if which.state is None or which.state in delivery_acts.ENDED[verb]]


def _filters(verb: Verb, which: Filter) -> list[Filter]:
    try:
        return delivery_acts.filters_for(verb, which)
    except NothingChosenError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def _verb(request: web.Request) -> Verb:
    path = request.path
    return "retry" if path.endswith("/retry") else "reissue" if path.endswith("/reissue") else "discard"


ROUTES = (
    Route("GET", "/deliveries", _deliveries, Role.READER),
    Route("GET", "/deliveries/retry", _confirm, Role.ADMIN),
    Route("POST", "/deliveries/retry", _do, Role.ADMIN),
    Route("GET", "/deliveries/reissue", _confirm, Role.ADMIN),
    Route("POST", "/deliveries/reissue", _do, Role.ADMIN),
    Route("GET", "/deliveries/discard", _confirm, Role.ADMIN),
    Route("POST", "/deliveries/discard", _do, Role.ADMIN),
)
