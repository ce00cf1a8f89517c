"""State and profile documents: what is kept, merged, listed and removed, and the guards against lost updates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from aiohttp import ClientResponse

from tests.sandbox.conftest import Clock, Lrs

ADA = json.dumps({"mbox": "mailto:ada@example.org"})
BOB = json.dumps({"mbox": "mailto:bob@example.org"})
REGISTRATION = "aaaaaaaa-1234-5678-1234-567812345678"

STATE = ("activities/state", {"activityId": "urn:a", "agent": ADA, "stateId": "s"})
ACTIVITY_PROFILE = ("activities/profile", {"activityId": "urn:a", "profileId": "p"})
AGENT_PROFILE = ("agents/profile", {"agent": ADA, "profileId": "p"})

everywhere = pytest.mark.parametrize(
    ("path", "params"), [STATE, ACTIVITY_PROFILE, AGENT_PROFILE], ids=["state", "activity", "agent"]
)
JSON = {"Content-Type": "application/json"}
NEW = {"If-None-Match": "*"}

AskResource = Callable[..., Awaitable[ClientResponse]]
"""Sends a request to a document resource: its method, path, parameters and body, then what aiohttp takes."""


@pytest.fixture
def ask(lrs: Lrs) -> AskResource:
    """AskResource a document resource, in a given method and with a body or not."""

    async def send(
        method: str, path: str, params: Mapping[str, str], body: bytes | dict[str, Any] | None = None, **options: Any
    ) -> ClientResponse:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = JSON | options.pop("headers", {})
        return await lrs.ask(method, path, params=params, data=data, headers=headers, **options)

    return send


@everywhere
async def test_a_document_comes_back_as_it_was_put(ask: AskResource, path: str, params: dict[str, str]) -> None:
    content = b"\x00\xff anything"
    headers = NEW | {"Content-Type": "image/png"}
    assert (await ask("PUT", path, params, content, headers=headers)).status == 204
    answer = await ask("GET", path, params)
    assert answer.status == 200
    assert await answer.read() == content
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["ETag"] == f'"{hashlib.sha1(content).hexdigest()}"'
    assert answer.headers["Last-Modified"] == "Sat, 31 Jan 2026 12:00:00 GMT"


@everywhere
async def test_a_document_that_is_not_there_is_404(ask: AskResource, path: str, params: dict[str, str]) -> None:
    assert (await ask("GET", path, params)).status == 404


@everywhere
async def test_a_post_lays_top_level_properties_over_those_that_are_there(
    ask: AskResource, path: str, params: dict[str, str]
) -> None:
    await ask("POST", path, params, {"x": {"deep": 1}, "y": "bar"})

    assert (await ask("POST", path, params, {"x": "bash", "z": "faz"})).status == 204
    assert await (await ask("GET", path, params)).json() == {"x": "bash", "y": "bar", "z": "faz"}


@everywhere
@pytest.mark.parametrize(
    ("there", "there_type", "sent", "sent_type"),
    [
        (b"{}", "application/json", b"text", "text/plain"),
        (b"text", "text/plain", b"{}", "application/json"),
        (b"{}", "application/json", b"[1]", "application/json"),
        (b"[1]", "application/json", b"{}", "application/json"),
        (b"{}", "application/json", b"{oh", "application/json"),
    ],
)
async def test_a_post_that_cannot_be_merged_is_400_and_changes_nothing(
    ask: AskResource, path: str, params: dict[str, str], there: bytes, there_type: str, sent: bytes, sent_type: str
) -> None:
    await ask("PUT", path, params, there, headers=NEW | {"Content-Type": there_type})
    answer = await ask("POST", path, params, sent, headers={"Content-Type": sent_type})

    assert answer.status == 400
    assert await (await ask("GET", path, params)).read() == there


@everywhere
@pytest.mark.parametrize(("method", "body"), [("POST", b"[1]"), ("POST", b"{oh"), ("PUT", b"{oh")])
async def test_a_new_document_must_be_what_its_content_type_says(
    ask: AskResource, path: str, params: dict[str, str], method: str, body: bytes
) -> None:
    assert (await ask(method, path, params, body)).status == 400
    assert (await ask("GET", path, params)).status == 404


@everywhere
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize(
    "condition", [{"If-Match": '"1234"'}, {"If-Match": "unquoted"}, {"If-Match": 'W/"{etag}"'}, {"If-None-Match": "*"}]
)
async def test_a_condition_that_fails_is_412_and_changes_nothing(
    ask: AskResource, path: str, params: dict[str, str], method: str, condition: dict[str, str]
) -> None:
    await ask("PUT", path, params, {"x": 1}, headers=NEW)
    etag = (await ask("GET", path, params)).headers["ETag"].strip('"')
    headers = {name: value.replace("{etag}", etag) for name, value in condition.items()}

    assert (await ask(method, path, params, {"x": 2}, headers=headers)).status == 412
    assert await (await ask("GET", path, params)).json() == {"x": 1}


@everywhere
@pytest.mark.parametrize("condition", ['"{etag}"', '"1234", "{etag}"', "*"])
async def test_a_condition_that_holds_lets_every_method_through(
    ask: AskResource, path: str, params: dict[str, str], condition: str
) -> None:
    async def matching() -> dict[str, str]:
        etag = (await ask("GET", path, params)).headers["ETag"].strip('"')
        return {"If-Match": condition.replace("{etag}", etag)}

    await ask("PUT", path, params, {"x": 1}, headers=NEW)

    assert (await ask("PUT", path, params, {"x": 2}, headers=await matching())).status == 204
    assert (await ask("POST", path, params, {"y": 3}, headers=await matching())).status == 204
    assert await (await ask("GET", path, params)).json() == {"x": 2, "y": 3}
    assert (await ask("DELETE", path, params, headers=await matching())).status == 204
    assert (await ask("GET", path, params)).status == 404


@everywhere
async def test_if_match_fails_where_there_is_no_document(ask: AskResource, path: str, params: dict[str, str]) -> None:
    assert (await ask("PUT", path, params, {}, headers={"If-Match": "*"})).status == 412
    assert (await ask("GET", path, params)).status == 404


@everywhere
@pytest.mark.parametrize("version", ["1.0.3", "2.0.0"])
async def test_a_put_over_a_document_needs_a_condition_but_for_states_of_the_first_edition(
    ask: AskResource, path: str, params: dict[str, str], version: str
) -> None:
    assert (await ask("PUT", path, params, {"x": 1}, version=version)).status == 204
    answer = await ask("PUT", path, params, {"x": 2}, version=version)
    free = path == "activities/state" and version == "1.0.3"
    assert answer.status == (204 if free else 409)
    assert free or "If-Match" in await answer.text()
    assert await (await ask("GET", path, params)).json() == {"x": 2 if free else 1}


@everywhere
async def test_removing_what_is_not_there_is_no_error(ask: AskResource, path: str, params: dict[str, str]) -> None:
    assert (await ask("DELETE", path, params)).status == 204


@everywhere
async def test_ids_are_listed_and_only_those_changed_since(
    ask: AskResource, clock: Clock, path: str, params: dict[str, str]
) -> None:
    name = "stateId" if path == "activities/state" else "profileId"
    for document_id in ("first", "second", "third"):
        await ask("PUT", path, params | {name: document_id}, {})
        clock.move(seconds=1)
    listing = {key: value for key, value in params.items() if key != name}
    answer = await ask("GET", path, listing)
    assert await answer.json() == ["first", "second", "third"]
    assert answer.headers["Last-Modified"] == "Sat, 31 Jan 2026 12:00:02 GMT"
    since = await ask("GET", path, listing | {"since": "2026-01-31T13:00:00+01:00"})
    assert await since.json() == ["second", "third"]
    assert await (await ask("GET", path, listing | {"since": "2026-01-31T13:00:00Z"})).json() == []


async def test_documents_of_other_agents_activities_and_registrations_stay_apart(ask: AskResource) -> None:
    path, params = STATE
    places = [
        params,
        params | {"agent": BOB},
        params | {"activityId": "urn:b"},
        params | {"registration": REGISTRATION},
    ]
    for number, place in enumerate(places):
        await ask("PUT", path, place, {"number": number})

    for number, place in enumerate(places):
        assert await (await ask("GET", path, place)).json() == {"number": number}


async def test_an_agent_is_known_by_its_identifier_alone(ask: AskResource) -> None:
    path, params = AGENT_PROFILE
    await ask("PUT", path, params, {"x": 1})
    same = json.dumps({"objectType": "Agent", "name": "Ada", "mbox": "mailto:ada@EXAMPLE.org"})

    assert (await ask("GET", path, params | {"agent": same})).status == 200


async def test_states_without_a_named_id_are_listed_and_removed_together(ask: AskResource, lrs: Lrs) -> None:
    path, params = STATE
    context = {"activityId": "urn:a", "agent": ADA}
    for change in ({}, {"registration": REGISTRATION}, {"registration": REGISTRATION, "stateId": "t"}, {"agent": BOB}):
        await ask("PUT", path, params | change, {})

    assert await (await ask("GET", path, context)).json() == ["s", "t"]
    assert await (await ask("GET", path, context | {"registration": REGISTRATION.upper()})).json() == ["s", "t"]
    assert (await ask("DELETE", path, context)).status == 204
    assert await (await ask("GET", path, context)).json() == []
    assert await (await ask("GET", path, params | {"agent": BOB})).json() == {}


@pytest.mark.parametrize(
    ("method", "path", "params", "place"),
    [
        ("PUT", *ACTIVITY_PROFILE, "activityId"),
        ("POST", *AGENT_PROFILE, "agent"),
        ("GET", *STATE, "agent"),
        ("PUT", *STATE, "stateId"),
        ("DELETE", *ACTIVITY_PROFILE, "profileId"),
    ],
    ids=str,
)
async def test_a_parameter_that_is_missing_is_400_and_named(
    ask: AskResource, method: str, path: str, params: dict[str, str], place: str
) -> None:
    answer = await ask(method, path, {key: value for key, value in params.items() if key != place}, {})

    assert answer.status == 400
    assert f"parameter {place}: is missing" in await answer.text()


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"agent": "ada"}, "agent"),
        ({"activityId": "a"}, "activityId"),
        ({"registration": "1"}, "registration"),
        ({"stateID": "s"}, "stateID"),
        ({"since": "2026-01-31T12:00:00Z"}, "since"),
    ],
    ids=str,
)
async def test_a_parameter_that_is_not_understood_is_400_and_named(
    ask: AskResource, changes: dict[str, str], place: str
) -> None:
    path, params = STATE
    answer = await ask("GET", path, params | changes)

    assert answer.status == 400
    assert f"parameter {place}: " in await answer.text()
