"""Telling the past anew from a page: looked at first, then done once, with a reason, and told in words."""

from __future__ import annotations

import asyncio
import json
import re
import threading

import pytest
from sqlalchemy import text, update

from bridge.audit.components.background_jobs import BackgroundJob, Progress
from bridge.mapping_library import activation, reissue
from mappings.analysis.impact import Impact
from storage import audit_log, leases
from storage.audit_log import AuditEntry
from storage.engine import reading, writing
from storage.tables import delivery, journal
from tests.audit.page_content import fact, table
from tests.support.accounts import START
from tests.support.bridge import Bridge, Ids
from tests.support.browser import Visitor
from tests.support.frames import unpack_frames
from tests.support.jobs import jobs_of
from tests.support.mapping import MASTERED, variant
from tests.support.sample_data import NAMES, SCRIPT, TARGET, fill
from tests.support.sql import rows, scalar

NEW = variant(
    add=MASTERED.replace("0.9", "0.8"),
    drop="attempt.started",
    **{'result = ["success", "score"]': 'result = ["success"]'},
)
HASH = NEW.definition.content_hash
CHOICE = f"/audit/mappings/{HASH}/reissue"
EACH = len(NAMES)
BY_RULE = {
    "initialized": ["0", str(EACH), "0", "0"],
    "mastered": [str(EACH), "0", "0", "0"],
    "passed": ["0", "0", str(EACH), "0"],
    "scored": ["0", "0", "0", str(EACH)],
}
"""Issued besides, voided, replaced, left."""


@pytest.fixture
async def bridge(bridge: Bridge) -> Bridge:
    """A bridge with something of everything, and a draft that would have made other statements of it."""
    await fill(bridge)
    with writing(bridge.engine) as connection:
        activation.store_version(connection, NEW, START)
        connection.execute(update(delivery).values(state="delivered"))
    return bridge


async def _previewed(admin: Visitor, bridge: Bridge, **fields: str) -> str:
    """Look what would be done about all that was stored, and return the address of the preview."""
    answer = await admin.post(CHOICE, page=CHOICE, **{"since": "2020-01-01"} | fields)
    assert answer.status == 303, await answer.text()
    await jobs_of(bridge).wait()
    return answer.headers["Location"]


async def _run(admin: Visitor, bridge: Bridge, preview: str, reason: str = "the score was wrong") -> str:
    done = await admin.post(f"{preview}/run", page=preview, reason=reason)
    assert done.status == 303, await done.text()
    await jobs_of(bridge).wait()
    return done.headers["Location"]


def _acts(bridge: Bridge) -> list[AuditEntry]:
    with reading(bridge.engine) as connection:
        return [act for act in audit_log.newest(connection) if act.action == "reissue"]


def _statements(bridge: Bridge) -> int:
    return scalar(bridge, "SELECT count(*) FROM statement")


def _numbers(page: str) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in table(page, "By rule")}


async def test_a_preview_counts_by_rule_shows_examples_and_does_nothing(bridge: Bridge, admin: Visitor) -> None:
    before = _statements(bridge)
    assert f'href="{CHOICE}"' in await admin.text(f"/audit/mappings/{HASH}")
    form = await admin.text(CHOICE)
    assert 'name="since" value="2025-12-02"' in form
    assert "This version is not active" in form

    page = await admin.text(await _previewed(admin, bridge, learner="", until=""))
    numbers = _numbers(page)
    assert {rule: numbers[rule] for rule in BY_RULE} == BY_RULE
    assert numbers["All"][:3] == [str(EACH)] * 3
    assert "statements would be replaced (voided and re-issued)" in page
    for badge in ("added", "dropped", "changed"):
        assert f">{badge}</span>" in page
    commit, statement = (re.search(rf'href="(/audit/{name}/[^"]+)"', page) for name in ("commits", "statements"))
    assert commit is not None
    assert statement is not None
    assert "scored" in await admin.text(commit[1])
    assert "delivered" in await admin.text(statement[1])
    assert SCRIPT not in page
    assert (_statements(bridge), _acts(bridge)) == (before, [])


