"""What LRSs and firewalls before them were reported to do, and what must come of it: played against a real bridge."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import msgspec
import pytest
from aiohttp import web
from sqlalchemy import update

from bridge import target_states
from bridge.forwarding.isolation import MAX_REFUSED
from bridge.forwarding.pauses import LOOK
from bridge.sandbox.lrs import DOCUMENTS, FaultRule, faults
from storage import deliveries, target_alarms
from storage.deliveries import Filter
from storage.engine import reading, writing
from storage.lookups import DeliveryLine
from storage.tables import statement
from storage.target_alarms import AlarmState, RequestKind, TargetAlarm
from tests.bridges import START, Bridge, Ids
from tests.conftest import StartBridge
from tests.forwarding.conftest import POST, Fault, Lrs, StartLrs
from tests.forwarding.looking import settled, statements, ways
from tests.forwarding.waiting import until

POISON: dict[str, Any] = {
    "lesson_status": "incomplete",
    "interactions": {"0": {"id": "q1", "type": "fill-in", "student_response": "POISON"}},
}
PASSED = {"core": {"lesson_status": "passed"}}
OTHERS = [f"learner-{number}" for number in range(8)]
CUT = "cut"


def alarms(bridge: Bridge) -> dict[str, str]:
    """Return the state of each alarm of the target, by its kind of request."""
    with reading(bridge.engine) as connection:
        return {alarm.request_kind: alarm.state for alarm in target_alarms.current(connection)}


def delivered(bridge: Bridge, learners: list[str], activity: str = "235") -> bool:
    """Tell whether all statements of these learners have arrived."""
    states = [
        way.state
        for learner in learners
        for report in bridge.reports(learner, activity)
        for line in report.statements
        for way in line.deliveries
    ]
    return bool(states) and set(states) == {"delivered"}


async def commit_poison(bridge: Bridge) -> None:
    await bridge.commit(POISON, learner={"id": "p"}, activity={"id": "ap"}, scorm_version="1.2")


async def held(bridge: Bridge, kept: dict[str, bytes], content: bytes) -> None:
    """Wait until one of the documents that are kept holds this; what waits for its turn is waited for."""

    def is_held() -> bool:
        bridge.clock.advance(1)
        return any(content in one for one in kept.values())

    await until(is_held)


def last_try(bridge: Bridge) -> DeliveryLine:
    """Return the delivery of the poison."""
    return next(
        way
        for report in bridge.reports("p", "ap")
        for one in report.statements
        for way in one.deliveries
        if "POISON" in one.body
    )


def firewall(answer: int | str, body: str = "") -> Fault:
    """Make a firewall that answers so to whatever holds POISON, or cuts the connection."""

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.method != "POST" or b"POISON" not in await request.read():
            return None
        if answer == CUT:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=int(answer), text=body)

    return fault


@pytest.mark.parametrize("answer", [403, 500, 502, 504, 406, 412, 200, CUT])
async def test_one_statement_that_does_not_pass_holds_up_its_attempt_alone(
    start_lrs: StartLrs, start: StartBridge, answer: int | str
) -> None:
    lrs = await start_lrs(firewall(answer, "<title>Blocked</title>"))
    bridge = await start(targets=(lrs.settings(),), random=lambda: 1.0)
    for learner in OTHERS[:4]:
        await bridge.commit(PASSED, learner={"id": learner})
    await commit_poison(bridge)
    for learner in OTHERS[4:]:
        await bridge.commit(PASSED, learner={"id": learner})

    def all_others() -> bool:
        bridge.clock.advance(0.1)
        return delivered(bridge, OTHERS)

    await until(all_others)
    await until(lambda: last_try(bridge).tries > 0)
    assert last_try(bridge).state == "waiting"
    # it waits longer each time, and meanwhile nobody waits with it
    tries = last_try(bridge).tries

    def tried_again() -> bool:
        bridge.clock.advance(5)
        return last_try(bridge).tries > tries + 3

    await until(tried_again)
    for number in range(3):
        await bridge.commit(PASSED, learner={"id": f"later-{number}"})
        await until(lambda number=number: delivered(bridge, [f"later-{number}"]))
    assert alarms(bridge) == {}
    assert last_try(bridge).state == "waiting"


async def test_a_403_for_everything_is_an_alarm_and_ends_by_itself(start_lrs: StartLrs, start: StartBridge) -> None:
    shut = asyncio.Event()
    shut.set()

    async def fault(request: web.Request) -> web.StreamResponse | None:
        is_shut = shut.is_set() and request.method == "POST"
        return web.Response(status=403, text="read only") if is_shut else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    for learner in OTHERS:
        await bridge.commit(PASSED, learner={"id": learner})

    def alarmed() -> bool:
        bridge.clock.advance(1)
        return alarms(bridge).get("statements") == AlarmState.NOT_ALLOWED

    await until(alarmed)
    _, ready = await bridge.get("/readyz", token=None)
    assert ready["paused"]["lrs"]["automatic"] is True
    shut.clear()

    def recovered() -> bool:
        bridge.clock.advance(60)
        return delivered(bridge, OTHERS) and "statements" not in alarms(bridge)

    await until(recovered)
    assert {way.state for way in ways(bridge).values()} <= {"delivered"}


async def test_a_document_that_is_let_in_does_not_resume_statements_that_are_not(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        return web.Response(status=401) if request.method == "POST" else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit({"completion_status": "incomplete", "location": "p2", "scaled_passing_score": "0.8"})
    await until(lambda: alarms(bridge) == {"statements": "not-allowed"})
    await bridge.let_documents_follow()
    await until(lambda: len(list(lrs.app[DOCUMENTS].matching(lambda _: True))) == 4)
    assert alarms(bridge) == {"statements": "not-allowed"}


async def test_a_target_that_lets_statements_in_and_no_documents_says_so(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        is_document = request.path not in {"/xapi/statements", "/xapi/about"}
        return web.Response(status=403, text="no state API") if is_document else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit({"completion_status": "incomplete", "location": "p2", "scaled_passing_score": "0.8"})
    await bridge.let_documents_follow()
    await until(lambda: alarms(bridge) == {"documents": "not-allowed"})
    await until(lambda: settled(bridge))
    await bridge.commit(PASSED)
    await until(lambda: settled(bridge))
    assert alarms(bridge) == {"documents": "not-allowed"}


@pytest.mark.parametrize("status", [400, 422])
async def test_when_everything_is_refused_the_target_pauses_after_the_first_few(
    start_lrs: StartLrs, start: StartBridge, status: int
) -> None:
    refusing = asyncio.Event()
    refusing.set()

    async def fault(request: web.Request) -> web.StreamResponse | None:
        is_post = request.method == "POST" and refusing.is_set()
        return web.Response(status=status, text="Invalid Authorization") if is_post else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    learners = [f"u{number}" for number in range(30)]
    for learner in learners:
        await bridge.commit(PASSED, learner={"id": learner})
    await until(lambda: alarms(bridge).get("statements") == AlarmState.REFUSING)
    for _ in range(20):
        bridge.clock.advance(10)
        await bridge.commit(PASSED, learner={"id": "another"})
    refusing.clear()

    def found() -> list[str]:
        lines = statements(bridge, [*learners, "another"])
        return [way.state for line in lines for way in line.deliveries]

    def recovered() -> bool:
        bridge.clock.advance(10)
        return "waiting" not in found() and alarms(bridge) == {}

    await until(recovered)
    # in shards beside each other one more each can be on its way
    assert found().count("dead") <= MAX_REFUSED + 4
    assert found().count("delivered") > 50


async def test_a_known_id_answered_500_is_looked_at_and_delivered(start_lrs: StartLrs, start: StartBridge) -> None:
    """The first answer is lost, and the LRS breaks on what it knows."""
    known: set[str] = set()

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.method != "POST":
            return None
        ids = {one["id"] for one in msgspec.json.decode(await request.read())}
        if ids & known:
            return web.Response(status=500, text="Internal Server Error")
        known.update(ids)
        return None

    lrs = await start_lrs(fault)
    lrs.script(FaultRule(faults.StoreThenCut(), when=POST, times=1))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PASSED, activity={"id": "a1"}, scorm_version="1.2", terminated=True)

    def all_there() -> bool:
        bridge.clock.advance(1)
        return delivered(bridge, ["u1"], "a1")

    await until(all_there)


@pytest.mark.parametrize(("status", "text"), [(409, ""), (400, "duplicate key"), (500, "statement already exists")])
async def test_a_duplicate_that_may_not_be_read_is_told_as_that_and_holds_up_nothing(
    start_lrs: StartLrs, start: StartBridge, status: int, text: str
) -> None:
    bridge = await start()
    await bridge.commit(PASSED, learner={"id": "u1"})
    await bridge.commit(PASSED, learner={"id": "u2"})
    await bridge.close()
    duplicate = statements(bridge, ["u1"])[0].id

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.path != "/xapi/statements":
            return None
        if request.method == "GET":
            return web.Response(status=403, text="statements/write only")
        is_known = duplicate.encode() in await request.read()
        return web.Response(status=status, text=text) if is_known else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)

    def no_more_waits() -> bool:
        bridge.clock.advance(5)
        return settled(bridge)

    await until(no_more_waits)
    way = ways(bridge).pop(duplicate)
    assert (way.state, way.last_status) == ("dead", status)
    assert "cannot be read back to be compared (403 statements/write only)" in (way.last_answer or "")
    assert {one.state for id_, one in ways(bridge).items() if id_ != duplicate} == {"delivered"}
    assert alarms(bridge) == {RequestKind.READING: AlarmState.NOT_ALLOWED}


RESPELLINGS: dict[str, Callable[[dict[str, Any]], None]] = {
    "duration": lambda one: one["result"].update(duration="PT0H1M30.00S"),
    "float32": lambda one: one["result"]["score"].update(scaled=0.8500000238418579),
    "order": lambda one: one["context"]["contextActivities"]["grouping"].reverse(),
    "single": lambda one: one["context"]["contextActivities"].update(
        category=one["context"]["contextActivities"]["category"][0]
    ),
    "name": lambda one: one["actor"].pop("name"),
}


@pytest.mark.parametrize("respelling", RESPELLINGS)
async def test_what_the_lrs_has_in_another_spelling_is_delivered_and_told_as_equivalent(
    start_lrs: StartLrs, start: StartBridge, respelling: str
) -> None:
    bridge = await start()
    cmi = {"core": {"lesson_status": "passed", "score": {"raw": "85"}, "session_time": "00:01:30"}}
    await bridge.commit(cmi, learner={"id": "u1", "name": "Ada"}, course={"id": "c"}, terminated=True)
    await bridge.close()
    taken = next(one for one in statements(bridge, ["u1"]) if one.rule == "terminated")
    theirs = msgspec.json.decode(taken.body)
    theirs["actor"].setdefault("name", "Ada")
    RESPELLINGS[respelling](theirs)

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.method == "POST":
            return web.Response(status=409) if taken.id.encode() in await request.read() else None
        is_asked = request.method == "GET" and request.query.get("statementId") == taken.id
        return web.json_response(theirs) if is_asked else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await until(lambda: settled(bridge))
    with reading(bridge.engine) as connection:
        outcomes = {row[0] for row in connection.exec_driver_sql("SELECT outcome FROM try WHERE status = 409")}
    way = ways(bridge)[taken.id]
    assert way.state == "delivered"
    assert "equivalent" in outcomes
    assert "spelled otherwise" in (way.last_answer or "")


async def test_a_version_that_the_lrs_gave_up_is_asked_for_again(
    start_lrs: StartLrs, start: StartBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.forwarding.transport.VERSION_MISTRUST", 0.0)
    versions = ["1.0.3"]

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.path == "/xapi/about":
            return web.json_response({"version": versions})
        if request.method == "POST" and request.headers["X-Experience-API-Version"] not in versions:
            return web.Response(status=400, text="X-Experience-API-Version header is not supported")
        return None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PASSED)
    await until(lambda: settled(bridge))
    versions[:] = ["2.0.0"]
    await bridge.commit(PASSED, learner={"id": "u2"})
    await until(lambda: settled(bridge))
    assert {way.state for way in ways(bridge).values()} == {"delivered"}


@pytest.mark.parametrize("about", ["large", "needs a version"])
async def test_about_may_be_large_and_may_want_the_version_header(
    start_lrs: StartLrs, start: StartBridge, about: str
) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.path != "/xapi/about":
            return None
        if about == "large":
            content = {"extensions": {"https://x.example/ext": "y" * 900_000}, "version": ["1.0.3", "2.0.0"]}
            return web.json_response(content)
        if "X-Experience-API-Version" not in request.headers:
            return web.Response(status=400, text="version header missing")
        return web.json_response({"version": ["1.0.3"]})

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PASSED)
    await until(lambda: settled(bridge))
    assert {way.state for way in ways(bridge).values()} == {"delivered"}


CLIENT_SECRET = "kT+9/x%2Fab=&ü"


@pytest.mark.parametrize("posted", [False, True])
async def test_an_oauth_client_is_known_by_what_rfc_6749_says(
    start_lrs: StartLrs, start: StartBridge, *, posted: bool
) -> None:
    forms: list[dict[str, list[str]]] = []

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.path == "/xapi/token":
            form = parse_qs((await request.read()).decode())
            forms.append(form)
            if posted:
                told = form["client_id"][0], form["client_secret"][0]
                assert "Authorization" not in request.headers
            else:
                basic = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
                name, _, secret = basic.partition(":")
                told = unquote_plus(name), unquote_plus(secret)
            is_known = told == ("bridge:1", CLIENT_SECRET)
            return web.json_response({"access_token": "t"}) if is_known else web.Response(status=401)
        return web.Response(status=401) if request.headers.get("Authorization") != "Bearer t" else None

    lrs = await start_lrs(fault)
    target = lrs.settings(
        token_url=f"{lrs.endpoint}token",
        client_id="bridge:1",
        client_secret=CLIENT_SECRET,
        client_secret_post=posted,
        audience="https://lrs.example.org",
    )
    bridge = await start(targets=(target,))
    await bridge.commit(PASSED)
    await until(lambda: settled(bridge))
    assert forms[0]["audience"] == ["https://lrs.example.org"]
    assert {way.state for way in ways(bridge).values()} == {"delivered"}


@pytest.mark.parametrize("status", [503, 429, 404, 201, 302])
async def test_what_the_token_endpoint_answered_is_what_people_read(
    start_lrs: StartLrs, start: StartBridge, status: int
) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.path != "/xapi/token":
            return None
        return web.Response(status=status, text="maintenance until noon", headers={"Location": "https://id.example/x"})

    lrs = await start_lrs(fault)
    oauth = {"token_url": f"{lrs.endpoint}token", "client_id": "b", "client_secret": "s"}
    bridge = await start(targets=(lrs.settings(**oauth),))
    await bridge.commit(PASSED)
    words = f"the token endpoint answered {status}"

    def told() -> list[str]:
        return [way.last_answer or "" for way in ways(bridge).values()]

    await until(lambda: any(words in text for text in told()))
    assert all("maintenance until noon" in text for text in told() if text)
    if status == 302:
        assert any("redirects to https://id.example/x" in text for text in told())
    await until(lambda: alarms(bridge) == {"statements": "unreachable"})


async def test_where_a_redirect_points_to_is_told_and_not_followed(start_lrs: StartLrs, start: StartBridge) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        assert not request.path.startswith("/elsewhere")
        if request.path == "/xapi/about":
            return None
        return web.Response(status=308, headers={"Location": "/elsewhere/statements"})

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(version="1.0.3"),))
    await bridge.commit(PASSED)
    await until(
        lambda: any("redirects to /elsewhere/statements" in (way.last_answer or "") for way in ways(bridge).values())
    )
    await until(lambda: alarms(bridge) == {"statements": "unreachable"})
    with reading(bridge.engine) as connection:
        (alarm,) = target_alarms.current(connection)
    assert "redirects to /elsewhere/statements" in alarm.reason


async def test_a_breaker_that_is_open_shows_as_unreachable_and_ends_with_the_next_delivery(
    lrs: Lrs, start: StartBridge
) -> None:
    lrs.script(FaultRule(faults.Answer(503), when=POST))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PASSED)
    await until(lambda: alarms(bridge) == {"statements": "unreachable"})
    _, ready = await bridge.get("/readyz", token=None)
    (alarm,) = ready["target_alarms"]
    assert (alarm["target"], alarm["requests"], alarm["state"]) == ("lrs", "statements", "unreachable")
    assert alarm["since"].startswith("2026-01-01T00:00:00")
    lrs.script()
    await until(lambda: settled(bridge) and alarms(bridge) == {})


@pytest.mark.parametrize("missing", [204, 200])
@pytest.mark.parametrize("written", [200, 201, 204])
async def test_a_document_that_is_missing_is_written_however_the_lrs_says_so(
    start_lrs: StartLrs, start: StartBridge, missing: int, written: int
) -> None:
    kept: dict[str, bytes] = {}

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if not request.path.startswith(("/xapi/activities/", "/xapi/agents/")):
            return None
        key = str(request.rel_url)
        if request.method == "GET":
            assert request.headers["Accept-Encoding"] == "identity"
            if key not in kept:
                return web.Response(status=missing)
            return web.Response(body=kept[key], headers={"ETag": '"1"'})
        if request.headers.get("If-Match") != ('"1"' if key in kept else None):
            return web.Response(status=412)
        kept[key] = await request.read()
        return web.Response(status=written)

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit({"completion_status": "incomplete", "location": "p2", "scaled_passing_score": "0.8"})
    await bridge.let_documents_follow()
    await until(lambda: len(kept) == 4)
    bridge.clock.advance(100)
    await bridge.commit({"location": "p3"})
    await bridge.let_documents_follow()
    await held(bridge, kept, b"p3")


@pytest.mark.parametrize("shown", ['W/"1"', '"1-gzip"', 'W/"1-gzip"', '"1--gzip"', '"1;gzip"', '"1-br"'])
async def test_an_etag_that_a_proxy_changed_is_understood(start_lrs: StartLrs, start: StartBridge, shown: str) -> None:
    kept: dict[str, bytes] = {}

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if not request.path.startswith(("/xapi/activities/", "/xapi/agents/")):
            return None
        key = str(request.rel_url)
        if request.method == "GET":
            if key not in kept:
                return web.Response(status=404)
            return web.Response(body=kept[key], headers={"ETag": shown})
        if request.headers.get("If-Match") != ('"1"' if key in kept else None):
            return web.Response(status=412)
        kept[key] = await request.read()
        return web.Response(status=204)

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(documents={"adl-suspend-data": True}),))
    await bridge.commit({"location": "p1", "suspend_data": "first" * 50})
    await bridge.let_documents_follow()
    await held(bridge, kept, b"p1")
    bridge.clock.advance(100)
    await bridge.commit({"location": "p2", "suspend_data": "second" * 50})
    await bridge.let_documents_follow()
    await held(bridge, kept, b"p2")
    await held(bridge, kept, b"second")


@pytest.mark.parametrize("act", ["resume", "retry"])
async def test_whoever_retries_or_resumes_hurries_what_waits(lrs: Lrs, start: StartBridge, act: str) -> None:
    lrs.script(FaultRule(faults.Answer(503, {"Retry-After": "3600"}), when=POST))
    bridge = await start(targets=(lrs.settings(),))
    for learner in OTHERS[:3]:
        await bridge.commit(PASSED, learner={"id": learner})
    await until(lambda: lrs.posts() and _waits(bridge))
    with writing(bridge.engine) as connection:
        target_alarms.begin(
            connection, TargetAlarm("lrs", RequestKind.STATEMENTS, AlarmState.UNREACHABLE, START, START, "503")
        )
    await asyncio.sleep(2 * LOOK)  # until the bridge has seen it: it takes an alarm that ends for a word of people
    lrs.script()
    with writing(bridge.engine) as connection:
        if act == "resume":
            assert target_states.resume(connection, "lrs", by="ada", reason="", now=bridge.clock())
        else:
            assert deliveries.retry(connection, deliveries.ids(connection, Filter(target="lrs"), after=0, most=100))
    await until(lambda: settled(bridge))


def _waits(bridge: Bridge) -> bool:
    with reading(bridge.engine) as connection:
        return bool(connection.exec_driver_sql("SELECT 1 FROM delivery WHERE not_before > 0").first())


async def test_an_lrs_that_let_nobody_in_is_tried_at_once_after_a_start(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    open_ = asyncio.Event()

    async def fault(request: web.Request) -> web.StreamResponse | None:
        return None if open_.is_set() else web.Response(status=401)

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),), random=lambda: 1.0)
    await bridge.commit(PASSED)
    await until(lambda: alarms(bridge) == {"statements": "not-allowed"})
    await bridge.close()
    open_.set()
    bridge = await start(targets=(lrs.settings(),), token=bridge.token, random=lambda: 1.0)
    await until(lambda: settled(bridge) and alarms(bridge) == {})


IDS = [
    "http://ex.org/100%",
    "http://ex.org/a%zz",
    "https://?x=1",
    "https://#f",
    "http://ex.org/c1\x81",
    "http://ex.org/a[b]",
    "http://ex.org/a#b#c",
    "http://ex.org:99999/x",
    "http://ex.org/\ue000",
    "http://ex.org/\ufdd0x\U0001ffff",
]


@pytest.mark.parametrize("id_", IDS)
async def test_an_id_that_is_no_iri_quite_is_sent_all_the_same(lrs: Lrs, start: StartBridge, id_: str) -> None:
    bridge = await start(targets=(lrs.settings(),))
    kind = "http://ex.org/t%"
    answer = await bridge.commit(
        {"core": {"lesson_status": "passed"}}, activity={"id": id_, "type": kind}, course={"id": id_}
    )
    assert answer["statements"]
    await bridge.let_documents_follow()

    def ways_of(kind: str) -> set[str]:
        lines = [one for report in bridge.reports("u1", id_) for one in getattr(report, kind)]
        return {way.state for one in lines for way in one.deliveries}

    await until(lambda: ways_of("statements") == ways_of("documents") == {"delivered"})
    assert len(lrs.ids()) == len(answer["statements"])


async def test_nul_is_taken_out_of_responses_and_item_ids_with_a_warning(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start(targets=(lrs.settings(),))
    interactions = {"0": {"id": "q\x001", "type": "fill-in", "student_response": "a\x00b", "result": "correct"}}
    answer = await bridge.commit({"interactions": interactions}, scorm_version="1.2")
    assert [(one["code"], one["element"]) for one in answer["warnings"]] == [("nul", "cmi.interactions.0")]
    await until(lambda: settled(bridge))
    (responded,) = [one for one in statements(bridge, ["u1"]) if one.rule == "responded"]
    assert "\\u0000" not in responded.body
    assert "%00" not in responded.body
    assert msgspec.json.decode(responded.body)["result"]["response"] == "ab"
    assert {way.state for way in ways(bridge).values()} == {"delivered"}


async def test_an_lrs_that_lets_no_statement_void_another_says_so_and_takes_the_others(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    bridge = await start(ids=(ids := Ids()))
    for learner in OTHERS[:3]:
        await bridge.commit(PASSED, learner={"id": learner})
    await bridge.close()
    voiding = statements(bridge, OTHERS[:1])[-1]
    body = msgspec.json.decode(voiding.body) | {
        "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
        "object": {"objectType": "StatementRef", "id": statements(bridge, OTHERS[1:2])[0].id},
    }
    with writing(bridge.engine) as connection:
        connection.execute(
            update(statement).where(statement.c.id == voiding.id).values(body=msgspec.json.encode(body).decode())
        )

    async def fault(request: web.Request) -> web.StreamResponse | None:
        is_voiding = request.method == "POST" and b"verbs/voided" in await request.read()
        return web.Response(status=403, text="may not void") if is_voiding else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),), token=bridge.token, ids=ids)
    await until(lambda: alarms(bridge) == {RequestKind.VOIDING: AlarmState.NOT_ALLOWED})
    await until(lambda: sum(way.state == "waiting" for way in _ways(bridge).values()) == 1)
    assert _ways(bridge)[voiding.id].state == "waiting"
    await bridge.commit(PASSED, learner={"id": "another"})
    await until(lambda: delivered(bridge, ["another"]))
    assert alarms(bridge) == {RequestKind.VOIDING: AlarmState.NOT_ALLOWED}


def _ways(bridge: Bridge) -> dict[str, DeliveryLine]:
    return {one.id: way for one in statements(bridge, OTHERS[:3]) for way in one.deliveries if way.target == "lrs"}
