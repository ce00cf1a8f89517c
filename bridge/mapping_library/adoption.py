"""Assigns what waits for no target in particular to the first one, in the form that this one gets.

Documents are not made again here: those of the same attempts are built anew, for the target.
"""

from __future__ import annotations

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
from storage import deliveries, documents, journal_replay, outbox
from storage.attempts import Session
from storage.outbox import UnassignedDelivery
from storage.target_statements import TargetStatement

log = structlog.get_logger(__name__)

BATCH_SIZE = 200
"""Deliveries that one transaction assigns."""


class FormAdoption:
    """Assigns to a target that has a form of its own."""

    def __init__(self, target: Target, settings: TargetSettings, now: Now) -> None:
        self._target = target
        self._settings = settings
        self._now = now
        self._forms: dict[int, MappingForm | None] = {}

    def assign_statements(self, connection: Connection) -> int:
        """Assign some deliveries of statements, and forget those of unwanted rules; return how many it assigned.

        What an older version of the mapping tells of learners, and the target must not get, is discarded.
        """
        target, unwanted = self._target.name, self._target.unwanted_rules
        waiting = outbox.unassigned(connection, BATCH_SIZE)
        outbox.forget(connection, [delivery.id for delivery in waiting if delivery.rule in unwanted])
        wanted = [delivery for delivery in waiting if delivery.rule not in unwanted]
        sessions = {
            session.session_id: session
            for history in journal_replay.histories(connection, sorted({delivery.enrollment_id for delivery in wanted}))
            for session in history.sessions
        }
        rows: list[TargetStatement] = []
        contradicting: list[int] = []
        for delivery in wanted:
            form = self._form(connection, delivery.mapping_version_id)
            if form is None:
                contradicting.append(delivery.id)
            else:
                rows.append(_row(form, sessions[delivery.session_id], delivery, target))
        outbox.assign(connection, target, [delivery.id for delivery in wanted], rows)
        if contradicting:
            deliveries.discard(connection, contradicting, self._now())
            log.warning("waiting_statements_discarded", target=target, statements=len(contradicting))
        return len(wanted)

    def assign_documents(self, connection: Connection) -> int:
        """Let documents be built anew for the target; return how many those were."""
        return documents.rebuild_unassigned(connection, self._now(), limit=BATCH_SIZE)

    def _form(self, connection: Connection, version_id: int) -> MappingForm | None:
        """Return the target's form of what a version made, None where the two contradict each other."""
        if version_id not in self._forms:
            mapping, targets = compile_stored(connection, version_id), [self._settings]
            ((form, _),) = mapping_forms(mapping, targets)
            self._forms[version_id] = None if form_conflicts(mapping, targets) else form
        return self._forms[version_id]


def _row(form: MappingForm, session: Session, delivery: UnassignedDelivery, target: str) -> TargetStatement:
    form_of_attempt = form.of_attempt(context_of(session), session.attempt.started_at)
    return TargetStatement(
        delivery.attempt_id,
        delivery.position,
        target,
        form_of_attempt.description,
        form_of_attempt.statement(delivery.body),
    )


def adoption_for(target: Target, settings: TargetSettings, now: Now) -> Adoption:
    """Return what assigns to a target, in the form that it gets."""
    return FormAdoption(target, settings, now) if build_forms([settings]) else PlainAdoption(target)
