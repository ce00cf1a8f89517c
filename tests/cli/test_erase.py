"""`scorm-bridge erase`: nothing of the learner is left here, LRSs void and delete, and others lose nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from yarl import URL

from bridge.clock import system_now
from bridge.forwarding.removals import IN_FLIGHT_TTL
from bridge.sandbox.lrs.documents import DOCUMENTS
from mappings.xapi.voiding import VOIDED
from storage.database_files import sqlite_path
from storage.engine import reading, writing
from storage.erasure_tables import removal
from storage.queries.queues import queues
from storage.tables import audit_log
from tests.cli.conftest import Run
from tests.support.bridge import Bridge, StartBridge
from tests.support.frames import stored_texts
from tests.support.lrs import Lrs
from tests.support.sql import closing_engine, scalar
from tests.support.waiting import wait_until

CANARIES = ("canary-id", "Canary Name", "canary comment", "canary suspended")
"""The learner's id, and what is in the commits of theirs."""
LEARNER = {"id": "canary-id", "name": "Canary Name"}
CMI = {
    "core": {"lesson_status": "passed", "score": {"raw": "85"}},
    "comments": "canary comment",
    "suspend_data": "canary suspended",
    "student_data": {"mastery_score": "80"},
}
OTHER = {
    "core": {"lesson_status": "passed", "score": {"raw": "70"}},
    "comments": "a comment",
    "student_data": {"mastery_score": "80"},
}
"""A commit of somebody else's."""
Erase = Callable[..., Any]


@pytest.fixture
def erase(run: Run, database_url: str) -> Erase:
    """Erase the learner and return the receipt."""

    def runner(*options: str, settings: str = "") -> Any:
        result = run(
            "erase", LEARNER["id"], *options, "--json", file=settings or None, SCORM_BRIDGE_DATABASE__URL=database_url
        )
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return runner


def _settings(lrs: Lrs, **changed: str) -> str:
    more = "".join(f'{name} = "{value}"\n' for name, value in changed.items())
    return f'[[targets]]\nname = "lrs"\nendpoint = "{lrs.endpoint}"\n{more}'


async def _play(bridge: Bridge, learner: dict[str, str], activity: str = "235") -> dict[str, Any]:
    cmi = CMI if learner == LEARNER else OTHER
    answer = await bridge.commit(cmi, learner=learner, activity={"id": activity})
    await bridge.let_documents_follow()
    return answer


def _found(database_url: str) -> dict[str, int]:
    """Return, by table, how many values hold something of the learner."""
    found: dict[str, int] = {}
    with closing_engine(database_url) as engine:
        for table, _, text in stored_texts(engine):
            found[table] = found.get(table, 0) + sum(canary.lower() in text.lower() for canary in CANARIES)
    return {name: count for name, count in found.items() if count}


def _settled(bridge: Bridge) -> bool:
    query = (
        "SELECT (SELECT count(*) FROM delivery WHERE state = 'waiting')"
        " + (SELECT count(*) FROM document_delivery WHERE state = 'waiting')"
    )
    return not scalar(bridge, query)


def _let_pass(bridge: Bridge) -> None:
    """Set the bridge's clock to when nothing can be on its way any more; commands have the system's."""
    bridge.clock.milliseconds = system_now() + IN_FLIGHT_TTL + 1


def _documents(lrs: Lrs) -> list[str]:
    """Return the places of the documents that the LRS has, as text."""
    return [f"{place} {name}" for place, name, _ in lrs.app[DOCUMENTS].items()]


async def test_without_yes_it_tells_what_it_would_do_and_changes_nothing(
    start: StartBridge, lrs: Lrs, erase: Erase, run: Run, database_url: str
) -> None:
    bridge = await start(targets=(lrs.settings(),))
    await _play(bridge, LEARNER)
    await wait_until(lambda: _settled(bridge))
    await bridge.close()
    before = _found(database_url)

    preview = erase(settings=_settings(lrs))
    assert preview["dry_run"] is True
    assert preview["lms"] == ["lms"]
    assert preview["rows"]["commits"] == 1
    assert preview["rows"]["statements"] == len(lrs.ids())
    (target,) = preview["targets"]
    assert (target["target"], target["erase"], target["waiting"]) == ("lrs", "void", 0)
    assert target["statements"] == len(lrs.ids())
    assert target["documents"] > 0
    words = run("erase", LEARNER["id"], SCORM_BRIDGE_DATABASE__URL=database_url).stderr
    assert "Nothing was changed" in words
    assert _found(database_url) == before


