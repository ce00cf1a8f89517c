"""When a second statement with a known id is the same one: 200 and nothing changes, or 409."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import Lrs, MakeStatement, NewId

ADA, BOB = {"mbox": "mailto:ada@example.org"}, {"mbox": "mailto:bob@example.org"}
ACTIVITY = {"id": "https://example.org/a"}
SUB = {"objectType": "SubStatement", "actor": ADA, "verb": {"id": "urn:did"}, "object": ACTIVITY}


def group(*members: dict[str, str]) -> dict[str, Any]:
    return {"objectType": "Group", "member": list(members)}


def parent(activities: dict[str, Any] | list[dict[str, Any]]) -> dict[str, Any]:
    return {"context": {"contextActivities": {"parent": activities}}}


def duration(value: str) -> dict[str, Any]:
    return {"result": {"duration": value}}


EQUAL = [
    ({}, {}),
    ({}, {"stored": "2020-01-01T00:00:00Z", "authority": ADA, "version": "1.0.0"}),
    ({"timestamp": "2026-01-31T11:00:00Z"}, {"timestamp": "2026-01-31T12:00:00.000+01:00"}),
    ({"timestamp": "2026-01-31T11:00:00Z"}, {"timestamp": None}),
    ({"timestamp": None}, {"timestamp": "2026-01-31T11:00:00Z"}),
    ({"verb": {"id": "urn:did"}}, {"verb": {"id": "urn:did", "display": {"en": "did"}}}),
    ({"object": ACTIVITY}, {"object": ACTIVITY | {"definition": {"name": {"en": "A"}}}}),
    ({"actor": group(ADA, BOB)}, {"actor": group(BOB, ADA)}),
    ({"actor": ADA}, {"actor": {"mbox": "mailto:ada@EXAMPLE.org"}}),
    (parent(ACTIVITY), parent([ACTIVITY])),
    (parent([ACTIVITY]), parent([ACTIVITY | {"definition": {"type": "urn:lesson"}}])),
    (duration("PT1.234S"), duration("PT1.239S")),
    ({"context": {"language": "de-CH"}}, {"context": {"language": "de-ch"}}),
    (
        {"object": SUB | {"timestamp": "2026-01-31T11:00:00Z"}},
        {"object": SUB | {"timestamp": "2026-01-31T12:00:00+01:00", "verb": {"id": "urn:did", "display": {}}}},
    ),
    (
        {"attachments": None},
        {
            "attachments": [
                {
                    "usageType": "urn:u",
                    "display": {},
                    "contentType": "text/plain",
                    "length": 1,
                    "sha2": "0" * 64,
                    "fileUrl": "https://example.org/f",
                }
            ]
        },
    ),
]

DIFFERENT = [
    ({"timestamp": "2026-01-31T11:00:00Z"}, {"timestamp": "2026-01-31T11:00:00.001Z"}),
    ({"verb": {"id": "urn:did"}}, {"verb": {"id": "urn:tried"}}),
    ({"actor": ADA}, {"actor": ADA | {"name": "Ada"}}),
    ({"actor": ADA}, {"actor": {"mbox": "mailto:Ada@example.org"}}),
    ({"actor": group(ADA)}, {"actor": group(ADA, BOB)}),
    (parent([ACTIVITY]), parent([ACTIVITY, {"id": "urn:b"}])),
    (duration("PT120S"), duration("PT2M")),
    (duration("PT1.23S"), duration("PT1.24S")),
    (duration("PT1.2S"), duration("PT1.20S")),
    ({"result": {"success": True}}, {"result": {"success": False}}),
    ({"result": {"extensions": {"urn:e": True}}}, {"result": {"extensions": {"urn:e": 1}}}),
    ({}, {"result": {"completion": True}}),
    ({"object": SUB}, {"object": SUB | {"actor": BOB}}),
]


@pytest.mark.parametrize(("first", "second"), EQUAL, ids=str)
async def test_an_equal_statement_is_200_and_changes_nothing(
    lrs: Lrs, statement: MakeStatement, new_id: NewId, first: dict[str, Any], second: dict[str, Any]
) -> None:
    await lrs.post(statement(new_id(1), **first))
    before = lrs.store.statements()
    answer = await lrs.post(statement(new_id(1), **second))

    assert answer.status == 200
    assert await answer.json() == [new_id(1)]
    assert lrs.store.statements() == before


@pytest.mark.parametrize(("first", "second"), DIFFERENT, ids=str)
async def test_a_different_statement_is_409_and_nothing_of_its_batch_is_stored(
    lrs: Lrs, statement: MakeStatement, new_id: NewId, first: dict[str, Any], second: dict[str, Any]
) -> None:
    await lrs.post(statement(new_id(1), **first))
    before = lrs.store.statements()
    answer = await lrs.post([statement(new_id(2)), statement(new_id(1), **second), statement(new_id(3))])

    assert answer.status == 409
    assert new_id(1) in await answer.text()
    assert lrs.store.statements() == before


async def test_the_case_of_an_id_does_not_make_another_statement(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    await lrs.post(statement(new_id(1)))

    assert (await lrs.post(statement(new_id(1).upper()))).status == 200
    assert len(lrs.store) == 1
