"""The pages of documents."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from sqlalchemy import update

from storage.engine import writing
from storage.tables import document_delivery
from tests.http.test_learner_details import by, use
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.sample_data import NAMES, SCRIPT, SECRETS, TARGET, fill
from tests.support.sql import rows, scalar

_ROW = re.compile(r'<tr id="document-([0-9a-f-]{36})">')


@pytest.fixture
async def bridge(bridge: Bridge) -> Bridge:
    """A bridge with something of everything; the documents of u2 are dead."""
    await fill(bridge)
    ids = [str(row[0]) for row in rows(bridge, f"{_OF} WHERE e.learner_id = 'u2'")]
    with writing(bridge.engine) as connection:
        connection.execute(
            update(document_delivery).where(document_delivery.c.document_id.in_(ids)).values(state="dead", tries=1)
        )
    return bridge


_OF = "SELECT d.id FROM document d JOIN attempt a ON a.id = d.attempt_id JOIN enrollment e ON e.id = a.enrollment_id"


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("", "1 = 1"),
        ("name=attempt-state", "d.name = 'attempt-state'"),
        ("resource=agents/profile", "d.resource = 'agents/profile'"),
        ("learner=u1", "e.learner_id = 'u1'"),
        ("state=dead", "e.learner_id = 'u2'"),
        (f"target={TARGET}&state=dead&name=attempt-state", "e.learner_id = 'u2' AND d.name = 'attempt-state'"),
        ("lms=another", "1 = 0"),
        ("since=2027-01-01", "1 = 0"),
    ],
)
async def test_a_filter_finds_exactly_those_that_it_names(
    bridge: Bridge, admin: Visitor, query: str, where: str
) -> None:
    expected = {str(row[0]) for row in rows(bridge, f"{_OF} WHERE {where}")}
    assert set(_ROW.findall(await admin.text(f"/audit/documents?{query}"))) == expected
    lines = (await admin.text(f"/audit/documents.ndjson?{query}")).splitlines()
    assert {json.loads(line)["id"] for line in lines} == expected


async def test_pages_follow_one_another_without_gap_or_repetition(bridge: Bridge, admin: Visitor) -> None:
    for number in range(40):
        await bridge.commit({"core": {"lesson_status": "incomplete"}}, learner={"id": f"more-{number}"})
    await bridge.let_documents_follow()
    shown, path = [], "/audit/documents?activity=235"
    while path:
        text = await admin.text(path)
        shown += _ROW.findall(text)
        match = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = match[1].replace("&amp;", "&") if match else ""

    assert len(shown) == len(set(shown)) == scalar(bridge, "SELECT count(*) FROM document") > 50


async def test_one_document_is_shown_with_its_content_and_its_deliveries(bridge: Bridge, auditor: Visitor) -> None:
    ((document_id, content, version),) = rows(
        bridge,
        "SELECT d.id, d.content, m.content_hash FROM document d JOIN mapping_version m ON m.id = d.mapping_version_id"
        " JOIN attempt a ON a.id = d.attempt_id JOIN enrollment e ON e.id = a.enrollment_id"
        " WHERE e.learner_id = 'u2' AND d.name = 'agent-profile'",
    )
    text = await auditor.text(f"/audit/documents/{document_id}")

    assert f"/audit/mappings/{version}#document-agent-profile" in text
    assert f'<span class="number">{len(bytes(content))}</span> bytes' in text
    assert "=HYPERLINK" in text  # the learner's name
    assert "The LRS refused this content" in text
    assert "u2 at https://lms.example.org" in text


async def test_a_reader_sees_neither_names_nor_contents(bridge: Bridge, reader: Visitor) -> None:
    paths = ["/audit/documents", "/audit/documents.csv", "/audit/documents.ndjson"]
    paths += [f"/audit/documents/{row[0]}" for row in rows(bridge, "SELECT id FROM document")]
    for path in paths:
        text = await reader.text(path)
        for secret in (*SECRETS, "suspended-canary", "total_time"):
            assert secret not in text, path


async def test_what_people_typed_is_shown_and_does_nothing(bridge: Bridge, admin: Visitor) -> None:
    for path in [
        "/audit/documents",
        *(f"/audit/documents/{row[0]}" for row in rows(bridge, "SELECT id FROM document")),
    ]:
        assert SCRIPT not in await admin.text(path)


async def test_files_hold_each_document_once(bridge: Bridge, admin: Visitor) -> None:
    table = list(csv.DictReader(io.StringIO((await admin.text("/audit/documents.csv")).lstrip("\ufeff"))))

    assert len(table) == scalar(bridge, "SELECT count(*) FROM document")
    assert {row["learner_name"] for row in table} >= {f"'{NAMES['u2']}", NAMES["u3"]}


@pytest.mark.parametrize("document_id", ["00000000-0000-4000-8000-00000000ffff", "nothing"])
async def test_a_document_that_there_is_not_is_told_in_words(admin: Visitor, document_id: str) -> None:
    answer = await admin.get(f"/audit/documents/{document_id}")

    assert (answer.status, "There is no document with this id" in await answer.text()) == (404, True)


@pytest.mark.parametrize("query", ["state=quarantined", "resource=elsewhere", "attempt=7", "enrollment=x", "after=x"])
async def test_what_cannot_be_looked_for_is_told_in_words(admin: Visitor, query: str) -> None:
    answer = await admin.get(f"/audit/documents?{query}")

    assert (answer.status, "Bad request" in await answer.text()) == (400, True)


async def test_a_learner_known_by_e_mail_address_is_shown_as_that_to_those_who_see_names(
    bridge: Bridge, admin: Visitor, reader: Visitor
) -> None:
    await use(bridge, by("mbox"))
    learner = {"id": "u77", "email": "canary.bird@mine.example.org"}
    await bridge.commit({"core": {"lesson_status": "passed"}}, learner=learner)
    await bridge.let_documents_follow()
    ids = rows(bridge, "SELECT d.id FROM document d WHERE d.parameters LIKE '%canary.bird%'")

    assert ids
    for row in ids:
        assert "mailto:canary.bird@mine.example.org" in await admin.text(f"/audit/documents/{row[0]}")
        assert "canary.bird" not in await reader.text(f"/audit/documents/{row[0]}")
    for path in ("/audit/documents", "/audit/documents.csv", "/audit/documents.ndjson"):
        assert "canary.bird" not in await reader.text(path)
