"""A mapping document as words, for people who do not read TOML: rule by rule, and what else it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from mappings.definition.conditions import VARIABLES
from mappings.definition.model import (
    CONTEXT_LISTS,
    DOCUMENT_PARTS,
    ENDINGS,
    IDENTIFIERS,
    RESOURCES,
    ActivityTemplate,
    Extension,
    MappingDefinition,
    Rule,
    Value,
)
from mappings.definition.placeholders import Placeholder, Template


class RuleDescription(msgspec.Struct, frozen=True):
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


class DescriptionLine(msgspec.Struct, frozen=True):
    """Something else that a document says."""

    name: str
    value: str


class MappingDescription(msgspec.Struct, frozen=True):
    """A whole document."""

    rules: tuple[RuleDescription, ...]
    who: tuple[DescriptionLine, ...]
    what: tuple[DescriptionLine, ...]
    where: tuple[DescriptionLine, ...]
    documents: tuple[DescriptionLine, ...]


def describe(definition: MappingDefinition) -> MappingDescription:
    """Describe a mapping."""
    return MappingDescription(
        tuple(_rule(rule, definition) for rule in definition.rules),
        tuple(_who(definition)),
        tuple(DescriptionLine(name, _activity(activity)) for name, activity in definition.activities.items()),
        tuple(_where(definition)),
        tuple(_documents(definition)),
    )


def template_text(template: Template) -> str:
    """Write a template as the document does."""
    return "".join(_place(part) if isinstance(part, Placeholder) else part for part in template)


def display_name(display: Mapping[str, str], language: str) -> str:
    """Return a name in a language, else in the first that there is."""
    return display.get(language) or next(iter(display.values()), "")


def _place(part: Placeholder) -> str:
    return f"{{{part.slot}}}" if part.fallback is None else f"{{{part.slot}|{part.fallback}}}"


def _value(value: Value) -> str:
    if isinstance(value, tuple):
        return template_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _extension(extension: Extension) -> DescriptionLine:
    key, content = extension
    inner = content if isinstance(content, Mapping) else {"": content}
    return DescriptionLine(
        f"Extension {template_text(key)}", "; ".join(f"{name} {_value(value)}".strip() for name, value in inner.items())
    )


def _rule(rule: Rule, definition: MappingDefinition) -> RuleDescription:
    verb, condition = definition.verbs[rule.verb], rule.condition
    return RuleDescription(
        name=rule.name,
        when=rule.when.meaning,
        trigger=rule.when,
        only_if="" if condition is None else condition.text,
        means=() if condition is None else tuple(_means(condition.program.variables())),
        verb=display_name(verb.display, definition.language),
        verb_id=verb.id,
        object=rule.object,
        object_id=template_text(definition.activities[rule.object].id),
        result=tuple(part.meaning for part in rule.result),
        context=tuple(_context(rule)),
        often=rule.once.meaning,
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


def _who(definition: MappingDefinition) -> Iterator[DescriptionLine]:
    actor = definition.actor
    yield DescriptionLine("Known by", IDENTIFIERS[actor.identifier])
    yield DescriptionLine("Account's home page", template_text(actor.home_page))
    yield DescriptionLine("Account's name", template_text(actor.account))
    if actor.name is not None:
        yield DescriptionLine("Name", template_text(actor.name))


def _activity(activity: ActivityTemplate) -> str:
    parts = [template_text(activity.id), f"type {template_text(activity.type)}"]
    if activity.name is not None:
        parts.append(f"name {template_text(activity.name)}")
    if activity.description is not None:
        parts.append(f"description {template_text(activity.description)}")
    if activity.interaction:
        parts.append("with its interaction type and correct responses")
    if activity.keep_iri:
        parts.append("where an item's id is an IRI already, that is the activity's id")
    return "; ".join(parts)


def _where(definition: MappingDefinition) -> Iterator[DescriptionLine]:
    context = definition.context
    yield DescriptionLine("Activity's IRI, where its id is none", template_text(definition.activity_iri))
    if definition.activity_in_course_iri != definition.activity_iri:
        yield DescriptionLine(
            "Activity's IRI, where its id is none and the course is known",
            template_text(definition.activity_in_course_iri),
        )
    yield DescriptionLine("Course's IRI, where its id is none", template_text(definition.course_iri))
    yield DescriptionLine("Registration", template_text(context.registration))
    for name, listed in (("grouping", context.grouping), ("category", context.category)):
        if listed:
            yield DescriptionLine(f"{name.capitalize()}: {CONTEXT_LISTS[name]}", ", ".join(listed))  # type: ignore[index]  # two of its keys
    for name, text in (("Platform", context.platform), ("Language", context.language)):
        if text is not None:
            yield DescriptionLine(name, template_text(text))
    yield from map(_extension, context.extensions)
    source = template_text(definition.source_extension)
    yield DescriptionLine(
        "Sessions that a page opened with a browser key",
        f"say so in the extension {source}" if context.session_source else "do not say so",
    )
    failed = "does" if definition.status.failed_completes else "does not"
    yield DescriptionLine("SCORM 1.2's failed", f"{failed} also complete an attempt")
    yield DescriptionLine("The result of an attempt", definition.status.result.meaning)
    yield DescriptionLine("Ends of sessions", definition.status.ends_retold.meaning)
    yield DescriptionLine("Mastery score, passing score and completion threshold", definition.status.marks.meaning)
    yield DescriptionLine("A scaled score", definition.scaled_score.meaning)
    yield DescriptionLine("A session from which nothing comes any more", ENDINGS[definition.idle])
    yield DescriptionLine("A session that is open when a later one begins", definition.overlap.meaning)


def _documents(definition: MappingDefinition) -> Iterator[DescriptionLine]:
    for document in definition.documents:
        parts = ", ".join(f"{part} ({DOCUMENT_PARTS[part]})" for part in document.content)
        sent = "goes to every LRS" if document.send else "goes to no LRS"
        yield DescriptionLine(
            document.name,
            f"{document.resource} ({RESOURCES[document.resource]}), id {document.id}; holds {parts}; at least"
            f" {document.every} s between two writes; {sent} whose settings do not override it",
        )