async def test_it_is_done_with_a_reason_told_in_words_and_kept(
    bridge: Bridge, admin: Visitor, auditor: Visitor
) -> None:
    before, preview = _statements(bridge), await _previewed(admin, bridge)
    for fields in ({}, {"reason": "  "}):
        refused = await admin.post(f"{preview}/run", page=preview, **fields)
        assert (refused.status, "A reason is required" in await refused.text()) == (400, True), fields
    assert _statements(bridge) == before
    bridge.clock.advance(60)

    run = await _run(admin, bridge, preview, " the score <was> wrong ")
    page = await admin.text(run)
    numbers = _numbers(page)
    assert {rule: numbers[rule] for rule in BY_RULE} == BY_RULE
    assert "statements were replaced (voided and re-issued)" in page
    assert fact(page, "Reason") == "the score <was> wrong"
    assert _statements(bridge) == before + 4 * EACH
    (act,) = _acts(bridge)
    assert (act.by, act.affected, act.reason) == ("ada", 3 * EACH, "the score <was> wrong")
    assert json.loads(act.subject)["since"] == 1_577_836_800_000
    assert "the score &lt;was&gt; wrong" in await auditor.text("/audit/log?action=reissue")
    for path in set(re.findall(r'href="(/audit/(?:statements|commits|deliveries|log|mappings)[^"]*)"', page)):
        assert (await admin.get(path.replace("&amp;", "&"))).status == 200
    assert "This was run" in await admin.text(preview)


async def test_what_was_voided_and_what_voids_it_lead_to_each_other(bridge: Bridge, admin: Visitor) -> None:
    await _run(admin, bridge, await _previewed(admin, bridge))
    (old,) = rows(
        bridge,
        "SELECT s.id FROM statement s JOIN attempt a ON a.id = s.attempt_id JOIN enrollment e ON e.id = a.enrollment_id"
        " WHERE s.rule = 'passed' AND e.learner_id = 'u1' ORDER BY s.position LIMIT 1",
    )
    voided = await admin.text(f"/audit/statements/{old[0]}")
    link = re.search(r'Voided by a re-issue.*?href="(/audit/statements/[^"]+)"', voided, re.DOTALL)
    assert link is not None
    voiding = await admin.text(link[1])

    assert f'voids <a href="/audit/statements/{old[0]}"' in voiding
    assert TARGET in voiding


async def test_a_button_that_is_pressed_twice_does_it_once(bridge: Bridge, admin: Visitor) -> None:
    before, preview = _statements(bridge), await _previewed(admin, bridge)
    pressed = await asyncio.gather(*(admin.post(f"{preview}/run", page=preview, reason="why") for _ in range(3)))
    await jobs_of(bridge).wait()
    later = await admin.post(f"{preview}/run", page=preview, reason="once more")
    await jobs_of(bridge).wait()

    assert {(answer.status, answer.headers["Location"]) for answer in (*pressed, later)} == {
        (303, pressed[0].headers["Location"])
    }
    assert _statements(bridge) == before + 4 * EACH
    assert [act.reason for act in _acts(bridge)] == ["why"]
    assert "Nothing to do." in await admin.text(await _previewed(admin, bridge))


async def test_while_another_process_re_issues_nothing_is_done_and_that_is_told(bridge: Bridge, admin: Visitor) -> None:
    before, preview, other = _statements(bridge), await _previewed(admin, bridge), Ids()()
    with writing(bridge.engine) as connection:
        leases.share_out(connection, owner=other, names=["mappings/reissue"], lasts=60_000)
    page = await admin.text(await _run(admin, bridge, preview))
    assert "Another re-issue is running" in page
    assert (_statements(bridge), _acts(bridge)) == (before, [])

    with writing(bridge.engine) as connection:
        leases.give_back(connection, owner=other)
    await _run(admin, bridge, await _previewed(admin, bridge))
    assert _statements(bridge) == before + 4 * EACH


async def test_one_job_works_at_a_time_and_its_page_tells_how_far_it_is(bridge: Bridge, admin: Visitor) -> None:
    preview, gate, started = await _previewed(admin, bridge), threading.Event(), threading.Event()

    def slow(progress: Progress) -> Impact:
        progress(3, 17)
        started.set()
        assert gate.wait(30)
        return Impact()

    preview_job = jobs_of(bridge).find(preview.rpartition("/")[2], object)
    assert preview_job is not None
    running = BackgroundJob(preview_job.request, "bob", START)
    jobs_of(bridge).start(running, slow)
    await asyncio.to_thread(started.wait, 30)
    answer = await admin.get(f"/audit/mappings/reissues/{running.id}")
    assert answer.headers["Refresh"] == "2"
    assert '<span class="number">3</span> of <span class="number">17</span> enrollments' in await answer.text()
    for path, fields in ((f"{preview}/run", {"reason": "x"}), (CHOICE, {"since": "2020-01-01"})):
        busy = await admin.post(path, page="/audit/targets", **fields)
        assert (busy.status, "Nothing was done. Try again" in await busy.text()) == (409, True), path
    assert (await admin.post(f"/audit/mappings/reissues/{running.id}/run", reason="x")).status == 409
    gate.set()
    await jobs_of(bridge).wait()
    assert _acts(bridge) == []


