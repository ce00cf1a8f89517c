"""Where a mapping tells of a learner what a target must not get, beside the actor.

What stands in extensions is left out of such a target's statements. Everything else identifies activities, or what is
the same for all learners, and cannot be taken out: such a mapping and such a target do not go together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mappings.definition.model import Extension, MappingDefinition
from mappings.definition.placeholders import ATTRIBUTES, Template, placeholders


def hidden_extensions(
    definition: MappingDefinition, *, names: bool, is_pseudonym: bool
) -> tuple[tuple[Template, str | None], ...]:
    """Return the keys of extensions that are left out, each with the member of it, None where it is left out whole."""
    hidden: dict[tuple[Template, str | None], None] = {}
    for key, content in _extensions(definition):
        members = content.items() if isinstance(content, Mapping) else ((None, content),)
        for member, value in members:
            if isinstance(value, tuple) and _tells(value, names=names, is_pseudonym=is_pseudonym):
                hidden[key, member] = None
    return tuple(hidden)


def find_conflicts(definition: MappingDefinition, *, names: bool, is_pseudonym: bool, has_account: bool) -> list[str]:
    """Return the places of a mapping document that tell of a learner what cannot be taken out of statements.

    `has_account`: learners are identified by the account that the document defines.
    """
    return [
        place
        for place, template in _templates(definition, has_account=has_account)
        if template is not None and _tells(template, names=names, is_pseudonym=is_pseudonym)
    ]


def _tells(template: Template, *, names: bool, is_pseudonym: bool) -> bool:
    return any(
        (variable == "learner.name" and not names)
        or (is_pseudonym and (variable in {"learner.id", "learner.name"} or variable.startswith(ATTRIBUTES)))
        for variable in placeholders(template)
    )


def _extensions(definition: MappingDefinition) -> Iterator[Extension]:
    yield from definition.context.extensions
    for rule in definition.rules:
        yield from rule.extensions


def _templates(definition: MappingDefinition, *, has_account: bool) -> Iterator[tuple[str, Template | None]]:
    yield "iris.activity", definition.activity_iri
    yield "iris.activity_in_course", definition.activity_in_course_iri
    yield "iris.course", definition.course_iri
    yield "iris.cmi_extension", definition.cmi_extension
    yield "iris.source_extension", definition.source_extension
    if has_account:
        yield "actor.home_page", definition.actor.home_page
        yield "actor.account", definition.actor.account
    for name, activity in definition.activities.items():
        for part in ("id", "type", "name", "description"):
            yield f"activities.{name}.{part}", getattr(activity, part)
    yield "context.platform", definition.context.platform
    yield "context.language", definition.context.language
    for key, _ in _extensions(definition):
        yield "the key of an extension", key
