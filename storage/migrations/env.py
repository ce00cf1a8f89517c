"""Run by Alembic: every migration happens on the connection it is given."""

from __future__ import annotations

from alembic import context

import storage.tables  # noqa: F401 -- its tables are in the metadata
from storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
)
context.run_migrations()
