"""Mapping definitions compiled: each rule becomes a statement with slots, so that a commit only fills the slots.

The statement is put together and checked with tincan, once a rule; what tincan makes of it is cut into literal bytes
and slots. Building it with tincan for every commit would cost many times as much (`benchmarks/mapping.py` measures it).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import tincan

from mappings.definition.model import ActivityTemplate, Extension, MappingDefinition, Rule, Value
from mappings.definition.placeholders import KINDS, VERBATIM, Placeholder, Template, is_missing, is_optional
from mappings.definition.statement_context import Slots
from mappings.xapi.fast_checks import is_sound_iri

_OPEN, _CLOSE = "\ue000", "\ue001"  # private use: no document holds them by accident, and tincan passes them through
DEFINITION = "definition"
"""The slot for the members of an interaction's definition that differ from answer to answer: JSON without braces."""
OBJECTIVES = "objectives"
"""The slot for the objectives that an interaction names: activities as JSON, with commas between them. Where it names
none, this is `absent` as an empty variable is."""
MBOX = "learner.mbox"
"""The slot for the learner's e-mail address, or the hash of it, in whichever form the document names learners by; among
what is `absent`, it says that they are named by account."""
ITEM_IRI = "item.iri"
"""The slot for an item's own id as an activity's; among what is `absent`, it says that it is no IRI."""
_BARE = rf"{OBJECTIVES}|[^{_OPEN}{_CLOSE}]*:(?:{'|'.join(KINDS)})"
_SLOT = re.compile(
    f'"interactionType":"other"|"{_OPEN}({_BARE}){_CLOSE}"|{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}'.encode()
)

TemplateParts = tuple[bytes | str, ...]
"""Literal bytes, with the names of slots between them."""


class StatementFormat(msgspec.Struct, frozen=True):
    """A statement to be filled in by one formatting.

    `format` is its JSON with `%b` for what stands in the slots: the id, those named in `before_result`, the result,
    those named in `after_result`, and the timestamp.
    """

    format: bytes
    before_result: Sequence[str]
    after_result: Sequence[str]

    def statement(self, slots: Slots, statement_id: str, result: bytes, timestamp: str) -> bytes:
        """Return the statement as JSON. `result` is a JSON object, or empty for a statement without one."""
        fill = slots.__getitem__
        return self.format % (
            statement_id.encode(),
            *map(fill, self.before_result),
            b',"result":' + result if result else b"",
            *map(fill, self.after_result),
            timestamp.encode(),
        )


class StatementTemplate(msgspec.Struct, frozen=True, eq=False):
    """A statement of one rule: what stands before the result and after it. Each is made once and equals itself only."""

    before_result: TemplateParts
    after_result: TemplateParts

    def fill(self, slots: Slots) -> StatementFormat:
        """Return the statement with those slots filled that are known."""
        before, after = fill_known_slots(self.before_result, slots), fill_known_slots(self.after_result, slots)
        return StatementFormat(
            b'{"id":"%b",' + _format(before) + b"%b" + _format(after) + b',"timestamp":"%b"}',
            [part for part in before if isinstance(part, str)],
            [part for part in after if isinstance(part, str)],
        )


def _format(parts: TemplateParts) -> bytes:
    return b"".join(b"%b" if isinstance(part, str) else part.replace(b"%", b"%%") for part in parts)


class StatementTemplates:
    """A document's statements and activities with slots, by the optional variables that are empty, each made once.

    There are at most as many as combinations of those: few. `takes_any_context`: whether a context whose IRIs are sound
    makes sound statements whatever it is. `placeholders` are the definition's, but for those of [iris] and the
    registration; `may_be_absent`: the names of what they can be without.
    """

    def __init__(self, definition: MappingDefinition) -> None:
        self._document = definition
        self.takes_any_context = _takes_any_context(definition)
        self.placeholders = frozenset(_all_placeholders(definition))
        self.may_be_absent = frozenset(
            name
            for placeholder in self.placeholders
            for name, may_be in (
                (placeholder.variable, is_optional(placeholder.variable)),
                (placeholder.slot, placeholder.kind is not None),
            )
            if may_be
        )
        self._of_rules: dict[tuple[str, frozenset[str]], StatementTemplate] = {}
        self._of_activities: dict[tuple[str, frozenset[str]], TemplateParts] = {}

    def of_rule(self, rule: Rule, absent: frozenset[str]) -> StatementTemplate:
        """Return a rule's statement."""
        cached = self._of_rules.get((rule.name, absent))
        if cached is None:
            cached = self._of_rules[rule.name, absent] = _statement_template(self._document, rule, absent)
        return cached

    def of_activity(self, name: str, absent: frozenset[str]) -> TemplateParts:
        """Return an activity, as JSON."""
        cached = self._of_activities.get((name, absent))
        if cached is None:
            cached = self._of_activities[name, absent] = _activity_parts(self._document, name, absent)
        return cached


