"""Re-issues statements under new ids, where an LRS has those of another history of the database under the old ones.

The new id is derived from the old one and the mapping version that made the statement, as with every re-issue, so that
a second re-issue, for example in another restored copy, makes the same statement again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from bridge.commit_model.state_codec import decode_attempt_state
from mappings.analysis.reissue import RULE, ReissueIds, with_id
from storage import attempts, diverged, journal_replay, mapping_versions, outbox
from storage.change_set import ChangeSet
from storage.diverged import DivergedDelivery
from storage.outbox import StatementRow
from storage.prepared import write
from storage.target_statements import TargetStatement

_encode = msgspec.json.Encoder().encode


def reissue(connection: Connection, delivery_ids: Sequence[int], now: int) -> int:
    """Send statements to their targets again under new ids, behind the others of their attempts; return how many.

    Applies to what is dead because an LRS has another history's statement; the delivery of the old id is discarded. A
    statement that voids another one is not sent again, as the LRS has that one voided already.
    """
    enrollment_ids = diverged.enrollment_ids(connection, delivery_ids)
    attempts.lock(connection, enrollment_ids, [])
    deliveries = diverged.load(connection, delivery_ids)
    if not deliveries:
        return 0
    hashes = {version.id: version.content_hash for version in mapping_versions.versions(connection)}
    attempt_rows = {
        attempt.id: attempt
        for history in journal_replay.histories(connection, sorted({delivery.enrollment_id for delivery in deliveries}))
        for attempt in history.attempts
    }
    ids = diverged.statement_ids(connection, sorted({delivery.attempt_id for delivery in deliveries}))
    reissue_ids = {attempt_id: ReissueIds(used_ids, hashes.values()) for attempt_id, used_ids in ids.items()}
    rows: dict[str, StatementRow] = {}
    targets: dict[str, list[str]] = {}
    forms: list[TargetStatement] = []
    changed = ChangeSet()
    for old_id, same in _by_statement(deliveries).items():
        first = same[0]
        if first.rule == RULE:
            continue
        attempt = attempt_rows[first.attempt_id]
        state = decode_attempt_state(attempt.state)
        position = state.statements + 1
        new_id = reissue_ids[attempt.id].next_id(old_id, hashes[first.mapping_version_id])
        rows[new_id] = StatementRow(
            attempt.id, position, new_id, first.session_id, first.commit_number, first.mapping_version_id, first.rule,
            first.verb, now, None, with_id(first.body, new_id),
        )  # fmt: skip
        targets[new_id] = [delivery.target for delivery in same]
        forms += [
            TargetStatement(
                attempt.id,
                position,
                same_delivery.target,
                same_delivery.form or "",
                with_id(same_delivery.own_body, new_id),
            )
            for same_delivery in same
            if same_delivery.own_body is not None
        ]
        attempt.state = _encode(msgspec.structs.replace(state, statements=position)).decode()
        changed.attempt(attempt)
        changed.enrollment(attempt.enrollment)
    added = outbox.adding(connection, list(rows.values()), lambda row: targets[row.id], forms)
    write(connection, [*changed.writes(), *added])
    return diverged.replace(connection, [delivery.id for delivery in deliveries], now)


def _by_statement(deliveries: Sequence[DivergedDelivery]) -> dict[str, list[DivergedDelivery]]:
    groups: dict[str, list[DivergedDelivery]] = {}
    for delivery in deliveries:
        groups.setdefault(delivery.statement_id, []).append(delivery)
    return groups
