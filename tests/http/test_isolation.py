"""Two LMSs: whatever the one asks for or posts with the other's ids, there is no such thing. Every route has a rule."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bridge import formats
from storage import lms
from storage.engine import writing
from storage.states import TokenScope
from tests.formats.test_all_formats import BODIES
from tests.formats.test_moodle import FINISH
from tests.http.test_openapi import routes
from tests.support.accounts import register_lms
from tests.support.bridge import Bridge
from tests.support.browser_keys import PASSED, create_key, open_page, send
from tests.support.mirror import Mirror
from tests.support.recordings import call, send_calls

Route = tuple[str, str]
Request = tuple[str, Any]
WHO = {"learner": {"id": "u1"}, "activity": {"id": "235"}}
COMMIT = {"cmi": {"core": {"lesson_status": "passed"}, "suspend_data": "stolen"}, "sequence": 9}
UNKNOWN = "00000000-0000-4000-8000-0000000000aa"
POSTBACK = {"id": "r1", "registrationCompletion": "COMPLETED", "learner": {"id": "u1"}, "course": {"id": "235"}}


@dataclass(frozen=True)
class Ids:
    """What an LMS has, or nobody."""

    session: str
    attempt: str


def _session(ids: Ids, rest: str = "") -> str:
    return f"/v1/sessions/{ids.session}{rest}"


RULES: dict[Route, Callable[[Ids], Request]] = {
    ("POST", "/v1/sessions"): lambda ids: ("/v1/sessions", WHO | {"session_id": ids.session}),
    ("GET", "/v1/sessions/{session_id}"): lambda ids: (_session(ids), None),
    ("POST", "/v1/sessions/{session_id}/commits"): lambda ids: (_session(ids, "/commits"), COMMIT),
    ("PUT", "/v1/sessions/{session_id}/commits"): lambda ids: (_session(ids, "/commits"), COMMIT),
    ("POST", "/v1/commits"): lambda ids: ("/v1/commits", COMMIT | WHO | {"session_id": ids.session}),
    ("GET", "/v1/attempts/{attempt_id}"): lambda ids: (f"/v1/attempts/{ids.attempt}", None),
    ("GET", "/v1/courses/{course_id}"): lambda _: ("/v1/courses/235?learner=u1", None),
    ("POST", "/scorm/progress/{topic_id}/"): lambda ids: ("/scorm/progress/235/", _progress(ids)),
    ("POST", "/scorm/progress/{topic_id}"): lambda ids: ("/scorm/progress/235", _progress(ids)),
}
"""Routes that are told ids, and how to ask them for an LMS's things: what is another's is answered with 404."""
OPENING = {route for route in RULES if route[1] in {"/v1/sessions", "/v1/commits"} or "progress" in route[1]}
"""Those that open a session whose id nobody has."""
DOOR = "/v1/formats/{format}/sessions/{session_id}/commits"
OTHERWISE = {
    ("POST", DOOR): "test_at_no_format_s_door_is_there_a_session_of_another_lms",
    ("PUT", DOOR): "test_at_no_format_s_door_is_there_a_session_of_another_lms",
    ("GET", DOOR): "test_at_no_format_s_door_is_there_a_session_of_another_lms",
    ("POST", "/v1/browser/sessions"): "test_a_browser_key_opens_sessions_of_its_own_lms_alone",
    ("POST", "/v1/sessions/{session_id}/calls"): "test_calls_are_recorded_of_the_session_of_the_url_s_token_alone",
    ("POST", "/v1/mirror/{format}"): "test_what_is_mirrored_is_of_the_token_s_lms_alone",
    ("GET", "/v1/enrollments"): "test_another_lms_s_enrollments_are_not_listed",
    ("POST", "/v1/formats/scorm-cloud"): "test_a_registration_of_the_same_name_is_the_other_lms_s_own",
}
"""Routes whose answers cannot be 404, and the test that proves theirs."""
FOR_ANYONE = {("GET", path) for path in ("/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/tap.js")}
"""Routes that tell nothing of any LMS."""


def _progress(ids: Ids) -> dict[str, Any]:
    return {"user": "u1", "cmi_data": COMMIT["cmi"], "session_id": ids.session}


NOTHING = {(404, "session"), (404, "attempt"), (404, "course")}
"""Status and beginning of the code where there is nothing of what is asked for."""


@dataclass
class Two:
    """A bridge, what its LMS has, and another LMS's token."""

    bridge: Bridge
    ids: Ids
    stranger: str

    async def ask(self, method: str, request: Request, token: str) -> tuple[int, Any]:
        """Send a request with a token; return status and answer."""
        path, body = request
        headers = {"Authorization": f"Bearer {token}"}
        keywords = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.bridge.client.request(method, path, headers=headers, **keywords) as response:
            text = await response.text()
            if not text.startswith("{"):
                return response.status, text
            answer = await response.json(content_type=None)
        answer.pop("request_id", None)  # every request has another one
        return response.status, answer

    async def everything(self) -> list[Any]:
        """Return all that the first LMS can ask for."""
        paths = (
            _session(self.ids),
            f"/v1/attempts/{self.ids.attempt}",
            "/v1/enrollments",
            "/v1/courses/235?learner=u1",
        )
        return [await self.bridge.get(path) for path in paths]


