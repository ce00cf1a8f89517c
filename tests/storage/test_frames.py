"""Texts in frames: they come back as they were, whichever dictionary they were made with, and for ever."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard
from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.exc import IntegrityError

from storage import frames, journal, mapping_versions, outbox, target_statements
from storage.engine import open_engine, reading, writing
from storage.frame_tables import frame_dictionary
from storage.frames import MAX_CONTENT_SIZE, FrameError
from storage.migrations import migrate
from storage.prepared import write
from storage.queries import lookups, timeline
from storage.report_fields import ReportFields, report_fields
from storage.tables import journal as journal_table
from storage.tables import statement
from storage.target_statements import TargetStatement
from tests.documentation.blocks import ROOT, blocks
from tests.storage.builders import NOW, add, append, entry, launched, statements, to, whole

VERB = "http://adlnet.gov/expapi/verbs/scored"
TEXTS = [json.dumps({"id": f"{number:08x}", "verb": {"id": VERB}}) for number in range(300)]
RESULT = '{"completion":true,"score":{"raw":1,"max":2.5},"duration":"PT1S"'
OBJECT = '{"id":"x:y","definition":{"type":"x:t"}}'


def add_dictionary(connection: Connection, texts: Sequence[str] = TEXTS, name: str = "m") -> tuple[int, int]:
    """Store a dictionary of a mapping's version, and return the ids of both."""
    version = mapping_versions.ensure(connection, name=name, content_hash="0" * 64, definition="", now=NOW)
    trained = zstandard.train_dictionary(4_096, [text.encode() for text in texts], k=256, d=8)
    content = trained.as_bytes()
    dictionary_id = frames.add_dictionary(connection, content, mapping_version_id=version, origin="samples", now=NOW)
    frames.refresh(connection)
    return version, dictionary_id


@pytest.mark.parametrize("content", [b"{}", b"\x00\xff" * 20, TEXTS[0].encode(), b"x" * MAX_CONTENT_SIZE])
def test_what_is_compressed_comes_back_to_the_bit(engine: Engine, content: bytes) -> None:
    with writing(engine) as connection:
        version, dictionary_id = add_dictionary(connection)
        (frame,) = frames.compress(connection, [(version, content)])

        assert frame.dictionary_id == dictionary_id
        assert frame.content is not None
        assert frames.is_frame(frame.content)
        assert frames.content_size(frame.content) == len(content)
        assert frames.decompress(connection, frame.content) == content


def test_a_frame_names_its_dictionary_in_its_header(engine: Engine) -> None:
    with writing(engine) as connection:
        version, dictionary_id = add_dictionary(connection)
        (frame,) = frames.compress(connection, [(version, TEXTS[0].encode())])
        content = connection.execute(select(frame_dictionary.c.content)).scalar_one()

    assert frame.content is not None
    assert zstandard.get_frame_parameters(frame.content).dict_id == dictionary_id
    assert zstandard.ZstdCompressionDict(content).dict_id() == dictionary_id


def test_frames_of_an_earlier_dictionary_are_read_beside_those_of_a_newer_one(engine: Engine) -> None:
    with writing(engine) as connection:
        version, first = add_dictionary(connection)
        old = frames.compress(connection, [(version, TEXTS[1].encode())])
        _, second = add_dictionary(connection, [f"<statement>{text}</statement>" for text in TEXTS])
        new = frames.compress(connection, [(version, TEXTS[2].encode()), (version, TEXTS[3].encode())])
        together = [str(frame.content and frame.content.hex()) for frame in (*new, *old)]
        read = frames.decompress_all(connection, [bytes.fromhex(text) for text in together])

    assert [frame.dictionary_id for frame in (*old, *new)] == [first, second, second]
    assert [text.decode() for text in read] == [TEXTS[2], TEXTS[3], TEXTS[1]]


def test_another_process_reads_what_this_one_compressed(engine: Engine) -> None:
    with writing(engine) as connection:
        version, _ = add_dictionary(connection)
        (frame,) = frames.compress(connection, [(version, TEXTS[0].encode())])
    other = open_engine(engine.url.render_as_string(hide_password=False))
    with reading(other) as connection:
        assert frames.text_of(connection, "", frame.content) == TEXTS[0]
    other.dispose()


