"""The pages of erasures: what became of each, here and at every target, and nobody named."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest
from aiohttp import web
from sqlalchemy import select

from bridge.clock import random_id
from bridge.operations.audit_context import AuditAction, AuditContext
from bridge.operations.erasure import ErasureRequest, erase_learner, receipt_of
from storage import audit_log, erasures, lms
from storage.engine import reading, writing
from storage.erasure_tables import removal
from storage.erasures import Erasure, Later, NewErasure
from storage.queries.learner_data import Learner
from tests.audit.conftest import Meet
from tests.audit.page_content import fact, table
from tests.support.accounts import START
from tests.support.bridge import Bridge, StartBridge
from tests.support.browser import Visitor
from tests.support.deliveries import is_settled
from tests.support.lrs import StartLrs
from tests.support.sql import scalar
from tests.support.waiting import wait_until

LEARNER = "zq-learner"
NAME = "Zq Name"
NONE = "\N{EN DASH}"


async def _repeat(request: web.Request) -> web.Response | None:
    """Refuse to tell of documents, and repeat the address, as LRSs do."""
    if request.method == "GET" and "agent" in request.query:
        return web.Response(status=400, text=f"nothing at {unquote(str(request.rel_url))}")
    return None


def _erase(bridge: Bridge, reason: str = "request 17") -> Erasure:
    context = AuditContext("otto", reason, bridge.clock())
    request = ErasureRequest(Learner(LEARNER, "lms"), Later.REFUSE, {"lrs": False}, context)
    return erase_learner(bridge.engine, request, now=bridge.clock, new_id=random_id)


@pytest.fixture
async def erased(start: StartBridge, start_lrs: StartLrs) -> tuple[Bridge, Erasure]:
    """A bridge where a learner was erased whose statements are voided, and whose documents an LRS does not delete."""
    lrs = await start_lrs(_repeat)
    bridge = await start(targets=(lrs.settings(),))
    cmi = {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}
    await bridge.commit(cmi, learner={"id": LEARNER, "name": NAME})
    await wait_until(lambda: is_settled(bridge))
    await bridge.let_documents_follow()
    await wait_until(lambda: not scalar(bridge, "SELECT count(*) FROM document_delivery WHERE state = 'waiting'"))
    _erase(bridge)
    await wait_until(lambda: not scalar(bridge, "SELECT count(*) FROM removal WHERE tries = 0"))
    await wait_until(lambda: not scalar(bridge, "SELECT count(*) FROM removal WHERE resource = 'statements'"))
    with reading(bridge.engine) as connection:
        (erasure,) = erasures.page(connection).rows
    return bridge, erasure


async def test_an_erasure_is_listed_with_what_its_targets_have_still_to_remove(
    erased: tuple[Bridge, Erasure], meet: Meet
) -> None:
    bridge, erasure = erased
    text = await (await meet(bridge, "otto", "auditor")).text("/audit/erasures")
    waiting = scalar(bridge, "SELECT count(*) FROM removal")
    (row,) = table(text, "Erasures")

    assert waiting
    assert row[1:4] == ["lms", "otto", "request 17"]
    assert row[5:] == [str(sum(erasure.counts.values())), f"{waiting} at lrs", erasure.uuid[:8]]
    assert f'href="/audit/erasures/{erasure.uuid}"' in text
    assert 'href="/audit/targets#target-lrs"' in text


async def test_a_receipt_tells_what_is_gone_and_names_nobody_even_where_an_lrs_does(
    erased: tuple[Bridge, Erasure], meet: Meet
) -> None:
    bridge, erasure = erased
    with reading(bridge.engine) as connection:
        assert any(LEARNER in answer for answer in connection.execute(select(removal.c.answer)).scalars())
    auditor = await meet(bridge, "otto", "auditor")
    text = await auditor.text(f"/audit/erasures/{erasure.uuid}")
    (row,) = table(text, "Targets")
    (target,) = erasure.targets
    assert target.voided
    assert row == [
        "lrs", "0", str(target.waiting_documents), str(target.voided), str(target.deleted), str(target.withdrawn),
        "0", "0", "the LRS answered 400",
    ]  # fmt: skip
    assert fact(text, "Statements") == str(erasure.counts["statements"])
    assert fact(text, "What comes later of the learner") == "is refused"
    listed = await auditor.text("/audit/erasures")
    async with auditor.client.get(f"/audit/erasures/{erasure.uuid}/receipt") as answer:
        receipt = await answer.text()
        assert answer.headers["Content-Disposition"] == f'attachment; filename="erasure-{erasure.uuid}.json"'
    assert json.loads(receipt) == receipt_of(erasure)
    assert [kind for kind in (LEARNER, NAME) for page in (text, listed, receipt) if kind in page] == []


async def test_the_audit_log_leads_to_the_receipt_and_keeps_no_words_of_an_lrs(
    start: StartBridge, start_lrs: StartLrs, meet: Meet
) -> None:
    """An erasure that was interrupted can be finished when an LRS has already answered."""
    lrs = await start_lrs(_repeat)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": LEARNER})
    with writing(bridge.engine) as connection:
        key = erasures.stored_digest_key(connection)
        campus = lms.by_name(connection, "lms")
        assert key is not None
        assert campus is not None
        digest = erasures.learner_digest(key, campus.id, LEARNER)
        new = NewErasure(random_id(), digest, "lms", Later.REFUSE, START, "otto", "")
        interrupted = erasures.begin(connection, new)
        erasures.add_target_counts(connection, interrupted, "lrs", {})
        answer = {"answer": f"the LRS answered 400: no {LEARNER}", "tries": 1, "not_before": START * 2}
        its = {"erasure_id": interrupted, "target": "lrs", "resource": "activities/state", "body": "{}"}
        connection.execute(removal.insert().values(**its, **answer, created_at=START))
    auditor = await meet(bridge, "otto", "auditor")
    assert "It was interrupted" in await auditor.text(f"/audit/erasures/{new.uuid}")
    assert table(await auditor.text("/audit/erasures"), "Erasures")[0][4] == "not finished"
    assert _erase(bridge).uuid == new.uuid
    text = await auditor.text(f"/audit/log?action={AuditAction.ERASE}")
    assert f'<a href="/audit/erasures/{new.uuid}">' in text
    with reading(bridge.engine) as connection:
        (entry, *_) = audit_log.newest(connection)
    assert json.loads(entry.subject)["targets"][0]["answer"] == "the LRS answered 400"
    assert LEARNER not in entry.subject


async def test_pages_together_hold_each_erasure_once(bridge: Bridge, auditor: Visitor) -> None:
    reasons = [f"request {number:03}" for number in range(120)]
    with writing(bridge.engine) as connection:
        for reason in reasons:
            erasures.begin(connection, NewErasure(random_id(), "d", None, Later.ACCEPT, START, "me", reason))
    path, seen = "/audit/erasures", []
    while path:
        text = await auditor.text(path)
        seen += [row[3] for row in table(text, "Erasures")]
        more = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = more[1].replace("&amp;", "&") if more else ""

    assert seen == reasons[::-1]


async def test_readers_and_addresses_that_were_changed_by_hand_see_no_erasure(
    bridge: Bridge, reader: Visitor, auditor: Visitor
) -> None:
    unknown = f"/audit/erasures/{random_id()}"
    assert "No erasures yet." in await auditor.text("/audit/erasures")
    answers = [(await who.get(path)).status for who in (reader, auditor) for path in ("/audit/erasures", unknown)]
    assert answers == [403, 403, 200, 404]
    wrong = ("/audit/erasures?after=x", "/audit/erasures/x", f"{unknown}/receipt")
    assert [(await auditor.get(path)).status for path in wrong] == [400, 404, 404]
