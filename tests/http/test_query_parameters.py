"""Query parameters that an address does not take are refused, except where they are somebody else's."""

from __future__ import annotations

import pytest
from yarl import URL

from bridge.http.openapi import description
from tests.support.bridge import Bridge

SESSION = "6f3c2a9e-0000-4000-8000-000000000001"
STRICT = ("openSession", "getSession", "getAttempt", "getCourse", "getEnrollments", "getDescription")
VALUES = {"learner": "u1", "completion": "completed", "since": "0-0", "limit": "1"}
"""Values of parameters for which 0 is none."""
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in description()["paths"].items()
    for method, operation in methods.items()
}


async def test_every_address_that_takes_no_others_refuses_an_unknown_one(bridge: Bridge) -> None:
    attempt = (await bridge.open(session_id=SESSION))["attempt"]["id"]
    for name in STRICT:
        method, path, operation = OPERATIONS[name]
        names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"]
        address = path.format(session_id=SESSION, attempt_id=attempt, course_id="235")

        status, problem = await _send(bridge, method, f"{address}?until=2026-01-31")
        assert (status, problem["code"]) == (400, "unknown-parameter"), name
        assert "'until'" in problem["detail"], name
        assert all(parameter in problem["detail"] for parameter in names), name

        query = "&".join(f"{parameter}={VALUES.get(parameter, '0')}" for parameter in names)
        assert (await _send(bridge, method, f"{address}?{query}"))[0] == 200, name


async def _send(bridge: Bridge, method: str, address: str) -> tuple[int, dict[str, str]]:
    if method == "post":
        return await bridge.post(address, {"learner": {"id": "u1"}, "activity": {"id": "235"}})
    return await bridge.get(address)


async def test_a_stranger_learns_nothing_but_that_a_token_is_needed(bridge: Bridge) -> None:
    status, problem = await bridge.get("/v1/enrollments?until=2026-01-31", token=None)

    assert (status, problem["code"]) == (401, "no-token")


@pytest.mark.parametrize("address", ["/healthz?probe=1", "/readyz?probe=1"])
async def test_health_addresses_ignore_what_load_balancers_add(bridge: Bridge, address: str) -> None:
    assert (await bridge.get(address, token=None))[0] == 200


async def test_addresses_that_players_post_to_take_any(bridge: Bridge) -> None:
    """The LMS chooses the name by which scorm-again marks its last commit."""
    url = URL((await bridge.open())["commit_url"]).relative()
    commit = {"cmi": {"core": {"lesson_location": "3"}}}
    status, answer = await bridge.post(f"{url}&isTerminate=true&_=1", commit, token=None)

    assert status == 200
    assert answer["attempt"]["status"] == "terminated"
