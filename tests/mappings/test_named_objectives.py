"""The objectives that an interaction names, as context activities of its statement."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import tincan

from mappings.attempt.changes import Change, Trigger
from mappings.cmi.interactions import interaction
from mappings.cmi.objectives import Objective
from mappings.cmi.snapshot import Snapshot
from mappings.cmi.tree import Tree
from mappings.definition import DefinitionError, load_definition
from mappings.definition.compiled import CompiledMapping
from mappings.definition.model import CONTEXT_LISTS
from mappings.generation.item_activities import MAX_OBJECTIVE_BYTES, MAX_OBJECTIVES
from mappings.generation.statements import generate_statements
from tests.mappings.builders import Build, Play, numbered, scorm_12, scorm_2004
from tests.mappings.statement_builders import ANSWER, DOCUMENTS, ODD_IDS, SHIPPED, compiled, facts, judged, tell

SCO = "https://lms.example.org/courses/7/235"
TYPE = "http://adlnet.gov/expapi/activities/objective"
KEY = 'objectives = { as = "objective", in = "other" }'
LISTS = {"scorm-profile": "other", "cmi5": "parent"}
"""Where the shipped documents have objectives."""


def answered(*named: str, item_id: str = "Q1") -> Change:
    """Return the change that an interaction of these objectives was answered."""
    objectives = numbered(*({"id": objective_id} for objective_id in named))
    return Change(Trigger.INTERACTION_ANSWERED, about=interaction(ANSWER | {"id": item_id, "objectives": objectives}))


def listed(statement: dict[str, Any], place: str = "other") -> list[dict[str, Any]]:
    """Return the objectives in a list of a statement's context activities."""
    activities = statement["context"]["contextActivities"].get(place, [])
    return [activity for activity in activities if activity["definition"]["type"] == TYPE]


def activity(name: str, **definition: Any) -> dict[str, Any]:
    """Return an objective's activity."""
    return {
        "objectType": "Activity",
        "id": f"{SCO}/objectives/{name}",
        "definition": {"type": TYPE, "name": {"en-US": name}} | definition,
    }


def statements_of(play: Play, mapping: CompiledMapping, tree: Tree) -> list[dict[str, Any]]:
    """Return the statements about answers of one commit."""
    done = play.send(tree, full=True)
    generated = generate_statements(mapping, facts(), done.attempt, done.session, done.changes, done.at)
    play.attempt, play.session = generated.attempt, generated.session
    statements = [judged(statement.body) for statement in generated.statements]
    return [statement for statement in statements if "/interactions/" in statement["object"]["id"]]


@pytest.mark.parametrize("name", LISTS)
def test_a_shipped_document_tells_each_objective_where_its_profile_has_it(name: str) -> None:
    (statement,) = tell(answered("O1", "O2"), mapping=compiled(DOCUMENTS[name]))

    assert listed(statement, LISTS[name]) == [activity("O1"), activity("O2")]


def test_every_shipped_document_that_tells_interactions_tells_their_objectives() -> None:
    telling = {name for name, text in DOCUMENTS.items() if compiled(text).rules.get(Trigger.INTERACTION_ANSWERED)}

    assert telling == set(LISTS)


@pytest.mark.parametrize("place", CONTEXT_LISTS)
def test_objectives_stand_behind_the_activities_that_their_list_has_already(place: str) -> None:
    mapping = compiled(SHIPPED.replace(KEY, f'objectives = {{ as = "objective", in = "{place}" }}'))
    (bare,), (statement,) = tell(answered(), mapping=mapping), tell(answered("O1", "O2"), mapping=mapping)
    before, after = (body["context"]["contextActivities"] for body in (bare, statement))

    assert after == before | {place: [*before.get(place, []), activity("O1"), activity("O2")]}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_interaction_without_objectives_is_told_as_without_the_key(name: str) -> None:
    text = DOCUMENTS[name]
    without = re.sub(r"(?m)^objectives = .*\n", "", text)

    assert (text != without) == (name in LISTS)
    assert tell(answered(), "attempt.started", mapping=compiled(text)) == tell(
        answered(), "attempt.started", mapping=compiled(without)
    )


@pytest.mark.parametrize("objective_id", [*ODD_IDS, "urn:adapt:objective:c-05", " "], ids=ascii)
def test_an_objective_with_any_id_is_the_activity_that_statements_about_it_speak_of(objective_id: str) -> None:
    statement, passed = tell(answered(objective_id), Change(Trigger.OBJECTIVE_PASSED, about=Objective(objective_id)))

    assert listed(statement) == [passed["object"]]


@pytest.mark.parametrize("objective_id", [*ODD_IDS, "O1"], ids=ascii)
def test_an_objective_is_described_as_the_content_described_it(objective_id: str) -> None:
    snapshot = Snapshot(
        objectives=numbered({"id": "another", "description": "No"}, {"id": objective_id, "description": objective_id})
    )
    statement, passed = tell(
        answered(objective_id, "unknown"),
        Change(Trigger.OBJECTIVE_PASSED, about=Objective(objective_id, objective_id)),
        known=snapshot,
    )

    assert listed(statement) == [passed["object"], activity("unknown")]