async def test_nothing_of_the_learner_is_left_here_and_the_lrs_voids_and_deletes(
    start: StartBridge, lrs: Lrs, erase: Erase, run: Run, database_url: str
) -> None:
    bridge = await start(targets=(lrs.settings(),))
    await _play(bridge, LEARNER)
    await _play(bridge, LEARNER, "236")
    await _play(bridge, {"id": "u2", "name": "Bob"})
    await wait_until(lambda: _settled(bridge))
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    run("deliveries", "discard", "--learner", LEARNER["id"], "--yes", "--reason", "test", **environment)
    run("export", LEARNER["id"], "-o", "before.zip", **environment)
    sent = [statement for statement in lrs.store.in_order() if "canary-id" in str(statement.statement)]
    others = [statement for statement in lrs.store.in_order() if statement not in sent]
    assert sent
    assert set(_found(database_url)) >= {"enrollment", "journal", "attempt", "statement", "document", "audit_log"}

    receipt = erase("--yes", "--reason", "request 17", settings=_settings(lrs))
    assert receipt["deleted"]["enrollments"] == 2
    assert receipt["deleted"]["statements"] == len(sent)
    assert not any(canary in json.dumps(receipt) for canary in CANARIES)
    assert {name: count for name, count in _found(database_url).items() if name != "removal"} == {}

    await wait_until(lambda: all(lrs.store.is_voided(statement) for statement in sent))
    assert not any(lrs.store.is_voided(statement) for statement in others)
    voiding = [statement for statement in lrs.store.statements() if statement["verb"]["id"] == VOIDED]
    assert len(voiding) == len(sent)
    assert not any(canary in str(voiding) for canary in CANARIES)
    await wait_until(lambda: not any("canary-id" in place for place in _documents(lrs)))
    assert _documents(lrs)  # those of the other learner and of the activities

    # documents are deleted once more when no request can be on its way
    _let_pass(bridge)
    await wait_until(lambda: not scalar(bridge, "SELECT count(*) FROM removal"))
    assert _found(database_url) == {}
    listed = json.loads(run("erasures", "list", "--json", **environment).stdout)["items"]
    (target,) = listed[0]["targets"]
    assert (target["voided"], target["waiting"], target["kept"]) == (len(sent), 0, 0)
    assert target["deleted"] == receipt["deleted"]["documents"]
    with reading(bridge.engine) as connection:
        entry = connection.execute(select(audit_log).where(audit_log.c.action == "erase")).one()
    assert json.loads(entry.subject)["erasure"] == receipt["erasure"] == listed[0]["erasure"]
    assert (entry.affected, entry.reason) == (2, "request 17")
    assert run("export", LEARNER["id"], "-o", "after.zip", **environment).exit_code == 1
    assert bridge.rules("u2") == ["initialized", *bridge.rules("u2")[1:]] != []


def _contents(database_url: str) -> bytes:
    path = sqlite_path(database_url)
    assert path is not None
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


async def test_the_file_itself_holds_nothing_of_the_learner_any_more(
    start: StartBridge, sqlite_url: str, run: Run
) -> None:
    """SQLite leaves what is deleted in the file and its log, unless it is told to overwrite it."""
    bridge = await start(database_url=sqlite_url)
    await bridge.commit(CMI, learner=LEARNER)
    assert b"canary comment" in _contents(sqlite_url)
    result = run("erase", LEARNER["id"], "--yes", SCORM_BRIDGE_DATABASE__URL=sqlite_url)
    assert result.exit_code == 0
    for canary in CANARIES:
        assert canary.encode() not in _contents(sqlite_url)