def _all_placeholders(definition: MappingDefinition) -> Iterator[Placeholder]:
    actor, context = definition.actor, definition.context
    templates: list[Template | None] = [actor.home_page, actor.account, actor.name, context.platform, context.language]
    for activity in definition.activities.values():
        templates += [activity.id, activity.type, activity.name, activity.description]
    for key, content in (
        *context.extensions,
        *(extension for rule in definition.rules for extension in rule.extensions),
    ):
        values = list(content.values()) if isinstance(content, Mapping) else [content]
        templates += [key, *(value for value in values if isinstance(value, tuple))]
    for template in templates:
        yield from (part for part in template or () if isinstance(part, Placeholder))


def _takes_any_context(definition: MappingDefinition) -> bool:
    """Return whether ids and names only stand where any text will do: at the end of IRIs, and in texts.

    That is so where every IRI begins with one, and the registration is a UUID of ours.
    """
    rules = [key for rule in definition.rules for key, _ in rule.extensions]
    iris = [
        definition.actor.home_page,
        definition.cmi_extension,
        *(key for key, _ in definition.context.extensions),
        *rules,
    ]
    iris += [template for activity in definition.activities.values() for template in (activity.id, activity.type)]
    registration = definition.context.registration
    return all(map(_begins_as_iri, iris)) and registration in {(Placeholder(name),) for name in _UUIDS}


_UUIDS = ("registration", "course.registration", "attempt.id", "session.id")


def _begins_as_iri(template: Template) -> bool:
    first, *rest = template
    begins = first.variable in VERBATIM if isinstance(first, Placeholder) else is_sound_iri(first)
    # a literal % would take a value's first letters for its digits
    return begins and not any(isinstance(part, str) and "%" in part[-2:] for part in (first, *rest))


def _statement_template(definition: MappingDefinition, rule: Rule, absent: frozenset[str]) -> StatementTemplate:
    statement = tincan.Statement(
        actor=_agent(definition, absent),
        verb=tincan.Verb(
            id=definition.verbs[rule.verb].id, display=tincan.LanguageMap(definition.verbs[rule.verb].display)
        ),
        object=_activity(definition, definition.activities[rule.object], absent),
    )
    context = tincan.Context(
        context_activities=tincan.ContextActivities(
            parent=_activities(definition, rule.parent, absent),
            grouping=_activities(definition, definition.context.grouping, absent),
            category=_activities(definition, definition.context.category + rule.category, absent),
        ),
        extensions=tincan.Extensions(_extensions((*definition.context.extensions, *rule.extensions), absent)),
        platform=_optional(definition.context.platform, absent),
    )
    head = statement.as_version("1.0.3")
    tail = context.as_version("1.0.3")
    # a UUID's slot is not a UUID, which is what tincan would ask for, and a language's no language tag
    tail = {"registration": _fill(definition.context.registration, absent), **tail}
    if (language := _optional(definition.context.language, absent)) is not None:
        tail["language"] = language
    if rule.objectives is not None and OBJECTIVES not in absent:
        # how many there are differs from answer to answer
        lists = tail.setdefault("contextActivities", {})
        lists.setdefault(rule.objectives.place, []).append(f"{_OPEN}{OBJECTIVES}{_CLOSE}")
    return StatementTemplate(
        _cut(msgspec.json.encode({key: head[key] for key in ("actor", "verb", "object")})[1:-1]),
        _cut(b',"context":' + msgspec.json.encode({key: value for key, value in tail.items() if value})),
    )


