"""An attempt's timeline, and one commit."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import text

from bridge.audit.components import rule_trace
from bridge.audit.components.json_view import view_of
from bridge.audit.pages import timeline
from storage.engine import reading, writing
from tests.audit.conftest import Meet
from tests.audit.page_content import fact, table
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.frames import unpack_frames
from tests.support.sql import column, scalar

SESSION = "11111111-2222-4333-8444-555555555555"
NAME = '<b>Ada</b> "Lovelace" NAMECANARY'
SECRETS = ("SUSPENDCANARY", "RESPONSECANARY", "COMMENTCANARY", "BOOKMARKCANARY", "BADCANARY", "ANSWERCANARY")
WHOSE = {"learner": {"id": "u1", "name": NAME}, "activity": {"id": "235", "name": "Fire <i>drill</i>"}}
FIRST = {
    "cmi.completion_status": "incomplete",
    "cmi.score.raw": "40",
    "cmi.score.max": "100",
    "cmi.suspend_data": "SUSPENDCANARY",
    "cmi.location": "BOOKMARKCANARY",
    "cmi.session_time": "BADCANARY",
}
SECOND = {
    "cmi.completion_status": "completed",
    "cmi.success_status": "passed",
    "cmi.score.raw": "90",
    "cmi.score.max": "100",
    "cmi.session_time": "PT12M3S",
    "cmi.interactions.0.id": "q1",
    "cmi.interactions.0.type": "fill-in",
    "cmi.interactions.0.learner_response": "RESPONSECANARY<script>",
    "cmi.interactions.0.result": "correct",
    "cmi.comments_from_learner.0.comment": "COMMENTCANARY",
}


async def tell(bridge: Bridge, cmi: dict[str, Any], **fields: Any) -> dict[str, Any]:
    bridge.clock.advance(1)
    return await bridge.commit(cmi, **(WHOSE | {"session_id": SESSION, "scorm_version": "2004"} | fields))


@pytest.fixture
async def attempt(bridge: Bridge) -> str:
    """An attempt with two commits, the second of them told twice, a dead delivery, and documents."""
    await tell(bridge, FIRST)
    answer = await tell(bridge, SECOND, sequence=7, terminated=True)
    await tell(bridge, SECOND, sequence=7, terminated=True)
    await bridge.let_documents_follow()
    with writing(bridge.engine) as connection:
        connection.execute(
            text(
                "INSERT INTO try (id, target, started_at, duration_ms, outcome, status, answer)"
                " VALUES (900, '', 1767225700000, 12, 'refused', 400, 'ANSWERCANARY')"
            )
        )
        connection.execute(
            text(
                "UPDATE delivery SET state = 'dead', tries = 1, settled_at = 1767225700000, settled_by = 900"
                " WHERE id IN (SELECT min(id) FROM delivery)"
            )
        )
    return str(answer["attempt"]["id"])


def anchors(page: str, kind: str) -> list[str]:
    return re.findall(rf'id="{kind}-([^"]+)"', page)


async def test_all_that_is_stored_of_an_attempt_is_there_in_order_each_with_an_address(
    bridge: Bridge, attempt: str, auditor: Visitor
) -> None:
    page = await auditor.text(f"/audit/attempts/{attempt}")
    numbers = column(bridge, "SELECT number FROM journal ORDER BY id")

    assert anchors(page, "commit") == [f"{SESSION}-{number}" for number in numbers]
    assert anchors(page, "statement") == column(bridge, "SELECT id FROM statement ORDER BY position")
    assert anchors(page, "delivery") == column(bridge, "SELECT id FROM delivery ORDER BY id")
    assert anchors(page, "session") == column(bridge, "SELECT session_id FROM session")
    assert sorted(anchors(page, "document")) == sorted(column(bridge, "SELECT id FROM document"))
    assert re.findall(r'href="/audit/statements/([^"]+)"', page) == anchors(page, "statement")
    assert fact(page, "Score") == "90 of 100"


async def test_every_address_on_the_page_that_is_of_these_pages_leads_somewhere(
    bridge: Bridge, attempt: str, auditor: Visitor
) -> None:
    page = await auditor.text(f"/audit/attempts/{attempt}")
    addresses = set(re.findall(r'href="(/audit/(?:attempts|commits|enrollments|learners|targets)[^"#]*)', page))
    assert len(addresses) >= 5
    for path in addresses:
        await auditor.text(path.replace("&amp;", "&"))


async def test_what_a_commit_changed_is_told_before_and_after(attempt: str, auditor: Visitor) -> None:
    page = await auditor.text(f"/audit/commits/{SESSION}/2")
    rows = dict(table(page, "Changes of this commit"))
    assert rows["Completion"] == "incomplete → completed"
    assert rows["Success"] == "unknown → passed"
    assert rows["Score"].startswith("raw 40, max 100")
    assert rows["Status"] == "active → terminated"
    assert rows["Time spent"] == "0 s → 12 min 3 s"
    first = await auditor.text(f"/audit/commits/{SESSION}/1")
    assert dict(table(first, "Changes of this commit"))["Completion"] == "none → incomplete"


async def test_a_commit_tells_how_it_came_and_what_became_of_it(bridge: Bridge, attempt: str, auditor: Visitor) -> None:
    page = await auditor.text(f"/audit/commits/{SESSION}/2")
    assert fact(page, "Format") == "native"
    assert fact(page, "Content type") == "application/json"
    assert fact(page, "Sequence") == "7"
    size = scalar(bridge, "SELECT body_size FROM journal WHERE number = 2")
    assert fact(page, "Size") == f"{size} bytes"
    assert anchors(page, "statement") == column(
        bridge, "SELECT id FROM statement WHERE commit_number = 2 ORDER BY position"
    )
    again = await auditor.text(f"/audit/commits/{SESSION}/3")
    assert fact(again, "Duplicate of") == "Commit 2"
    assert "This commit repeats an earlier one" in again
    assert not anchors(again, "statement")


async def test_a_statement_is_told_as_a_sentence_with_its_rule_and_mapping(
    bridge: Bridge, attempt: str, auditor: Visitor
) -> None:
    page = await auditor.text(f"/audit/attempts/{attempt}")
    name = "&lt;b&gt;Ada&lt;/b&gt; &#34;Lovelace&#34; NAMECANARY"
    assert f"<bdi>{name}</bdi> <strong>passed</strong> <bdi>Fire &lt;i&gt;drill&lt;/i&gt;</bdi>" in page
    assert "<q><bdi>RESPONSECANARY&lt;script&gt;</bdi></q>" in page
    for rule in column(bridge, "SELECT rule FROM statement"):
        assert f'#rule-{rule}"><code>{rule}</code></a>' in page
    assert scalar(bridge, "SELECT content_hash FROM mapping_version")[:12] in page
    sentences = re.findall(r'aria-label="Statement">(.*?)</pre>', page, re.DOTALL)
    assert len(sentences) == scalar(bridge, "SELECT count(*) FROM statement")


async def test_a_delivery_is_told_with_its_tries_and_what_the_lrs_said(attempt: str, auditor: Visitor) -> None:
    page = await auditor.text(f"/audit/attempts/{attempt}")
    (tried,) = table(page, "Tries")

    assert tried[1:] == ["refused", "400", "12 ms", "ANSWERCANARY"]
    assert "not tried yet" in page


async def test_auditors_see_what_came_as_it_came(bridge: Bridge, attempt: str, auditor: Visitor) -> None:
    page = await auditor.text(f"/audit/commits/{SESSION}/1")
    assert "SUSPENDCANARY" in page
    unpack_frames(bridge.engine)
    for number, stored_number in ((1, 1), (2, 2), (3, 2)):
        answer = await auditor.get(f"/audit/commits/{SESSION}/{number}/body")
        with reading(bridge.engine) as connection:
            query = text("SELECT body FROM journal WHERE number = :number")
            assert await answer.read() == bytes(connection.execute(query, {"number": stored_number}).scalar_one())
        assert answer.content_type == "text/plain", number
        assert answer.headers["Content-Disposition"].startswith("attachment"), number


async def test_a_reader_sees_neither_names_nor_what_learners_and_lrss_said(attempt: str, reader: Visitor) -> None:
    for path in (f"/audit/attempts/{attempt}", *(f"/audit/commits/{SESSION}/{number}" for number in (1, 2, 3))):
        page = await reader.text(path)
        assert not [canary for canary in ("NAMECANARY", *SECRETS) if canary in page], path
        assert "u1" in page, path

    assert (await reader.get(f"/audit/commits/{SESSION}/1/body")).status == 403


async def test_a_reader_who_may_sees_names_and_nothing_more(bridge: Bridge, attempt: str, meet: Meet) -> None:
    person = await meet(bridge, "nora", "reader", sees_names=True)
    page = await person.text(f"/audit/attempts/{attempt}")

    assert "NAMECANARY" in page
    assert not [canary for canary in SECRETS if canary in page]


async def test_what_people_typed_comes_back_escaped(attempt: str, auditor: Visitor) -> None:
    for path in (f"/audit/attempts/{attempt}", f"/audit/commits/{SESSION}/2"):
        page = await auditor.text(path)
        assert not [typed for typed in ("<b>Ada", "<i>drill", "CANARY<script>") if typed in page], path


async def test_a_long_attempt_comes_in_pages_and_changes_reach_over_them(
    bridge: Bridge, attempt: str, auditor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MAX_COMMITS", 1)
    commits, page = [], await auditor.text(f"/audit/attempts/{attempt}")
    for _ in range(3):
        commits += anchors(page, "commit")
        following = re.search(r'<a href="([^"]+)" rel="next">', page)
        if following is None:
            break
        page = await auditor.text(following[1].replace("&amp;", "&"))
        if len(commits) == 1:
            assert dict(table(page, "Changes of this commit"))["Completion"] == "incomplete → completed"

    assert commits == [f"{SESSION}-{number}" for number in (1, 2, 3)]


async def test_a_commit_leads_to_its_place_in_the_timeline(attempt: str, auditor: Visitor) -> None:
    page = await auditor.text(f"/audit/commits/{SESSION}/2")
    match = re.search(r'href="(/audit/attempts/[^"]+)#(commit-[^"]+)"', page)

    assert match is not None
    assert f'id="{match[2]}"' in await auditor.text(match[1])


@pytest.mark.parametrize(
    ("path", "noun"),
    [
        ("attempts/nothing", "attempt"),
        ("attempts/00000000-0000-4000-8000-0000000000ff", "attempt"),
        ("commits/nothing/1", "session"),
        (f"commits/{SESSION}/99", "commit"),
        (f"commits/{SESSION}/0", "commit"),
        (f"commits/{SESSION}/%C2%B2", "commit"),
        (f"commits/{SESSION}/99999999999999999999", "commit"),
        (f"commits/{SESSION}/x/body", "commit"),
    ],
)
async def test_what_is_not_there_is_told_in_words(attempt: str, auditor: Visitor, path: str, noun: str) -> None:
    answer = await auditor.get(f"/audit/{path}")

    assert answer.status == 404
    assert f"There is no {noun} with this id." in await answer.text()


async def test_a_body_that_is_no_text_is_shown_all_the_same(bridge: Bridge, attempt: str, auditor: Visitor) -> None:
    unpack_frames(bridge.engine)
    with writing(bridge.engine) as connection:
        connection.execute(text("UPDATE journal SET body = :body WHERE number = 1"), {"body": b"\xff\x00<script>"})
    page = await auditor.text(f"/audit/commits/{SESSION}/1")

    assert "\ufffd\u2400&lt;script&gt;" in page


async def test_an_attempt_without_commits_says_that_it_waits(bridge: Bridge, auditor: Visitor) -> None:
    opened = await bridge.open()
    page = await auditor.text(f"/audit/attempts/{opened['attempt']['id']}")

    assert "No commits yet." in page


def test_json_of_bodies_is_not_changed_but_for_line_breaks() -> None:
    body = b'{"a": 1.0, "b": "\\u00e4", "c": 12345678901234567890}'
    shown = view_of(body).text

    assert shown.splitlines()[1:-1] == ['  "a": 1.0,', '  "b": "\\u00e4",', '  "c": 12345678901234567890']
    assert json.loads(shown) == json.loads(body)


async def test_a_commit_tells_which_rules_fired_and_why_the_others_did_not(
    bridge: Bridge, attempt: str, auditor: Visitor
) -> None:
    page = await auditor.text(f"/audit/commits/{SESSION}/2")
    rules = column(bridge, "SELECT rule FROM statement WHERE commit_number = 2 ORDER BY position")
    fired = table(page, "Fired")
    assert sorted(row[0] for row in fired) == sorted(rules)
    statement_ids = re.findall(r'href="/audit/statements/([^"]+)">show statement', page)
    assert sorted(statement_ids) == sorted(column(bridge, "SELECT id FROM statement WHERE commit_number = 2"))
    silent = {row[0]: row[2:] for row in table(page, "Not fired")}
    assert silent["initialized"][0] == "no change"
    assert "the first commit of a new attempt" in silent["initialized"][1]
    assert not silent.keys() & {*rules}
    assert "RESPONSECANARY&lt;script&gt;" in page


async def test_readers_see_which_rules_fired_without_what_learners_said(attempt: str, reader: Visitor) -> None:
    page = await reader.text(f"/audit/commits/{SESSION}/2")

    assert table(page, "Fired")
    assert not table(page, "Changes")


async def test_a_commit_that_cannot_be_read_again_is_shown_without_its_rules(
    bridge: Bridge, attempt: str, auditor: Visitor
) -> None:
    unpack_frames(bridge.engine)
    with writing(bridge.engine) as connection:
        connection.execute(text("UPDATE journal SET body = :body WHERE number = 1"), {"body": b"nothing"})
    page = await auditor.text(f"/audit/commits/{SESSION}/2")

    assert "The rules cannot be shown" in page
    assert table(page, "Changes of this commit")


async def test_an_enrollment_with_many_commits_is_gone_through_when_asked(
    attempt: str, auditor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_trace, "MAX_UNREQUESTED_COMMITS", 2)
    page = await auditor.text(f"/audit/commits/{SESSION}/2")

    assert not table(page, "Fired")
    assert f'href="/audit/commits/{SESSION}/2?rules=1"' in page
    assert table(await auditor.text(f"/audit/commits/{SESSION}/2?rules=1"), "Fired")
