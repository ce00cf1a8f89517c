"""The statements about interactions, objectives and comments, in full."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
import tincan

from mappings.attempt.changes import Change, Trigger
from mappings.cmi.comments import Comment
from mappings.cmi.interactions import TYPES, interaction
from mappings.cmi.objectives import Objective
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import ScormVersion, SuccessStatus
from mappings.definition import DefinitionError, load_definition
from tests.mappings.builders import numbered
from tests.mappings.statement_builders import ATTEMPT, ODD_IDS, SHIPPED, compiled, encoded, tell
from tests.mappings.test_statements import ACTOR, CONTEXT, OBJECT

SCO = "https://lms.example.org/courses/7/235"
CMI = "https://lms.example.org/xapi/extensions/cmi"
PARENT = [OBJECT]
PARENTED = CONTEXT | {"contextActivities": CONTEXT["contextActivities"] | {"parent": PARENT}}


def golden(
    rule: str,
    verb: str,
    activity: dict[str, Any],
    result: dict[str, Any],
    *,
    item_id: str | None = None,
    context: dict[str, Any] = PARENTED,
) -> dict[str, Any]:
    """Return a statement in full; `own` is the item's id where the statement is about one."""
    name = rule if item_id is None else f"{rule}\n{item_id}"
    occurrence = "attempt" if rule in {"objective-completed", "objective-passed", "objective-failed"} else "1"
    return {
        "id": str(uuid.uuid5(uuid.UUID(ATTEMPT), f"lms-1\n{name}\n{occurrence}")),
        "actor": ACTOR,
        "verb": {"id": f"http://adlnet.gov/expapi/verbs/{verb}", "display": {"en-US": verb}},
        "object": activity,
        "result": result,
        "context": context,
        "timestamp": "2026-01-31T12:00:00.000Z",
    }


def question(kind: str, *patterns: str) -> dict[str, Any]:
    """Return the activity of the interaction Q1."""
    definition = {
        "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
        "name": {"en-US": "Q1"},
        "interactionType": kind,
    }
    return {
        "objectType": "Activity",
        "id": f"{SCO}/interactions/Q1",
        "definition": definition | ({"correctResponsesPattern": list(patterns)} if patterns else {}),
    }


# type, version, response, patterns, what else was sent, the activity, the result without SCORM's own words
ANSWERS = [
    (
        "true-false",
        "1.2",
        "t",
        ["f"],
        {"result": "wrong", "latency": "00:00:12.5"},
        question("true-false", "false"),
        {"response": "true", "success": False, "duration": "PT12.5S"},
    ),
    (
        "true-false",
        "2004",
        "true",
        ["true"],
        {"result": "correct"},
        question("true-false", "true"),
        {"response": "true", "success": True},
    ),
    (
        "choice",
        "1.2",
        "a,b",
        ["{a,c}", "d"],
        {"result": "wrong"},
        question("choice", "a[,]c", "d"),
        {"response": "a[,]b", "success": False},
    ),
    (
        "choice",
        "2004",
        "a[,]b",
        ["a[,]b"],
        {"result": "correct", "latency": "PT1M0.05S"},
        question("choice", "a[,]b"),
        {"response": "a[,]b", "success": True, "duration": "PT1M0.05S"},
    ),
    ("fill-in", "1.2", "Paris", ["Paris"], {}, question("fill-in", "Paris"), {"response": "Paris"}),
    (
        "fill-in",
        "2004",
        "{lang=fr}Paris",
        ["{case_matters=false}{lang=fr}paris"],
        {"result": "correct"},
        question("fill-in", "{case_matters=false}{lang=fr}paris"),
        {"response": "{lang=fr}Paris", "success": True},
    ),
    (
        "long-fill-in",
        "2004",
        "I think, therefore.",
        [],
        {"result": "neutral"},
        question("long-fill-in"),
        {"response": "I think, therefore."},
    ),
    (
        "matching",
        "1.2",
        "1.a,2.b",
        ["{1.b,2.a}"],
        {"result": "wrong"},
        question("matching", "1[.]b[,]2[.]a"),
        {"response": "1[.]a[,]2[.]b", "success": False},
    ),
    (
        "matching",
        "2004",
        "s[.]t",
        ["s[.]t"],
        {"result": "correct"},
        question("matching", "s[.]t"),
        {"response": "s[.]t", "success": True},
    ),
    ("performance", "1.2", "pressed", [], {}, question("performance"), {"response": "[.]pressed"}),
    (
        "performance",
        "2004",
        "s1[.]on[,]s2[.]4",
        ["{order_matters=false}s1[.]on[,]s2[.]3[:]5"],
        {"result": "correct"},
        question("performance", "{order_matters=false}s1[.]on[,]s2[.]3[:]5"),
        {"response": "s1[.]on[,]s2[.]4", "success": True},
    ),
    (
        "sequencing",
        "1.2",
        "c,a,b",
        ["a,b,c"],
        {"result": "wrong"},
        question("sequencing", "a[,]b[,]c"),
        {"response": "c[,]a[,]b", "success": False},
    ),
    (
        "sequencing",
        "2004",
        "a[,]b",
        ["a[,]b"],
        {"result": "correct"},
        question("sequencing", "a[,]b"),
        {"response": "a[,]b", "success": True},
    ),
    ("likert", "1.2", "3", [], {"result": "neutral"}, question("likert"), {"response": "3"}),
    ("likert", "2004", "agree", [], {}, question("likert"), {"response": "agree"}),
    (
        "numeric",
        "1.2",
        "4.5",
        ["4:5"],
        {"result": "0.75"},
        question("numeric", "4[:]5"),
        {"response": "4.5", "score": {"raw": 0.75}},
    ),
    (
        "numeric",
        "2004",
        "4",
        ["4[:]5"],
        {"result": "-1"},
        question("numeric", "4[:]5"),
        {"response": "4", "score": {"raw": -1}},
    ),
    ("other", "2004", "08:30", [], {"result": "unanticipated"}, question("other"), {"response": "08:30"}),
]