@pytest.fixture
async def two(bridge: Bridge) -> Two:
    """An LMS with a session, and one without."""
    answer = await bridge.commit({"core": {"lesson_status": "incomplete"}, "suspend_data": "own"})
    token = register_lms(bridge.engine, uuid.uuid4().hex).token
    return Two(bridge, Ids(answer["session_id"], answer["attempt"]["id"]), token)


async def test_every_route_has_a_rule(bridge: Bridge) -> None:
    assert {*RULES, *OTHERWISE, *FOR_ANYONE} == routes(bridge)
    assert {*OTHERWISE.values()} <= globals().keys()


async def test_the_rules_ask_for_what_is_there(two: Two) -> None:
    """Else any 404 would do."""
    for (method, path), rule in RULES.items():
        assert (await two.ask(method, rule(two.ids), two.bridge.token))[0] == 200, path


async def test_with_another_lms_s_ids_every_route_answers_as_if_there_were_nothing(two: Two) -> None:
    before = await two.everything()
    nothing = Ids(UNKNOWN, UNKNOWN)
    for (method, path), rule in RULES.items():
        status, answer = await two.ask(method, rule(two.ids), two.stranger)
        assert (status, answer["code"].removesuffix("-unknown")) in NOTHING, path
        if (method, path) not in OPENING:
            unknown = await two.ask(method, rule(nothing), two.stranger)
            # the same but for the ids
            assert unknown[0] == status, path
            assert _without(unknown[1], UNKNOWN) == _without(answer, two.ids.session, two.ids.attempt), path

    assert await two.everything() == before


async def test_at_no_format_s_door_is_there_a_session_of_another_lms(two: Two) -> None:
    """Each refuses in its format's words, the same that it has for a session that nobody has."""
    before = await two.everything()
    assert BODIES.keys() == formats.BY_NAME.keys()
    for name, (body, *_) in BODIES.items():
        for method in ("POST", "PUT", "GET"):
            answers = []
            for session_id in (two.ids.session, UNKNOWN):
                address = DOOR.format(format=name, session_id=session_id)
                status, answer = await two.ask(method, (address, None if method == "GET" else body), two.stranger)
                answers.append((status, _without(answer, session_id)))
            assert answers[0] == answers[1], (name, method)
    assert await two.everything() == before


async def test_another_lms_s_enrollments_are_not_listed(two: Two) -> None:
    for query in ("", "?learner=u1", "?activity=235", "?learner=u1&activity=235"):
        status, answer = await two.ask("GET", (f"/v1/enrollments{query}", None), two.stranger)
        assert (status, answer["enrollments"], answer["more"]) == (200, [], False), query


async def test_a_registration_of_the_same_name_is_the_other_lms_s_own(two: Two) -> None:
    request = ("/v1/formats/scorm-cloud", POSTBACK)
    answers = [await two.ask("POST", request, token) for token in (two.bridge.token, two.stranger)]

    assert [status for status, _ in answers] == [200, 200]
    for part in ("session_id",), ("attempt", "id"), ("enrollment", "registration"):
        assert _part(answers[0][1], part) != _part(answers[1][1], part)


def _part(answer: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        answer = answer[name]
    return answer


def _without(answer: Any, *ids: str) -> str:
    text = str(answer)
    for session_id in ids:
        text = text.replace(session_id, "…")
    return text


async def test_calls_are_recorded_of_the_session_of_the_url_s_token_alone(two: Two) -> None:
    with writing(two.bridge.engine) as connection:
        (other,) = [row.name for row, _ in lms.all_of_them(connection) if row.name != "lms"]
    url = await open_page(two.bridge, create_key(two.bridge, lms=other).key)
    own = url.split("/sessions/")[1].split("/")[0]

    status, answer = await send_calls(two.bridge, url.replace(own, two.ids.session), [call(1, "Commit", "")])

    assert (status, answer["code"]) == (401, "bad-commit-token")
    assert (await send_calls(two.bridge, url, [call(1, "Commit", "")]))[0] == 200


async def test_what_is_mirrored_is_of_the_token_s_lms_alone(two: Two) -> None:
    before = await two.everything()
    mirror = Mirror(two.bridge, register_lms(two.bridge.engine, "third", scopes=[TokenScope.MIRROR]).token)
    await mirror.take("moodle", FINISH, query="learner=u1&activity=235")

    assert mirror.commits() == [("server", "applied"), ("browser", "applied")]
    assert await two.everything() == before


async def test_a_browser_key_opens_sessions_of_its_own_lms_alone(two: Two) -> None:
    before = await two.everything()
    with writing(two.bridge.engine) as connection:
        (other,) = [row.name for row, _ in lms.all_of_them(connection) if row.name != "lms"]
    key = create_key(two.bridge, lms=other)
    url = await open_page(two.bridge, key.key)
    await send(two.bridge, url, PASSED)
    status, theirs = await two.bridge.get("/v1/enrollments", token=two.stranger)

    assert await two.everything() == before
    assert (status, [row["success_status"] for row in theirs["enrollments"]]) == (200, ["passed"])
