"""Sessions that go on after they were ended for being idle; attempts that count from their first commit."""

from __future__ import annotations

import json
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0011"
branch_labels = None
depends_on = None
WORKS_THROUGH = {"sqlite": ("attempt", "enrollment", "session"), "postgresql": ("attempt", "enrollment", "session")}

_TOGETHER = 500
_session = sa.table("session", sa.column("session_id"), sa.column("state"), sa.column("ended"))
_attempt = sa.table(
    "attempt", sa.column("enrollment_id"), sa.column("number"), sa.column("last_commit_at"), sa.column("id")
)
_enrollment = sa.table("enrollment", sa.column("id"), sa.column("latest_attempt"), sa.column("version"))


def upgrade() -> None:
    op.add_column(
        "enrollment",
        sa.Column(
            "latest_attempt",
            sa.Integer(),
            nullable=False,
            server_default=sa.text("0"),
            comment="the highest number of an attempt that had a commit",
        ),
    )
    begun = sa.and_(_attempt.c.enrollment_id == _enrollment.c.id, _attempt.c.last_commit_at.is_not(None))
    latest = sa.select(sa.func.coalesce(sa.func.max(_attempt.c.number), 0)).where(begun).scalar_subquery()
    op.execute(sa.update(_enrollment).values(latest_attempt=latest, version=_enrollment.c.version + 1))
    _rewrite_states(_to_many)


def downgrade() -> None:
    _rewrite_states(_to_one)
    op.drop_column("enrollment", "latest_attempt")


def _to_many(state: dict[str, object]) -> None:
    if isinstance(state.get("closed"), int):
        state |= {"closed": [state["closed"]], "ended_idle": True}


def _to_one(state: dict[str, object]) -> None:
    closed = state.get("closed")
    if isinstance(closed, list):
        state["closed"] = closed[-1] if closed and state.get("ended_idle") else 0


def _rewrite_states(change: Callable[[dict[str, object]], None]) -> None:
    connection = op.get_bind()
    after = ""
    while True:
        rows = connection.execute(
            sa.text(
                "SELECT CAST(session_id AS TEXT), state FROM session WHERE CAST(session_id AS TEXT) > :after"
                " AND state LIKE '%\"closed\"%' ORDER BY CAST(session_id AS TEXT) LIMIT :most"
            ),
            {"after": after, "most": _TOGETHER},
        ).all()
        if not rows:
            return
        after = rows[-1][0]
        for session_id, text in rows:
            state = json.loads(text)
            change(state)
            connection.execute(
                sa.text("UPDATE session SET state = :state WHERE CAST(session_id AS TEXT) = :id"),
                {"state": json.dumps(state, separators=(",", ":")), "id": session_id},
            )
