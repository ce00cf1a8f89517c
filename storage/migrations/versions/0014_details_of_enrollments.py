"""What an LMS says of a learner beside id and name, descriptions, and what is remembered over all attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0016"
branch_labels = None
depends_on = None

_COLUMNS = {
    "learner_attributes": "JSON: what the LMS says of the learner, texts by name",
    "learner_mbox": "mailto: IRI or its SHA-1; only where a mapping document in use needs it",
    "activity_description": None,
    "course_description": None,
    "state": "JSON: what is remembered over all attempts; none where nothing is",
}


def upgrade() -> None:
    for name, comment in _COLUMNS.items():
        op.add_column("enrollment", sa.Column(name, sa.Text, comment=comment))


def downgrade() -> None:
    for name in reversed(_COLUMNS):
        op.drop_column("enrollment", name)
