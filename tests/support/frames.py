"""What is stored in frames, for tests that look into the tables, or change what is there."""

from __future__ import annotations

from sqlalchemy import Engine, select, update

from storage import frames
from storage.engine import writing
from storage.journal import content_of
from storage.tables import journal, statement, target_statement


def unpack_frames(engine: Engine) -> None:
    """Store every text as it is, as earlier releases did."""
    with writing(engine) as connection:
        for table in (journal, statement, target_statement):
            for row in connection.execute(select(table).where(table.c.frame.is_not(None))).mappings().all():
                if table is journal:
                    texts = content_of(connection, None, None, row["frame"])._asdict()
                else:
                    texts = {"body": frames.decompress(connection, row["frame"]).decode()}
                values = texts | {"frame": None, "dictionary_id": None}
                its = [column == row[column.name] for column in table.primary_key]
                connection.execute(update(table).where(*its).values(values))
