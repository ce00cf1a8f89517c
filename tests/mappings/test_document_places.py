"""Where state and profile documents are kept: places that stay, and that nobody shares by accident."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from mappings.attempt.state import AttemptState
from mappings.xapi.validation.actors import check_agent
from mappings.xapi.validation.syntax import check_iri
from tests.mappings.document_builders import NAMES, OTHER, SCO, contents, places
from tests.mappings.statement_builders import ATTEMPT, ODD_IDS, SHIPPED, compiled


def test_a_document_keeps_its_place_whatever_is_told_there() -> None:
    assert places() == places(session_id=OTHER, learner_name="", activity_name="", registration=OTHER, lms="lms-2")
    assert all(place.id == str(uuid.UUID(place.id)) for place in places().values())
    assert len({place.id for place in places().values()}) == len(NAMES)


@pytest.mark.parametrize(
    ("who", "moved"),
    [
        ({"learner_id": "u43"}, set(NAMES) - {"activity-profile"}),
        ({"home_page": "https://other.example.org"}, set(NAMES)),
        ({"activity_id": "236"}, set(NAMES) - {"agent-profile"}),
        ({"attempt_id": OTHER}, {"attempt-state", "adl-suspend-data"}),
        ({"attempt_number": 3}, set()),
        ({"course_id": "8"}, set(NAMES) - {"agent-profile"}),  # SCOs of one id in two courses are two
        ({"course_id": "8", "activity_id": "https://example.org/sco"}, set(NAMES) - {"agent-profile"}),
    ],
)
def test_learners_activities_and_attempts_have_places_of_their_own(who: dict[str, str | int], moved: set[str]) -> None:
    here, there = places(), places(**who)

    assert {name for name in NAMES if here[name].id != there[name].id} == moved
    assert {name for name in NAMES if here[name] != there[name]} == moved


def test_a_place_is_the_request_s_parameters() -> None:
    profile, agent = (
        "https://w3id.org/xapi/scorm/",
        {
            "account": {"homePage": "https://lms.example.org/", "name": "u42"},
            "objectType": "Agent",
        },
    )
    attempt = f"{SCO}?attemptId={ATTEMPT}"
    requests = {
        name: (place.resource, json.loads(place.parameters) | _agent(json.loads(place.parameters)))
        for name, place in places().items()
    }

    assert requests == {
        "activity-state": (
            "activities/state",
            {"activityId": SCO, "agent": agent, "stateId": profile + "activity-state"},
        ),
        "attempt-state": (
            "activities/state",
            {"activityId": attempt, "agent": agent, "stateId": profile + "attempt-state"},
        ),
        "adl-suspend-data": (
            "activities/state",
            {"activityId": attempt, "agent": agent, "stateId": profile + "types/adl-suspend-data"},
        ),
        "activity-profile": ("activities/profile", {"activityId": SCO, "profileId": profile + "activity-profile"}),
        "agent-profile": ("agents/profile", {"agent": agent, "profileId": profile + "agent-profile"}),
    }


def _agent(parameters: dict[str, str]) -> dict[str, Any]:
    return {"agent": json.loads(parameters["agent"])} if "agent" in parameters else {}


@pytest.mark.parametrize("odd_id", ODD_IDS)
def test_an_odd_id_makes_a_proper_place(odd_id: str) -> None:
    for place in places(learner_id=odd_id, activity_id=odd_id, course_id=odd_id).values():
        parameters = json.loads(place.parameters)
        if "activityId" in parameters:
            assert [*check_iri(parameters["activityId"], "")] == [], place
        if "agent" in parameters:
            agent = json.loads(parameters["agent"])
            assert agent == {
                "account": {"homePage": "https://lms.example.org/", "name": odd_id},
                "objectType": "Agent",
            }, place
            assert [*check_agent(agent, "")] == [], place


def test_the_account_s_name_can_be_put_together_and_have_a_fallback() -> None:
    for template, name, account in (
        ("{learner.name|nobody}", "Doe, Jane", "Doe, Jane"),
        ("{learner.name|nobody}", "", "nobody"),
        ("{learner.name|}/{learner.id}", "", "/u42"),
        ('say \\"{learner.id}\\" \\\\', "", 'say "u42" \\'),
    ):
        text = SHIPPED.replace('account = "{learner.id}"', f'account = "{template}"')
        (document,) = contents(
            AttemptState(), mapping=compiled(text), names={"agent-profile"}, learner_name=name
        ).values()
        assert json.loads(json.loads(document.place.parameters)["agent"])["account"]["name"] == account
