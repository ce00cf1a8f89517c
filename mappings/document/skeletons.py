"""Mapping documents compiled: each rule becomes a statement with holes, so that a commit only fills the holes.

The statement is put together and checked with tincan, once a rule; what tincan makes of it is cut into literal bytes
and holes. Building it with tincan for every commit would cost many times as much (`benchmarks/mapping.py` measures it).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import msgspec
import tincan

from mappings.attempt.changes import Trigger
from mappings.document.errors import DocumentError, Fault
from mappings.document.model import Activity, Document, Rule
from mappings.document.templates import OPTIONAL, VERBATIM, Place, Template, needs
from mappings.gate import Gate

Holes = Mapping[str, bytes]
"""Hole name -> its text as JSON without the quotes. A variable `x` that becomes part of an IRI is the hole `x%`."""

_OPEN, _CLOSE = "\ue000", "\ue001"  # private use: no document holds them by accident, and tincan passes them through
DEFINITION = "definition"
"""The hole for the members of an interaction's definition that differ from answer to answer: JSON without braces."""
OBJECTIVES = "objectives"
"""The hole for the objectives that an interaction names: activities as JSON, with commas between them. Where it names
none, this is `absent` as an empty variable is."""
_HOLE = re.compile(f'"interactionType":"other"|"{_OPEN}({OBJECTIVES}){_CLOSE}"|{_OPEN}([^{_CLOSE}]*){_CLOSE}'.encode())

Parts = tuple[bytes | str, ...]
"""Literal bytes, with the names of holes between them."""


class Skeleton(msgspec.Struct, frozen=True):
    """A statement of one rule: bytes before the result and after it, with holes at the odd places."""

    before_result: Parts
    after_result: Parts

    def fill(self, holes: Holes, statement_id: str, result: bytes, timestamp: str) -> bytes:
        """Give the statement as JSON; `result` is a JSON object, or empty for a statement without one."""
        parts = [b'{"id":"', statement_id.encode(), b'",']
        parts += [part if isinstance(part, bytes) else holes[part] for part in self.before_result]
        if result:
            parts += (b',"result":', result)
        parts += [part if isinstance(part, bytes) else holes[part] for part in self.after_result]
        parts += (b',"timestamp":"', timestamp.encode(), b'"}')
        return b"".join(parts)


class Skeletons(Protocol):
    """Gives a rule's skeleton for the optional variables that are empty."""

    def __call__(self, rule: Rule, absent: frozenset[str], /) -> Skeleton: ...  # noqa: D102 -- the class tells


class CompiledMapping(msgspec.Struct, frozen=True):
    """A mapping document ready for use. `activity` gives one of its activities for the variables that are empty."""

    document: Document
    rules: Mapping[Trigger, Sequence[Rule]]
    skeleton: Skeletons
    activity: Callable[[str, frozenset[str]], Parts]
    gate: Gate


def compile_document(document: Document, source: str) -> CompiledMapping:
    """Compile a document.

    Raises:
        DocumentError: tincan takes no statement of some rule.
    """
    rules: dict[Trigger, list[Rule]] = {}
    faults: list[Fault] = []
    for index, rule in enumerate(document.rules):
        rules.setdefault(rule.when, []).append(rule)
        for absent in (frozenset[str](), OPTIONAL):
            try:
                _skeleton(document, rule, absent)
                if rule.objectives is not None:
                    _activity_parts(document, rule.objectives.activity, absent)
            except (TypeError, ValueError) as error:  # what tincan raises for values it does not take
                faults.append(Fault(f"rules[{index}]", 0, f"makes no statement: {error}"))
                break
    if faults:
        raise DocumentError(source, faults)
    # at most one skeleton a rule and a combination of optional variables: a cache that stays small
    cached = lru_cache(maxsize=None)(lambda rule, absent: _skeleton(document, document.rules[rule], absent))
    places = {rule.name: index for index, rule in enumerate(document.rules)}
    return CompiledMapping(
        document,
        rules,
        lambda rule, absent: cached(places[rule.name], absent),
        lru_cache(maxsize=None)(lambda name, absent: _activity_parts(document, name, absent)),
        Gate(),
    )


