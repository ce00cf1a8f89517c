"""Mapping documents compiled: each rule becomes a statement with holes, so that a commit only fills the holes.

The statement is put together and checked with tincan, once a rule; what tincan makes of it is cut into literal bytes
and holes. Building it with tincan for every commit would cost many times as much (`benchmarks/mapping.py` measures it).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import tincan

from mappings.document.facts import Holes
from mappings.document.model import Activity, Document, Rule
from mappings.document.templates import VERBATIM, Place, Template, needs
from mappings.judge.quick import is_sound_iri

_OPEN, _CLOSE = "\ue000", "\ue001"  # private use: no document holds them by accident, and tincan passes them through
DEFINITION = "definition"
"""The hole for the members of an interaction's definition that differ from answer to answer: JSON without braces."""
OBJECTIVES = "objectives"
"""The hole for the objectives that an interaction names: activities as JSON, with commas between them. Where it names
none, this is `absent` as an empty variable is."""
_HOLE = re.compile(f'"interactionType":"other"|"{_OPEN}({OBJECTIVES}){_CLOSE}"|{_OPEN}([^{_CLOSE}]*){_CLOSE}'.encode())

Parts = tuple[bytes | str, ...]
"""Literal bytes, with the names of holes between them."""


class Form(msgspec.Struct, frozen=True):
    """A statement to be filled in by one formatting.

    `format` is its JSON with `%b` for what stands in the holes: the id, those named in `before_result`, the result,
    those named in `after_result`, and the timestamp.
    """

    format: bytes
    before_result: Sequence[str]
    after_result: Sequence[str]

    def statement(self, holes: Holes, statement_id: str, result: bytes, timestamp: str) -> bytes:
        """Give the statement as JSON. `result` is a JSON object, or empty for a statement without one."""
        fill = holes.__getitem__
        return self.format % (
            statement_id.encode(),
            *map(fill, self.before_result),
            b',"result":' + result if result else b"",
            *map(fill, self.after_result),
            timestamp.encode(),
        )


class Skeleton(msgspec.Struct, frozen=True, eq=False):
    """A statement of one rule: what stands before the result and after it. Each is made once and equals itself only."""

    before_result: Parts
    after_result: Parts

    def fill(self, holes: Holes) -> Form:
        """Give the statement with those holes filled that are told."""
        before, after = fill_parts(self.before_result, holes), fill_parts(self.after_result, holes)
        return Form(
            b'{"id":"%b",' + _format(before) + b"%b" + _format(after) + b',"timestamp":"%b"}',
            [part for part in before if isinstance(part, str)],
            [part for part in after if isinstance(part, str)],
        )


def _format(parts: Parts) -> bytes:
    return b"".join(b"%b" if isinstance(part, str) else part.replace(b"%", b"%%") for part in parts)


class Skeletons:
    """A document's statements and activities with holes, by the optional variables that are empty, each made once.

    There are at most as many as combinations of those: few. `take_any_facts`: whether facts whose IRIs are sound make
    sound statements whatever they are.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.take_any_facts = _takes_any_facts(document)
        self._of_rules: dict[tuple[str, frozenset[str]], Skeleton] = {}
        self._of_activities: dict[tuple[str, frozenset[str]], Parts] = {}

    def of_rule(self, rule: Rule, absent: frozenset[str]) -> Skeleton:
        """Give a rule's statement."""
        known = self._of_rules.get((rule.name, absent))
        if known is None:
            known = self._of_rules[rule.name, absent] = _skeleton(self._document, rule, absent)
        return known

    def of_activity(self, name: str, absent: frozenset[str]) -> Parts:
        """Give an activity, as JSON."""
        known = self._of_activities.get((name, absent))
        if known is None:
            known = self._of_activities[name, absent] = _activity_parts(self._document, name, absent)
        return known


def _takes_any_facts(document: Document) -> bool:
    """Tell whether ids and names only stand where any text will do: at the end of IRIs, and in texts.

    That is so where every IRI begins with one, and the registration is a UUID of ours.
    """
    iris = [document.actor.home_page, document.cmi_extension, *(key for key, _ in document.context.extensions)]
    iris += [template for one in document.activities.values() for template in (one.id, one.type)]
    registration = document.context.registration
    return all(map(_begins_as_iri, iris)) and registration in {(Place(name),) for name in _UUIDS}


_UUIDS = ("registration", "attempt.id", "session.id")


def _begins_as_iri(template: Template) -> bool:
    first, *others = template
    begins = first.variable in VERBATIM if isinstance(first, Place) else is_sound_iri(first)
    # a literal % would take a value's first letters for its digits
    return begins and not any(isinstance(part, str) and "%" in part[-2:] for part in (first, *others))


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


def fill_parts(parts: Parts, holes: Holes) -> Parts:
    """Fill those holes that are told, and join what is literal then."""
    filled: list[bytes | str] = []
    for part in parts:
        now = holes[part] if isinstance(part, str) and holes.tell(part) else part
        if isinstance(now, bytes) and filled and isinstance(filled[-1], bytes):
            filled[-1] += now
        else:
            filled.append(now)
    return tuple(filled)
