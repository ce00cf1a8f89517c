"""Which statements are valid: tables of bad ones, each with the place its refusal must name, and of good ones."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from mappings.xapi.statement_equality import fingerprint
from mappings.xapi.validation import Edition, check_statement
from tests.sandbox.conftest import Lrs, MakeStatement

AGENT = {"mbox": "mailto:ada@example.org"}
OTHER = {"mbox": "mailto:bob@example.org"}
GROUP = {"objectType": "Group", "member": [AGENT, OTHER]}
ACTIVITY = {"id": "https://example.org/a"}
REFERENCE = {"objectType": "StatementRef", "id": "12345678-1234-5678-1234-567812345678"}
SUB = {"objectType": "SubStatement", "actor": AGENT, "verb": {"id": "urn:did"}, "object": ACTIVITY}
ATTACHMENT = {
    "usageType": "https://example.org/usage",
    "display": {"en": "A certificate"},
    "contentType": "text/plain",
    "length": 27,
    "sha2": "495395e777cd98da653df9615d09c0fd6bb2f8d4788394cd53c56a3bfdcd848a",
    "fileUrl": "https://example.org/file.txt",
}
NEAR = {"objectType": "contextAgent", "agent": AGENT, "relevantTypes": ["https://example.org/t"]}


def activity(**definition: Any) -> dict[str, Any]:
    return {"id": "https://example.org/a", "definition": definition}


def without(whole: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in whole.items() if key != name}


BAD = [
    # the statement itself
    ({"actor": None}, "actor"),
    ({"verb": None}, "verb"),
    ({"object": None}, "object"),
    ({"id": "12345678-1234-5678-1234-5678123456789"}, "id"),
    ({"id": "{12345678-1234-5678-1234-567812345678}"}, "id"),
    ({"id": "123456781234567812345678123456781234"}, "id"),
    ({"id": ""}, "id"),
    ({"id": 7}, "id"),
    ({"Actor": AGENT}, "Actor"),
    ({"colour": "red"}, "colour"),
    ({"version": "0.95"}, "version"),
    ({"version": "1.1.0"}, "version"),
    ({"version": "2.0.0"}, "version"),
    ({"version": 1.0}, "version"),
    ({"stored": "yesterday"}, "stored"),
    # actors
    ({"actor": "ada"}, "actor"),
    ({"actor": {}}, "actor"),
    ({"actor": {"name": "Ada"}}, "actor"),
    ({"actor": AGENT | {"openid": "https://ada.example.org"}}, "actor"),
    ({"actor": AGENT | {"name": 7}}, "actor.name"),
    ({"actor": AGENT | {"objectType": "agent"}}, "actor.objectType"),
    ({"actor": AGENT | {"objectType": "Person"}}, "actor.objectType"),
    ({"actor": AGENT | {"member": []}}, "actor.member"),
    ({"actor": {"mbox": "ada@example.org"}}, "actor.mbox"),
    ({"actor": {"mbox": "MAILTO:ada@example.org"}}, "actor.mbox"),
    ({"actor": {"mbox": "mailto:MAILTO:ada@example.org"}}, "actor.mbox"),
    ({"actor": {"mbox": "mailto:Ada <ada@example.org>"}}, "actor.mbox"),
    ({"actor": {"mbox": "mailto:ada@"}}, "actor.mbox"),
    ({"actor": {"mbox": "mailto:ada@example.org?subject=x"}}, "actor.mbox"),
    ({"actor": {"mbox_sha1sum": "abc"}}, "actor.mbox_sha1sum"),
    ({"actor": {"openid": "ada.example.org"}}, "actor.openid"),
    ({"actor": {"account": {"name": "ada"}}}, "actor.account.homePage"),
    ({"actor": {"account": {"homePage": "https://lms.example.org"}}}, "actor.account.name"),
    ({"actor": {"account": {"homePage": "/lms", "name": "ada"}}}, "actor.account.homePage"),
    ({"actor": {"account": {"homePage": "https://lms.example.org", "name": 42}}}, "actor.account.name"),
    ({"actor": {"objectType": "Group"}}, "actor.member"),
    ({"actor": {"objectType": "Group", "member": []}}, "actor.member"),
    ({"actor": {"objectType": "Group", "member": AGENT}}, "actor.member"),
    ({"actor": {"objectType": "Group", "member": [AGENT, GROUP]}}, "actor.member[1].objectType"),
    ({"actor": {"objectType": "Group", "member": [{"name": "Ada"}]}}, "actor.member[0]"),
    ({"authority": {"objectType": "Group", "member": [AGENT]}}, "authority.member"),
    # verbs
    ({"verb": {}}, "verb.id"),
    ({"verb": {"id": "completed"}}, "verb.id"),
    ({"verb": {"id": "http://example.org/did it"}}, "verb.id"),
    ({"verb": {"id": "http:completed"}}, "verb.id"),
    ({"verb": {"id": "http://example.org/100%"}}, "verb.id"),
    ({"verb": {"id": "urn:did", "display": "did"}}, "verb.display"),
    ({"verb": {"id": "urn:did", "display": {"a12345678": "did"}}}, "verb.display['a12345678']"),
    ({"verb": {"id": "urn:did", "display": {"en_US": "did"}}}, "verb.display['en_US']"),
    ({"verb": {"id": "urn:did", "display": {"en": None}}}, "verb.display['en']"),
    ({"verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}}, "object"),
    # objects
    ({"object": []}, "object"),
    ({"object": {"objectType": "Activity"}}, "object.id"),
    ({"object": {"id": "235"}}, "object.id"),
    ({"object": {"objectType": "activity", "id": "urn:a"}}, "object.objectType"),
    ({"object": {"objectType": "StatementRef"}}, "object.id"),
    ({"object": {"objectType": "StatementRef", "id": "urn:a"}}, "object.id"),
    ({"object": AGENT | {"objectType": "Agent", "age": 36}}, "object.age"),
    ({"object": SUB | {"object": SUB}}, "object.object"),
    ({"object": SUB | {"id": "12345678-1234-5678-1234-567812345678"}}, "object.id"),
    ({"object": SUB | {"authority": AGENT}}, "object.authority"),
    ({"object": without(SUB, "verb")}, "object.verb"),
    ({"object": SUB | {"result": {"score": {"scaled": 2}}}}, "object.result.score.scaled"),
    ({"object": activity(colour="red")}, "object.definition.colour"),
    ({"object": activity(name="Golf")}, "object.definition.name"),
    ({"object": activity(type="lesson")}, "object.definition.type"),
    ({"object": activity(moreInfo="more")}, "object.definition.moreInfo"),
    ({"object": activity(extensions={"colour": 1})}, "object.definition.extensions['colour']"),
    ({"object": activity(interactionType="Choice")}, "object.definition.interactionType"),
    ({"object": activity(correctResponsesPattern=["a"])}, "object.definition.interactionType"),
    (
        {"object": activity(interactionType="other", correctResponsesPattern="a")},
        "object.definition.correctResponsesPattern",
    ),
    ({"object": activity(interactionType="likert", choices=[])}, "object.definition.choices"),
    (
        {"object": activity(interactionType="choice", choices=[{"id": "a"}, {"id": "a"}])},
        "object.definition.choices[1].id",
    ),
    (
        {"object": activity(interactionType="choice", choices=[{"description": {}}])},
        "object.definition.choices[0].id",
    ),
    # results
    ({"result": {"score": 0.5}}, "result.score"),
    ({"result": {"score": {"scaled": 1.01}}}, "result.score.scaled"),
    ({"result": {"score": {"scaled": -1.00001}}}, "result.score.scaled"),
    ({"result": {"score": {"scaled": "0.5"}}}, "result.score.scaled"),
    ({"result": {"score": {"scaled": True}}}, "result.score.scaled"),
    ({"result": {"score": {"raw": 101, "max": 100}}}, "result.score.raw"),
    ({"result": {"score": {"raw": -1, "min": 0}}}, "result.score.raw"),
    ({"result": {"score": {"min": 10, "max": 10}}}, "result.score.min"),
    ({"result": {"score": {"percent": 50}}}, "result.score.percent"),
    ({"result": {"success": "true"}}, "result.success"),
    ({"result": {"completion": 1}}, "result.completion"),
    ({"result": {"response": 7}}, "result.response"),
    ({"result": {"response": None}}, "result.response"),
    ({"result": {"duration": "90"}}, "result.duration"),
    ({"result": {"duration": "P"}}, "result.duration"),
    ({"result": {"duration": "P1DT"}}, "result.duration"),
    ({"result": {"duration": "P4W1D"}}, "result.duration"),
    ({"result": {"duration": "P-1DT23H59M55S"}}, "result.duration"),
    ({"result": {"duration": "PT1.5H30M"}}, "result.duration"),
    ({"result": {"duration": "PT30M1H"}}, "result.duration"),
    ({"result": {"duration": "0000:01:30.00"}}, "result.duration"),
    ({"result": {"duration": "PT٣S"}}, "result.duration"),
    ({"result": {"extensions": {"colour": "red"}}}, "result.extensions['colour']"),
    ({"result": {"extensions": []}}, "result.extensions"),
    # contexts
    ({"context": {"registration": "one"}}, "context.registration"),
    ({"context": {"instructor": {"name": "Ada"}}}, "context.instructor"),
    ({"context": {"team": AGENT}}, "context.team.objectType"),
    ({"context": {"language": "english!"}}, "context.language"),
    ({"context": {"language": "e"}}, "context.language"),
    ({"context": {"revision": 2}}, "context.revision"),
    ({"context": {"revision": "2"}, "object": REFERENCE}, "context.revision"),
    ({"context": {"platform": "LMS"}, "object": AGENT | {"objectType": "Agent"}}, "context.platform"),
    ({"context": {"statement": {"id": REFERENCE["id"]}}}, "context.statement.objectType"),
    ({"context": {"contextActivities": []}}, "context.contextActivities"),
    ({"context": {"contextActivities": {"parents": [ACTIVITY]}}}, "context.contextActivities.parents"),
    ({"context": {"contextActivities": {"parent": "urn:a"}}}, "context.contextActivities.parent"),
    ({"context": {"contextActivities": {"parent": {"id": "a"}}}}, "context.contextActivities.parent.id"),
    (
        {"context": {"contextActivities": {"grouping": [ACTIVITY, {"objectType": "Agent"}]}}},
        "context.contextActivities.grouping[1].objectType",
    ),
    ({"context": {"contextAgents": [NEAR]}}, "context.contextAgents"),
    ({"context": {"extensions": {"": 1}}}, "context.extensions['']"),
    # timestamps
    ({"timestamp": "2026-01-31T12:00:00"}, "timestamp"),
    ({"timestamp": "2026-01-31"}, "timestamp"),
    ({"timestamp": "2026-01-31 12:00:00Z"}, "timestamp"),
    ({"timestamp": "2026-02-30T12:00:00Z"}, "timestamp"),
    ({"timestamp": "2026-01-31T25:00:00Z"}, "timestamp"),
    ({"timestamp": "2026-01-31T12:00:00-00:00"}, "timestamp"),
    ({"timestamp": "2026-01-31T12:00:00-0000"}, "timestamp"),
    ({"timestamp": "2026-01-31T12:00:00-00"}, "timestamp"),
    ({"timestamp": "0001-01-01T00:00:00+23:59"}, "timestamp"),
    ({"timestamp": 1769860800}, "timestamp"),
    # attachments
    ({"attachments": ATTACHMENT}, "attachments"),
    ({"attachments": [without(ATTACHMENT, "fileUrl")]}, "attachments[0].fileUrl"),
    ({"attachments": [ATTACHMENT | {"length": "27"}]}, "attachments[0].length"),
    ({"attachments": [ATTACHMENT | {"sha2": "abc"}]}, "attachments[0].sha2"),
]

GOOD = [
    {},
    {"actor": {"mbox_sha1sum": "cd9b00a5611f94eaa7b1661edab976068e364975"}},
    {"actor": {"openid": "https://ada.example.org"}, "authority": AGENT},
    {"actor": AGENT | {"objectType": "Agent", "name": "Ada"}},
    {"actor": GROUP, "authority": GROUP},
    {"actor": {"objectType": "Group", "mbox": "mailto:team@example.org"}},
    {"object": GROUP},
    {"object": REFERENCE, "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}},
    {"object": SUB | {"timestamp": "2030-01-01T00:00:00Z", "context": {"revision": "2"}}},
    {"object": activity(interactionType="choice", choices=[{"id": "a"}], correctResponsesPattern=["a"])},
    {"object": activity(interactionType="matching", source=[{"id": "a"}], target=[{"id": "a"}])},
    {"verb": {"id": "http://example.org/öffnete", "display": {"zh-Hant-TW": "", "x-own": "", "i-klingon": ""}}},
    {"result": {"score": {"scaled": -1, "raw": 0, "min": 0, "max": 100}, "success": False}},
    {"result": {"score": {"raw": -5}, "completion": True, "response": "a[,]b"}},
    *({"result": {"duration": value}} for value in ("PT0S", "P4W", "PT1H30M1.23S", "P3Y1M29DT4H35M59.14S", "PT0,5H")),
    {"result": {"extensions": {"https://example.org/e": {"any": None, "thing": [None]}}}},
    {"context": {"contextActivities": {"parent": ACTIVITY, "grouping": [ACTIVITY], "other": []}}},
    {"context": {"team": GROUP, "instructor": AGENT, "statement": REFERENCE, "language": "de-CH-1996"}},
    {"context": {"registration": "12345678-1234-5678-1234-567812345678", "platform": "LMS"}},
    *(
        {"timestamp": timestamp}
        for timestamp in (
            "2026-01-31T12:00:00Z",
            "2008-09-15T15:53:00.601+00:00",
            "2026-01-31T12:00:00.123456789-11:30",
        )
    ),
    {"timestamp": None},
    {"timestamp": "2999-01-01T00:00:00Z"},
    {"version": "1.0.9", "stored": "2020-01-01T00:00:00Z", "attachments": [ATTACHMENT]},
    {"id": "AA97B177-9383-4934-8543-0F91A7A02836"},
]


@pytest.mark.parametrize(("changes", "place"), BAD, ids=str)
async def test_a_bad_statement_is_refused_with_the_place_named(
    lrs: Lrs, statement: MakeStatement, changes: dict[str, Any], place: str
) -> None:
    bad = statement() | changes
    bad = {name: value for name, value in bad.items() if value is not None}
    answer = await lrs.post([statement(), bad])
    assert answer.status == 400
    problems = (await answer.json())["problems"]
    assert any(problem.startswith(f"statements[1].{place}: ") for problem in problems), problems
    assert len(lrs.store) == 0


@pytest.mark.parametrize("changes", GOOD, ids=str)
async def test_a_good_statement_is_stored(lrs: Lrs, statement: MakeStatement, changes: dict[str, Any]) -> None:
    answer = await lrs.post(statement(**copy.deepcopy(changes)))

    assert answer.status == 200, await answer.text()
    assert len(lrs.store) == 1


@pytest.mark.parametrize(
    ("context", "place"),
    [
        ({"contextAgents": NEAR}, "contextAgents"),
        ({"contextAgents": [NEAR | {"objectType": "Agent"}]}, "contextAgents[0].objectType"),
        ({"contextAgents": [NEAR | {"agent": {"key": "x"}}]}, "contextAgents[0].agent.key"),
        ({"contextAgents": [NEAR | {"relevantTypes": []}]}, "contextAgents[0].relevantTypes"),
        ({"contextAgents": [NEAR | {"relevantTypes": ["abc"]}]}, "contextAgents[0].relevantTypes[0]"),
        ({"contextGroups": [{"objectType": "contextGroup", "group": AGENT}]}, "contextGroups[0].group.objectType"),
    ],
    ids=str,
)
async def test_a_bad_context_of_the_second_edition_is_refused_with_the_place_named(
    lrs: Lrs, statement: MakeStatement, context: dict[str, Any], place: str
) -> None:
    answer = await lrs.post(statement(context=context), version="2.0.0")

    assert answer.status == 400
    assert f"statement.context.{place}: " in await answer.text()


async def test_the_second_edition_takes_context_agents_and_groups(lrs: Lrs, statement: MakeStatement) -> None:
    context = {"contextAgents": [NEAR], "contextGroups": [{"objectType": "contextGroup", "group": GROUP}]}
    answer = await lrs.post(statement(context=context, version="2.0.0"), version="2.0.0")

    assert answer.status == 200, await answer.text()


async def test_every_fault_of_a_batch_is_told_at_once(lrs: Lrs, statement: MakeStatement) -> None:
    bad = statement(verb={"id": "did"}, result={"success": "yes", "score": {"scaled": 2}})
    problems = (await (await lrs.post([bad, statement(actor={})])).json())["problems"]

    assert [problem.partition(":")[0] for problem in problems] == [
        "statements[0].verb.id",
        "statements[0].result.success",
        "statements[0].result.score.scaled",
        "statements[1].actor",
    ]


FULL = {
    "id": "12345678-1234-5678-1234-567812345678",
    "actor": GROUP | {"account": {"homePage": "https://lms.example.org", "name": "team"}, "name": "Team"},
    "verb": {"id": "urn:did", "display": {"en": "did"}},
    "object": {
        "objectType": "Activity",
        "id": "urn:a",
        "definition": {
            "name": {"en": "A"},
            "description": {"en": "B"},
            "type": "urn:t",
            "moreInfo": "https://example.org",
            "interactionType": "choice",
            "correctResponsesPattern": ["a"],
            "choices": [{"id": "a", "description": {"en": "A"}}],
        },
    },
    "result": {
        "score": {"scaled": 0.5, "raw": 50, "min": 0, "max": 100},
        "success": True,
        "completion": True,
        "response": "a",
        "duration": "PT1S",
    },
    "context": {
        "registration": "12345678-1234-5678-1234-567812345678",
        "instructor": AGENT,
        "team": GROUP,
        "contextActivities": {"parent": [ACTIVITY], "grouping": ACTIVITY},
        "revision": "1",
        "platform": "LMS",
        "language": "en",
        "statement": REFERENCE,
        "contextAgents": [NEAR],
        "contextGroups": [{"objectType": "contextGroup", "group": GROUP, "relevantTypes": ["urn:t"]}],
    },
    "timestamp": "2026-01-31T12:00:00Z",
    "stored": "2026-01-31T12:00:00Z",
    "authority": GROUP,
    "version": "2.0.0",
    "attachments": [ATTACHMENT],
}
WITH_INNER = FULL | {
    "object": SUB | {"actor": GROUP, "result": FULL["result"], "context": {"statement": REFERENCE}},
    "context": {},
}


def places(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value inside a JSON value."""
    for key, item in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from places(item, (*path, key))


