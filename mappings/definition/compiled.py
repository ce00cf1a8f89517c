"""Mapping documents ready for use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import Trigger
from mappings.definition.bound_templates import BoundTemplateCache, BoundTemplates
from mappings.definition.errors import DefinitionError, Fault
from mappings.definition.model import MappingDefinition, Rule
from mappings.definition.placeholders import OF_COMMITS, OPTIONAL
from mappings.definition.statement_context import StatementContext
from mappings.definition.statement_templates import ITEM_IRI, MBOX, StatementTemplates
from mappings.xapi.statement_validator import StatementValidator


class CompiledMapping(msgspec.Struct, frozen=True):
    """A mapping document ready for use.

    `templates` are its statements and activities, and `bind` fills them in and keeps what it has filled in;
    `of_commits` are the placeholders it has whose text can change with every commit, by their slots' names, and
    `unknown` those of them that may be empty or no numbers; `tracks_sessions` tells whether it asks how a session's end
    was told, or what success the session had.
    """

    definition: MappingDefinition
    rules: Mapping[Trigger, Sequence[Rule]]
    templates: StatementTemplates
    bind: Callable[[StatementContext], BoundTemplates]
    validator: StatementValidator
    of_commits: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    tracks_sessions: bool = False

    def with_empty_caches(self) -> CompiledMapping:
        """Return the same mapping for another use, which neither fills what this one remembers nor is filled by it."""
        return replace(
            self, bind=BoundTemplateCache(self.definition, self.templates).of, validator=StatementValidator()
        )


def compile_definition(definition: MappingDefinition, source: str) -> CompiledMapping:
    """Compile a document.

    Raises:
        DocumentError: tincan takes no statement of some rule.
    """
    rules: dict[Trigger, list[Rule]] = {}
    faults: list[Fault] = []
    templates = StatementTemplates(definition)
    for index, rule in enumerate(definition.rules):
        rules.setdefault(rule.when, []).append(rule)
        for absent in (frozenset[str](), OPTIONAL | templates.may_be_absent | {MBOX, ITEM_IRI}):
            try:
                templates.of_rule(rule, absent)
            except (TypeError, ValueError) as error:  # what tincan raises for values it does not take
                faults.append(Fault(f"rules[{index}]", 0, f"makes no statement: {error}"))
                break
    if faults:
        raise DefinitionError(source, faults)
    of_commits = frozenset(
        placeholder.slot for placeholder in templates.placeholders if placeholder.variable in OF_COMMITS
    )
    unknown = of_commits & templates.may_be_absent
    tracks = "session.part" in of_commits or any(
        rule.condition is not None and any(map(rule.condition.asks_for, ("session.ended", "session.success")))
        for rule in definition.rules
    )
    return CompiledMapping(
        definition,
        rules,
        templates,
        BoundTemplateCache(definition, templates).of,
        StatementValidator(),
        of_commits,
        unknown,
        tracks,
    )