@pytest.mark.parametrize(
    ("kind", "version", "response", "patterns", "elements", "activity", "result"), ANSWERS, ids=str
)
def test_an_answer_makes_the_statement_of_the_scorm_profile(
    kind: str,
    version: ScormVersion,
    response: str,
    patterns: list[str],
    elements: dict[str, str],
    activity: dict[str, Any],
    result: dict[str, Any],
) -> None:
    key = "student_response" if version == "1.2" else "learner_response"
    numbered_patterns = numbered(*({"pattern": pattern} for pattern in patterns))
    sent = {
        "id": "Q1",
        "type": kind,
        key: response,
        "weighting": "1",
        "correct_responses": numbered_patterns,
    } | elements
    (statement,) = tell(Change(Trigger.INTERACTION_ANSWERED, about=interaction(sent)))
    own_words = {"id": "Q1", "type": kind, "weighting": "1"} | {
        name: value for name, value in elements.items() if name == "result"
    }

    assert statement == golden(
        "responded", "responded", activity, result | {"extensions": {CMI: own_words}}, item_id="Q1"
    )


def test_every_type_has_its_golden_statement() -> None:
    assert {kind for kind, *_ in ANSWERS} == TYPES


OBJECTIVE_ACTIVITY = {
    "objectType": "Activity",
    "id": f"{SCO}/objectives/O%201",
    "definition": {
        "type": "http://adlnet.gov/expapi/activities/objective",
        "name": {"en-US": "O 1"},
        "description": {"en-US": "Knows fire"},
    },
}
SCORE = {"scaled": 0.5, "raw": 5, "min": 0, "max": 10}
ABOUT_OBJECTIVES: dict[str, dict[str, Any]] = {
    "scored": {"score": SCORE},
    "progressed": {
        "score": {"scaled": 0.29},
        "extensions": {"https://w3id.org/xapi/cmi5/result/extensions/progress": 29},
    },
    "completed": {"completion": True},
    "passed": {"success": True, "score": SCORE},
}


@pytest.mark.parametrize("verb", ABOUT_OBJECTIVES)
def test_an_objective_makes_the_statements_of_the_scorm_profile(verb: str) -> None:
    (statement,) = tell(f"objective.{verb}")

    assert statement == golden(f"objective-{verb}", verb, OBJECTIVE_ACTIVITY, ABOUT_OBJECTIVES[verb], item_id="O 1")


def test_an_objective_that_failed_makes_the_statement_of_the_scorm_profile() -> None:
    about = Objective("O 1", "Knows fire", success_status=SuccessStatus.FAILED, score=Score(scaled=-0.5))
    (statement,) = tell(Change(Trigger.OBJECTIVE_FAILED, about=about))
    result = {"success": False, "score": {"scaled": -0.5}}

    assert statement == golden("objective-failed", "failed", OBJECTIVE_ACTIVITY, result, item_id="O 1")


@pytest.mark.parametrize(
    ("comment", "result"),
    [
        (Comment("comments", "Too fast"), {"response": "Too fast"}),
        (Comment("0", "Dull", {"location": "p1"}), {"response": "Dull", "extensions": {CMI: {"location": "p1"}}}),
    ],
)
def test_a_comment_makes_the_statement_of_the_scorm_profile(comment: Comment, result: dict[str, Any]) -> None:
    (statement,) = tell(Change(Trigger.COMMENT_MADE, about=comment))

    assert statement == golden("commented", "commented", OBJECT, result, context=CONTEXT)


def test_an_interaction_is_described_where_the_content_did() -> None:
    (statement,) = tell("interaction.answered")

    assert statement["object"]["definition"]["description"] == {"en-US": "Which?"}
    assert statement["object"]["id"] == f"{SCO}/interactions/Q%201"