def test_a_version_without_a_dictionary_uses_the_newest_one(engine: Engine) -> None:
    with writing(engine) as connection:
        add_dictionary(connection)
        _, newest = add_dictionary(connection, name="other")

        assert frames.newest_dictionary(connection, 999) == newest
        assert not frames.has_dictionary(connection, 999)


def test_without_a_dictionary_and_where_it_is_too_large_a_text_stays_as_it_is(engine: Engine) -> None:
    with writing(engine) as connection:
        assert frames.compress(connection, [(1, b"{}")]) == [frames.PLAIN]
        version, _ = add_dictionary(connection)
        compressed = frames.compress(connection, [(version, b"x" * (MAX_CONTENT_SIZE + 1)), (version, b"")])

    assert compressed == [frames.PLAIN, frames.PLAIN]


def test_a_dictionary_in_use_cannot_be_deleted(engine: Engine) -> None:
    with writing(engine) as connection:
        add_dictionary(connection)
        add(connection, statements(connection, launched(connection), TEXTS[:1]), to("lrs"))
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(delete(frame_dictionary))
    with writing(engine) as connection:
        connection.execute(update(statement).values(dictionary_id=None))
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(delete(frame_dictionary))  # of the journal


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no frame at all", "It is no frame"),
        # its header says that it has 2^40 bytes
        (b"\x28\xb5\x2f\xfd\xe0" + (2**40).to_bytes(8, "little") + b"\x01\x00\x00", "more than any has"),
    ],
)
def test_what_is_damaged_is_refused_before_memory_is_taken(engine: Engine, content: bytes, message: str) -> None:
    with reading(engine) as connection, pytest.raises(FrameError, match=message):
        frames.decompress(connection, content)


def test_a_frame_that_was_cut_off_or_names_no_dictionary_is_refused(engine: Engine) -> None:
    with writing(engine) as connection:
        version, dictionary_id = add_dictionary(connection)
        (frame,) = frames.compress(connection, [(version, TEXTS[0].encode())])
        assert frame.content is not None
        with pytest.raises(FrameError, match=f"dictionary {dictionary_id} cannot be read"):
            frames.decompress(connection, frame.content[:-3])
        foreign = zstandard.train_dictionary(4_096, [text.encode() for text in TEXTS], k=256, d=8, dict_id=77)
        with pytest.raises(FrameError, match="names dictionary 77, which is not stored"):
            frames.decompress(connection, zstandard.ZstdCompressor(dict_data=foreign).compress(b"{}"))


@pytest.mark.parametrize(("response", "body"), [('{"a":1}', b"{}"), (None, b"\n\x00\xff"), ('{"a":"\\n"}', b"")])
def test_responses_and_bodies_are_read_from_their_frame(engine: Engine, response: str | None, body: bytes) -> None:
    with writing(engine) as connection:
        add_dictionary(connection)
        session = launched(connection)
        append(connection, [entry(session, response=response, body=body)])
        row = connection.execute(select(journal_table)).one()
        assert (row.response, row.body, row.body_size) == (None, None, len(body))

        assert journal.response(connection, session.session_id, 1) == response
        received = timeline.received(connection, session.session_id, 1)

    assert received is not None
    assert (received.body, received.commit.response, received.commit.size) == (body, response, len(body))


def test_a_commit_that_repeats_another_has_nothing_to_compress(engine: Engine) -> None:
    with writing(engine) as connection:
        add_dictionary(connection)
        session = launched(connection)
        append(connection, [entry(session), entry(session, 2, duplicate_of=1, response=None, body=None)])
        frame, dictionary_id = connection.execute(
            select(journal_table.c.frame, journal_table.c.dictionary_id).where(journal_table.c.number == 2)
        ).one()
        assert (frame, dictionary_id) == (None, None)

        received = timeline.received(connection, session.session_id, 2)

    assert received is not None
    assert received.body == b"{}"