def test_an_objective_named_twice_is_told_once() -> None:
    (statement,) = tell(answered("O2", "O1", "O2", "O1"))

    assert listed(statement) == [activity("O2"), activity("O1")]


def test_answers_of_one_commit_have_each_their_own_objectives() -> None:
    counts = [2, 0, 1, 250, 0]
    statements = tell(
        *(answered(*(f"O{n}" for n in range(count)), item_id=f"Q{at}") for at, count in enumerate(counts)),
        "objective.passed",
    )

    assert [len(listed(statement)) for statement in statements] == [*counts, 0]


@pytest.mark.parametrize(("build", "description"), [(scorm_12, {}), (scorm_2004, {"description": {"en-US": "Fire"}})])
def test_what_content_set_is_told(build: Build, description: dict[str, Any]) -> None:
    play, mapping = Play(), compiled()
    named = numbered({"id": "O1"}, {"id": ""}, {})
    answer = {"id": "Q1", "type": "choice", "learner_response": "a", "result": "correct", "objectives": named}
    objective = {"id": "O1"} | ({"description": "Fire"} if description else {})
    (statement,) = statements_of(
        play, mapping, build({"interactions": numbered(answer), "objectives": numbered(objective)})
    )

    assert listed(statement) == [activity("O1", **description)]


def test_tincan_reads_back_what_was_meant() -> None:
    (sent,) = tell(answered("O 1", "O/2"))
    other = tincan.Statement.from_json(json.dumps(sent)).context.context_activities.other

    assert [(activity.id, activity.definition.type) for activity in other] == [
        (f"{SCO}/objectives/O%201", TYPE),
        (f"{SCO}/objectives/O%2F2", TYPE),
    ]


@pytest.mark.parametrize(
    ("changed_key", "place", "message"),
    [
        ('objectives = { as = "objectives", in = "other" }', "rules[2].objectives.as", "is not an activity described"),
        ('objectives = { as = "objective", in = "others" }', "rules[2].objectives.in", "is not a list of"),
        ('objectives = { as = "sco", in = "other" }', "rules[2].objectives.as", "is made of {item.id} and"),
        ('objectives = { as = "interaction", in = "other" }', "rules[2].objectives.as", "cannot be interaction"),
        ('objectives = { as = "objective" }', "rules[2].objectives.in", "is missing"),
        ('objectives = { in = "other" }', "rules[2].objectives.as", "is missing"),
        ('objectives = { as = "objective", in = "other", at = "1" }', "rules[2].objectives.at", "is not known here"),
    ],
)
def test_objectives_that_cannot_be_told_are_a_fault(changed_key: str, place: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_definition(SHIPPED.replace(KEY, changed_key), "test.toml")
    (fault,) = caught.value.faults

    assert fault.place == place
    assert message in fault.message
    assert SHIPPED.splitlines()[fault.line - 1].startswith("objectives = ")


@pytest.mark.parametrize("trigger", ["objective.passed", "attempt.started", "comment.made"])
def test_only_interactions_name_objectives(trigger: str) -> None:
    rule = f'[[rules]]\nname = "more"\nwhen = "{trigger}"\nverb = "passed"\nobject = "sco"\nonce = "change"\n{KEY}\n'
    with pytest.raises(DefinitionError) as caught:
        load_definition(f"{SHIPPED}\n{rule}", "test.toml")

    assert [fault.message for fault in caught.value.faults] == [f"are named by interactions only: {trigger!r} has none"]


@pytest.mark.parametrize("times", [1, 2])
def test_objectives_beyond_those_that_are_remembered_are_told_alike(times: int) -> None:
    mapping = compiled(SHIPPED)
    named = [f"O{number}" for number in range(2 * MAX_OBJECTIVES)] + ["O" * MAX_OBJECTIVE_BYTES]
    statements = [tell(answered(*named), mapping=mapping) for _ in range(times)]
    ((*_, statement),) = statements[-1:]
    assert listed(statement) == [activity(name) for name in named]
    bound = mapping.bind(facts())
    assert len(bound.objective_activities) == MAX_OBJECTIVES


def test_an_objective_that_is_described_anew_is_told_by_its_new_description() -> None:
    mapping, play = compiled(), Play()
    activities = []
    for count, words in enumerate(("One", "Two"), 1):
        answers = [ANSWER | {"id": f"Q{at}", "objectives": numbered({"id": "O1"})} for at in range(count)]
        tree = {"objectives": numbered({"id": "O1", "description": words}), "interactions": numbered(*answers)}
        (statement,) = statements_of(play, mapping, scorm_2004(tree))
        activities += listed(statement)

    assert activities == [activity("O1", description={"en-US": words}) for words in ("One", "Two")]