def _agent(definition: MappingDefinition, absent: frozenset[str]) -> Any:
    actor = definition.actor
    name = _optional(actor.name, absent)
    if actor.identifier == "account" or MBOX in absent:
        home_page, account = _fill(actor.home_page, absent, iri=True), _fill(actor.account, absent)
        return tincan.Agent(name=name, account=tincan.AgentAccount(home_page=home_page, name=account))
    return tincan.Agent(name=name, **{actor.identifier: f"{_OPEN}{MBOX}{_CLOSE}"})


def _activities(definition: MappingDefinition, names: Sequence[str], absent: frozenset[str]) -> Any:
    return [_activity(definition, definition.activities[name], absent) for name in names] or None


def _activity_parts(definition: MappingDefinition, name: str, absent: frozenset[str]) -> TemplateParts:
    activity = _activity(definition, definition.activities[name], absent)
    return _cut(msgspec.json.encode(activity.as_version("1.0.3")))


def _activity(definition: MappingDefinition, activity: ActivityTemplate, absent: frozenset[str]) -> Any:
    is_own = activity.keep_iri and ITEM_IRI not in absent
    return tincan.Activity(
        id=f"{_OPEN}{ITEM_IRI}{_CLOSE}" if is_own else _fill(activity.id, absent, iri=True),
        definition=tincan.ActivityDefinition(
            type=_fill(activity.type, absent, iri=True),
            name=_words(definition, activity.name, absent),
            description=_words(definition, activity.description, absent),
            # tincan wants a type here: the members that an answer adds to the definition take its place
            interaction_type="other" if activity.interaction else None,
        ),
    )


def _words(definition: MappingDefinition, template: Template | None, absent: frozenset[str]) -> Any:
    text = _optional(template, absent)
    return None if text is None else tincan.LanguageMap({definition.language: text})


def _extensions(extensions: Sequence[Extension], absent: frozenset[str]) -> dict[str, Any]:
    """Return extensions with what is known; a table of which nothing is known is left out whole."""
    filled: dict[str, Any] = {}
    for key, content in extensions:
        if isinstance(content, Mapping):
            values = {name: _value(part, absent) for name, part in content.items() if not _is_unknown(part, absent)}
            if values or not content:
                filled[_fill(key, absent, iri=True)] = values
        elif not _is_unknown(content, absent):
            filled[_fill(key, absent, iri=True)] = _value(content, absent)
    return filled


def _is_unknown(value: Value, absent: frozenset[str]) -> bool:
    return isinstance(value, tuple) and is_missing(value, absent)


def _value(value: Value, absent: frozenset[str]) -> Any:
    return _fill(value, absent) if isinstance(value, tuple) else value


def _optional(template: Template | None, absent: frozenset[str]) -> str | None:
    return None if template is None or is_missing(template, absent) else _fill(template, absent)


def _fill(template: Template, absent: frozenset[str], *, iri: bool = False) -> str:
    return "".join(part if isinstance(part, str) else _slot(part, absent, iri=iri) for part in template)


def _slot(place: Placeholder, absent: frozenset[str], *, iri: bool) -> str:
    if place.variable in absent and place.fallback is not None:
        return place.fallback
    encoded = "%" if iri and place.variable not in VERBATIM else ""
    return f"{_OPEN}{place.slot}{encoded}{_CLOSE}"


def _cut(statement: bytes) -> TemplateParts:
    parts: list[bytes | str] = []
    end = 0
    for match in _SLOT.finditer(statement):
        name = DEFINITION if match.lastindex is None else match.group(match.lastindex).decode()
        parts += (statement[end : match.start()], name)
        end = match.end()
    return (*parts, statement[end:])


def fill_known_slots(parts: TemplateParts, slots: Slots) -> TemplateParts:
    """Fill those slots that are told, and join what is literal then."""
    filled: list[bytes | str] = []
    for part in parts:
        now = slots[part] if isinstance(part, str) and slots.tell(part) else part
        if isinstance(now, bytes) and filled and isinstance(filled[-1], bytes):
            filled[-1] += now
        else:
            filled.append(now)
    return tuple(filled)
