"""Finding statements: the filters of the statements resource, and its pages.

Source: xAPI Communication, section 2.1.3 (GET Statements), with its rules for statements that refer to others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from bridge.sandbox.lrs import parameters
from bridge.sandbox.lrs.store import LrsStatement, StatementStore
from mappings.xapi import statement_equality
from mappings.xapi.validation import actors, shape, syntax

FILTERS: Final[dict[str, shape.Check]] = {
    "agent": parameters.check_agent_json,
    "verb": syntax.check_iri,
    "activity": syntax.check_iri,
    "registration": syntax.check_uuid,
    "related_activities": parameters.check_true_or_false,
    "related_agents": parameters.check_true_or_false,
    "since": syntax.check_timestamp,
    "until": syntax.check_timestamp,
    "limit": parameters.check_not_negative,
    "ascending": parameters.check_true_or_false,
}
"""The parameters of a query, each with its check."""


class Query(msgspec.Struct, frozen=True):
    """What is looked for; None and False ask for nothing.

    Attributes:
        since: only statements stored after this instant.
        until: only statements stored at or before this instant.
        limit: the most statements of one page; 0 leaves it to the LRS.
        start: the position at which a page after the first begins.
    """

    agent: actors.Identity | None
    verb: str | None
    activity: str | None
    registration: str | None
    related_activities: bool
    related_agents: bool
    since: datetime | None
    until: datetime | None
    limit: int
    ascending: bool
    start: int | None

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Query:
        """Make a query of checked parameters; ``start`` is this LRS's own, in the addresses of further pages."""
        agent, registration = values.get("agent"), values.get("registration")
        since, until, start = values.get("since"), values.get("until"), values.get("start")
        return cls(
            agent=actors.identity(msgspec.json.decode(agent)) if agent else None,
            verb=values.get("verb"),
            activity=values.get("activity"),
            registration=registration.lower() if registration else None,
            related_activities=values.get("related_activities") == "true",
            related_agents=values.get("related_agents") == "true",
            since=syntax.instant(since) if since else None,
            until=syntax.instant(until) if until else None,
            limit=int(values.get("limit", "0")),
            ascending=values.get("ascending") == "true",
            start=int(start) if start else None,
        )


class StatementPage(msgspec.Struct, frozen=True):
    """One page of an answer: the statements, and the position where the next page starts, None on the last."""

    statements: list[dict[str, Any]]
    next_start: int | None


def find(store: StatementStore, query: Query, page_size: int) -> StatementPage:
    """Return a page of the statements that meet a query, the newest first unless it is to ascend.

    Voided statements are never among them; those that refer to one are, when the voided one meets the query.
    """
    size = min(query.limit or page_size, page_size)
    matching: list[LrsStatement] = []
    for stored in _from(store, query):
        if _in_time(stored, query) and not store.is_voided(stored) and _meets(store, stored, query):
            if len(matching) == size:
                return StatementPage([statement.statement for statement in matching], stored.position)
            matching.append(stored)
    return StatementPage([statement.statement for statement in matching], None)


def _from(store: StatementStore, query: Query) -> Iterator[LrsStatement]:
    everything = store.in_order()
    if query.ascending:
        yield from everything[query.start or 0 :]
    else:
        last = len(everything) if query.start is None else query.start + 1
        yield from reversed(everything[:last])


def _in_time(stored: LrsStatement, query: Query) -> bool:
    if query.since is not None and stored.stored <= query.since:
        return False
    return query.until is None or stored.stored <= query.until


def _meets(store: StatementStore, stored: LrsStatement, query: Query) -> bool:
    visited: set[str] = set()
    statement: LrsStatement | None = stored
    while statement is not None and statement.key not in visited:
        if _matches(statement.statement, query):
            return True
        visited.add(statement.key)
        statement = store.get(statement.target) if statement.target is not None else None
    return False


def _matches(statement: dict[str, Any], query: Query) -> bool:
    if query.verb is not None and statement["verb"]["id"] != query.verb:
        return False
    context = statement.get("context", {})
    if query.registration is not None and context.get("registration", "").lower() != query.registration:
        return False
    if query.activity is not None and query.activity not in _activities(statement, related=query.related_activities):
        return False
    return query.agent is None or query.agent in _agents(statement, related=query.related_agents)


def _activities(statement: dict[str, Any], *, related: bool) -> Iterator[str]:
    target = statement["object"]
    kind = target.get("objectType", "Activity")
    if kind == "Activity":
        yield target["id"]
    if related:
        for value in statement.get("context", {}).get("contextActivities", {}).values():
            for activity in statement_equality.listed(value):
                yield activity["id"]
        if kind == "SubStatement":
            yield from _activities(target, related=True)


def _agents(statement: dict[str, Any], *, related: bool) -> Iterator[actors.Identity | None]:
    target = statement["object"]
    kind = target.get("objectType", "Activity")
    yield from _identities(statement["actor"])
    if kind in {"Agent", "Group"}:
        yield from _identities(target)
    if related:
        context = statement.get("context", {})
        yield from _identities(statement.get("authority", {}))
        yield from _identities(context.get("instructor", {}))
        yield from _identities(context.get("team", {}))
        for item in context.get("contextAgents", []):
            yield from _identities(item["agent"])
        for item in context.get("contextGroups", []):
            yield from _identities(item["group"])
        if kind == "SubStatement":
            yield from _agents(target, related=True)


def _identities(actor: dict[str, Any]) -> Iterator[actors.Identity | None]:
    yield actors.identity(actor)
    for member in actor.get("member", []):
        yield actors.identity(member)
