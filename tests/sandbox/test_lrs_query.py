"""Finding statements: every filter, every page, and parameters that are not understood."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.sandbox.conftest import Clock, Lrs, MakeStatement, NewId, StartSandboxLrs

ADA, BOB, CAT = ({"mbox": f"mailto:{name}@example.org"} for name in ("ada", "bob", "cat"))
TEAM = {"objectType": "Group", "mbox": "mailto:team@example.org", "member": [ADA]}
REGISTRATION = "aaaaaaaa-1234-5678-1234-567812345678"
SUB = {"objectType": "SubStatement", "actor": CAT, "verb": {"id": "urn:will"}, "object": {"id": "urn:inner"}}

FindIndexes = Callable[..., Awaitable[list[int]]]
"""Returns which of the statements a query finds."""


@pytest.fixture
async def filled(lrs: Lrs, statement: MakeStatement, new_id: NewId, clock: Clock) -> FindIndexes:
    """Seven statements, stored a second apart from 12:00:00."""
    ids = [new_id(number) for number in range(7)]
    changes: list[dict[str, Any]] = [
        {"actor": ADA, "verb": {"id": "urn:tried"}, "object": {"id": "urn:a"}},
        {"actor": TEAM, "object": {"id": "urn:b"}, "context": {"registration": REGISTRATION}},
        {"actor": BOB, "object": ADA | {"objectType": "Agent"}},
        {"actor": BOB, "object": {"id": "urn:b"}, "context": {"instructor": ADA}},
        {"actor": BOB, "object": {"id": "urn:c"}, "context": {"contextActivities": {"parent": {"id": "urn:a"}}}},
        {"actor": BOB, "object": SUB},
        {"actor": BOB, "object": {"objectType": "StatementRef", "id": ids[0].upper()}},
    ]
    for statement_id, change in zip(ids, changes, strict=True):
        await lrs.post(statement(statement_id, **change))
        clock.move(seconds=1)

    async def indexes(**params: str) -> list[int]:
        return sorted(ids.index(match) for match in await lrs.matching_ids(**params))

    return indexes


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6]),
        ({"verb": "urn:tried"}, [0, 6]),
        ({"verb": "urn:never"}, []),
        ({"activity": "urn:b"}, [1, 3]),
        ({"activity": "urn:a"}, [0, 6]),
        ({"activity": "urn:a", "related_activities": "true"}, [0, 4, 6]),
        ({"activity": "urn:inner"}, []),
        ({"activity": "urn:inner", "related_activities": "true"}, [5]),
        ({"agent": json.dumps(ADA)}, [0, 1, 2, 6]),
        ({"agent": json.dumps(ADA), "related_agents": "true"}, [0, 1, 2, 3, 6]),
        ({"agent": json.dumps(CAT), "related_agents": "true"}, [5]),
        ({"agent": json.dumps({"objectType": "Group", "mbox": TEAM["mbox"]})}, [1]),
        ({"registration": REGISTRATION.upper()}, [1]),
        ({"since": "2026-01-31T12:00:04Z"}, [5, 6]),
        ({"until": "2026-01-31T13:00:01+01:00"}, [0, 1]),
        ({"since": "2026-01-31T12:00:00Z", "until": "2026-01-31T12:00:03Z", "activity": "urn:b"}, [1, 3]),
        ({"format": "exact", "attachments": "false", "verb": "urn:tried"}, [0, 6]),
    ],
    ids=str,
)
async def test_a_query_finds_what_meets_every_filter(
    filled: FindIndexes, params: dict[str, str], expected: list[int]
) -> None:
    assert await filled(**params) == expected


async def test_authority_counts_among_related_agents(
    start: StartSandboxLrs, statement: MakeStatement, new_id: NewId
) -> None:
    lrs = await start(credentials={})
    await lrs.post(statement(new_id(1)))
    [stored] = lrs.store.statements()

    assert await lrs.matching_ids(agent=json.dumps(stored["authority"])) == []
    assert await lrs.matching_ids(agent=json.dumps(stored["authority"]), related_agents="true") == [new_id(1)]


async def test_context_agents_and_groups_count_among_related_agents(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    hashed = {"mbox_sha1sum": "CD9B00A5611F94EAA7B1661EDAB976068E364975"}
    context = {
        "contextAgents": [{"objectType": "contextAgent", "agent": hashed}],
        "contextGroups": [{"objectType": "contextGroup", "group": TEAM}],
    }
    await lrs.post(statement(new_id(1), context=context), version="2.0.0")

    for agent in ({"mbox_sha1sum": hashed["mbox_sha1sum"].lower()}, ADA):
        assert await lrs.matching_ids(agent=json.dumps(agent)) == []
        assert await lrs.matching_ids(agent=json.dumps(agent), related_agents="true") == [new_id(1)]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("ascending", ["true", "false"])
async def test_pages_give_every_statement_once_in_order(lrs: Lrs, new_id: NewId, ascending: str) -> None:
    answer = await (await lrs.get(limit=3, ascending=ascending)).json()
    pages = [answer["statements"]]
    while answer["more"]:
        answer = await (await lrs.client.get(answer["more"], headers={"X-Experience-API-Version": "1.0.3"})).json()
        pages.append(answer["statements"])
    assert [len(page) for page in pages] == [3, 3, 1]
    expected = [new_id(number) for number in range(7)]
    ids = [stored["id"] for page in pages for stored in page]
    assert ids == (expected if ascending == "true" else expected[::-1])


async def test_further_pages_do_not_shift_when_statements_arrive_meanwhile(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    await lrs.post([statement(new_id(number)) for number in range(4)])
    first = await (await lrs.get(limit=2)).json()
    await lrs.post(statement(new_id(9)))
    headers = {"X-Experience-API-Version": "1.0.3"}
    second = await (await lrs.client.get(first["more"], headers=headers)).json()

    assert [stored["id"] for stored in second["statements"]] == [new_id(1), new_id(0)]


async def test_the_lrs_limits_a_page_on_its_own(
    start: StartSandboxLrs, statement: MakeStatement, new_id: NewId
) -> None:
    lrs = await start(page_size=2)
    await lrs.post([statement(new_id(number)) for number in range(3)])
    for limit in (0, 3):
        answer = await (await lrs.get(limit=limit)).json()
        assert len(answer["statements"]) == 2, limit
        assert answer["more"], limit


async def test_statements_that_refer_to_each_other_do_not_trap_a_query(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    for one, other in ((1, 2), (2, 1)):
        await lrs.post(statement(new_id(one), object={"objectType": "StatementRef", "id": new_id(other)}))

    assert await lrs.matching_ids(verb="urn:never") == []


async def test_a_statement_about_a_voided_one_is_found_by_what_that_was(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    await lrs.post(statement(new_id(1), verb={"id": "urn:tried"}))
    voided = {"id": "http://adlnet.gov/expapi/verbs/voided"}
    await lrs.post(statement(new_id(2), verb=voided, object={"objectType": "StatementRef", "id": new_id(1)}))

    assert await lrs.matching_ids(verb="urn:tried") == [new_id(2)]


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"verbs": "urn:a"}, "verbs"),
        ({"statementid": "x"}, "statementid"),
        ({"Limit": "1"}, "Limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"verb": "tried"}, "verb"),
        ({"registration": "x"}, "registration"),
        ({"ascending": "yes"}, "ascending"),
        ({"related_agents": "True"}, "related_agents"),
        ({"since": "yesterday"}, "since"),
        ({"agent": "ada"}, "agent"),
        ({"agent": "{}"}, "agent"),
        ({"agent": json.dumps({"objectType": "Group", "member": [ADA]})}, "agent"),
        ({"format": "ids"}, "format"),
        ({"attachments": "true"}, "attachments"),
        ({"statementId": "x"}, "statementId"),
        ({"statementId": REGISTRATION, "verb": "urn:a"}, "verb"),
        ({"statementId": REGISTRATION, "voidedStatementId": REGISTRATION}, "voidedStatementId"),
        ([("verb", "urn:a"), ("verb", "urn:b")], "verb"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_parameter_that_is_not_understood_is_400_and_named(
    lrs: Lrs, params: dict[str, str] | list[tuple[str, str]], place: str
) -> None:
    answer = await lrs.ask("GET", "statements", params=params)

    assert answer.status == 400
    assert f"parameter {place}" in (await answer.json())["problems"][0]


async def test_a_post_with_a_parameter_is_refused(lrs: Lrs, statement: MakeStatement) -> None:
    answer = await lrs.ask("POST", "statements", params={"statementId": REGISTRATION}, json=statement())

    assert answer.status == 400
    assert len(lrs.store) == 0


async def test_a_put_without_its_id_is_refused_and_told_the_spelling(lrs: Lrs, statement: MakeStatement) -> None:
    answer = await lrs.ask("PUT", "statements", params={"StatementId": REGISTRATION}, json=statement())

    assert answer.status == 400
    assert "'statementId'" in await answer.text()
