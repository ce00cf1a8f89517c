"""The ledger compared with an LRS from which statements went missing, or in which they were altered or voided."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import delete, update

from bridge.app import PAUSE_MONITOR
from bridge.mapping_library import activation
from bridge.mapping_library.reissue import Reissue
from bridge.operations import reconciliation
from bridge.operations.audit_context import AuditContext
from bridge.operations.lrs_comparison import Discrepancy
from bridge.settings import FilterSettings, PseudonymKeySettings
from mappings.xapi.validation import Edition
from storage import pauses, tables
from storage.engine import writing
from storage.journal_replay import JournalSpan
from storage.pauses import Pause
from storage.reconciliation import StatementKey
from storage.states import DeliveryState
from tests.reconciliation.comparison import compare
from tests.support.accounts import START
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import LEARNERS, is_settled, statements
from tests.support.frames import unpack_frames
from tests.support.lrs import NO_DOCUMENTS, Lrs, StartLrs
from tests.support.mapping import MASTERED, variant
from tests.support.waiting import wait_until

MISSING, UNQUEUED, DIFFERENT, FOREIGN, VOIDED, *_ = Discrepancy
LATER = 3_600_000


async def play(bridge: Bridge, learners: tuple[str, ...] = LEARNERS, **fields: Any) -> None:
    """Let learners work through two commits each, and wait until all is delivered."""
    for raw in ("40", "80"):
        for learner in learners:
            cmi = {"core": {"score": {"raw": raw}, "lesson_location": raw, "lesson_status": "incomplete"}}
            await bridge.commit(cmi, learner={"id": learner, "name": f"Name of {learner}"}, **fields)
    await wait_until(lambda: is_settled(bridge))


@pytest.fixture
async def bridge(start: StartBridge, lrs: Lrs) -> Bridge:
    """A bridge whose statements are all delivered, an hour ago."""
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await play(bridge)
    bridge.clock.advance(3_600)
    return bridge


async def pause(bridge: Bridge) -> None:
    """Let what is committed wait from now on."""
    with writing(bridge.engine) as connection:
        pauses.begin(connection, Pause("lrs", START, "otto", "maintenance", automatic=False))
    assert bridge.client.app is not None
    await bridge.client.app[PAUSE_MONITOR].run_once()


def void(lrs: Lrs, statement_id: str) -> None:
    """Void a statement at an LRS, as somebody else would."""
    voiding = {
        "actor": {"mbox": "mailto:admin@lrs.example"},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
        "object": {"objectType": "StatementRef", "id": statement_id},
    }
    lrs.store.keep([voiding], at=lrs.now(), authority={"mbox": "mailto:admin@lrs.example"}, edition=Edition.ONE)


def stored(lrs: Lrs, statement_id: str) -> dict[str, Any]:
    """Return a statement that an LRS has."""
    entry = lrs.store.get(statement_id)
    assert entry is not None
    return entry.statement


async def test_an_lrs_that_has_everything_is_equal_by_a_request_for_each_registration(bridge: Bridge, lrs: Lrs) -> None:
    result = await compare(bridge, lrs.settings())

    assert result.lines == []
    assert result.report.statements == result.report.equal == len(statements(bridge)) > len(LEARNERS)
    assert result.requests == len(LEARNERS)


async def test_what_went_missing_is_listed_in_the_ledgers_order_and_sent_again_as_it_was(
    bridge: Bridge, lrs: Lrs
) -> None:
    lost = [statement.id for statement in statements(bridge)][1:8:2]
    sent = {statement["id"]: json.dumps(statement) for body in lrs.bodies for statement in json.loads(body)}
    lrs.lose(lost)
    lrs.bodies.clear()

    result = await compare(bridge, lrs.settings())
    assert result.ids(MISSING) == lost == [line.statement for line in result.lines]
    assert result.report.equal == len(sent) - len(lost)
    assert result.repair() == len(lost)
    await wait_until(lambda: is_settled(bridge))

    again = {statement["id"]: json.dumps(statement) for body in lrs.bodies for statement in json.loads(body)}
    assert again == {statement_id: sent[statement_id] for statement_id in lost}
    assert (await compare(bridge, lrs.settings())).lines == []


async def test_what_is_sent_again_keeps_the_order_of_its_attempt_beside_what_is_new(bridge: Bridge, lrs: Lrs) -> None:
    before = [statement.id for statement in statements(bridge, ["u1"])]
    await pause(bridge)
    lrs.lose(before)
    await bridge.commit({"core": {"lesson_status": "passed"}})
    assert (await compare(bridge, lrs.settings())).repair() == len(before)
    with writing(bridge.engine) as connection:
        pauses.end(connection, "lrs")
    await wait_until(lambda: is_settled(bridge))

    its = [statement.id for statement in statements(bridge, ["u1"])]
    assert len(its) > len(before)
    assert [statement_id for statement_id in lrs.ids() if statement_id in its] == its


async def test_altered_foreign_and_voided_statements_are_told_apart_and_not_sent_again(
    bridge: Bridge, lrs: Lrs
) -> None:
    altered, other, moved, voided, both = [statement.id for statement in statements(bridge)][:5]
    scored = stored(lrs, altered)
    lrs.replace(
        {
            altered: scored | {"result": {"response": "altered"}},
            other: stored(lrs, other) | {"actor": {"mbox": "mailto:eve@example.org"}},
            moved: stored(lrs, moved) | {"timestamp": "2020-01-01T00:00:00Z"},
            both: stored(lrs, both) | {"result": {"response": "altered"}},
        }
    )
    void(lrs, voided)
    void(lrs, both)

    result = await compare(bridge, lrs.settings())

    assert [(line.discrepancy, line.statement) for line in result.lines] == [
        (DIFFERENT, altered),
        (FOREIGN, other),
        (FOREIGN, moved),
        (VOIDED, voided),
        (DIFFERENT, both),
    ]
    assert "result" in result.lines[0].detail
    assert "actor" in result.lines[1].detail
    assert "voided there" in result.lines[4].detail
    assert result.repair() == 0
    assert is_settled(bridge)


async def test_another_statement_under_our_id_and_another_registration_is_foreign(bridge: Bridge, lrs: Lrs) -> None:
    first = statements(bridge)[0].id
    changed = stored(lrs, first) | {"verb": {"id": "http://example.org/verbs/ate"}}
    lrs.replace({first: {name: value for name, value in changed.items() if name != "context"}})

    assert (await compare(bridge, lrs.settings())).ids(FOREIGN) == [first]


async def test_another_spelling_is_no_difference(bridge: Bridge, lrs: Lrs) -> None:
    first = statements(bridge)[0].id
    respelled = {"timestamp": "2026-01-01T01:00:00+01:00", "verb": stored(lrs, first)["verb"] | {"display": {}}}
    lrs.replace({first: stored(lrs, first) | respelled})

    assert (await compare(bridge, lrs.settings())).lines == []


async def test_what_a_reissue_voided_is_voided_here_as_there(bridge: Bridge, lrs: Lrs) -> None:
    mapping = variant(add=MASTERED, drop="attempt.started")
    with writing(bridge.engine) as connection:
        version_id = activation.store_version(connection, mapping, START)
    work = Reissue(bridge.engine, version_id, JournalSpan(), (lrs.settings(documents=NO_DOCUMENTS),))
    work.run(AuditContext("ada", "by mistake", START), bridge.clock, lambda _done, _total: None)
    await wait_until(lambda: is_settled(bridge))

    result = await compare(bridge, lrs.settings())

    assert result.lines == []
    assert result.report.voided == len(LEARNERS)
    assert result.report.equal + result.report.voided == result.report.statements


async def test_what_waits_or_was_given_up_is_not_called_missing(bridge: Bridge, lrs: Lrs) -> None:
    await pause(bridge)
    with writing(bridge.engine) as connection:
        discarded = update(tables.delivery).where(tables.delivery.c.position == 1)
        connection.execute(discarded.values(state="discarded"))
    await bridge.commit({"core": {"lesson_status": "passed"}})
    first = [statements(bridge, [learner])[0].id for learner in LEARNERS]
    lrs.lose(first)

    result = await compare(bridge, lrs.settings())

    assert result.lines == []
    assert result.report.absent[DeliveryState.DISCARDED] == len(first)
    assert result.report.absent[DeliveryState.WAITING] > 0


async def test_a_conflict_that_made_a_delivery_dead_is_shown_and_a_refusal_is_not(start: StartBridge, lrs: Lrs) -> None:
    bridge = await start()
    await bridge.commit({"core": {"score": {"raw": "40"}}})
    conflict, refused = [statement.id for statement in statements(bridge)][:2]
    other = {
        "id": conflict,
        "actor": {"mbox": "mailto:eve@example.org"},
        "verb": {"id": "http://example.org/verbs/ate"},
        "object": {"id": "http://example.org/apple"},
    }
    lrs.store.keep([other], at=lrs.now(), authority={"mbox": "mailto:a@example.org"}, edition=Edition.ONE)
    await bridge.close()
    unpack_frames(bridge.engine)
    with writing(bridge.engine) as connection:
        bad = json.loads(statements(bridge)[1].body) | {"verb": {"display": {"en": "did"}}}
        spoilt = update(tables.statement).where(tables.statement.c.id == refused)
        connection.execute(spoilt.values(body=json.dumps(bad)))
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))

    result = await compare(bridge, lrs.settings())

    assert [(line.discrepancy, line.statement, line.delivery) for line in result.lines] == [(FOREIGN, conflict, "dead")]
    assert result.report.absent == {"dead": 1}


async def test_what_a_target_never_got_is_told_apart_and_queued_with_its_form(
    bridge: Bridge, start_lrs: StartLrs, start: StartBridge
) -> None:
    second = await start_lrs()
    target = second.settings("second", names=False, documents=NO_DOCUMENTS)
    await bridge.close()
    bridge = await start(targets=(target,), token=bridge.token, clock=bridge.clock)

    result = await compare(bridge, target)
    assert result.ids(UNQUEUED) == [statement.id for statement in statements(bridge)]
    assert result.requests == len(LEARNERS)
    assert result.repair() == len(result.lines)
    await wait_until(lambda: is_settled(bridge))
    assert b"Name of" not in b"".join(second.bodies)
    bridge.clock.advance(3_600)
    assert (await compare(bridge, target)).report.equal == len(statements(bridge))


async def test_a_target_is_compared_with_the_form_that_it_got(
    start: StartBridge, lrs: Lrs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSEUDONYM_KEY", "x" * 32)
    key = PseudonymKeySettings(id="k1", key_env="PSEUDONYM_KEY")
    target = lrs.settings(actor="pseudonym", pseudonym_keys=(key,))
    bridge = await start(targets=(target,))
    await play(bridge)
    bridge.clock.advance(3_600)
    assert (await compare(bridge, target)).report.equal == len(statements(bridge))
    # as a mapping would have it
    first = statements(bridge)[0]
    lrs.replace({first.id: json.loads(first.body)})
    assert (await compare(bridge, target)).ids(FOREIGN) == [first.id]


async def test_what_a_target_does_not_want_is_not_asked_of_it(bridge: Bridge, start_lrs: StartLrs) -> None:
    second = await start_lrs()
    target = second.settings("few", filter=FilterSettings(only=("scored",)))

    result = await compare(bridge, target)

    assert result.report.statements == len(result.lines)
    assert {line.rule for line in result.lines} == {"scored"}


async def test_what_retention_forgot_and_the_lrs_has_is_equal(bridge: Bridge, lrs: Lrs) -> None:
    with writing(bridge.engine) as connection:
        connection.execute(delete(tables.delivery))

    assert (await compare(bridge, lrs.settings())).report.equal == len(statements(bridge))


async def test_a_span_and_a_place_to_begin_are_kept_to(bridge: Bridge, lrs: Lrs) -> None:
    everything = [statement.id for statement in statements(bridge)]
    lrs.lose(everything)
    assert (await compare(bridge, lrs.settings(), learner="u2")).ids(MISSING) == [
        statement.id for statement in statements(bridge, ["u2"])
    ]
    assert (await compare(bridge, lrs.settings(), since=START + LATER)).lines == []
    whole = await compare(bridge, lrs.settings())
    attempt_id, position = map(int, whole.lines[3].position.split("-"))
    rest = await compare(bridge, lrs.settings(), after=StatementKey(attempt_id, position))
    assert rest.lines == whole.lines[4:]


@pytest.mark.parametrize("page_size", [1, 3, 100])
async def test_pages_and_parts_of_all_sizes_come_to_the_same(
    start: StartBridge, start_lrs: StartLrs, page_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lrs = await start_lrs(page_size=page_size)
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await play(bridge)
    bridge.clock.advance(3_600)
    lost = [statement.id for statement in statements(bridge)][::3]
    lrs.lose(lost)
    whole = await compare(bridge, lrs.settings())

    monkeypatch.setattr(reconciliation, "BATCH_ATTEMPTS", 2)
    monkeypatch.setattr(reconciliation, "BATCH_STATEMENTS", 2)
    monkeypatch.setattr(reconciliation, "REQUEUE_SIZE", 1)
    in_parts = await compare(bridge, lrs.settings())

    assert whole.ids(MISSING) == in_parts.ids(MISSING) == lost
    assert whole.report.equal == in_parts.report.equal
    assert in_parts.repair() == len(lost)


async def test_a_repair_leaves_alone_what_became_of_a_delivery_meanwhile(bridge: Bridge, lrs: Lrs) -> None:
    first, second = [statement.id for statement in statements(bridge)][:2]
    lrs.lose([first, second])
    result = await compare(bridge, lrs.settings())
    assert result.ids(MISSING) == [first, second]
    with writing(bridge.engine) as connection:
        gone = update(tables.delivery).where(tables.delivery.c.position == 1)
        connection.execute(gone.values(state="discarded"))
    assert result.repair() == 1


async def test_an_erasure_meanwhile_is_no_discrepancy(bridge: Bridge, lrs: Lrs) -> None:
    lrs.lose([statements(bridge)[0].id])

    def erase() -> None:
        with writing(bridge.engine) as connection:
            for table in (tables.delivery_try, tables.delivery, tables.statement):
                connection.execute(delete(table))

    async def meanwhile(request: web.Request, _response: web.StreamResponse) -> None:
        if "voidedStatementId" in request.query:
            await asyncio.to_thread(erase)

    lrs.hooks.append(meanwhile)

    result = await compare(bridge, lrs.settings())

    assert statements(bridge) == []
    assert result.lines == []
