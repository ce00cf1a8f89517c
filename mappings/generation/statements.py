"""From a commit's changes to the statements that tell them, as the bytes that every LRS will get.

The same changes of the same attempt give the same bytes, ids included: a statement that is made twice is one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import ABOUT_SESSIONS, Change
from mappings.attempt.enrollment import NEW_ENROLLMENT, EnrollmentState
from mappings.attempt.launch import BROWSER
from mappings.attempt.policy import EndsRetold
from mappings.attempt.precedence import ToldByBrowser
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.interactions import Interaction
from mappings.cmi.objectives import Objective, descriptions
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import CompletionStatus, SuccessStatus
from mappings.cmi.times import CENTISECONDS
from mappings.definition.bound_templates import is_absent
from mappings.definition.compiled import CompiledMapping
from mappings.definition.conditions import SettledValues
from mappings.definition.model import Once, Rule
from mappings.definition.statement_context import Slots, StatementContext, attributes
from mappings.definition.statement_templates import OBJECTIVES, StatementTemplate
from mappings.generation.item_activities import item_slots, objective_activity
from mappings.generation.results import SUCCESS, result_of, scaled, score_at, subject_of
from mappings.generation.session_source import source_key, with_extension
from mappings.generation.session_variables import (
    begin_tracking,
    commit_values,
    end_tracking,
    session_part,
    settled_values,
)
from mappings.xapi.iris import is_own_iri
from mappings.xapi.timestamps import rfc3339
from mappings.xapi.voiding import VOIDED, void

_ITEMS = (Interaction, Objective)
_ENROLLMENT, _ATTEMPT, _SESSION, _CHANGE = Once.ENROLLMENT, Once.ATTEMPT, Once.SESSION, Once.CHANGE
_NOTHING: frozenset[str] = frozenset()


class RuleOutcome(StrEnum):
    """What becomes of a rule at a commit."""

    FIRED = "fired"
    """It made a statement."""
    ONCE = "once"
    """It had made its one statement already."""
    CONDITION = "condition"
    """Its condition did not hold."""
    NO_CHANGE = "no-change"
    """What it speaks of did not happen."""
    HELD_BACK = "held-back"
    """What it speaks of may still be in the middle of being written, and is told later."""


class Statement(msgspec.Struct, frozen=True, gc=False):
    """A statement as it will be sent.

    `position` counts an attempt's statements from 1 in the order they must arrive in; `body` is the frozen JSON;
    `problem` says why it must not be sent, if it must not; `key` is what it is known by within its attempt, the rule
    first and which of its occurrences at the end, a line each.
    """

    id: str
    position: int
    rule: str
    verb: str
    body: str
    problem: str | None = None
    key: str = ""


class RuleEvaluation(msgspec.Struct, frozen=True, gc=False):
    """What became of a rule at a change that it speaks of.

    `outcome`: it `fired`, or had spoken `once` already, or its `condition` did not hold. `variables` are what a
    condition was asked with.
    """

    rule: Rule
    change: Change
    outcome: RuleOutcome
    variables: dict[str, Any] | None = None
    statement: Statement | None = None


class GeneratedStatements(msgspec.Struct, frozen=True, gc=False):
    """The statements of one commit and the states that remember them."""

    attempt: AttemptState
    session: SessionState
    enrollment: EnrollmentState = NEW_ENROLLMENT
    statements: tuple[Statement, ...] = ()


def generate_statements(  # noqa: PLR0913 -- three states, and what happened to them
    mapping: CompiledMapping,
    context: StatementContext,
    attempt: AttemptState,
    session: SessionState,
    changes: Sequence[Change],
    at: int,
    evaluations: list[RuleEvaluation] | None = None,
    *,
    enrollment: EnrollmentState = NEW_ENROLLMENT,
) -> GeneratedStatements:
    """Build the statements of a commit's changes, in the changes' order.

    `attempt` and `session` are the states after the commit, `enrollment` is the one before it; `at` is what the
    statements are dated, in milliseconds since the epoch. What became of every rule at every change is added to
    `evaluations`, where given.
    """
    due = [(change, rule) for change in changes for rule in mapping.rules.get(change.trigger, ())]
    if mapping.tracks_sessions and changes:
        session = begin_tracking(session, changes)
    if not due:
        return GeneratedStatements(attempt, session, enrollment)
    generator = _StatementGenerator(mapping, context, attempt, session, enrollment, at)
    for change, rule in due:
        generator.apply(rule, change, evaluations)
    return generator.finish(changes)


class _StatementGenerator:
    """The statements of one commit as they are made, and what has spoken by then."""

    __slots__ = (
        "_at", "_attempt", "_beyond", "_bound_templates", "_commit_values", "_context", "_described", "_enrollment",
        "_enrollment_fired", "_fired", "_latest", "_mapping", "_part", "_session", "_session_fired", "_settled",
        "_source_key", "_statements", "_told", "_unknown",
    )  # fmt: skip

    def __init__(
        self,
        mapping: CompiledMapping,
        context: StatementContext,
        attempt: AttemptState,
        session: SessionState,
        enrollment: EnrollmentState,
        at: int,
    ) -> None:
        self._mapping, self._context, self._at = mapping, context, at
        self._attempt, self._session, self._enrollment = attempt, session, enrollment
        self._bound_templates = mapping.bind(context)
        self._latest = attempt.timestamp
        self._fired = attempt.firing_counts.copy()
        self._session_fired: dict[str, None] | None = None
        self._enrollment_fired: dict[str, None] | None = None
        self._described: dict[str, str] | None = None
        self._statements: list[Statement] = []
        self._settled: SettledValues | None = None  # not every rule has a condition
        self._told: ToldByBrowser | None = None
        self._source_key: str | None = None
        if session.launch.source == BROWSER:
            self._told = ToldByBrowser(attempt.told_by_browser, is_browser=True)
            self._source_key = source_key(mapping.definition, self._bound_templates)
        elif attempt.told_by_browser:
            self._told = ToldByBrowser(attempt.told_by_browser, is_browser=False)
        self._beyond, self._unknown = self._bound_templates.slots, _NOTHING
        self._commit_values: tuple[str, ...] = ()
        self._part = session_part(session) if mapping.tracks_sessions else ""
        if mapping.of_commits:
            values = commit_values(attempt, session, self._part)
            self._commit_values = tuple(values.values())
            self._beyond = Slots(values, self._beyond)
            self._unknown = frozenset(name for name in mapping.unknown if is_absent(name, values))

    def apply(  # noqa: C901, PLR0912 -- what may end it, step after step; every call would cost each commit
        self, rule: Rule, change: Change, evaluations: list[RuleEvaluation] | None
    ) -> None:
        """Build a rule's statement of a change where it may fire; add what became of it to `evaluations`, if given."""
        about = change.about
        item = about if about is not None and isinstance(about, _ITEMS) else None
        name = rule.name if item is None else f"{rule.name}\n{item.id}"
        once, spoken = rule.once, name
        if once == _SESSION and self._session.end_revision and change.trigger in ABOUT_SESSIONS:
            # a session's end that was taken back or told anew lets the rules about its turns speak again
            spoken = f"{name}/{self._session.end_revision}"
        if once != _CHANGE and spoken in self._spoken(once):
            if evaluations is not None:
                evaluations.append(RuleEvaluation(rule, change, RuleOutcome.ONCE))
            return
        variables, condition = None, rule.condition
        if condition is not None:
            if evaluations is None and condition.is_settled:
                holds = condition.holds_for(self._settled or self._settle())
            else:
                variables = self._variables(change)
                holds = condition.holds(variables)
            if not holds:
                if evaluations is not None:
                    evaluations.append(RuleEvaluation(rule, change, RuleOutcome.CONDITION, variables))
                return
        if self._told is not None and self._told.has_told(name, change):
            if evaluations is not None:
                evaluations.append(RuleEvaluation(rule, change, RuleOutcome.ONCE))
            return
        count = self._fired[name] = self._fired.get(name, 0) + 1
        if once == _CHANGE:
            occurrence = str(count)
        elif once == _ATTEMPT:
            occurrence = once
        else:
            self._spoken(once)[spoken] = None
            again = spoken.removeprefix(name) + self._part
            occurrence = once if once == _ENROLLMENT else self._context.session_id + again
        statement = self._statement(rule, change, item, f"{name}\n{occurrence}")
        statement = self._behind_voiding(rule, name, statement) if change.retold else statement
        self._statements.append(statement)
        if self._told is not None:
            self._told.note(name, change)
        if evaluations is not None:
            evaluations.append(RuleEvaluation(rule, change, RuleOutcome.FIRED, variables, statement))

    def _spoken(self, once: Once) -> dict[str, Any]:
        """Return the names that have spoken, in the order they did; of each, a look-up however many there are."""
        if once == _ATTEMPT:
            return self._fired
        if once == _SESSION:
            if self._session_fired is None:
                self._session_fired = dict.fromkeys(self._session.fired_rules)
            return self._session_fired
        if self._enrollment_fired is None:
            self._enrollment_fired = dict.fromkeys(self._enrollment.fired_rules)
        return self._enrollment_fired

    def _behind_voiding(self, rule: Rule, name: str, statement: Statement) -> Statement:
        """Build what voids the rule's earlier statement of the session's end, where the mapping asks for it.

        Return the statement with its position behind that.
        """
        if rule.once != _SESSION or self._mapping.definition.status.ends_retold != EndsRetold.VOID:
            return statement
        phase = self._session.end_revision - 1
        earlier = f"{name}/{phase}" if phase else name
        if earlier not in self._spoken(_SESSION):
            return statement
        occurrence = self._context.session_id + earlier.removeprefix(name) + self._part
        voided_id = self._bound_templates.statement_id(f"{name}\n{occurrence}")
        voiding = void(voided_id, statement.body, self._latest)
        # under the rule's name: it goes to whoever got what it voids
        self._statements.append(
            Statement(
                voiding.id,
                statement.position,
                rule.name,
                VOIDED,
                voiding.body,
                voiding.problem,
                f"{name}\nvoided{phase}",
            )
        )
        return replace(statement, position=statement.position + 1)

    def finish(self, changes: Sequence[Change]) -> GeneratedStatements:
        """Return the statements, and the states after them."""
        attempt, session, enrollment = self._attempt, self._session, self._enrollment
        if self._told is not None:
            attempt = replace(attempt, told_by_browser=self._told.digests)
        if self._session_fired is not None and len(self._session_fired) != len(session.fired_rules):
            session = replace(session, fired_rules=tuple(self._session_fired))
        if self._mapping.tracks_sessions:
            session = end_tracking(session, changes)
        if not self._statements:
            return GeneratedStatements(attempt, session, enrollment)
        if self._enrollment_fired is not None and len(self._enrollment_fired) != len(enrollment.fired_rules):
            enrollment = EnrollmentState(tuple(self._enrollment_fired))
        count = attempt.statements + len(self._statements)
        attempt = replace(attempt, firing_counts=self._fired, statements=count, timestamp=self._latest)
        return GeneratedStatements(attempt, session, enrollment, tuple(self._statements))

    def _statement(self, rule: Rule, change: Change, item: Interaction | Objective | None, key: str) -> Statement:
        mapping, bound_templates = self._mapping, self._bound_templates
        statement_id = bound_templates.statement_id(key)
        result = result_of(rule.result, subject_of(mapping, self._attempt, self._session, change), bound_templates)
        slots = self._beyond if item is None else item_slots(item, self._beyond)
        if rule.objectives is not None and isinstance(item, Interaction) and item.objectives:
            slots[OBJECTIVES] = self._objectives(rule.objectives.activity, item.objectives)
        statement_format, judged_as = bound_templates.statement_format(
            rule,
            described=item is None or bool(item.description),
            with_objectives=OBJECTIVES in slots,
            own_iri=item is not None and ":" in item.id and is_own_iri(item.id),
            unknown=self._unknown,
        )
        # no statement is dated before the one it follows, nor after the commit
        at = self._at if not change.at or change.at > self._at else change.at
        self._latest = max(self._latest, at)
        body = statement_format.statement(slots, statement_id, result, rfc3339(self._latest))
        if self._commit_values and not isinstance(judged_as, StatementTemplate):
            judged_as = judged_as, self._commit_values
        problem = mapping.validator.problem(body, result, judged_as, item=item is not None)
        if self._source_key is not None:
            body = with_extension(body, self._source_key, self._session.launch.source)
        position = self._attempt.statements + len(self._statements) + 1
        verb = mapping.definition.verbs[rule.verb].id
        return Statement(statement_id, position, rule.name, verb, body.decode(), problem, key)

    def _objectives(self, activity: str, named: Sequence[str]) -> bytes:
        """Return the objectives that an interaction names as activities in JSON, each once."""
        if self._described is None:
            self._described = descriptions(self._attempt.snapshot.objectives)
        described = self._described
        bound_templates, of_commit = self._bound_templates, bool(self._mapping.of_commits)
        activities: dict[bytes, None] = {}
        for objective_id in named:
            body = objective_activity(
                bound_templates,
                activity,
                objective_id,
                described.get(objective_id, ""),
                self._beyond,
                self._unknown,
                of_commit=of_commit,
            )
            activities[body] = None
        return b",".join(activities)

    def _variables(self, change: Change) -> dict[str, Any]:
        """Return what a condition can ask for; what is not known is left out, or null where it has no parts."""
        attempt, context, session = self._attempt, self._context, self._session
        snapshot, about, score = attempt.snapshot, change.about, score_at(self._mapping, attempt, change)
        mode, credit, ended, success, _, completed, passed = self._settled or self._settle()
        item: dict[str, Any] = {}
        if isinstance(about, Interaction):
            item = {"id": about.id, "type": about.type, "success": about.success, "response": about.response}
        elif isinstance(about, Objective):
            item = {"id": about.id, "success": SUCCESS.get(about.success_status)}
        return {
            "completion": str(snapshot.completion_status or CompletionStatus.UNKNOWN),
            "success": str(snapshot.success_status or SuccessStatus.UNKNOWN),
            "score": {} if score is None else msgspec.to_builtins(score),
            "progress": snapshot.progress_measure,
            "attempt": {"number": context.attempt_number, "total_time": attempt.total_time / CENTISECONDS},
            "session": {
                "time": session.time_spent / CENTISECONDS,
                "mode": mode,
                "credit": credit,
                "ended": ended,
                "success": success,
                "source": session.launch.source,
            },
            "enrollment": {"completed": completed, "passed": passed},
            "learner": {"id": context.learner_id, "attributes": attributes(context)},
            "activity": {"id": context.activity_id},
            "course": {"id": context.course_id or context.activity_id},
            "item": item,
            "change": {
                "before": msgspec.to_builtins(self._shown(change.before)),
                "after": msgspec.to_builtins(self._shown(change.after)),
            },
        }

    def _settle(self) -> SettledValues:
        tracked = self._mapping.tracks_sessions
        settled = self._settled = settled_values(self._context, self._session, tracked=tracked)
        return settled

    def _shown(self, value: Any) -> Any:
        return scaled(self._mapping, self._attempt, value) if isinstance(value, Score) else value
