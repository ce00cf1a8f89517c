"""Frames: bodies, responses and statements compressed by dictionaries, which are rows.

What is stored stays as it is until it is compacted. The view of statements reads either form. Earlier releases cannot
read frames, so going back writes every text out again.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import zstandard
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_TABLES = ("journal", "statement", "target_statement")
_COMMENTS = {
    "journal": "zstd: the response, a line break, the body, which are null in their own columns then",
    "statement": "zstd: the body, which is empty in its own column then",
    "target_statement": "zstd: the body, which is empty in its own column then",
}
_REPORTED: tuple[tuple[str, type[TypeEngine[Any]], str | None], ...] = (
    ("object_id", sa.Text, "as the next ones, what views of reports read where the body is in the frame"),
    ("object_type", sa.Text, None),
    ("result", sa.Text, "JSON: completion, success, score and duration"),
    ("timestamp", sa.BigInteger, None),
)
"""Columns of statements: name, type and comment."""
_BATCH_SIZE = 200


def upgrade() -> None:
    id_type = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "frame_dictionary",
        sa.Column("id", sa.Integer(), nullable=False, comment="also in the header of each frame"),
        sa.Column("mapping_version_id", id_type, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False, comment="what it was trained with: samples or journal"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="a dictionary of zstd"),
        sa.ForeignKeyConstraint(
            ["mapping_version_id"], ["mapping_version.id"], name=op.f("fk_frame_dictionary_mapping_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frame_dictionary")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_frame_dictionary_mapping_version_id"), "frame_dictionary", ["mapping_version_id"])
    op.create_table(
        "compaction",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False, comment="row, or attempt, up to which all is in frames"),
        sa.PrimaryKeyConstraint("table_name", name=op.f("pk_compaction")),
    )
    op.add_column("journal", sa.Column("body_size", sa.BigInteger(), comment="bytes of the body in the frame"))
    for table in _TABLES:
        # by one statement, no row is looked at: all of them have null
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN dictionary_id INTEGER"
            f" CONSTRAINT fk_{table}_dictionary_id REFERENCES frame_dictionary (id)"
        )
        op.add_column(table, sa.Column("frame", sa.LargeBinary(), comment=_COMMENTS[table]))
        if _is_postgresql():
            op.execute(f"COMMENT ON COLUMN {table}.dictionary_id IS 'none: nothing is compressed'")
    for name, column_type, comment in _REPORTED:
        op.add_column("statement", sa.Column(name, column_type(), comment=comment))
    _replace_view(_new_view())
    op.execute("UPDATE schema_compatibility SET oldest_revision = '0035'")


def downgrade() -> None:
    op.execute("UPDATE schema_compatibility SET oldest_revision = '0034'")
    _write_out()
    _replace_view(_old_view())
    for name, _, _ in reversed(_REPORTED):
        op.drop_column("statement", name)
    for table in _TABLES:
        op.drop_column(table, "frame")
        op.drop_column(table, "dictionary_id")
    op.drop_column("journal", "body_size")
    op.drop_table("compaction")
    op.drop_table("frame_dictionary")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _replace_view(definition: str) -> None:
    if _is_postgresql():
        # its grants stay
        op.get_bind().exec_driver_sql(definition.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
        return
    op.execute("DROP VIEW report_statement")
    op.get_bind().exec_driver_sql(definition)


def _old_view() -> str:
    """Return the view of statements as revision 0026 creates it."""
    path = Path(__file__).with_name("0026_views_for_reports.py")
    spec = importlib.util.spec_from_file_location("revision_0026", path)
    assert spec is not None  # noqa: S101 -- the file is there
    assert spec.loader is not None  # noqa: S101 -- it is one of Python
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    definitions: list[str] = module._postgresql() if _is_postgresql() else module._sqlite()  # noqa: SLF001 -- of this history
    return definitions[-1]


def _new_view() -> str:
    old = _old_view()
    if _is_postgresql():
        parsed = re.search(r"\(SELECT (\(CASE WHEN position.*?::jsonb) AS body OFFSET 0\) b", old, re.DOTALL)
        assert parsed is not None  # noqa: S101 -- it is what revision 0026 says
        definition = "jsonb_build_object('id', s.object_id, 'definition', jsonb_build_object('type', s.object_type))"
        of_frame = f"jsonb_build_object('object', {definition}, 'result', s.result::jsonb)"
        either = f"CASE WHEN s.frame IS NULL THEN {parsed[1]} ELSE {of_frame} END"
        time = "(b.body ->> 'timestamp')::timestamptz"
        return old.replace(parsed[1], either).replace(
            time, f"CASE WHEN s.frame IS NULL THEN {time} ELSE to_timestamp(s.timestamp / 1000.0) END"
        )
    return re.sub(r"json_extract\(s\.body, '\$\.([a-z.]+)'\)", _either_form, old)


def _either_form(match: re.Match[str]) -> str:
    """Return SQLite's expression for what a statement has at a path, whichever form it is stored in."""
    path = match[1]
    of_frame = {
        "object.id": "s.object_id",
        "object.definition.type": "s.object_type",
        "timestamp": "strftime('%Y-%m-%dT%H:%M:%S', s.timestamp / 1000, 'unixepoch')"
        " || printf('.%03dZ', s.timestamp % 1000)",
    }.get(path, f"json_extract(s.result, '$.{path.removeprefix('result.')}')")
    return f"CASE WHEN s.frame IS NULL THEN {match[0]} ELSE {of_frame} END"


def _write_out() -> None:
    """Write texts that are in frames into the columns that earlier releases read."""
    connection = op.get_bind()
    dictionaries = sa.table("frame_dictionary", sa.column("id"), sa.column("content"))
    decompressors = {
        row.id: zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(row.content))
        for row in connection.execute(sa.select(dictionaries))
    }
    keys = {
        "journal": ("id",),
        "statement": ("attempt_id", "position"),
        "target_statement": ("attempt_id", "position", "target"),
    }
    binary = sa.LargeBinary()
    for name, key in keys.items():
        table = sa.table(
            name,
            *(sa.column(part) for part in (*key, "dictionary_id", "response")),
            sa.column("frame", binary),
            sa.column("body", binary if name == "journal" else sa.Text()),
        )
        query = sa.select(*(table.c[part] for part in key), table.c.dictionary_id, table.c.frame)
        while rows := connection.execute(query.where(table.c.frame.is_not(None)).limit(_BATCH_SIZE)).all():
            for row in rows:
                text = decompressors[row.dictionary_id].decompress(row.frame)
                its = [table.c[part] == getattr(row, part) for part in key]
                values = {"dictionary_id": None, "frame": None, **_plain(name, text)}
                connection.execute(sa.update(table).where(*its).values(values))


def _plain(name: str, text: bytes) -> dict[str, Any]:
    if name != "journal":
        return {"body": text.decode()}
    response, _, body = text.partition(b"\n")
    return {"response": response.decode() or None, "body": body}