async def test_what_waits_is_withdrawn_and_never_sent(
    start: StartBridge, lrs: Lrs, erase: Erase, run: Run, database_url: str
) -> None:
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    Path("scorm-bridge.toml").write_text(_settings(lrs))  # noqa: ASYNC240 -- a few bytes
    assert run("targets", "pause", "lrs", "--reason", "test", **environment).exit_code == 0
    bridge = await start(targets=(lrs.settings(),))
    await _play(bridge, LEARNER)
    await _play(bridge, {"id": "u2"})
    receipt = erase("--yes", settings=_settings(lrs))
    (target,) = receipt["targets"]
    assert target["withdrawn"] == receipt["deleted"]["deliveries"] + receipt["deleted"]["documents"]
    assert run("targets", "resume", "lrs", **environment).exit_code == 0
    await wait_until(lambda: _settled(bridge) and "u2" in str(lrs.store.statements()))
    _let_pass(bridge)
    await wait_until(lambda: not scalar(bridge, "SELECT count(*) FROM removal"))
    assert not any(canary in str(lrs.store.statements()) for canary in CANARIES)
    assert not any("canary-id" in place for place in _documents(lrs))


async def test_a_target_that_keeps_what_it_has_is_sent_nothing(
    start: StartBridge, lrs: Lrs, erase: Erase, database_url: str
) -> None:
    bridge = await start(targets=(lrs.settings(erase="keep"),))
    await _play(bridge, LEARNER)
    await wait_until(lambda: _settled(bridge))
    count = len(lrs.ids())
    receipt = erase("--yes", settings=_settings(lrs, erase="keep"))
    (target,) = receipt["targets"]

    assert target["kept"] == receipt["deleted"]["statements"] + receipt["deleted"]["documents"]
    assert target["waiting"] == 0
    assert _found(database_url) == {}
    assert len(lrs.ids()) == count


async def test_removals_of_a_target_that_keeps_by_now_are_given_up_at_the_next_start(
    start: StartBridge, lrs: Lrs, erase: Erase, database_url: str, run: Run
) -> None:
    bridge = await start(targets=(lrs.settings(),))
    await _play(bridge, LEARNER)
    await wait_until(lambda: _settled(bridge))
    await bridge.close()
    receipt = erase("--yes", settings=_settings(lrs))
    waiting = receipt["targets"][0]["waiting"]
    assert waiting > 0
    await start(targets=(lrs.settings(erase="keep"),), token=bridge.token)
    listed = json.loads(run("erasures", "list", "--json", SCORM_BRIDGE_DATABASE__URL=database_url).stdout)["items"]
    assert (listed[0]["targets"][0]["kept"], listed[0]["targets"][0]["waiting"]) == (waiting, 0)
    assert _found(database_url) == {}


async def test_what_comes_later_is_refused_by_a_record_that_names_nobody(
    start: StartBridge, erase: Erase, database_url: str
) -> None:
    bridge = await start()
    answer = await _play(bridge, LEARNER)
    await _play(bridge, {"id": "u2"})
    receipt = erase("--yes")
    assert receipt["later"] == "refuse"
    body = {"learner": LEARNER, "activity": {"id": "235"}, "cmi": CMI}
    for path in ("/v1/commits", "/v1/sessions"):
        status, problem = await bridge.post(path, body if path == "/v1/commits" else {**body, "cmi": None})
        assert (status, problem["code"]) == (410, "learner-erased"), path
    status, problem = await bridge.post(f"/v1/sessions/{answer['session_id']}/commits", {"cmi": CMI})
    assert (status, problem["code"]) == (404, "session-unknown")
    await bridge.commit(OTHER, learner={"id": "u2"})
    assert _found(database_url) == {}

    accepted = erase("--yes", "--later", "accept")
    assert accepted["deleted"] == {}
    await bridge.commit(CMI, learner=LEARNER)


async def test_in_one_batch_the_refused_one_is_answered_alone(start: StartBridge, erase: Erase) -> None:
    import asyncio  # noqa: PLC0415

    bridge = await start()
    await _play(bridge, LEARNER)
    erase("--yes")
    bodies = [{"learner": {"id": f"n{number}"}, "activity": {"id": "1"}, "cmi": OTHER} for number in range(5)]
    bodies.insert(2, {"learner": LEARNER, "activity": {"id": "1"}, "cmi": CMI})
    answers = await asyncio.gather(*(bridge.post("/v1/commits", body) for body in bodies))

    assert [status for status, _ in answers] == [200, 200, 410, 200, 200, 200]


