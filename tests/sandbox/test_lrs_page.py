"""The page for people: what it shows, that it cannot be written into, and what it says when there is nothing."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from tests.sandbox.conftest import Clock, Lrs, MakeStatement, NewId

REGISTRATION = "12345678-1234-4234-8234-123456789012"
STATE = {
    "activityId": "urn:course",
    "agent": '{"mbox": "mailto:ada@example.org"}',
    "registration": REGISTRATION,
    "stateId": "urn:resume",
}


async def page(lrs: Lrs) -> str:
    answer = await lrs.client.get("/")
    assert answer.status == 200
    return await answer.text()


def cells(text: str, label: str) -> list[str]:
    """Return the text of every cell of a column, from the top."""
    matches = re.findall(rf'<td data-label="{label}"[^>]*>(.*?)</td>', text, re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", "", match)).strip() for match in matches]


def summary(text: str) -> str:
    """Return what the page says of everything."""
    [match] = re.findall(r'<p id="summary" data-live>(.*?)</p>', text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", match).split()).partition(" This page")[0]


async def test_an_empty_page_says_what_to_do_next(lrs: Lrs) -> None:
    text = await page(lrs)

    assert "<title>Sandbox LRS, not for production</title>" in text
    assert f"<code>{lrs.client.make_url('/xapi/')}</code>" in text
    assert "<table" not in text
    assert "No state or profile document has arrived yet" in text


async def test_the_newest_statements_come_first_with_their_results(lrs: Lrs, statement: MakeStatement) -> None:
    score = {"scaled": 0.8, "raw": 80, "max": 100}
    await lrs.post(statement(result={"score": score, "success": True, "completion": True}))
    await lrs.post(
        statement(
            timestamp="2026-01-31T11:59:30+01:00",
            actor={"mbox": "mailto:ada@example.org"},
            verb={"id": "urn:tried", "display": {"de": "versuchte", "en-GB": "tried"}},
            object={"id": "urn:a", "definition": {"name": {"en": "Golf"}}},
            result={"success": False, "completion": False},
        )
    )
    text = await page(lrs)

    assert cells(text, r"Time \(UTC\)") == ["2026-01-31 10:59:30", "2026-01-31 11:59:00"]
    assert cells(text, "Actor") == ["ada@example.org", "u42"]
    assert cells(text, "Verb") == ["tried", "completed"]
    assert cells(text, "Object") == ["Golf", "https://lms.example.org/activities/235"]
    assert cells(text, "Result") == ["not completed, failed", "completed, passed, score 80 % (80 of 100)"]


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ({"objectType": "Group", "member": [{"mbox": "mailto:ada@example.org"}]}, "a group of 1"),
        ({"objectType": "Agent", "openid": "https://ada.example.org"}, "https://ada.example.org"),
        ({"objectType": "Agent", "mbox_sha1sum": "a" * 40}, "a" * 40),
        (
            {"objectType": "StatementRef", "id": "12345678-1234-5678-1234-567812345678"},
            "statement 12345678-1234-5678-1234-567812345678",
        ),
        (
            {
                "objectType": "SubStatement",
                "actor": {"name": "Ada", "mbox": "mailto:ada@example.org"},
                "verb": {"id": "urn:did"},
                "object": {"id": "urn:a"},
            },
            "Ada did urn:a",
        ),
    ],
    ids=str,
)
async def test_every_kind_of_object_is_shown(
    lrs: Lrs, statement: MakeStatement, target: dict[str, Any], shown: str
) -> None:
    await lrs.post(statement(object=target))
    text = await page(lrs)

    assert cells(text, "Object") == [shown]
    assert cells(text, "Result") == ["none"]


async def test_every_value_is_escaped(lrs: Lrs, statement: MakeStatement) -> None:
    evil = "\"'><script>alert(1)</script>&amp;"
    await lrs.post(
        statement(
            actor={"name": evil, "account": {"homePage": "https://lms.example.org", "name": evil}},
            verb={"id": "urn:x'onmouseover=alert(1)", "display": {"en": evil}},
            object={"id": "urn:a'b&lt;", "definition": {"name": {"en": evil}}},
            result={"response": evil, "extensions": {"urn:e": evil}},
            context={"platform": evil},
        )
    )
    text = await page(lrs)

    assert "<script>" not in text
    assert "'" not in re.sub(r"&#39;", "", text)
    assert cells(text, "Actor") == cells(text, "Verb") == cells(text, "Object") == [evil]


async def test_a_voided_statement_is_marked(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    await lrs.post(statement(new_id(1)))
    voided = {"id": "http://adlnet.gov/expapi/verbs/voided", "display": {"en": "voided it"}}
    await lrs.post(statement(new_id(2), verb=voided, object={"objectType": "StatementRef", "id": new_id(1)}))

    assert cells(await page(lrs), "Verb") == ["voided it", "completed voided"]


async def test_the_page_counts_and_shows_the_newest_fifty(lrs: Lrs, statement: MakeStatement) -> None:
    await lrs.post([statement(object={"id": f"urn:{number}"}) for number in range(51)])
    await lrs.get(limit="many")
    text = await page(lrs)
    shown = cells(text, "Object")

    assert (len(shown), shown[0], shown[-1]) == (50, "urn:50", "urn:1")
    assert "51 statements, the newest 50 shown, newest first" in text
    assert summary(text) == "51 statements and 0 documents in memory, 1 request refused or cut."


async def test_what_is_not_there_yet_is_not_refused(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    assert (await lrs.ask("GET", "activities/state", params=STATE)).status == 404
    assert (await lrs.get(statementId=new_id(1))).status == 404
    assert "no request refused or cut" in summary(await page(lrs))
    lrs.script({"name": "gone", "then": {"do": "answer", "status": 404}, "times": 1})
    await lrs.post(statement())
    assert "1 request refused or cut" in summary(await page(lrs))


async def test_documents_are_shown_with_what_they_belong_to_and_their_content(lrs: Lrs, clock: Clock) -> None:
    await lrs.ask("PUT", "activities/state", params=STATE, json={"location": "<page 3>"})
    clock.move(seconds=1)
    profile = {"activityId": "urn:course", "profileId": "urn:terms"}
    await lrs.ask("PUT", "activities/profile", params=profile, data=b"\xff", headers={"Content-Type": "image/png"})
    text = await page(lrs)

    assert cells(text, r"Updated \(UTC\)") == ["2026-01-31 12:00:01", "2026-01-31 12:00:00"]
    assert cells(text, "Resource") == ["activity profile", "state"]
    assert cells(text, "Id") == ["urn:terms", "urn:resume"]
    assert cells(text, "Belongs to") == ["urn:course", f"urn:courseada@example.org{REGISTRATION}"]
    assert "&#34;location&#34;: &#34;&lt;page 3&gt;&#34;" in text
    assert "<summary>Content (image/png)</summary><pre>\ufffd</pre>" in text


async def test_the_page_runs_only_scripts_and_styles_of_its_own(lrs: Lrs, statement: MakeStatement) -> None:
    await lrs.post(statement())
    answer = await lrs.client.get("/")
    text = await answer.text()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';")
    assert not re.search(r"<style|<script(?! src)|\sstyle=|\son\w+=", text)
    files = re.findall(r'(?:src|href)="(/[^"]+[.](?:css|js|svg))"', text)
    assert len(files) == 3
    for path in files:
        assert (await lrs.client.get(path)).status == 200, path
    assert "prefers-color-scheme: dark" in await (await lrs.client.get("/page.css")).text()


async def test_an_open_page_hears_of_each_request_until_the_lrs_stops(lrs: Lrs, statement: MakeStatement) -> None:
    async with lrs.client.get("/live") as stream:
        assert stream.content_type == "text/event-stream"
        assert await stream.content.readuntil(b"\n\n") == b": connected\n\n"
        for change in (lrs.post(statement()), lrs.client.delete("/control")):
            await change
            assert await stream.content.readuntil(b"\n\n") == b"event: change\ndata: new\n\n", change
        await lrs.app.shutdown()
        assert await stream.content.read() == b""
