"""A mapping document as words, for people who do not read TOML: rule by rule, and what else it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from mappings.attempt.changes import TRIGGERS
from mappings.attempt.policy import ENDS_RETOLD, PASS_MARKS, RESULTS
from mappings.definition.conditions import VARIABLES
from mappings.definition.model import (
    CONTEXT_LISTS,
    DOCUMENT_PARTS,
    ENDINGS,
    IDENTIFIERS,
    ONCE,
    OVERLAPS,
    RESOURCES,
    RESULT_PARTS,
    SCALED_SCORES,
    Activity,
    Extension,
    MappingDefinition,
    Rule,
    Value,
)
from mappings.definition.placeholders import Placeholder, Template


class RuleInWords(msgspec.Struct, frozen=True):
    """A rule: when this happens, and only if that holds, a statement of this verb about this object with these parts.

    `only_if` is a CEL expression, `means` tells what the names in it are. `result` and `context` have a line for each
    part.
    """

    name: str
    when: str
    trigger: str
    only_if: str
    means: tuple[tuple[str, str], ...]
    verb: str
    verb_id: str
    object: str
    object_id: str
    result: tuple[str, ...]
    context: tuple[str, ...]
    often: str


class Line(msgspec.Struct, frozen=True):
    """Something else that a document says."""

    name: str
    value: str


class InWords(msgspec.Struct, frozen=True):
    """A whole document."""

    rules: tuple[RuleInWords, ...]
    who: tuple[Line, ...]
    what: tuple[Line, ...]
    where: tuple[Line, ...]
    documents: tuple[Line, ...]


def in_words(definition: MappingDefinition) -> InWords:
    """Put a document in words."""
    return InWords(
        tuple(_rule(rule, definition) for rule in definition.rules),
        tuple(_who(definition)),
        tuple(Line(name, _activity(one)) for name, one in definition.activities.items()),
        tuple(_where(definition)),
        tuple(_documents(definition)),
    )


def template(told: Template) -> str:
    """Write a template as the document does."""
    return "".join(_place(part) if isinstance(part, Placeholder) else part for part in told)


def name_of(told: Mapping[str, str], language: str) -> str:
    """Return a name in a language, else in the first that there is."""
    return told.get(language) or next(iter(told.values()), "")


def _place(part: Placeholder) -> str:
    return f"{{{part.slot}}}" if part.fallback is None else f"{{{part.slot}|{part.fallback}}}"


def _value(value: Value) -> str:
    if isinstance(value, tuple):
        return template(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _extension(extension: Extension) -> Line:
    key, held = extension
    inner = held if isinstance(held, Mapping) else {"": held}
    return Line(
        f"Extension {template(key)}", "; ".join(f"{name} {_value(value)}".strip() for name, value in inner.items())
    )


def _rule(rule: Rule, definition: MappingDefinition) -> RuleInWords:
    verb, condition = definition.verbs[rule.verb], rule.condition
    return RuleInWords(
        name=rule.name,
        when=TRIGGERS[rule.when],
        trigger=rule.when,
        only_if="" if condition is None else condition.text,
        means=() if condition is None else tuple(_means(condition.program.variables())),
        verb=name_of(verb.display, definition.language),
        verb_id=verb.id,
        object=rule.object,
        object_id=template(definition.activities[rule.object].id),
        result=tuple(RESULT_PARTS[part] for part in rule.result),
        context=tuple(_context(rule)),
        often=ONCE[rule.once],
    )


def _means(names: list[str]) -> Iterator[tuple[str, str]]:
    # a macro's own variable is among the names, too
    return ((name, VARIABLES[name]) for name in sorted(names) if name in VARIABLES)


def _context(rule: Rule) -> Iterator[str]:
    if rule.parent:
        yield f"parent: {', '.join(rule.parent)}"
    if rule.category:
        yield f"category, too: {', '.join(rule.category)}"
    if rule.objectives is not None:
        yield f"objectives that the interaction names, as {rule.objectives.activity}, in {rule.objectives.place}"
    for extension in map(_extension, rule.extensions):
        yield f"{extension.name[0].lower()}{extension.name[1:]}, too: {extension.value}"


def _who(definition: MappingDefinition) -> Iterator[Line]:
    actor = definition.actor
    yield Line("Known by", IDENTIFIERS[actor.identifier])
    yield Line("Account's home page", template(actor.home_page))
    yield Line("Account's name", template(actor.account))
    if actor.name is not None:
        yield Line("Name", template(actor.name))


def _activity(one: Activity) -> str:
    told = [template(one.id), f"type {template(one.type)}"]
    if one.name is not None:
        told.append(f"name {template(one.name)}")
    if one.description is not None:
        told.append(f"description {template(one.description)}")
    if one.interaction:
        told.append("with its interaction type and correct responses")
    if one.keep_iri:
        told.append("where an item's id is an IRI already, that is the activity's id")
    return "; ".join(told)


def _where(definition: MappingDefinition) -> Iterator[Line]:
    context = definition.context
    yield Line("Activity's IRI, where its id is none", template(definition.activity_iri))
    if definition.activity_in_course_iri != definition.activity_iri:
        yield Line(
            "Activity's IRI, where its id is none and the course is known", template(definition.activity_in_course_iri)
        )
    yield Line("Course's IRI, where its id is none", template(definition.course_iri))
    yield Line("Registration", template(context.registration))
    for name, listed in (("grouping", context.grouping), ("category", context.category)):
        if listed:
            yield Line(f"{name.capitalize()}: {CONTEXT_LISTS[name]}", ", ".join(listed))  # type: ignore[index]  # two of its keys
    for name, text in (("Platform", context.platform), ("Language", context.language)):
        if text is not None:
            yield Line(name, template(text))
    yield from map(_extension, context.extensions)
    failed = "does" if definition.status.failed_completes else "does not"
    yield Line("SCORM 1.2's failed", f"{failed} also complete an attempt")
    yield Line("The result of an attempt", RESULTS[definition.status.result])
    yield Line("Ends of sessions", ENDS_RETOLD[definition.status.ends_retold])
    yield Line("Mastery score, passing score and completion threshold", PASS_MARKS[definition.status.marks])
    yield Line("A scaled score", SCALED_SCORES[definition.scaled_score])
    yield Line("A session from which nothing comes any more", ENDINGS[definition.idle])
    yield Line("A session that is open when a later one begins", OVERLAPS[definition.overlap])


def _documents(definition: MappingDefinition) -> Iterator[Line]:
    for one in definition.documents:
        parts = ", ".join(f"{part} ({DOCUMENT_PARTS[part]})" for part in one.content)
        sent = "goes to every LRS" if one.send else "goes to no LRS"
        yield Line(
            one.name,
            f"{one.resource} ({RESOURCES[one.resource]}), id {one.id}; tells {parts}; at least {one.every} s"
            f" between two writes; {sent} whose settings do not say otherwise",
        )
