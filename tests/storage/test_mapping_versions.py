"""Versions of mapping documents."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, select

from storage import mapping_versions
from storage.engine import reading, writing
from storage.tables import mapping_version
from tests.storage.builders import NOW
from tests.storage.threads import at_once


def _ensure(
    connection: Connection, name: str = "profile", content: str = "a", definition: str = "[mapping]", now: int = NOW
) -> int:
    return mapping_versions.ensure(connection, name=name, content_hash=content * 64, definition=definition, now=now)


def test_a_version_is_stored_once_and_never_changes(engine: Engine) -> None:
    with writing(engine) as connection:
        first = _ensure(connection)
        assert _ensure(connection, definition="another", now=NOW + 1) == first
        (row,) = connection.execute(select(mapping_version))

    assert (row.id, row.definition, row.created_at) == (first, "[mapping]", NOW)


def test_another_content_or_another_name_is_another_version(engine: Engine) -> None:
    with writing(engine) as connection:
        ids = [_ensure(connection), _ensure(connection, content="b"), _ensure(connection, name="minimal")]
        assert len(set(ids)) == 3
        assert _ensure(connection, content="b") == ids[1]


def test_a_document_is_kept_as_it_was_read(engine: Engine) -> None:
    text = "# ☃ 🎓\r\n[mapping]\n" * 5_000
    with writing(engine) as connection:
        _ensure(connection, definition=text)
    with reading(engine) as connection:
        assert connection.execute(select(mapping_version.c.definition)).scalar_one() == text


def test_processes_that_start_at_once_agree_on_the_version(engine: Engine) -> None:
    def start(_number: int) -> int:
        with writing(engine) as connection:
            return _ensure(connection)

    assert len(set(at_once(6, start))) == 1
