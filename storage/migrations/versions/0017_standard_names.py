"""Standard names for columns, the audit log, and the keys of stored states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0014"
branch_labels = None
depends_on = None
WORKS_THROUGH = {
    "sqlite": ("attempt", "enrollment", "session", "statement"),
    "postgresql": ("attempt", "enrollment", "session"),
}

_BATCH_SIZE = 500
_uuid = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")

_COLUMNS = (
    ("journal", "beside", "request_metadata"),
    ("journal", "reply", "response"),
    ("mapping_version", "document", "definition"),
    ("statement", "made_at", "created_at"),
    ("try", "took", "duration_ms"),
    ("document_delivery", "every", "min_interval_ms"),
    ("lease", "until", "expires_at"),
    ("audit_log", "verb", "action"),
    ("audit_log", "number", "affected"),
    ("sign_in", "made_at", "created_at"),
    ("sign_in", "until", "expires_at"),
    ("sign_in_failure", "number", "failures"),
    ("sign_in_failure", "newest_at", "last_failed_at"),
    ("sign_in_failure", "until", "blocked_until"),
)
"""Table, old name, new name."""


class _Comment(NamedTuple):
    """A column, by its new name, and what its comment was and is."""

    table: str
    column: str
    kind: sa.types.TypeEngine[Any]
    old: str
    new: str | None
    is_nullable: bool = False

    def set(self, comment: str | None) -> None:
        op.alter_column(
            self.table, self.column, existing_type=self.kind, existing_nullable=self.is_nullable, comment=comment
        )


_COMMENTS = (
    _Comment(
        "journal",
        "request_metadata",
        sa.Text(),
        "JSON: what came beside the body and says something of it",
        "JSON: metadata that the request had beside its body",
        is_nullable=True,
    ),
    _Comment(
        "journal",
        "response",
        sa.Text(),
        "the answer as JSON; none for a duplicate",
        "JSON; none for a duplicate",
        is_nullable=True,
    ),
    _Comment(
        "document_delivery",
        "min_interval_ms",
        sa.BigInteger(),
        "milliseconds at least between two writes",
        "between two writes",
    ),
    _Comment("try", "duration_ms", sa.Integer(), "milliseconds", None),
    _Comment(
        "audit_log", "affected", sa.Integer(), "of what it was done to", "how many targets, accounts or deliveries"
    ),
    _Comment("sign_in_failure", "failures", sa.Integer(), "failures in a row", "in a row"),
)

_STATEMENT_ORDER = {
    "ix_statement_made_at_attempt_id_position": ["made_at", "attempt_id", "position"],
    "ix_statement_created_at_attempt_id_position": ["created_at", "attempt_id", "position"],
}

_ATTEMPT_KEYS = {
    "spoke": "latest_active_session",
    "closed": "idle_ends",
    "completion_by_mark": "completion_by_threshold",
    "success_by_mark": "success_by_passing_score",
    "writing": "score_pending_session",
    "told": "last_emitted_score",
    "answers": "emitted_interactions",
    "fired": "firing_counts",
}
_SESSION_KEYS = {
    "opened": "history_length_at_open",
    "closed": "idle_end_positions",
    "overlapped": "overlap_positions",
    "phase": "end_revision",
    "knows_no_end": "cannot_signal_end",
    "highest": "highest_sequence",
    "tells_total_time": "reports_total_time",
    "hid_total_time": "seen_without_total_time",
    "interactions": "max_interactions",
    "begun": "own_interactions",
    "asserted": "asserted_fields",
    "last_said": "last_sequence_by_field",
    "said_at_end": "end_commit_fields",
    "known_total": "prior_total_time",
    "total_base": "total_time_baseline",
    "counter": "client_session_time",
    "carried": "earlier_client_time",
    "spent": "time_spent",
    "reported_time": "emitted_time",
    "fired": "fired_rules",
}
_ENROLLMENT_KEYS = {"fired": "fired_rules"}


def upgrade() -> None:
    _rename_table("act", "audit_log")
    for table, old, new in _COLUMNS:
        _rename_column(table, old, new)
    _rename_index(*_STATEMENT_ORDER)
    if _is_postgresql():  # SQLite keeps no comments
        for comment in _COMMENTS:
            comment.set(comment.new)
    for states, key, names in _states():
        _rename_keys(states, key, names)


def downgrade() -> None:
    for states, key, names in _states():
        _rename_keys(states, key, {new: old for old, new in names.items()})
    if _is_postgresql():
        for comment in _COMMENTS:
            comment.set(comment.old)
    for table, old, new in _COLUMNS:
        _rename_column(table, new, old)
    _rename_index(*reversed(_STATEMENT_ORDER))
    _rename_table("audit_log", "act")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _rename_table(old: str, new: str) -> None:
    op.rename_table(old, new)
    if _is_postgresql():
        op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT pk_{old} TO pk_{new}")
        op.execute(f"ALTER SEQUENCE {old}_id_seq RENAME TO {new}_id_seq")


def _rename_column(table: str, old: str, new: str) -> None:
    op.execute(f'ALTER TABLE "{table}" RENAME COLUMN "{old}" TO "{new}"')


def _rename_index(old: str, new: str) -> None:
    if _is_postgresql():
        op.execute(f"ALTER INDEX {old} RENAME TO {new}")
        return
    op.drop_index(old, "statement")
    op.create_index(new, "statement", _STATEMENT_ORDER[new])


def _states() -> tuple[tuple[sa.TableClause, sa.ColumnClause[Any], Mapping[str, str]], ...]:
    attempt = sa.table("attempt", sa.column("id", sa.BigInteger()), sa.column("state", sa.Text()))
    session = sa.table("session", sa.column("session_id", _uuid), sa.column("state", sa.Text()))
    enrollment = sa.table("enrollment", sa.column("id", sa.BigInteger()), sa.column("state", sa.Text()))
    return (
        (attempt, attempt.c.id, _ATTEMPT_KEYS),
        (session, session.c.session_id, _SESSION_KEYS),
        (enrollment, enrollment.c.id, _ENROLLMENT_KEYS),
    )


def _rename_keys(table: sa.TableClause, key: sa.ColumnClause[Any], names: Mapping[str, str]) -> None:
    """Rename top-level keys of the states; the bytes of their values stay as they are."""
    connection = op.get_bind()
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    query = sa.select(key, table.c.state).where(table.c.state.is_not(None)).order_by(key).limit(_BATCH_SIZE)
    store = sa.update(table).where(key == sa.bindparam("row_key", type_=key.type)).values(state=sa.bindparam("renamed"))
    rows = connection.execute(query).all()
    while rows:
        renamed = []
        for row_key, text in rows:
            state = decode(text)
            if not names.keys().isdisjoint(state):
                state = {names.get(name, name): value for name, value in state.items()}
                renamed.append({"row_key": row_key, "renamed": msgspec.json.encode(state).decode()})
        if renamed:
            connection.execute(store, renamed)
        rows = connection.execute(query.where(key > rows[-1][0])).all()
