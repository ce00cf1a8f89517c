"""Storing and fetching statements: batches, ids, what the LRS sets, voiding, headers, credentials."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from aiohttp import encode_basic_auth
from pytest_aiohttp import AiohttpClient

from bridge.sandbox.lrs import STATEMENTS, Edition, create_lrs
from tests.sandbox.conftest import Lrs, MakeStatement, NewId, StartSandboxLrs

VOIDED = {"id": "http://adlnet.gov/expapi/verbs/voided"}


def reference(statement_id: str) -> dict[str, str]:
    return {"objectType": "StatementRef", "id": statement_id}


async def test_a_batch_is_answered_with_its_ids_in_order(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    answer = await lrs.post([statement(new_id(2)), statement(), statement(new_id(1))])
    assert answer.status == 200
    generated_id = "00000000-0000-0000-0000-000000000001"
    assert await answer.json() == [new_id(2), generated_id, new_id(1)]
    assert [stored["id"] for stored in lrs.store.statements()] == [new_id(2), generated_id, new_id(1)]


async def test_a_batch_with_one_invalid_statement_stores_nothing(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    answer = await lrs.post([statement(new_id(1)), statement(new_id(2), verb={}), statement(new_id(3))])

    assert answer.status == 400
    assert len(lrs.store) == 0


async def test_a_batch_with_one_id_twice_is_refused(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    answer = await lrs.post([statement(new_id(1)), statement(new_id(2)), statement(new_id(1).upper())])

    assert answer.status == 400
    assert new_id(1) in await answer.text()
    assert len(lrs.store) == 0


async def test_a_batch_of_known_and_new_statements_stores_the_new_ones(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    await lrs.post(statement(new_id(1)))
    answer = await lrs.post([statement(new_id(2)), statement(new_id(1)), statement(new_id(3))])

    assert await answer.json() == [new_id(2), new_id(1), new_id(3)]
    assert [stored["id"] for stored in lrs.store.statements()] == [new_id(1), new_id(2), new_id(3)]


async def test_the_lrs_sets_stored_authority_version_and_a_missing_timestamp(
    start: StartSandboxLrs, statement: MakeStatement, new_id: NewId
) -> None:
    lrs = await start(credentials={"ada": "secret"})
    sent = statement(
        new_id(1), timestamp=None, stored="2020-01-01T00:00:00Z", authority={"mbox": "mailto:bob@example.org"}
    )
    answer = await lrs.post(sent, headers={"Authorization": encode_basic_auth("ada", "secret")})
    assert answer.status == 200
    [stored] = lrs.store.statements()
    assert stored["stored"] == stored["timestamp"] == "2026-01-31T12:00:00.000Z"
    assert stored["authority"]["account"]["name"] == "ada"
    assert stored["version"] == "1.0.0"


async def test_an_lrs_with_nothing_given_keeps_the_time_in_utc_and_makes_ids(
    aiohttp_client: AiohttpClient, statement: MakeStatement
) -> None:
    client = await aiohttp_client(create_lrs())
    answer = await client.post("/xapi/statements", json=statement(), headers={"X-Experience-API-Version": "1.0.3"})
    [generated_id] = await answer.json()
    [stored] = client.app[STATEMENTS].in_order()

    assert stored.key == str(uuid.UUID(generated_id))
    assert stored.stored.utcoffset() == timedelta(0)


@pytest.mark.parametrize(("version", "expected"), [("1.0", "1.0.0"), ("1.0.9", "1.0.0"), ("2.0.0", "2.0.0")])
async def test_a_statement_without_a_version_gets_that_of_the_request(
    lrs: Lrs, statement: MakeStatement, version: str, expected: str
) -> None:
    await lrs.post(statement(), version=version)

    assert [stored["version"] for stored in lrs.store.statements()] == [expected]


async def test_single_context_activities_are_given_back_as_arrays(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    context = {"contextActivities": {"parent": {"id": "urn:a"}}}
    inner = {"objectType": "SubStatement", **statement(timestamp=None), "context": context}
    await lrs.post(statement(new_id(1), context=context, object=inner))
    stored = await (await lrs.get(statementId=new_id(1))).json()
    listed = {"contextActivities": {"parent": [{"id": "urn:a"}]}}

    assert stored["context"] == stored["object"]["context"] == listed


async def test_a_statement_can_be_put_and_fetched(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    assert (await lrs.put(new_id(1), statement())).status == 204
    assert (await lrs.put(new_id(1), statement(new_id(1)))).status == 204
    answer = await lrs.get(statementId=new_id(1))
    assert answer.status == 200
    assert (await answer.json())["id"] == new_id(1)


async def test_a_put_of_another_statement_with_a_known_id_is_409(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    await lrs.put(new_id(1), statement())

    assert (await lrs.put(new_id(1), statement(verb={"id": "urn:other"}))).status == 409


async def test_a_put_whose_body_has_another_id_is_refused(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    assert (await lrs.put(new_id(1), statement(new_id(2)))).status == 400
    assert len(lrs.store) == 0


async def test_a_fetched_statement_tells_when_it_was_stored(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    await lrs.post(statement(new_id(1)))
    answer = await lrs.get(statementId=new_id(1))

    assert answer.headers["Last-Modified"] == "Sat, 31 Jan 2026 12:00:00 GMT"
    assert answer.headers["ETag"].startswith('"')


async def test_an_unknown_statement_is_404(lrs: Lrs, new_id: NewId) -> None:
    assert (await lrs.get(statementId=new_id(1))).status == 404
    assert (await lrs.get(voidedStatementId=new_id(1))).status == 404


@pytest.mark.parametrize("voiding_first", [False, True])
async def test_a_voided_statement_is_found_by_its_voided_id_only(
    lrs: Lrs, statement: MakeStatement, new_id: NewId, *, voiding_first: bool
) -> None:
    both = [statement(new_id(1)), statement(new_id(2), verb=VOIDED, object=reference(new_id(1)))]

    for body in reversed(both) if voiding_first else both:
        assert (await lrs.post(body)).status == 200
    assert (await lrs.get(statementId=new_id(1))).status == 404
    assert (await (await lrs.get(voidedStatementId=new_id(1))).json())["id"] == new_id(1)
    assert await lrs.matching_ids() == [new_id(2)]


async def test_a_voiding_statement_cannot_be_voided(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    await lrs.post(statement(new_id(1), verb=VOIDED, object=reference(new_id(9))))
    await lrs.post(statement(new_id(2), verb=VOIDED, object=reference(new_id(1))))

    assert (await lrs.get(statementId=new_id(1))).status == 200
    assert (await lrs.get(voidedStatementId=new_id(1))).status == 404


@pytest.mark.parametrize("version", ["", "0.95", "1.1.0", "2.1.0", "1", "3.0.0", "latest"])
async def test_an_unsupported_version_is_400(lrs: Lrs, version: str) -> None:
    answer = await lrs.ask("GET", "statements", version=version)

    assert answer.status == 400
    assert "X-Experience-API-Version" in await answer.text()


@pytest.mark.parametrize("path", ["statements", "activities/state", "activities/profile", "agents/profile"])
async def test_a_request_without_a_version_is_400(lrs: Lrs, path: str) -> None:
    assert (await lrs.client.get(f"/xapi/{path}")).status == 400


async def test_about_tells_the_versions_to_anyone(start: StartSandboxLrs) -> None:
    lrs = await start(credentials={"ada": "secret"})
    answer = await lrs.client.get("/xapi/about")

    assert answer.status == 200
    assert await answer.json() == {"version": ["1.0.3", "2.0.0"]}


async def test_an_lrs_of_one_edition_refuses_the_other(start: StartSandboxLrs, statement: MakeStatement) -> None:
    lrs = await start(editions=[Edition.ONE])

    assert await (await lrs.client.get("/xapi/about")).json() == {"version": ["1.0.3"]}
    assert (await lrs.post(statement(), version="2.0.0")).status == 400
    assert (await lrs.post(statement())).status == 200


@pytest.mark.parametrize("version", ["1.0.3", "2.0.0"])
async def test_every_answer_names_the_version_it_is_in(lrs: Lrs, version: str) -> None:
    for path in ("statements", "nowhere", "activities/state"):
        answer = await lrs.ask("GET", path, version=version)
        assert answer.headers["X-Experience-API-Version"] == version, path


async def test_every_answer_about_statements_tells_how_far_it_is_consistent(lrs: Lrs, statement: MakeStatement) -> None:
    good, bad = await lrs.post(statement()), await lrs.get(limit="many")

    for answer in (good, bad):
        assert answer.headers["X-Experience-API-Consistent-Through"] == "2026-01-31T12:00:00.000Z"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (encode_basic_auth("ada", "secret"), 200),
        (encode_basic_auth("reader", "secret"), 403),
        (encode_basic_auth("ada", "wrong"), 401),
        (encode_basic_auth("bob", ""), 401),
        ("Basic ???", 401),
        ("Basic", 401),
        ("Bearer secret", 401),
        ("", 401),
    ],
)
async def test_a_post_needs_credentials_that_allow_it(
    start: StartSandboxLrs, statement: MakeStatement, authorization: str, status: int
) -> None:
    lrs = await start(credentials={"ada": "secret", "reader": "secret"}, readers={"reader"})
    answer = await lrs.post(statement(), headers={"Authorization": authorization})

    assert answer.status == status
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)
    assert len(lrs.store) == (status == 200)


async def test_a_reader_may_read(start: StartSandboxLrs) -> None:
    lrs = await start(credentials={"reader": "secret"}, readers={"reader"})
    headers = {"Authorization": encode_basic_auth("reader", "secret")}

    assert (await lrs.ask("GET", "statements", headers=headers)).status == 200


async def test_a_compressed_body_is_refused(lrs: Lrs, statement: MakeStatement) -> None:
    answer = await lrs.ask("POST", "statements", json=statement(), compress="gzip")

    assert answer.status == 400
    assert "Content-Encoding" in await answer.text()


async def test_a_body_of_another_content_type_is_refused(lrs: Lrs) -> None:
    answer = await lrs.ask("POST", "statements", data={"method": "GET"})

    assert answer.status == 400
    assert "Content-Type" in await answer.text()
