"""What is stored in frames, for tests that look into the tables, or change what is there."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine, select, update

from storage import frames
from storage.engine import reading, writing
from storage.journal import content_of
from storage.queries.learner_data import read_frame
from storage.tables import journal, metadata, statement, target_statement


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


def stored_texts(engine: Engine) -> Iterator[tuple[str, str, str]]:
    """Return each value of the database as text, with its table and column; what is in frames as without them."""
    with reading(engine) as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings().all():
                for name, value in read_frame(connection, dict(row)).items():
                    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                    yield table.name, name, text
