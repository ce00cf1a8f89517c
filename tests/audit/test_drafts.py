"""Drafts of mappings, and activating what became of them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from bridge.mapping_library.documents import SHIPPED
from bridge.operations.accounts import remove_account
from bridge.operations.audit_context import AuditContext
from storage.engine import writing
from tests.mappings.statement_builders import FOR_CREDIT
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.jobs import jobs_of
from tests.support.sql import rows, scalar

TEXT = (SHIPPED / "scorm-profile.toml").read_text(encoding="utf-8")
RULE = f'name = "passed"\nwhen = "success.passed"\n{FOR_CREDIT}'
STRICTER = TEXT.replace(RULE, 'name = "passed"\nif = "score.scaled > 0.9"\nwhen = "success.passed"\n')
FAULTY = TEXT.replace('when = "success.passed"', 'when = "success.pasted"', 1)
DRAFT = "/audit/mappings/draft"


def _editor(page: str) -> str:
    """Return the text that an editor holds, as a browser reads it."""
    match = re.search(r'<textarea id="text"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert match is not None
    return unescape(match[1])


async def test_a_draft_begins_with_the_active_version_in_an_editor_with_numbered_lines(
    bridge: Bridge, admin: Visitor
) -> None:
    page = await admin.text(DRAFT)
    assert _editor(page) == TEXT
    numbers = re.findall(r"<span>(\d+)</span>", page)
    assert numbers == [str(number) for number in range(1, TEXT.count("\n") + 2)]


async def test_a_draft_is_kept_for_its_account_with_its_faults_beside_their_lines_until_it_is_a_version(
    bridge: Bridge, admin: Visitor, meet: Any
) -> None:
    faulty = await admin.post(DRAFT, page=DRAFT, text=FAULTY.replace("\n", "\r\n"), action="save")
    assert faulty.status == 400
    line = FAULTY[: FAULTY.index("success.pasted")].count("\n") + 1
    page = await faulty.text()
    assert f'<span class="bad">{line}</span>' in page
    beside = re.search(rf'<span class="beside" data-line="{line}" title="[^"]*">([^<]*)</span>', page)
    assert beside is not None
    assert "success.pasted" in unescape(beside[1])
    assert _editor(await admin.text(DRAFT)) == FAULTY

    other = await meet(bridge, "bea", "admin")
    assert _editor(await other.text(DRAFT)) == TEXT
    kept = await other.post(DRAFT, page=DRAFT, text="half a thought", action="keep")
    assert (kept.status, _editor(await other.text(DRAFT))) == (303, "half a thought")
    (version,) = (row[0] for row in rows(bridge, "SELECT content_hash FROM mapping_version"))
    assert _editor(await other.text(f"{DRAFT}?from={version}")) == TEXT

    done = await admin.post(DRAFT, page=DRAFT, text=STRICTER, action="save")
    assert done.status == 303
    assert _editor(await admin.text(DRAFT)) == TEXT
    discarded = await other.post(DRAFT, page=DRAFT, action="discard", text="half a thought")
    assert (discarded.status, _editor(await other.text(DRAFT))) == (303, TEXT)
    assert scalar(bridge, "SELECT count(*) FROM mapping_draft") == 0


async def test_an_account_with_a_draft_can_be_removed(bridge: Bridge, admin: Visitor) -> None:
    await admin.post(DRAFT, page=DRAFT, text="mine", action="keep")
    with writing(bridge.engine) as connection:
        remove_account(connection, "ada", AuditContext("cli", "gone", bridge.clock()))

    assert scalar(bridge, "SELECT count(*) FROM mapping_draft") == 0


async def test_an_activation_is_confirmed_and_says_which_impact_report_it_is_based_on(
    bridge: Bridge, admin: Visitor, meet: Any
) -> None:
    learner = {"id": "u1", "name": "Grace Hopper"}
    await bridge.commit({"core": {"lesson_status": "passed", "score": {"raw": "60"}}}, learner=learner)
    await admin.post(DRAFT, page=DRAFT, text=STRICTER, action="save")
    active, version = (row[0] for row in rows(bridge, "SELECT content_hash FROM mapping_version ORDER BY id"))
    page = f"/audit/mappings/{version}"
    started = await admin.post(f"{page}/impact", page=page, days="30", lms="")
    await jobs_of(bridge).wait()
    impact = await admin.text(started.headers["Location"])
    assert "Grace Hopper" in impact
    (link,) = re.findall(rf'href="({page}/activate\?[^"]+)"', impact)

    question = await admin.text(unescape(link))
    assert active[:12] in question
    (job,) = re.findall(r'<option value="([^"]+)" selected>', question)
    assert scalar(bridge, "SELECT count(*) FROM mapping_activation") == 1
    done = await admin.post(f"{page}/activate", page=unescape(link), lms="", reason="only the best", impact=job)
    assert done.status == 303
    ((reason,),) = rows(bridge, "SELECT reason FROM audit_log WHERE action = 'activate' AND by = 'ada'")
    assert reason == (
        "only the best; based on the impact report of 2026-01-01T00:00:00.000Z over 30 days"
        " (commits: 1, added: 0, dropped: 1, changed: 0)"
    )
    assert "based on the impact report" in await admin.text("/audit/log")

    gone = await admin.post(f"{page}/activate", page=page, lms="", reason="x", impact="of-another-process")
    assert gone.status == 409
    assert (await admin.get(f"{page}/activate?lms=nobody")).status == 404
    auditor = await meet(bridge, "otto", "auditor")
    assert (await auditor.get(f"{page}/activate")).status == 403