async def test_what_was_broken_off_says_why_keeps_what_it_did_and_goes_on(
    bridge: Bridge, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissue, "BATCH_SIZE", 1)
    before, preview = _statements(bridge), await _previewed(admin, bridge)
    unpack_frames(bridge.engine)
    third = "SELECT j.id, j.body FROM journal j ORDER BY j.id LIMIT 1 OFFSET 2"
    ((row, body),) = rows(bridge, third)
    with writing(bridge.engine) as connection:
        connection.execute(update(journal).where(journal.c.id == row).values(body=b"nothing that can be read"))
    page = await admin.text(await _run(admin, bridge, preview))
    assert f'after <span class="number">2</span> of <span class="number">{EACH}</span> enrollments' in page
    assert "cannot be read" in page
    assert _statements(bridge) == before + 4 * 2
    assert len(_acts(bridge)) == 2

    with writing(bridge.engine) as connection:
        connection.execute(update(journal).where(journal.c.id == row).values(body=bytes(body)))
    again = re.search(rf'href="({CHOICE}\?[^"]+)"', page)
    assert again is not None
    assert 'name="since" value="2020-01-01"' in await admin.text(again[1].replace("&amp;", "&"))
    await _run(admin, bridge, await _previewed(admin, bridge))
    assert _statements(bridge) == before + 4 * EACH


async def test_commits_after_the_preview_are_not_told_anew_by_it(bridge: Bridge, admin: Visitor) -> None:
    preview = await _previewed(admin, bridge)
    bridge.clock.advance(1)
    await bridge.commit({"core": {"lesson_status": "passed", "score": {"raw": "85"}}}, learner={"id": "later"})
    await _run(admin, bridge, preview)

    assert "voided" not in bridge.rules("later")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"since": ""}, "Select statements first"),
        ({"since": "2026-01-03", "until": "2026-01-01"}, "ends before it begins"),
        ({"since": "1.1.2026"}, "Dates must look like"),
        ({"lms": "nobody"}, "No LMS has the name"),
        ({"lms": "l" * 5000}, "Not a valid lms."),
        ({"activity": "x" * 5_000}, "Not a valid activity."),
        ({"learner": "\N{PARTY POPPER}<b>"}, None),
    ],
)
async def test_a_choice_that_cannot_be_is_told_on_the_form_itself(
    bridge: Bridge, admin: Visitor, fields: dict[str, str], words: str | None
) -> None:
    answer = await admin.post(CHOICE, page=CHOICE, **{"since": "2020-01-01"} | fields)
    page = await answer.text()
    if words is None:
        await jobs_of(bridge).wait()
        assert "Nothing to do." in await admin.text(answer.headers["Location"])
        return

    assert (answer.status, words in page, "Replaces statements" in page) == (400, True, True)


async def test_only_a_preview_that_is_kept_can_be_run(bridge: Bridge, admin: Visitor) -> None:
    run = await _run(admin, bridge, await _previewed(admin, bridge))
    assert (await admin.post(f"{run}/run", page="/audit/targets", reason="x")).status == 409
    for path in ("/audit/mappings/reissues/none", "/audit/mappings/none/reissue"):
        assert (await admin.get(path)).status == 404
    assert (await admin.post("/audit/mappings/reissues/none/run", reason="x")).status == 404
    impact = await admin.post(f"/audit/mappings/{HASH}/impact", page="/audit/targets", days="3", lms="")
    await jobs_of(bridge).wait()
    job = impact.headers["Location"].rpartition("/")[2]
    assert (await admin.get(f"/audit/mappings/reissues/{job}")).status == 404
    with reading(bridge.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM lease WHERE name LIKE '%reissue%'")).scalar_one() == 0