def test_what_is_claimed_is_the_frozen_bytes_whichever_form_they_are_stored_in(engine: Engine) -> None:
    """Statements from before there were frames, and from two dictionaries, with a form of a target's own."""
    texts = [TEXTS[0], TEXTS[1].replace("scored", "passed \\u00e9 é"), TEXTS[2], TEXTS[3]]
    with writing(engine) as connection:
        session = launched(connection)
        rows = statements(connection, session, texts)
        add(connection, rows[:1], to("lrs"))
        frames.refresh(connection)
        add_dictionary(connection)
        add(connection, rows[1:2], to("lrs"))
        add_dictionary(connection, [text.upper() for text in TEXTS])
        add(connection, rows[2:3], to("lrs"))
        form = TargetStatement(rows[3].attempt_id, rows[3].position, "lrs", "pseudonym", '{"mine":"' + "ö" * 50 + '"}')
        write(connection, outbox.adding(connection, rows[3:], to("lrs"), [form]))
        stored = connection.execute(select(statement.c.body).order_by(statement.c.position)).scalars().all()
        page = outbox.claim(connection, whole("lrs"), now=NOW, limit=50, most_bytes=10_000)
        whole_texts = [row.body for row in lookups.report(connection, session.attempt).statements]
        forms = target_statements.of_statement(connection, rows[3].id)

    assert stored == [texts[0], "", "", ""]
    assert page.bodies.decode() == ",".join([*texts[:3], form.body])
    assert [row.size for row in page.claimed] == [len(text.encode()) for text in [*texts[:3], form.body]]
    assert whole_texts == texts
    assert forms == {"lrs": form}


def test_the_bytes_of_statements_that_are_claimed_are_those_before_they_were_compressed(engine: Engine) -> None:
    with writing(engine) as connection:
        add_dictionary(connection)
        add(connection, statements(connection, launched(connection), TEXTS[:10]), to("lrs"))
        size = len(TEXTS[0])
        page = outbox.claim(connection, whole("lrs"), now=NOW, limit=50, most_bytes=3 * size)

    assert page.bodies.decode() == ",".join(TEXTS[:3])


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ("{}", ReportFields()),
        (
            f'{{"object":{OBJECT},"result":{RESULT},"response":"mine"}},"timestamp":"2026-01-31T11:20:30.25+01:00"}}',
            ReportFields("x:y", "x:t", f"{RESULT}}}", 1_769_854_830_250),
        ),
        ('{"result":{"response":"mine"}}', ReportFields()),
    ],
)
def test_what_views_read_is_kept_beside_the_frame_and_nothing_else(body: str, fields: ReportFields) -> None:
    assert report_fields(body.encode()) == fields


@pytest.mark.parametrize(
    "body",
    ["no JSON", "[]", '{"object":7}', '{"result":{"score":"high"}}', '{"timestamp":"yesterday"}', '{"id":"\\u0000"}'],
)
def test_a_statement_that_views_could_not_read_stays_as_it_is(engine: Engine, body: str) -> None:
    assert report_fields(body.encode()) is None
    with writing(engine) as connection:
        add_dictionary(connection)
        add(connection, statements(connection, launched(connection), [body]), to("lrs"))

        assert connection.execute(select(statement.c.body, statement.c.frame)).one() == (body, None)


def test_only_dictionaries_are_stored_as_such(engine: Engine) -> None:
    with writing(engine) as connection, pytest.raises(ValueError, match="no dictionary"):
        frames.add_dictionary(connection, b"{}", mapping_version_id=1, origin="samples", now=NOW)


def test_the_lines_of_the_documentation_read_a_frame(tmp_path: Path) -> None:
    (lines,) = [
        block.text
        for block in blocks(ROOT / "docs" / "operations.md")
        if block.language == "python" and "zstandard" in block.text
    ]
    engine = open_engine(f"sqlite:///{tmp_path / 'scorm-bridge.db'}")
    migrate(engine)
    with writing(engine) as connection:
        add_dictionary(connection)
        add(connection, statements(connection, launched(connection), TEXTS[:1]), to("lrs"))
    engine.dispose()
    printed = subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert printed.stdout == TEXTS[0] + "\n"