async def test_a_session_in_a_process_s_memory_brings_nothing_back(
    start: StartBridge, erase: Erase, database_url: str
) -> None:
    """Its commits are computed ahead, from what is cached of the erased enrollment."""
    bridge = await start()
    answer = await bridge.open(learner=LEARNER)
    for score in ("10", "20"):
        status, _ = await bridge.post(
            URL(answer["commit_url"]).relative(), {"cmi": {"core": {"score": {"raw": score}}}}, token=None
        )
        assert status == 200, score
    erase("--yes", "--later", "accept")
    status, problem = await bridge.post(
        URL(answer["commit_url"]).relative(), {"cmi": {"core": {"score": {"raw": "30"}}}}, token=None
    )
    assert (status, problem["code"]) == (404, "session-unknown")
    assert _found(database_url) == {}
    # whoever gets the next numbers of rows is not taken for the erased one
    other = await bridge.open(learner={"id": "u9"})
    for score in ("10", "20", "30"):
        status, _ = await bridge.post(
            URL(other["commit_url"]).relative(), {"cmi": {"core": {"score": {"raw": score}}}}, token=None
        )
        assert status == 200, score
    assert _found(database_url) == {}
    assert bridge.reports("u9")[0].attempt.score_raw == 30


async def test_profiles_of_activities_stay_for_others(start: StartBridge, lrs: Lrs, erase: Erase) -> None:
    bridge = await start(targets=(lrs.settings(),))
    await _play(bridge, {"id": "u2"})
    await _play(bridge, LEARNER)  # who changed the profile last
    await wait_until(lambda: _settled(bridge))
    erase("--yes", settings=_settings(lrs))
    with reading(bridge.engine) as connection:
        assert queues(connection)["lrs"].removals.number > 0
        resources = set(connection.execute(select(removal.c.resource)).scalars())

    assert "activities/profile" not in resources
    assert scalar(bridge, "SELECT count(*) FROM document WHERE resource = 'activities/profile'") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nobody",), "Nothing is held about learner 'nobody'"),
        (("nobody", "--yes"), "Nothing is held about learner 'nobody'"),
        (("canary-id", "--lms", "other"), "There is no LMS 'other'"),
        (("canary-id", "--yes", "--reason", "of Canary-ID"), "names the learner"),
    ],
)
async def test_what_cannot_be_erased_is_told(
    start: StartBridge, run: Run, database_url: str, options: tuple[str, ...], words: str
) -> None:
    bridge = await start()
    await bridge.commit(CMI, learner=LEARNER)
    result = run("erase", *options, SCORM_BRIDGE_DATABASE__URL=database_url)

    assert result.exit_code in {1, 2}
    assert words in result.stderr
    assert _found(database_url)


async def test_another_lms_s_learner_of_the_same_id_stays_where_one_lms_is_named(
    start: StartBridge, erase: Erase, run: Run, database_url: str
) -> None:
    bridge = await start()
    created = run(
        "tokens", "create", "--lms", "other", "--home-page", "https://other.example.org",
        SCORM_BRIDGE_DATABASE__URL=database_url,
    )  # fmt: skip
    await bridge.commit(CMI, learner=LEARNER)
    body = {"learner": LEARNER, "activity": {"id": "235"}, "cmi": CMI}
    token = created.stdout.strip()
    assert (await bridge.post("/v1/commits", body, token=token))[0] == 200
    receipt = erase("--yes", "--lms", "lms")
    assert (receipt["lms"], receipt["deleted"]["enrollments"]) == ("lms", 1)
    assert (await bridge.post("/v1/commits", body, token=token))[0] == 200
    assert (await bridge.post("/v1/commits", body))[0] == 410
    with writing(bridge.engine) as connection:
        assert connection.execute(select(audit_log.c.subject)).first() is not None
