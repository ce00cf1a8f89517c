"""The pages of mapping documents."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from aiohttp import FormData

from bridge.app import MAPPING_RELOADER
from bridge.mapping_library.documents import SHIPPED
from storage import audit_log
from storage.engine import reading
from tests.mappings.statement_builders import FOR_CREDIT
from tests.support.bridge import Bridge
from tests.support.browser import Visitor, csrf_token
from tests.support.jobs import jobs_of
from tests.support.sample_data import SCRIPT, fill
from tests.support.sql import rows, scalar

TEXT = (SHIPPED / "scorm-profile.toml").read_text(encoding="utf-8")
RULE = f'name = "passed"\nwhen = "success.passed"\n{FOR_CREDIT}'
STRICTER = TEXT.replace(RULE, 'name = "passed"\nif = "score.scaled > 0.9"\nwhen = "success.passed"\n')
DRAFT = "/audit/mappings/draft"


@pytest.fixture
async def bridge(bridge: Bridge) -> Bridge:
    """A bridge with something of everything."""
    await fill(bridge)
    return bridge


def _hashes(bridge: Bridge) -> list[str]:
    return [row[0] for row in rows(bridge, "SELECT content_hash FROM mapping_version ORDER BY id")]


async def _keep(admin: Visitor, bridge: Bridge, text: str = STRICTER) -> str:
    answer = await admin.post(DRAFT, page=DRAFT, text=text.replace("\n", "\r\n"))
    assert answer.status == 303, await answer.text()
    assert "Valid, and " in await admin.text(answer.headers["Location"])
    return _hashes(bridge)[-1]


async def test_every_version_is_listed_with_whom_it_is_active_for(bridge: Bridge, admin: Visitor) -> None:
    version = await _keep(admin, bridge)
    text = await admin.text("/audit/mappings")

    for content_hash in _hashes(bridge):
        assert content_hash[:12] in text
    assert len(re.findall(r"<tr>\s*<td data-label=\"Mapping\"", text)) == scalar(
        bridge, "SELECT count(*) FROM mapping_version"
    )
    assert "all LMSs" in text
    assert ">draft<" in text
    assert f"to={version}" in text


async def test_a_version_is_read_as_a_table_of_its_rules_and_as_itself(bridge: Bridge, reader: Visitor) -> None:
    (version,) = _hashes(bridge)
    text = await reader.text(f"/audit/mappings/{version}")
    rules = re.findall(r'<tr id="rule-([\w-]+)">', text)
    assert rules == re.findall(r'^\[\[rules\]\]\nname = "([\w-]+)"', TEXT, re.MULTILINE)
    shown = unescape(re.sub(r"<[^>]+>", "", text[text.index('class="numbered"') :]))
    assert shown.partition(">")[2].rstrip().startswith(TEXT.rstrip()[:200])
    assert "the attempt became passed" in text
    assert "Activate</button>" not in text


@pytest.mark.parametrize("path", ["/audit/mappings/0000", "/audit/mappings/diff?from=0&to=1", "/audit/mappings/diff"])
async def test_a_version_that_there_is_not_is_told_in_words(admin: Visitor, path: str) -> None:
    answer = await admin.get(path)

    assert (answer.status, "There is no mapping version" in await answer.text()) == (404, True)


async def test_what_differs_is_shown_rules_first_then_line_by_line(bridge: Bridge, admin: Visitor) -> None:
    version = await _keep(admin, bridge)
    first = _hashes(bridge)[0]
    text = await admin.text(f"/audit/mappings/diff?from={first}&to={version}")
    rules, lines = text[: text.index("Line by line")], text[text.index("Line by line") :]

    assert "<ins>score.scaled &gt; 0.9</ins>" in rules
    assert len(re.findall("<ins>", lines)) == 1
    assert "<del>session.mode == &#34;normal&#34;" in rules
    assert len(re.findall("<del>", lines)) == 1
    assert "No differences." in await admin.text(f"/audit/mappings/diff?from={version}&to={version}")


async def test_faults_of_a_draft_are_told_at_their_place_and_nothing_is_kept(bridge: Bridge, admin: Visitor) -> None:
    wrong = TEXT.replace('verb = "resumed"', f'verb = "resumd {SCRIPT}"')
    answer = await admin.post(DRAFT, page=DRAFT, text=wrong)
    text = await answer.text()
    assert answer.status == 400
    line = wrong[: wrong.index("resumd")].count("\n") + 1
    assert f'<a href="#line-{line}">Line {line}</a>' in text
    assert f'<span id="line-{line}" class="faulty">' in text
    assert SCRIPT not in text
    assert len(_hashes(bridge)) == 1
    for empty in ("", "  \n", "[[rules"):
        assert (await admin.post(DRAFT, page=DRAFT, text=empty)).status == 400


async def test_a_file_is_kept_byte_by_byte_and_only_once(bridge: Bridge, admin: Visitor) -> None:
    version = await _keep(admin, bridge)
    for content, status in ((STRICTER.encode(), 303), (b"\xff\xfe", 400)):
        form = FormData({"csrf": csrf_token(await admin.text(DRAFT)), "text": ""})
        form.add_field("file", content, filename="mapping.toml")
        answer = await admin.client.post(DRAFT, data=form, allow_redirects=False)
        assert answer.status == status

    assert _hashes(bridge)[1:] == [version]


async def test_a_version_is_activated_seen_in_effect_and_rolled_back(bridge: Bridge, admin: Visitor) -> None:
    version = await _keep(admin, bridge)
    page = f"/audit/mappings/{version}"
    assert bridge.client.app is not None
    # without it, what holds is what the page let hold
    bridge.client.app[MAPPING_RELOADER].stop()
    assert (await admin.post(f"{page}/activate", page=page, lms="", reason=" ")).status == 400
    done = await admin.post(f"{page}/activate", page=page, lms="lms", reason="only the best pass")
    assert done.status == 303
    assert "Activated for lms." in await admin.text(done.headers["Location"])
    await bridge.commit({"core": {"lesson_status": "passed", "score": {"raw": "85"}}}, learner={"id": "after"})
    assert "passed" not in bridge.rules("after")
    back = await admin.post("/audit/mappings/rollback", page="/audit/mappings", lms="lms", reason="too strict")
    assert back.status == 303
    await bridge.commit({"core": {"lesson_status": "passed", "score": {"raw": "85"}}}, learner={"id": "later"})
    assert "passed" in bridge.rules("later")
    with reading(bridge.engine) as connection:
        acts = [(act.action, act.by, act.reason) for act in audit_log.newest(connection, 3)]
    assert acts[:2] == [("rollback", "ada", "too strict"), ("activate", "ada", "only the best pass")]
    again = await admin.post("/audit/mappings/rollback", page="/audit/mappings", lms="nobody", reason="x")
    assert (again.status, "No LMS has the name" in await again.text()) == (409, True)


async def test_a_stored_commit_is_explained_by_any_version(bridge: Bridge, admin: Visitor, auditor: Visitor) -> None:
    strict_version = await _keep(admin, bridge)
    ((session, number),) = rows(
        bridge,
        "SELECT s.session_id, s.commit_number FROM statement s JOIN attempt a ON a.id = s.attempt_id"
        " JOIN enrollment e ON e.id = a.enrollment_id WHERE s.rule = 'passed' AND e.learner_id = 'u1'",
    )
    for version, fired in ((_hashes(bridge)[0], True), (strict_version, False)):
        text = await auditor.text(f"/audit/mappings/{version}/preview?session={session}&number={number}")
        fired_row = r'data-label="Rule"[^>]*>passed</td><td data-label="State"><span class="badge good">fired'
        assert bool(re.search(fired_row, text)) == fired
        assert SCRIPT not in text, version
        rules = re.findall(r"<summary>([\w-]+) <small>", text)
        assert ("passed" in rules) == fired

    assert "its condition was false" in text


async def test_a_pasted_commit_is_shown_with_what_it_becomes_and_nothing_is_stored(
    bridge: Bridge, auditor: Visitor
) -> None:
    (version,) = _hashes(bridge)
    page, before = f"/audit/mappings/{version}/preview", scalar(bridge, "SELECT count(*) FROM journal")
    body = json.dumps({"learner": {"id": "x"}, "activity": {"id": "y"}, "cmi": {"core": {"lesson_status": "passed"}}})
    answer = await auditor.post(page, page=page, body=body)
    assert "initialized <small>" in await answer.text()
    for wrong in (
        {"body": SCRIPT},
        {"body": body, "session": "x"},
        {"body": body, "session": "0" * 8 + "-0000" * 3 + "-" + "0" * 12},
    ):
        answer = await auditor.post(page, page=page, **wrong)
        text = await answer.text()
        assert (answer.status, 'class="fault"' in text, SCRIPT in text) == (400, True, False), wrong
    for query in ("session=x&number=1", "session=&number=1", f"session={'0' * 8}-0000-0000-0000-{'0' * 12}&number=1"):
        assert (await auditor.get(f"{page}?{query}")).status == 400
    assert scalar(bridge, "SELECT count(*) FROM journal") == before


async def test_an_impact_report_counts_what_would_be_another_statement(bridge: Bridge, admin: Visitor) -> None:
    version = await _keep(admin, bridge)
    page = f"/audit/mappings/{version}"
    started = await admin.post(f"{page}/impact", page=page, days="30", lms="")
    assert started.status == 303
    await jobs_of(bridge).wait()
    answer = await admin.get(started.headers["Location"])
    text = await answer.text()
    assert "Refresh" not in answer.headers
    passed = scalar(bridge, "SELECT count(*) FROM statement WHERE rule = 'passed'")
    commits = scalar(bridge, "SELECT count(*) FROM journal")
    assert f'<span class="number">{commits}</span> commits of' in text
    dropped = re.search(
        r'data-label="Rule"[^>]*>passed</td>.*?data-label="Dropped" class="right"><strong><span class="number">(\d+)',
        text,
        re.DOTALL,
    )
    assert dropped is not None
    assert int(dropped[1]) == passed
    assert SCRIPT not in text
    assert (await admin.get("/audit/mappings/impacts/none")).status == 404
    for wrong, status in (({"days": "0"}, 400), ({"days": "x"}, 400), ({"days": "3", "lms": "nobody"}, 409)):
        assert (await admin.post(f"{page}/impact", page=page, **wrong)).status == status


@pytest.mark.parametrize("role", ["reader", "auditor"])
async def test_only_admins_change_what_holds_and_only_auditors_see_commits(
    bridge: Bridge, meet: Any, role: str
) -> None:
    person = await meet(bridge, "somebody", role)
    (version,) = _hashes(bridge)
    path = f"/audit/mappings/{version}"

    assert (await person.get(DRAFT)).status == 403
    for act in (DRAFT, f"{path}/activate", "/audit/mappings/rollback"):
        assert (await person.post(act, text=STRICTER, reason="x")).status == 403
    if role == "reader":
        assert (await person.get(f"{path}/preview")).status == 403
        assert (await person.post(f"{path}/impact", days="30")).status == 403
    assert len(_hashes(bridge)) == 1


async def test_forms_of_other_sites_change_nothing(bridge: Bridge, admin: Visitor) -> None:
    (version,) = _hashes(bridge)
    for path in (
        DRAFT,
        f"/audit/mappings/{version}/activate",
        "/audit/mappings/rollback",
        f"/audit/mappings/{version}/impact",
    ):
        answer = await admin.client.post(
            path, data={"text": STRICTER, "reason": "x", "days": "1"}, allow_redirects=False
        )
        assert answer.status == 403, path
