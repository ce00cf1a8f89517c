"""Why a commit made the statements it made, and why it made no others: told by the rules as they are applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mappings.apply import Transition
from mappings.attempt.changes import Change, Trigger
from mappings.attempt.commit import Disposition
from mappings.cmi.interactions import Interaction
from mappings.cmi.objectives import Objective
from mappings.cmi.warnings import CmiWarning
from mappings.definition.compiled import CompiledMapping
from mappings.definition.model import Rule
from mappings.generation.statements import RuleEvaluation, RuleOutcome, Statement

REASONS: dict[RuleOutcome, str] = {
    RuleOutcome.FIRED: "it made a statement",
    RuleOutcome.ONCE: "it had already made its one statement",
    RuleOutcome.CONDITION: "its condition was false",
    RuleOutcome.NO_CHANGE: "its trigger did not occur",
    RuleOutcome.HELD_BACK: "its data may still be incomplete, so the statement is held back",
}
"""What can become of a rule at a commit."""


class ChangeExplanation(msgspec.Struct, frozen=True):
    """One thing that a commit altered: before -> after, as JSON values.

    `about` is the interaction, objective or comment that it is about, with its `kind`; None for the attempt as a whole.
    """

    trigger: Trigger
    meaning: str
    before: Any
    after: Any
    about: dict[str, Any] | None


class RuleExplanation(msgspec.Struct, frozen=True):
    """What became of a rule.

    `change` counts the commit's changes from 0, `variables` are what `condition` was asked with, `statement` is the id
    of the one it made.
    """

    rule: str
    when: Trigger
    verb: str
    reason: RuleOutcome
    why: str
    change: int | None = None
    condition: str | None = None
    variables: dict[str, Any] | None = None
    statement: str | None = None


class Explanation(msgspec.Struct, frozen=True):
    """All there is to say of a commit: what it changed, what became of each rule, and the statements made of it."""

    disposition: Disposition
    duplicate_of: int | None
    changes: tuple[ChangeExplanation, ...]
    rules: tuple[RuleExplanation, ...]
    statements: tuple[Statement, ...]
    warnings: tuple[CmiWarning, ...]


def explain(mapping: CompiledMapping, transition: Transition, evaluations: Sequence[RuleEvaluation]) -> Explanation:
    """Return why a commit made its statements, from what became of each rule as it was applied.

    Rules come in the definition's order, and per change.
    """
    by_rule: dict[str, list[RuleEvaluation]] = {}
    for evaluation in evaluations:
        by_rule.setdefault(evaluation.rule.name, []).append(evaluation)
    rules: list[RuleExplanation] = []
    for rule in mapping.definition.rules:
        verb = mapping.definition.verbs[rule.verb].id
        rule_evaluations = by_rule.get(rule.name)
        rules += (
            [_evaluated(evaluation, verb, transition.changes) for evaluation in rule_evaluations]
            if rule_evaluations
            else [_silent(rule, verb, transition)]
        )
    return Explanation(
        transition.disposition,
        transition.duplicate_of,
        tuple(map(_change, transition.changes)),
        tuple(rules),
        transition.statements,
        transition.warnings,
    )


def _change(change: Change) -> ChangeExplanation:
    about = None
    if change.about is not None:
        kind = type(change.about).__name__.lower()
        about = {"kind": kind} | msgspec.to_builtins(change.about)
    return ChangeExplanation(
        change.trigger,
        change.trigger.meaning,
        msgspec.to_builtins(change.before),
        msgspec.to_builtins(change.after),
        about,
    )


def _evaluated(evaluation: RuleEvaluation, verb: str, changes: tuple[Change, ...]) -> RuleExplanation:
    rule, about = evaluation.rule, evaluation.change.about
    why = REASONS[evaluation.outcome]
    if evaluation.outcome is RuleOutcome.ONCE:
        of_item = f" about {about.id}" if isinstance(about, (Interaction, Objective)) else ""
        why = f"{why}{of_item}: {rule.once.meaning}"
    elif evaluation.outcome is RuleOutcome.CONDITION and rule.condition is not None:
        why = f"{why}: {rule.condition.text}"
    return RuleExplanation(
        rule.name,
        rule.when,
        verb,
        evaluation.outcome,
        why,
        # by identity: equal changes can come twice
        next(place for place, change in enumerate(changes) if change is evaluation.change),
        None if rule.condition is None else rule.condition.text,
        evaluation.variables,
        None if evaluation.statement is None else evaluation.statement.id,
    )


def _silent(rule: Rule, verb: str, transition: Transition) -> RuleExplanation:
    reason: RuleOutcome = RuleOutcome.NO_CHANGE
    if (
        rule.when is Trigger.SCORE_CHANGED
        and transition.attempt.score_pending_session == transition.session.number
        and transition.disposition == Disposition.APPLIED
    ) or (rule.when is Trigger.INTERACTION_ANSWERED and transition.attempt.emitted_interactions is not None):
        reason = RuleOutcome.HELD_BACK
    why = REASONS[reason] if reason is RuleOutcome.HELD_BACK else f"{REASONS[reason]}: {rule.when.meaning}"
    condition = None if rule.condition is None else rule.condition.text
    return RuleExplanation(rule.name, rule.when, verb, reason, why, condition=condition)
