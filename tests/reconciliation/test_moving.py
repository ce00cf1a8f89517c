"""Moving to another LRS, as docs/guides/moving.md says: filled, compared, equal, while learners go on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bridge.mapping_library import activation
from bridge.mapping_library.backfill import Backfill
from bridge.mapping_library.reissue import Reissue
from bridge.operations.audit_context import AuditContext
from bridge.sandbox.lrs import DOCUMENTS
from bridge.sandbox.lrs.documents import Place
from bridge.settings import TargetSettings
from storage.backfill import BackfillSpan
from storage.engine import writing
from storage.journal_replay import JournalSpan
from tests.reconciliation.comparison import compare
from tests.support.accounts import START
from tests.support.bridge import Bridge, Ids, StartBridge
from tests.support.deliveries import is_settled, statements
from tests.support.lrs import Lrs, StartLrs
from tests.support.mapping import MASTERED, variant
from tests.support.waiting import wait_until

LEARNERS = tuple(f"u{number}" for number in range(6))


async def play(bridge: Bridge, learner: str, raw: str, **fields: Any) -> None:
    """Let a learner save something."""
    cmi = {"core": {"score": {"raw": raw}, "lesson_location": f"page {raw}", "lesson_status": "incomplete"}}
    await bridge.commit(cmi, learner={"id": learner, "name": f"Name of {learner}"}, **fields)


def fill(bridge: Bridge, target: TargetSettings) -> int:
    """Backfill a target as the command does; return how many statements were queued."""
    work = Backfill(bridge.engine, target, BackfillSpan(), bridge.clock)
    work.run(dry_run=False, progress=lambda _: None, pause=lambda _: None)
    return work.report.statements.total()


def contents(lrs: Lrs) -> dict[str, Any]:
    """Return what an LRS has, by id, without what it sets itself."""
    return {
        statement["id"]: {name: value for name, value in statement.items() if name not in {"stored", "authority"}}
        for statement in lrs.store.statements()
    }


def documents(lrs: Lrs) -> dict[tuple[Place, str], bytes]:
    """Return the documents that an LRS has, by what they belong to and their ids."""
    return {(place, document_id): document.content for place, document_id, document in lrs.app[DOCUMENTS].items()}


async def test_after_a_backfill_the_new_lrs_is_equal_documents_and_live_learners_included(
    start: StartBridge, start_lrs: StartLrs
) -> None:
    old, new = await start_lrs(), await start_lrs(page_size=3)
    before, both = (old.settings("old"),), (old.settings("old"), new.settings("new"))
    ids = Ids()
    bridge = await start(targets=before, ids=ids)
    for learner in LEARNERS:
        await play(bridge, learner, "40")
    await bridge.let_documents_follow()
    await wait_until(lambda: is_settled(bridge))
    bridge.clock.advance(3_600)
    with writing(bridge.engine) as connection:
        version_id = activation.store_version(connection, variant(add=MASTERED, drop="attempt.started"), START)
    reissue = Reissue(bridge.engine, version_id, JournalSpan(), before)
    await asyncio.to_thread(
        reissue.run, AuditContext("ada", "by mistake", START), bridge.clock, lambda _done, _total: None
    )
    await wait_until(lambda: is_settled(bridge))
    await bridge.close()

    # filled before the bridge knows it, and once more for what came in between
    queued = fill(bridge, both[1])
    bridge = await start(targets=before, ids=ids, token=bridge.token, clock=bridge.clock)
    await play(bridge, "u0", "60")
    await play(bridge, "new learner", "60")
    await bridge.close()
    bridge = await start(targets=both, ids=ids, token=bridge.token, clock=bridge.clock)
    await play(bridge, "u1", "80")
    queued += fill(bridge, both[1])
    assert fill(bridge, both[1]) == 0
    await bridge.let_documents_follow()
    await wait_until(lambda: is_settled(bridge))
    bridge.clock.advance(3_600)

    result = await compare(bridge, both[1])
    assert result.lines == []
    assert result.report.voided == len(LEARNERS)
    assert result.report.equal + result.report.voided == result.report.statements == len(contents(old))
    assert queued < len(contents(old))  # what learners did last came live
    assert contents(new) == contents(old)
    await wait_until(lambda: documents(new) == documents(old))
    assert len(documents(new)) > len(LEARNERS)

    # each attempt in its order, and every statement sent once
    sent = [statement["id"] for body in new.bodies for statement in json.loads(body)]
    assert len(sent) == len(set(sent))
    for learner in LEARNERS:
        its = [statement.id for statement in statements(bridge, [learner])]
        assert [statement_id for statement_id in new.ids() if statement_id in its] == its, learner

    # the old one is switched off, and life goes on
    await bridge.close()
    bridge = await start(targets=both[1:], ids=ids, token=bridge.token, clock=bridge.clock)
    await play(bridge, "u1", "90")
    await wait_until(lambda: is_settled(bridge))
    bridge.clock.advance(3_600)
    assert (await compare(bridge, both[1])).lines == []
    assert len(contents(new)) > len(contents(old))
