"""Mapping documents compiled: each rule becomes a statement with holes, so that a commit only fills the holes.

The statement is put together and checked with tincan, once a rule; what tincan makes of it is cut into literal bytes
and holes. Building it with tincan for every commit would cost many times as much (`benchmarks/mapping.py` measures it).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import tincan

from mappings.definition.model import Activity, Document, Extension, Rule, Value
from mappings.definition.placeholders import KINDS, VERBATIM, Place, Template, is_missing, is_optional
from mappings.definition.statement_context import Holes
from mappings.xapi.fast_checks import is_sound_iri

_OPEN, _CLOSE = "\ue000", "\ue001"  # private use: no document holds them by accident, and tincan passes them through
DEFINITION = "definition"
"""The hole for the members of an interaction's definition that differ from answer to answer: JSON without braces."""
OBJECTIVES = "objectives"
"""The hole for the objectives that an interaction names: activities as JSON, with commas between them. Where it names
none, this is `absent` as an empty variable is."""
MBOX = "learner.mbox"
"""The hole for the learner's e-mail address, or the hash of it, in whichever form the document names learners by; among
what is `absent`, it says that they are named by account."""
ITEM_IRI = "item.iri"
"""The hole for an item's own id as an activity's; among what is `absent`, it says that it is no IRI."""
_BARE = rf"{OBJECTIVES}|[^{_OPEN}{_CLOSE}]*:(?:{'|'.join(KINDS)})"
_HOLE = re.compile(
    f'"interactionType":"other"|"{_OPEN}({_BARE}){_CLOSE}"|{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}'.encode()
)

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
    sound statements whatever they are. `places` are the document's, but for those of [iris] and the registration;
    `may_be_absent`: the names of what they can be without.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.take_any_facts = _takes_any_facts(document)
        self.places = frozenset(_all_places(document))
        self.may_be_absent = frozenset(
            name
            for one in self.places
            for name, may_be in ((one.variable, is_optional(one.variable)), (one.hole, one.kind is not None))
            if may_be
        )
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


def _all_places(document: Document) -> Iterator[Place]:
    actor, context = document.actor, document.context
    templates: list[Template | None] = [actor.home_page, actor.account, actor.name, context.platform, context.language]
    for activity in document.activities.values():
        templates += [activity.id, activity.type, activity.name, activity.description]
    for key, held in (*context.extensions, *(one for rule in document.rules for one in rule.extensions)):
        values = list(held.values()) if isinstance(held, Mapping) else [held]
        templates += [key, *(value for value in values if isinstance(value, tuple))]
    for template in templates:
        yield from (part for part in template or () if isinstance(part, Place))


def _takes_any_facts(document: Document) -> bool:
    """Tell whether ids and names only stand where any text will do: at the end of IRIs, and in texts.

    That is so where every IRI begins with one, and the registration is a UUID of ours.
    """
    rules = [key for rule in document.rules for key, _ in rule.extensions]
    iris = [document.actor.home_page, document.cmi_extension, *(key for key, _ in document.context.extensions), *rules]
    iris += [template for one in document.activities.values() for template in (one.id, one.type)]
    registration = document.context.registration
    return all(map(_begins_as_iri, iris)) and registration in {(Place(name),) for name in _UUIDS}


_UUIDS = ("registration", "course.registration", "attempt.id", "session.id")


def _begins_as_iri(template: Template) -> bool:
    first, *others = template
    begins = first.variable in VERBATIM if isinstance(first, Place) else is_sound_iri(first)
    # a literal % would take a value's first letters for its digits
    return begins and not any(isinstance(part, str) and "%" in part[-2:] for part in (first, *others))


def _skeleton(document: Document, rule: Rule, absent: frozenset[str]) -> Skeleton:
    statement = tincan.Statement(
        actor=_agent(document, absent),
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
        extensions=tincan.Extensions(_extensions((*document.context.extensions, *rule.extensions), absent)),
        platform=_optional(document.context.platform, absent),
    )
    head = statement.as_version("1.0.3")
    tail = context.as_version("1.0.3")
    # a UUID's hole is not a UUID, which is what tincan would ask for, and a language's no language tag
    tail = {"registration": _fill(document.context.registration, absent), **tail}
    if (language := _optional(document.context.language, absent)) is not None:
        tail["language"] = language
    if rule.objectives is not None and OBJECTIVES not in absent:
        # how many there are differs from answer to answer
        lists = tail.setdefault("contextActivities", {})
        lists.setdefault(rule.objectives.place, []).append(f"{_OPEN}{OBJECTIVES}{_CLOSE}")
    return Skeleton(
        _cut(msgspec.json.encode({key: head[key] for key in ("actor", "verb", "object")})[1:-1]),
        _cut(b',"context":' + msgspec.json.encode({key: value for key, value in tail.items() if value})),
    )


def _agent(document: Document, absent: frozenset[str]) -> Any:
    actor = document.actor
    name = _optional(actor.name, absent)
    if actor.identifier == "account" or MBOX in absent:
        home_page, account = _fill(actor.home_page, absent, iri=True), _fill(actor.account, absent)
        return tincan.Agent(name=name, account=tincan.AgentAccount(home_page=home_page, name=account))
    return tincan.Agent(name=name, **{actor.identifier: f"{_OPEN}{MBOX}{_CLOSE}"})


def _activities(document: Document, names: Sequence[str], absent: frozenset[str]) -> Any:
    return [_activity(document, document.activities[name], absent) for name in names] or None


def _activity_parts(document: Document, name: str, absent: frozenset[str]) -> Parts:
    activity = _activity(document, document.activities[name], absent)
    return _cut(msgspec.json.encode(activity.as_version("1.0.3")))


def _activity(document: Document, activity: Activity, absent: frozenset[str]) -> Any:
    is_own = activity.keep_iri and ITEM_IRI not in absent
    return tincan.Activity(
        id=f"{_OPEN}{ITEM_IRI}{_CLOSE}" if is_own else _fill(activity.id, absent, iri=True),
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


def _extensions(extensions: Sequence[Extension], absent: frozenset[str]) -> dict[str, Any]:
    """Return extensions with what is known; a table of which nothing is known is left out whole."""
    made: dict[str, Any] = {}
    for key, held in extensions:
        if isinstance(held, Mapping):
            values = {name: _value(part, absent) for name, part in held.items() if not _is_unknown(part, absent)}
            if values or not held:
                made[_fill(key, absent, iri=True)] = values
        elif not _is_unknown(held, absent):
            made[_fill(key, absent, iri=True)] = _value(held, absent)
    return made


def _is_unknown(value: Value, absent: frozenset[str]) -> bool:
    return isinstance(value, tuple) and is_missing(value, absent)


def _value(value: Value, absent: frozenset[str]) -> Any:
    return _fill(value, absent) if isinstance(value, tuple) else value


def _optional(template: Template | None, absent: frozenset[str]) -> str | None:
    return None if template is None or is_missing(template, absent) else _fill(template, absent)


def _fill(template: Template, absent: frozenset[str], *, iri: bool = False) -> str:
    return "".join(part if isinstance(part, str) else _hole(part, absent, iri=iri) for part in template)


def _hole(place: Place, absent: frozenset[str], *, iri: bool) -> str:
    if place.variable in absent and place.fallback is not None:
        return place.fallback
    encoded = "%" if iri and place.variable not in VERBATIM else ""
    return f"{_OPEN}{place.hole}{encoded}{_CLOSE}"


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
