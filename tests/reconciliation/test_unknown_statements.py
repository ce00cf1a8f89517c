"""What an LRS has of ours and the database does not: told from what others have there, and from what was erased."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from bridge.app import MAPPING_RELOADER
from bridge.clock import random_id
from bridge.forwarding.lrs_reader import LrsReadError
from bridge.mapping_library import activation
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.statement_marks import load_marks
from bridge.operations.audit_context import AuditContext
from bridge.operations.erasure import ErasureRequest, erase_learner
from bridge.operations.lrs_comparison import Discrepancy
from mappings.xapi.validation import Edition
from mappings.xapi.voiding import void, void_for_erasure
from storage.engine import reading, writing
from storage.erasures import Later
from storage.queries.learner_data import Learner
from tests.reconciliation.losses import look, lose
from tests.support.accounts import HOME_PAGE, START
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import LEARNERS, is_settled, statements
from tests.support.lrs import NO_DOCUMENTS, Lrs
from tests.support.waiting import wait_until

PASSED = {"core": {"score": {"raw": "80"}, "lesson_status": "passed"}}


async def play(bridge: Bridge, learners: tuple[str, ...] = LEARNERS) -> None:
    """Let learners pass, and wait until all is delivered."""
    for learner in learners:
        await bridge.commit(PASSED, learner={"id": learner, "email": f"{learner}@example.org"})
    await wait_until(lambda: is_settled(bridge))


async def use(bridge: Bridge, name: str) -> None:
    """Let a mapping hold from now on."""
    with writing(bridge.engine) as connection:
        version_id = activation.store_version(connection, load_mapping(name), START)
        context = AuditContext("ada", "a test", START)
        activation.activate_version(connection, version_id, None, targets=(), context=context)
    assert bridge.client.app is not None
    await bridge.client.app[MAPPING_RELOADER].run_once()


def keep(lrs: Lrs, *bodies: dict[str, Any]) -> None:
    """Store statements at an LRS, as somebody else would."""
    lrs.store.keep(bodies, at=lrs.now(), authority={"mbox": "mailto:other@lrs.example"}, edition=Edition.ONE)


async def test_statements_of_an_attempt_that_was_kept_and_of_nothing_that_was_kept_are_found(
    start: StartBridge, lrs: Lrs
) -> None:
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await play(bridge)
    everything = [statement.id for statement in statements(bridge)]
    lines, report = await look(bridge, lrs.settings())
    assert (lines, report.listed) == ([], len(everything))

    lost = [statement.id for statement in statements(bridge, ["u2"])][1:]
    lose(bridge, lost)
    lines, _ = await look(bridge, lrs.settings())
    assert [(line.statement, line.detail) for line in lines] == [
        (name, "its attempt is stored, without it") for name in lost
    ]
    assert {(line.discrepancy, line.lms, line.learner, line.activity) for line in lines} == {
        (Discrepancy.UNKNOWN, "lms", "u2", "235")
    }

    lose(bridge, everything, with_enrollments=True)
    lines, _ = await look(bridge, lrs.settings())
    assert [line.statement for line in lines] == lrs.ids()
    assert all(line.detail.startswith("nothing is stored of its registration ") for line in lines)


FORMS: dict[str, dict[str, Any]] = {
    "as the mapping has it": {},
    "pseudonym": {"actor": "pseudonym", "pseudonym_keys": ({"id": "k1", "key_env": "PSEUDONYM_KEY"},)},
    "mbox": {"actor": "mbox"},
    "without names": {"names": False, "free_text": False},
}


@pytest.mark.parametrize(
    ("mapping", "form"),
    [(mapping, form) for mapping in ("scorm-profile", "minimal") for form in FORMS]
    + [("cmi5", form) for form in FORMS if form != "mbox"],
)
async def test_statements_of_all_mappings_and_forms_are_recognized(
    start: StartBridge, lrs: Lrs, monkeypatch: pytest.MonkeyPatch, mapping: str, form: str
) -> None:
    monkeypatch.setenv("PSEUDONYM_KEY", "x" * 32)
    target = lrs.settings(documents={}, **FORMS[form])
    bridge = await start(targets=(target,))
    await use(bridge, mapping)
    await play(bridge)
    everything = [statement.id for statement in statements(bridge)]
    lose(bridge, everything, with_enrollments=True)

    lines, report = await look(bridge, target)

    assert [line.statement for line in lines] == lrs.ids()
    assert report.discrepancies == {Discrepancy.UNKNOWN: len(everything)}


async def test_a_mapping_whose_statements_could_be_anybodys_is_named(start: StartBridge, lrs: Lrs) -> None:
    target = lrs.settings(actor="mbox")
    bridge = await start(targets=(target,))
    await use(bridge, "cmi5")

    with reading(bridge.engine) as connection:
        known = load_marks(connection, target, load_mapping("cmi5"), None)

    assert known.unrecognizable == ["cmi5"]
    assert known.marks != []  # of the mapping that was active before


async def test_what_others_have_in_the_same_lrs_is_never_taken_for_ours(start: StartBridge, lrs: Lrs) -> None:
    """Of the same learners, under the same registrations, with ids that are made as ours are."""
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await play(bridge, ("u1",))
    ours = json.loads(statements(bridge, ["u1"])[0].body)
    context = ours["context"]

    def derived(name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))

    keep(
        lrs,
        ours | {"id": random_id()},  # content that copies our context
        ours | {"id": derived("another LMS"), "actor": {"account": {"homePage": "https://o.example", "name": "u1"}}},
        ours | {"id": derived("by mail"), "actor": {"mbox": "mailto:u1@example.org"}},
        ours | {"id": derived("another verb"), "verb": {"id": "http://example.org/verbs/ate"}},
        ours | {"id": derived("the LMS itself"), "context": {"registration": context["registration"]}},
        ours | {"id": derived("no context"), "context": {}},
        ours | {"id": derived("profile"), "context": context | {"contextActivities": {}}},
        ours | {"id": derived("extensions"), "context": context | {"extensions": {"https://e.example/": 1}}},
        {
            "id": derived("a group"),
            "actor": {"objectType": "Group", "member": [{"mbox": "mailto:u1@example.org"}]},
            "verb": ours["verb"],
            "object": ours["object"],
        },
    )

    lines, report = await look(bridge, lrs.settings())

    assert (lines, report.undecided, report.erased) == ([], 0, 0)
    assert report.listed == len(lrs.ids())


async def test_what_was_voided_or_voids_is_not_unknown(start: StartBridge, lrs: Lrs) -> None:
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await play(bridge)
    first, second, *rest = statements(bridge)
    keep(
        lrs,
        json.loads(void(first.id, first.body, START).body),
        json.loads(void_for_erasure(second.id, HOME_PAGE, START)),
    )
    lose(bridge, [], with_enrollments=True)

    lines, _ = await look(bridge, lrs.settings())

    assert sorted(line.statement for line in lines) == sorted(statement.id for statement in rest)


async def erase(bridge: Bridge, learner: str) -> None:
    """Erase a learner here, and let the target keep what it has."""
    request = ErasureRequest(Learner(learner, "lms"), Later.ACCEPT, {"lrs": True}, AuditContext("ada", "asked", START))
    erase_learner(bridge.engine, request, now=bridge.clock, new_id=random_id)


async def test_what_a_target_keeps_of_an_erased_learner_is_not_unknown_and_what_came_later_is(
    start: StartBridge, lrs: Lrs
) -> None:
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await play(bridge)
    kept = [statement.id for statement in statements(bridge, ["u1"])]
    await erase(bridge, "u1")
    lines, report = await look(bridge, lrs.settings())
    assert (lines, report.erased) == ([], len(kept))

    bridge.clock.advance(60)
    await play(bridge, ("u1",))
    later = [statement.id for statement in statements(bridge, ["u1"])]
    lose(bridge, later)
    lines, report = await look(bridge, lrs.settings())
    assert [line.statement for line in lines] == later
    assert report.erased == len(kept)


async def test_where_a_target_does_not_know_learners_what_an_erasure_may_have_deleted_is_undecided(
    start: StartBridge, lrs: Lrs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSEUDONYM_KEY", "x" * 32)
    target = lrs.settings(documents=NO_DOCUMENTS, **FORMS["pseudonym"])
    bridge = await start(targets=(target,))
    await play(bridge)
    kept = [statement.id for statement in statements(bridge, ["u1"])]
    await erase(bridge, "u1")

    lines, report = await look(bridge, target)

    assert (lines, report.undecided) == ([], len(kept))


async def test_only_what_was_stored_since_a_time_and_of_an_lms_is_looked_at(start: StartBridge, lrs: Lrs) -> None:
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await play(bridge)
    lose(bridge, [], with_enrollments=True)
    stored_at = int(lrs.now().timestamp() * 1000)
    long_after = await look(bridge, lrs.settings(), since=stored_at + 7_200_000)
    elsewhere = await look(bridge, lrs.settings(), lms="no such LMS")

    assert (long_after[0], long_after[1].listed) == ([], 0)
    assert elsewhere[0] == []
    # the clock of the LRS may be behind
    assert len((await look(bridge, lrs.settings(), since=stored_at + 60_000))[0]) == len(lrs.ids())


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones_and_nothing_comes_twice(
    start: StartBridge, lrs: Lrs, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await play(bridge)
    everything = [statement.id for statement in statements(bridge)]
    lose(bridge, everything, with_enrollments=True)
    size = len(json.dumps(lrs.store.statements()[0]))
    monkeypatch.setattr("bridge.forwarding.transport.MAX_CONTENT_BYTES", 4 * size)
    lines, report = await look(bridge, lrs.settings())
    assert [line.statement for line in lines] == lrs.ids()
    assert report.listed == len(everything)

    monkeypatch.setattr("bridge.forwarding.transport.MAX_CONTENT_BYTES", 100)
    with pytest.raises(LrsReadError, match="to the end"):
        await look(bridge, lrs.settings())
