"""What each target gets: by which actor, with or without names and what learners wrote, and the same bytes for ever."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from bridge.app import MAPPING_RELOADER
from bridge.mapping_library import activation, adoption
from bridge.mapping_library.activation import LibraryError
from bridge.mapping_library.documents import compile_text, load_mapping, read_document
from bridge.mapping_library.reissue import Reissue
from bridge.operations import delivery_operations
from bridge.operations.audit_context import AuditAction, AuditContext
from bridge.operations.delivery_operations import DeliveryOperation
from bridge.sandbox.lrs import DOCUMENTS, LEDGER, Match
from bridge.settings import FilterSettings, PseudonymKeySettings, SettingsError, TargetSettings
from mappings.xapi.validation import Edition, check_statement
from mappings.xapi.voiding import VOIDED, voiding_id
from storage import outbox
from storage.deliveries import DeliveryFilter
from storage.engine import reading, writing
from storage.journal_replay import JournalSpan
from storage.outbox import Settlement, Try
from storage.tables import delivery, statement, target_statement
from tests.support.accounts import START
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import deliveries_by_id, is_settled, wait_until_settled
from tests.support.frames import unpack_frames
from tests.support.lrs import Lrs, StartLrs
from tests.support.mapping import MASTERED, variant
from tests.support.waiting import wait_until

LEARNER = {"id": "canary-id-7", "name": "Canary Name", "email": "canary@mail.example.org"}
WRITTEN = "what canaries think"
CMI = {
    "completion_status": "completed",
    "success_status": "passed",
    "location": "p2",
    "learner_preference": {"language": "de"},
    "comments_from_learner": {"0": {"comment": WRITTEN}},
    "comments_from_lms": {"0": {"comment": WRITTEN + " of them"}},
    "interactions": {
        "0": {"id": "essay", "type": "long-fill-in", "learner_response": WRITTEN + " at length"},
        "1": {"id": "pick", "type": "choice", "learner_response": "b", "result": "correct"},
    },
}
SECRET = "k1" * 16
HOME = "https://lms.example.org"


@pytest.fixture
def key(tmp_path: Path) -> PseudonymKeySettings:
    """A key in a file."""
    return _key(tmp_path, "one", SECRET)


def _key(folder: Path, key_id: str, secret: str, since: datetime | None = None) -> PseudonymKeySettings:
    file = folder / f"{key_id}.key"
    file.write_text(secret + "\n", encoding="utf-8")
    return PseudonymKeySettings(id=key_id, key_file=str(file), since=since)


def _pseudonym(secret: str = SECRET, learner: str = LEARNER["id"], key_id: str = "one") -> dict[str, Any]:
    name = hmac.new(secret.encode(), f"{HOME}\n{learner}".encode(), hashlib.sha256).hexdigest()
    return {"objectType": "Agent", "account": {"homePage": f"{HOME}/pseudonyms/{key_id}", "name": name}}


async def _play(bridge: Bridge, **fields: Any) -> dict[str, Any]:
    answer = await bridge.commit(CMI, learner=LEARNER, scorm_version="2004", **fields)
    await bridge.let_documents_follow()
    return answer


def _statements(lrs: Lrs) -> list[dict[str, Any]]:
    return [one for body in lrs.bodies for one in json.loads(body)]


def _written(lrs: Lrs) -> str:
    """Return everything that an LRS was ever sent, addresses included."""
    arrivals = lrs.app[LEDGER].arrivals()
    contents = [document.content.decode() for _, document in lrs.app[DOCUMENTS].matching(lambda _: True)]
    return "\n".join([*(arrival.target for arrival in arrivals), *map(bytes.decode, lrs.bodies), *contents])


async def test_each_target_gets_its_own_actor_and_only_what_it_may(
    start: StartBridge, start_lrs: StartLrs, key: PseudonymKeySettings
) -> None:
    plain, research, mail, hashed = [await start_lrs() for _ in range(4)]
    bridge = await start(
        targets=(
            plain.settings("plain"),
            research.settings("research", actor="pseudonym", pseudonym_keys=(key,), free_text=False),
            mail.settings("mail", actor="mbox", names=False),
            hashed.settings("hashed", actor="mbox_sha1sum"),
        )
    )
    answer = await _play(bridge)
    await wait_until(lambda: is_settled(bridge) and all(_all_documents(bridge)))

    ids = [one["id"] for one in answer["statements"]]
    assert [[one["id"] for one in _statements(lrs)] for lrs in (plain, research, mail, hashed)] == [ids] * 4
    account = {"homePage": HOME, "name": LEARNER["id"]}
    sha1 = hashlib.sha1(b"mailto:" + LEARNER["email"].encode(), usedforsecurity=False).hexdigest()
    for lrs, actor in (
        (plain, {"objectType": "Agent", "name": LEARNER["name"], "account": account}),
        (research, _pseudonym()),
        (mail, {"objectType": "Agent", "mbox": "mailto:" + LEARNER["email"]}),
        (hashed, {"objectType": "Agent", "name": LEARNER["name"], "mbox_sha1sum": sha1}),
    ):
        assert [one["actor"] for one in _statements(lrs)] == [actor] * len(ids)
        faults = [check_statement(one, "it", edition) for one in _statements(lrs) for edition in Edition]
        assert [fault for listed in faults for fault in listed] == [], lrs
    rest = [{name: one[name] for name in one if name != "actor"} for one in _statements(plain)]
    assert [{name: one[name] for name in one if name != "actor"} for one in _statements(hashed)] == rest
    responses = [one["result"]["response"] for one in _statements(research) if "response" in one.get("result", {})]
    assert responses == ["b"]
    for word in (*LEARNER.values(), "mail.example.org", WRITTEN):
        assert word not in _written(research)
    assert WRITTEN in _written(mail)
    for word in (LEARNER["name"], LEARNER["id"]):
        assert word not in _written(mail)


def _all_documents(bridge: Bridge) -> list[bool]:
    return [
        way.state == "delivered"
        for report in bridge.reports(LEARNER["id"])
        for document in report.documents
        for way in document.deliveries
    ]


async def test_documents_are_of_the_agent_of_their_targets_statements(
    start: StartBridge, start_lrs: StartLrs, key: PseudonymKeySettings
) -> None:
    plain, research = await start_lrs(), await start_lrs()
    bridge = await start(
        targets=(
            plain.settings("plain"),
            research.settings("research", actor="pseudonym", pseudonym_keys=(key,), free_text=False),
        )
    )
    await _play(bridge)
    await wait_until(lambda: _all_documents(bridge) and all(_all_documents(bridge)))

    (report,) = bridge.reports(LEARNER["id"])
    by_form: dict[str | None, dict[str, Any]] = {}
    for one in report.documents:
        by_form.setdefault(one.form, {})[one.name] = one
    assert {*by_form} == {None, "pseudonym by key one, no name, no free text"}
    own = by_form["pseudonym by key one, no name, no free text"]
    assert {*own} == {*by_form[None]} == {"activity-state", "attempt-state", "agent-profile"}
    for one in own.values():
        assert json.loads(json.loads(one.parameters)["agent"]) == _pseudonym()
        assert [way.target for way in one.deliveries] == ["research"]
    assert json.loads(own["agent-profile"].content)["learner_id"] == _pseudonym()["account"]["name"]
    assert "learner_name" not in json.loads(own["agent-profile"].content)
    assert "comments_from_lms" not in json.loads(own["attempt-state"].content)
    assert json.loads(own["attempt-state"].content)["location"] == "p2"
    assert json.loads(by_form[None]["agent-profile"].content)["learner_name"] == LEARNER["name"]


async def test_what_waits_is_sent_as_it_was_made_whatever_the_settings_say_by_then(
    start: StartBridge, start_lrs: StartLrs, tmp_path: Path, key: PseudonymKeySettings
) -> None:
    lrs = await start_lrs()
    lrs.script(lrs.refuse(503))
    bridge = await start(targets=(lrs.settings(actor="pseudonym", pseudonym_keys=(key,)),))
    await bridge.commit(CMI, learner=LEARNER, scorm_version="2004")
    await wait_until(lambda: lrs.bodies)
    await bridge.close()
    first = lrs.bodies[0]
    lrs.script()
    lrs.bodies.clear()

    other = _key(tmp_path, "other", "another key" * 4)
    changes: list[dict[str, Any]] = [{"actor": "pseudonym", "pseudonym_keys": (other,)}, {}]
    for changed in changes:
        bridge = await start(targets=(lrs.settings(**changed),), token=bridge.token)
        await wait_until_settled(bridge)
        await bridge.close()

    assert json.loads(first) == _statements(lrs)
    assert first == b"[" + b",".join(body[1:-1] for body in lrs.bodies) + b"]"


async def test_documents_that_wait_are_built_anew_in_the_form_of_after_a_change(
    start: StartBridge, start_lrs: StartLrs, key: PseudonymKeySettings
) -> None:
    plain, changed = await start_lrs(), await start_lrs()
    changed.script(*(changed.refuse(503, when=Match(path=f"/xapi/{part}/")) for part in ("activities", "agents")))
    bridge = await start(targets=(plain.settings("plain"), changed.settings("changed")))
    await _play(bridge)
    await wait_until(lambda: is_settled(bridge))
    await bridge.close()

    target = changed.settings("changed", actor="pseudonym", pseudonym_keys=(key,), free_text=False)
    changed.script()
    changed.app[LEDGER].clear()
    bridge = await start(targets=(plain.settings("plain"), target), token=bridge.token)
    await bridge.commit({"location": "after"}, learner=LEARNER, scorm_version="2004")
    await bridge.let_documents_follow()
    contents: list[str] = []

    def is_newest() -> bool:
        bridge.clock.advance(10)  # seconds between two writes of one document
        contents[:] = [document.content.decode() for _, document in changed.app[DOCUMENTS].matching(lambda _: True)]
        return len(contents) == 3 and any("after" in content for content in contents)

    await wait_until(is_newest)

    requests = [one.target for one in changed.app[LEDGER].arrivals() if "agent=" in one.target]

    assert requests
    assert all("pseudonyms" in address for address in requests)
    assert LEARNER["name"] not in "".join(contents)


async def test_a_statement_that_the_lrs_has_already_is_recognised_in_its_form(
    start: StartBridge, start_lrs: StartLrs, key: PseudonymKeySettings
) -> None:
    lrs = await start_lrs()
    bridge = await start(targets=(lrs.settings(actor="pseudonym", pseudonym_keys=(key,)),))
    await bridge.commit(CMI, learner={"id": "u1"}, scorm_version="2004")
    await wait_until(lambda: is_settled(bridge))
    with writing(bridge.engine) as connection:
        connection.execute(update(delivery).values(state="waiting", settled_by=None))
    await wait_until(lambda: is_settled(bridge))

    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}
    assert len(lrs.ids()) == len({*lrs.ids()})


async def test_an_attempt_keeps_its_pseudonym_when_a_new_key_comes(
    start: StartBridge, start_lrs: StartLrs, tmp_path: Path, key: PseudonymKeySettings
) -> None:
    lrs = await start_lrs()
    bridge = await start(targets=(lrs.settings(actor="pseudonym", pseudonym_keys=(key,)),))
    first = await bridge.commit({"completion_status": "incomplete"}, learner=LEARNER, scorm_version="2004")
    clock = bridge.clock
    await wait_until(lambda: is_settled(bridge))
    await bridge.close()

    clock.advance(60)
    since = datetime.fromtimestamp(clock() / 1000, UTC)
    keys = (key, _key(tmp_path, "two", "k2" * 16, since))
    lrs.bodies.clear()
    bridge = await start(
        targets=(lrs.settings(actor="pseudonym", pseudonym_keys=keys),), token=bridge.token, clock=clock
    )
    await bridge.commit(
        {"success_status": "passed"}, learner=LEARNER, scorm_version="2004", session_id=first["session_id"]
    )
    await bridge.commit({"success_status": "failed"}, learner=LEARNER, scorm_version="2004", attempt=2)
    await wait_until(lambda: is_settled(bridge))

    names = {
        one["context"]["contextActivities"]["grouping"][1]["definition"]["name"]["en-US"]: one["actor"]
        for one in _statements(lrs)
    }

    assert names == {"Attempt 1": _pseudonym(), "Attempt 2": _pseudonym("k2" * 16, key_id="two")}


async def test_what_waited_for_no_target_gets_the_form_of_the_one_that_takes_it_over(
    start: StartBridge, start_lrs: StartLrs, key: PseudonymKeySettings
) -> None:
    bridge = await start()
    answer = await _play(bridge)
    await bridge.close()
    lrs = await start_lrs()
    target = lrs.settings(actor="pseudonym", pseudonym_keys=(key,), free_text=False)
    bridge = await start(targets=(target,), token=bridge.token)

    await wait_until(lambda: is_settled(bridge))
    await bridge.let_documents_follow()
    await wait_until(lambda: len([*lrs.app[DOCUMENTS].matching(lambda _: True)]) == 3)

    assert lrs.ids() == [one["id"] for one in answer["statements"]]
    assert [one["actor"] for one in _statements(lrs)] == [_pseudonym()] * len(lrs.ids())
    for word in (*LEARNER.values(), WRITTEN):
        assert word not in _written(lrs)


async def test_what_waited_is_taken_over_a_little_at_a_time_and_without_what_the_target_does_not_want(
    start: StartBridge, start_lrs: StartLrs, key: PseudonymKeySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "BATCH_SIZE", 2)
    bridge = await start()
    attempts = [(await _play(bridge, attempt=attempt))["statements"] for attempt in (1, 2)]
    await bridge.close()
    lrs = await start_lrs()
    wanted = FilterSettings(without=("commented", "initialized"))
    bridge = await start(
        targets=(lrs.settings(actor="pseudonym", pseudonym_keys=(key,), filter=wanted),), token=bridge.token
    )

    await wait_until(lambda: is_settled(bridge))

    ids = [[one["id"] for one in made if one["rule"] not in {"commented", "initialized"}] for made in attempts]

    # attempts are forwarded beside each other
    assert [[each for each in lrs.ids() if each in its] for its in ids] == ids
    assert len(lrs.ids()) == sum(map(len, ids)) > 4
    assert {one["actor"]["account"]["name"] for one in _statements(lrs)} == {_pseudonym()["account"]["name"]}


async def test_what_an_older_mapping_tells_and_the_target_must_not_get_is_discarded(
    start: StartBridge, start_lrs: StartLrs
) -> None:
    shipped = read_document("scorm-profile")
    naming = shipped.replace('"Attempt {attempt.number}"', '"Attempt of {learner.name|x}"')
    bridge = await start()
    await _activate(bridge, naming, ())
    await bridge.commit(CMI, learner=LEARNER, scorm_version="2004")
    await _activate(bridge, shipped, ())
    answer = await bridge.commit({"completion_status": "incomplete"}, learner={"id": "u2"}, scorm_version="2004")
    await bridge.close()
    lrs = await start_lrs()
    bridge = await start(targets=(lrs.settings(names=False),), token=bridge.token)

    await wait_until(lambda: is_settled(bridge))
    assert lrs.ids() == [one["id"] for one in answer["statements"]]
    with reading(bridge.engine) as connection:
        states = list(connection.execute(select(delivery.c.state)).scalars())
    assert states.count("delivered") == len(lrs.ids())
    assert states.count("discarded") == len(states) - len(lrs.ids()) > 0


async def test_what_voids_a_statement_has_the_actor_that_the_target_knows(
    start: StartBridge, start_lrs: StartLrs, key: PseudonymKeySettings
) -> None:
    lrs = await start_lrs()
    target = lrs.settings(actor="pseudonym", pseudonym_keys=(key,), free_text=False)
    bridge = await start(targets=(target,))
    await _play(bridge)
    await wait_until(lambda: is_settled(bridge))
    before = {one["id"]: one for one in _statements(lrs)}
    lrs.bodies.clear()

    mapping = variant(add=MASTERED, drop="attempt.started", **{'result = ["success", "score"]': 'result = ["success"]'})
    with writing(bridge.engine) as connection:
        version_id = activation.store_version(connection, mapping, START)
    work = Reissue(bridge.engine, version_id, JournalSpan(), (target,))
    work.run(AuditContext("ada", "a test", START), bridge.clock, lambda _done, _all: None)
    await wait_until(lambda: lrs.bodies and is_settled(bridge))

    voiding = [one for one in _statements(lrs) if one["verb"]["id"] == VOIDED]

    assert voiding
    assert {one["object"]["id"] for one in voiding} <= before.keys()
    for one in voiding:
        assert one["actor"] == before[one["object"]["id"]]["actor"] == _pseudonym()
        assert one["context"] == before[one["object"]["id"]]["context"]
    assert WRITTEN not in _written(lrs)
    assert LEARNER["id"] not in _written(lrs)
    assert all(one["actor"] == _pseudonym() for one in _statements(lrs))
    assert voiding_id(voiding[0]["object"]["id"]) == voiding[0]["id"]


async def test_what_is_reissued_under_a_new_id_keeps_the_form_that_was_sent(
    start: StartBridge, start_lrs: StartLrs, key: PseudonymKeySettings
) -> None:
    lrs = await start_lrs()
    bridge = await start(targets=(lrs.settings(actor="pseudonym", pseudonym_keys=(key,)),))
    await bridge.commit(CMI, learner=LEARNER, scorm_version="2004")
    await wait_until(lambda: is_settled(bridge))
    sent = _statements(lrs)
    with writing(bridge.engine) as connection:
        ids = list(connection.execute(select(delivery.c.id).order_by(delivery.c.position)).scalars())
        connection.execute(update(delivery).values(state="waiting", settled_by=None))
        outbox.settle(connection, [Settlement(Try("lrs", START, 1, "diverged", 409, ""), ids, "dead", 0, START)])
    await bridge.close()
    lrs.bodies.clear()
    operation = DeliveryOperation(
        AuditAction.REISSUE, delivery_operations.build_filters(AuditAction.REISSUE, DeliveryFilter(target="lrs")),
        AuditContext("ada", "a test", START),
    )  # fmt: skip
    list(delivery_operations.execute(bridge.engine, operation, lambda: START))
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))

    again = _statements(lrs)

    assert len(again) == len(sent)
    assert {one.pop("id") for one in again} & {one.pop("id") for one in sent} == set()
    assert again == sent


async def test_a_plain_target_needs_no_further_rows(start: StartBridge, lrs: Lrs) -> None:
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(CMI, learner=LEARNER, scorm_version="2004")
    await wait_until(lambda: is_settled(bridge))
    unpack_frames(bridge.engine)
    with reading(bridge.engine) as connection:
        assert connection.execute(select(target_statement)).all() == []
        stored = list(connection.execute(select(statement.c.body).order_by(statement.c.position)).scalars())

    assert b"[" + ",".join(stored).encode() + b"]" == b"[" + b",".join(body[1:-1] for body in lrs.bodies) + b"]"


ATTRIBUTES = read_document("scorm-profile").replace(
    'attempt = "{attempt.number}"', 'attempt = "{attempt.number}"\ndepartment = "{learner.attributes.department}"'
)


async def test_a_mapping_that_tells_more_of_learners_tells_a_pseudonymous_target_less(
    start: StartBridge, start_lrs: StartLrs, key: PseudonymKeySettings
) -> None:
    plain, research = await start_lrs(), await start_lrs()
    targets = (plain.settings("plain"), research.settings("research", actor="pseudonym", pseudonym_keys=(key,)))
    bridge = await start(targets=targets)
    await _activate(bridge, ATTRIBUTES, targets)
    await bridge.commit(CMI, learner=LEARNER | {"attributes": {"department": "canary keepers"}}, scorm_version="2004")
    await wait_until(lambda: is_settled(bridge))

    (own,) = {json.dumps(one["context"]["extensions"]) for one in _statements(research)}
    (whole,) = {json.dumps(one["context"]["extensions"]) for one in _statements(plain)}

    assert whole.replace(', "department": "canary keepers"', "") == own != whole
    assert "canary" not in _written(research)


async def test_a_mapping_that_names_learners_where_it_cannot_be_left_out_is_refused(
    start: StartBridge, lrs: Lrs, key: PseudonymKeySettings
) -> None:
    naming = read_document("scorm-profile").replace('"Attempt {attempt.number}"', '"Attempt of {learner.name}"')
    targets = (lrs.settings(actor="pseudonym", pseudonym_keys=(key,)),)
    bridge = await start(targets=targets)
    with pytest.raises(LibraryError, match=r"targets\.lrs: .* in activities\.attempt\.name, which cannot be left out"):
        await _activate(bridge, naming, targets)
    # another process, whose settings have no such target, activates it: this one goes on with what it had
    await _activate(bridge, naming, ())
    await bridge.commit(CMI, learner=LEARNER, scorm_version="2004")
    await wait_until(lambda: is_settled(bridge))
    assert LEARNER["name"] not in _written(lrs)
    await bridge.close()
    with pytest.raises(SettingsError, match=r"activities\.attempt\.name"):
        await start(targets=targets, token=bridge.token)


async def _activate(bridge: Bridge, text: str, targets: tuple[TargetSettings, ...]) -> None:
    with writing(bridge.engine) as connection:
        version_id = activation.store_version(connection, compile_text(text, "a test's"), START)
        activation.activate_version(
            connection, version_id, None, targets=targets, context=AuditContext("ada", "a test", START)
        )
    assert bridge.client.app is not None
    await bridge.client.app[MAPPING_RELOADER].run_once()


async def test_a_registration_that_is_made_of_the_learners_id_is_replaced(
    start: StartBridge, start_lrs: StartLrs, key: PseudonymKeySettings
) -> None:
    assert load_mapping("cmi5")
    text = read_document("scorm-profile").replace(
        'registration = "{registration}"', 'registration = "{course.registration}"'
    )
    plain, research = await start_lrs(), await start_lrs()
    targets = (plain.settings("plain"), research.settings("research", actor="pseudonym", pseudonym_keys=(key,)))
    bridge = await start(targets=targets)
    await _activate(bridge, text, targets)
    for activity in ("a", "b"):
        await bridge.commit(CMI, learner=LEARNER, activity={"id": activity}, course={"id": "c"}, scorm_version="2004")
    await wait_until(lambda: is_settled(bridge))
    (derived,) = {one["context"]["registration"] for one in _statements(plain)}
    (replaced,) = {one["context"]["registration"] for one in _statements(research)}
    assert derived != replaced
    assert derived not in _written(research)
