"""Pages and answers stay small, however much clients sent: the rest is behind links."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bridge.audit.components import json_view
from bridge.audit.pages import timeline as pages
from storage.queries import timeline
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.frames import unpack_frames

MAX_PAGE = 2_000_000
"""Bytes."""
SESSION = "11111111-2222-4333-8444-555555555555"
MANY = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "session_id": SESSION, "scorm_version": "2004"}


def interactions(number: int, of: int, text: str) -> dict[str, Any]:
    """Return a commit of so many answers, each with this text, and none of them told before."""
    cmi: dict[str, Any] = {"cmi.suspend_data": text[:4000]}
    for place in range(of):
        cmi |= {
            f"cmi.interactions.{place}.id": f"q{number}-{place}",
            f"cmi.interactions.{place}.type": "fill-in",
            f"cmi.interactions.{place}.learner_response": text,
            f"cmi.interactions.{place}.result": "correct",
            f"cmi.interactions.{place}.latency": "nonsense",
        }
    return cmi


@pytest.fixture
async def attempt(bridge: Bridge) -> str:
    """An attempt of 30 commits, each with many answers and as many values that cannot be used."""
    for number in range(30):
        bridge.clock.advance(1)
        answer = await bridge.commit(interactions(number, 60, "x" * 2000), **MANY)
    assert len(answer["statements"]) > 50
    return str(answer["attempt"]["id"])


async def test_the_page_of_an_attempt_with_large_commits_is_small_and_leads_to_all_of_it(
    bridge: Bridge, attempt: str, auditor: Visitor
) -> None:
    page = await auditor.text(f"/audit/attempts/{attempt}")
    assert len(page.encode()) < MAX_PAGE
    assert len(re.findall(r'<li class="commit"', page)) == 30
    links = re.findall(r'href="(/audit/commits/[^"]+)#statements">Show all', page)
    assert links[0] == f"/audit/commits/{SESSION}/1"
    commit = await auditor.text(links[0])
    assert len(commit.encode()) < MAX_PAGE


async def test_all_statements_of_a_commit_are_there_page_after_page(
    bridge: Bridge, attempt: str, auditor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "STATEMENTS", 25)
    path: str | None = f"/audit/commits/{SESSION}/3"
    ids_on_pages: list[str] = []
    while path is not None:
        page = await auditor.text(path)
        ids_on_pages += re.findall(r'id="statement-([^"]+)"', page)
        following = re.search(r'href="([^"#]+)#statements">Next page', page)
        path = None if following is None else following[1].replace("&amp;", "&")
    with bridge.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM statement WHERE commit_number = 3 ORDER BY position")
        assert ids_on_pages == [row[0] for row in rows]

    assert len(ids_on_pages) > 50


async def test_an_attempt_of_very_many_sessions_is_told_page_after_page(
    bridge: Bridge, auditor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "SESSIONS", 3)
    monkeypatch.setattr(pages, "MAX_COMMITS", 5)
    ids = [f"11111111-2222-4333-8444-{number:012x}" for number in range(7)]
    for each in ids:
        bridge.clock.advance(1)
        answer = await bridge.commit({"cmi.exit": "suspend"}, **(MANY | {"session_id": each, "terminated": True}))
    path: str | None = f"/audit/attempts/{answer['attempt']['id']}"
    ids_on_pages: list[str] = []
    while path is not None:
        page = await auditor.text(path)
        ids_on_pages += re.findall(r'<tr id="session-([^"]+)"', page)
        following = re.search(r'href="([^"]+)">Next sessions', page)
        path = None if following is None else following[1].replace("&amp;", "&")

    assert ids_on_pages == ids
    assert "Session 5</a>" in page, "commits tell the number of their session, wherever the list of sessions is"


async def test_what_is_shown_by_its_beginning_can_be_had_whole(
    bridge: Bridge, auditor: Visitor, reader: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_view, "MAX_TEXT_CHARS", 40)
    await bridge.commit({"cmi.suspend_data": "x" * 500, "cmi.exit": "suspend"}, **MANY)
    await bridge.let_documents_follow()
    unpack_frames(bridge.engine)
    with bridge.engine.connect() as connection:
        statement_id, body = connection.exec_driver_sql("SELECT id, body FROM statement ORDER BY position").all()[0]
        document_id, content = connection.exec_driver_sql(
            "SELECT id, content FROM document ORDER BY length(content) DESC"
        ).all()[0]
    for path, file, whole in (
        (f"/audit/statements/{statement_id}", "body", body.encode()),
        (f"/audit/documents/{document_id}", "content", bytes(content)),
    ):
        assert f'href="{path}/{file}"' in await auditor.text(path)
        answer = await auditor.get(f"{path}/{file}")
        assert answer.headers["Content-Disposition"].startswith("attachment"), path
        assert answer.content_type == "text/plain", path
        assert await answer.read() == whole
        assert (await reader.get(f"{path}/{file}")).status == 403
        assert (await auditor.get(f"{path[:-4]}0000/{file}")).status == 404