def _skeleton(document: Document, rule: Rule, absent: frozenset[str]) -> Skeleton:
    statement = tincan.Statement(
        actor=tincan.Agent(
            name=_optional(document.actor.name, absent),
            account=tincan.AgentAccount(
                home_page=_fill(document.actor.home_page, absent, iri=True),
                name=_fill(document.actor.account, absent),
            ),
        ),
        verb=tincan.Verb(
            id=document.verbs[rule.verb].id, display=tincan.LanguageMap(document.verbs[rule.verb].display)
        ),
        object=_activity(document, document.activities[rule.object], absent),
    )
    context = tincan.Context(
        context_activities=tincan.ContextActivities(
            parent=_activities(document, rule.parent, absent),
            grouping=_activities(document, document.context.grouping, absent),
            category=_activities(document, document.context.category + rule.category, absent),
        ),
        extensions=tincan.Extensions(_extensions(document, absent)),
    )
    head = statement.as_version("1.0.3")
    tail = context.as_version("1.0.3")
    # a UUID's hole is not a UUID, which is what tincan would ask for
    tail = {"registration": _fill(document.context.registration, absent), **tail}
    if rule.objectives is not None and OBJECTIVES not in absent:
        # how many there are differs from answer to answer
        lists = tail.setdefault("contextActivities", {})
        lists.setdefault(rule.objectives.place, []).append(f"{_OPEN}{OBJECTIVES}{_CLOSE}")
    return Skeleton(
        _cut(msgspec.json.encode({key: head[key] for key in ("actor", "verb", "object")})[1:-1]),
        _cut(b',"context":' + msgspec.json.encode({key: value for key, value in tail.items() if value})),
    )


def _activities(document: Document, names: Sequence[str], absent: frozenset[str]) -> Any:
    return [_activity(document, document.activities[name], absent) for name in names] or None


def _activity_parts(document: Document, name: str, absent: frozenset[str]) -> Parts:
    activity = _activity(document, document.activities[name], absent)
    return _cut(msgspec.json.encode(activity.as_version("1.0.3")))


def _activity(document: Document, activity: Activity, absent: frozenset[str]) -> Any:
    return tincan.Activity(
        id=_fill(activity.id, absent, iri=True),
        definition=tincan.ActivityDefinition(
            type=_fill(activity.type, absent, iri=True),
            name=_words(document, activity.name, absent),
            description=_words(document, activity.description, absent),
            # tincan wants a type here: the members that an answer adds to the definition take its place
            interaction_type="other" if activity.interaction else None,
        ),
    )


def _words(document: Document, template: Template | None, absent: frozenset[str]) -> Any:
    text = _optional(template, absent)
    return None if text is None else tincan.LanguageMap({document.language: text})


def _extensions(document: Document, absent: frozenset[str]) -> dict[str, Any]:
    return {
        _fill(key, absent, iri=True): _fill(value, absent)
        if isinstance(value, tuple)
        else {name: _fill(part, absent) for name, part in value.items()}
        for key, value in document.context.extensions
    }


def _optional(template: Template | None, absent: frozenset[str]) -> str | None:
    return None if template is None or needs(template) & absent else _fill(template, absent)


def _fill(template: Template, absent: frozenset[str], *, iri: bool = False) -> str:
    return "".join(part if isinstance(part, str) else _hole(part, absent, iri=iri) for part in template)


def _hole(place: Place, absent: frozenset[str], *, iri: bool) -> str:
    if place.variable in absent and place.fallback is not None:
        return place.fallback
    encoded = "%" if iri and place.variable not in VERBATIM else ""
    return f"{_OPEN}{place.variable}{encoded}{_CLOSE}"


def _cut(statement: bytes) -> Parts:
    parts: list[bytes | str] = []
    end = 0
    for match in _HOLE.finditer(statement):
        name = DEFINITION if match.lastindex is None else match.group(match.lastindex).decode()
        parts += (statement[end : match.start()], name)
        end = match.end()
    return (*parts, statement[end:])
