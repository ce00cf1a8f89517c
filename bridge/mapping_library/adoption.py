"""Assigns what waits for no target in particular to those that are configured first, to each in the form that it gets.

Documents are not made again here: those of the same attempts are built anew, for the targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from bridge.clock import Now
from bridge.commit_model.target_forms import context_of
from bridge.forwarding.targets import Target
from bridge.forwarding.worker_factory import Adoption, PlainAdoption
from bridge.mapping_library.activation import compile_stored
from bridge.routing import build_forms, form_conflicts, mapping_forms
from bridge.settings import TargetSettings
from mappings.generation.target_forms import MappingForm
from storage import deliveries, documents, journal_replay, unassigned
from storage.attempts import Session
from storage.target_statements import TargetStatement
from storage.unassigned import UnassignedDelivery

log = structlog.get_logger(__name__)

BATCH_SIZE = 200
"""Deliveries that one transaction assigns."""


class SharedAdoption:
    """Assigns to every target, to each in the form that it gets."""

    def __init__(self, targets: Sequence[Target], settings: Sequence[TargetSettings], now: Now) -> None:
        self._targets = targets
        self._settings = {target.name: target for target in settings}
        self._now = now
        self._forms: dict[tuple[str, int], _Form] = {}

    def assign_statements(self, connection: Connection) -> int:
        """Assign some deliveries of statements, and forget those that no target wants; return how many it assigned.

        What an older version of the mapping tells of learners, and a target must not get, is discarded for it.
        """
        waiting = unassigned.load(connection, BATCH_SIZE)
        sessions = {
            session.session_id: session
            for history in journal_replay.histories(
                connection, sorted({delivery.enrollment_id for delivery in waiting})
            )
            for session in history.sessions
        }
        receivers: dict[UnassignedDelivery, list[str]] = {}
        rows: list[TargetStatement] = []
        contradicting: set[tuple[int, int, str]] = set()
        for delivery in waiting:
            wanting = [target.name for target in self._targets if delivery.rule not in target.unwanted_rules]
            receivers[delivery] = wanting
            for target in wanting:
                form = self._form(connection, target, delivery.mapping_version_id)
                if form.contradicts:
                    contradicting.add((delivery.attempt_id, delivery.position, target))
                elif form.form is not None:
                    rows.append(_row(form.form, sessions[delivery.session_id], delivery, target))
        ids = unassigned.assign(connection, receivers, rows)
        discarded = [ids[key] for key in contradicting]
        if discarded:
            deliveries.discard(connection, discarded, self._now())
            log.warning("waiting_statements_discarded", statements=len(discarded))
        return len(waiting)

    def assign_documents(self, connection: Connection) -> int:
        """Let documents be built anew for the targets; return how many those were."""
        return documents.rebuild_unassigned(connection, self._now(), limit=BATCH_SIZE)

    def _form(self, connection: Connection, target: str, version_id: int) -> _Form:
        """Return a target's form of what a version made."""
        known = self._forms.get((target, version_id))
        if known is None:
            mapping, targets = compile_stored(connection, version_id), [self._settings[target]]
            form = next((form for form, _ in mapping_forms(mapping, targets)), None)
            known = self._forms[target, version_id] = _Form(form, bool(form_conflicts(mapping, targets)))
        return known


class _Form(NamedTuple):
    """The form in which a target gets what a version makes, None for its own; or the two contradict each other."""

    form: MappingForm | None
    contradicts: bool


def _row(form: MappingForm, session: Session, delivery: UnassignedDelivery, target: str) -> TargetStatement:
    form_of_attempt = form.of_attempt(context_of(session), session.attempt.started_at)
    return TargetStatement(
        delivery.attempt_id,
        delivery.position,
        target,
        form_of_attempt.description,
        form_of_attempt.statement(delivery.body),
    )


def adoption_for(targets: Sequence[Target], settings: Sequence[TargetSettings], now: Now) -> Adoption:
    """Return what assigns to the targets, to each in the form that it gets."""
    if len(targets) == 1 and not build_forms(settings):
        return PlainAdoption(targets[0])
    return SharedAdoption(targets, settings, now)