def changed(whole: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """Return a copy with another value in one place."""
    result = copy.deepcopy(whole)
    node: Any = result
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return result


@pytest.mark.parametrize("whole", [FULL, WITH_INNER], ids=["activity", "substatement"])
def test_null_is_refused_in_every_place_outside_extensions(whole: dict[str, Any]) -> None:
    assert list(check_statement(whole, "statement", Edition.TWO)) == []
    for path in places(whole):
        assert list(check_statement(changed(whole, path, None), "statement", Edition.TWO)), path


@pytest.mark.parametrize("junk", [7, -0.5, "", "x", True, [], {}, [[]], [7], {"x": 7}, {"objectType": []}], ids=str)
@pytest.mark.parametrize("whole", [FULL, WITH_INNER], ids=["activity", "substatement"])
def test_junk_in_any_place_is_judged_and_what_passes_can_be_compared(whole: dict[str, Any], junk: object) -> None:
    for path in places(whole):
        odd = changed(whole, path, junk)
        if not list(check_statement(odd, "statement", Edition.TWO)):
            assert fingerprint(odd).same_as(fingerprint(copy.deepcopy(odd))), path


async def test_a_name_in_the_wrong_case_is_told_how_it_is_spelled(lrs: Lrs, statement: MakeStatement) -> None:
    answer = await lrs.post(statement(Result={}))

    assert "case matters: it is spelled 'result'" in await answer.text()


@pytest.mark.parametrize("body", [b"", b"{", b'"statement"', b"7", b"[]", b"[7]", b'{"a": NaN}', b"\xff", b"[" * 9999])
async def test_a_body_that_is_no_statement_is_refused(lrs: Lrs, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await lrs.ask("POST", "statements", data=body, headers=headers)

    assert answer.status == 400
    assert (await answer.json())["problems"]