@pytest.mark.parametrize("item_id", [*ODD_IDS, "scormdriver:Test_Your_Knowledge_A_52-year-old_…", " "], ids=ascii)
def test_any_id_of_an_item_becomes_an_iri_and_an_interactions_is_told_as_it_is_too(item_id: str) -> None:
    answer = interaction({"id": item_id, "type": "other", "learner_response": item_id, "description": item_id})
    answered, passed = tell(
        Change(Trigger.INTERACTION_ANSWERED, about=answer),
        Change(Trigger.OBJECTIVE_PASSED, about=Objective(item_id, item_id)),
    )

    assert answered["object"]["id"].rpartition("/interactions/")[2] == passed["object"]["id"].rpartition("/")[2]
    assert answered["result"]["extensions"][CMI]["id"] == item_id
    assert answered["object"]["definition"]["description"] == {"en-US": item_id}


@pytest.mark.parametrize("item_id", ["urn:ADL:objective-id-0001", "https://skills.example.org/o/1?a=b", "tag:x,2026:ü"])
def test_an_objectives_id_that_is_an_iri_stays_one_and_an_interactions_does_not(item_id: str) -> None:
    answer = interaction({"id": item_id, "type": "other", "learner_response": "a"})
    answered, passed, other = tell(
        Change(Trigger.INTERACTION_ANSWERED, about=answer),
        Change(Trigger.OBJECTIVE_PASSED, about=Objective(item_id)),
        Change(Trigger.OBJECTIVE_PASSED, about=Objective("O1")),
    )

    assert passed["object"]["id"] == item_id
    assert other["object"]["id"] == f"{SCO}/objectives/O1"
    assert answered["object"]["id"] == f"{SCO}/interactions/{encoded(item_id)}"


def test_items_of_one_commit_are_told_each_as_itself() -> None:
    first = interaction({"id": "Q1", "type": "choice", "learner_response": "a", "description": "One?"})
    second = interaction({"id": "Q2", "type": "numeric", "learner_response": "4"})
    statements = tell(
        *(Change(Trigger.INTERACTION_ANSWERED, about=item) for item in (first, second, first)), "objective.passed"
    )

    assert [statement["object"]["definition"].get("interactionType") for statement in statements] == [
        "choice",
        "numeric",
        "choice",
        None,
    ]
    assert ["description" in statement["object"]["definition"] for statement in statements] == [True, False, True, True]
    assert len({statement["id"] for statement in statements}) == 4


@pytest.mark.parametrize("trigger", ["interaction.answered", "objective.passed", "comment.made"])
def test_tincan_reads_back_what_was_meant(trigger: str) -> None:
    (sent,) = tell(trigger)
    statement = tincan.Statement.from_json(json.dumps(sent))
    definition, meant = statement.object.definition, sent["object"]["definition"]
    assert statement.object.id == sent["object"]["id"]
    assert definition.interaction_type == meant.get("interactionType")
    assert [*(definition.correct_responses_pattern or ())] == meant.get("correctResponsesPattern", [])
    assert dict(definition.description or {}) == meant.get("description", {})
    assert statement.result.response == sent["result"].get("response")
    assert statement.result.success == sent["result"].get("success")
    parents = statement.context.context_activities.parent or ()
    assert [parent.id for parent in parents] == ([] if trigger == "comment.made" else [SCO])


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('account = "{learner.id}"', 'account = "{item.id}"', "actor.account"),
        ('name = "{learner.name}"', 'name = "{item.description|x}"', "actor.name"),
        ('home_page = "{lms.home_page}"', 'home_page = "{lms.base}/{item.id}"', "actor.home_page"),
        ('registration = "{registration}"', 'registration = "{item.id}"', "context.registration"),
        (
            'attempt = "{attempt.number}"',
            'attempt = "{item.id}"',
            "context.extensions.{lms.base}/xapi/extensions/scorm.attempt",
        ),
        ('"{lms.base}/activities/{activity.id}"', '"{lms.base}/activities/{item.id}"', "iris.activity"),
        ('"{lms.base}/xapi/extensions/cmi"', '"{lms.base}/xapi/{item.id}"', "iris.cmi_extension"),
        ('id = "{course.iri}"', 'id = "{course.iri}/{item.id}"', "context.grouping rules[20].object"),
        ('when = "interaction.answered"', 'when = "comment.made"', "rules[2].object rules[2].objectives"),
        ('object = "objective"', 'object = "interaction"', "rules[3].object"),
    ],
)
def test_an_item_where_there_may_be_none_is_a_fault(old: str, new: str, place: str) -> None:
    """Found when the document is loaded: a statement with nothing to fill it would come too late."""
    with pytest.raises(DefinitionError) as caught:
        load_definition(SHIPPED.replace(old, new, 1), "test.toml")

    assert [fault.place for fault in caught.value.faults] == place.split()


def test_a_report_that_looks_for_answered_can_have_it() -> None:
    text = SHIPPED.replace("expapi/verbs/responded", "expapi/verbs/answered")
    (statement,) = tell("interaction.answered", mapping=compiled(text))

    assert statement["verb"]["id"] == "http://adlnet.gov/expapi/verbs/answered"
