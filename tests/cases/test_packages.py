"""Reported cases of courses and of packages with several SCOs, and what is right."""

from __future__ import annotations

import json

from bridge.cli.verify import find_enrollments
from bridge.mapping_library.documents import load_mapping
from storage.engine import reading
from tests.cases.playing import Case
from tests.support.bridge import Bridge
from tests.support.mapping import DEFAULT
from tests.support.replay import replayed, stored


async def test_each_sco_of_a_package_has_its_own_data_whether_posted_apart_or_together(bridge: Bridge) -> None:
    case = Case(bridge, "ilias-multi-sco-package")
    await case.play()
    assert case.answers == ["ok"] * 3
    openings = [request["body"] for request in case.case["requests"] if request["path"] == "/v1/sessions"]
    for opening in openings:
        learner, activity = opening["learner"]["id"], opening["activity"]["id"]
        with reading(bridge.engine) as connection:
            (five,) = find_enrollments(connection, learner, activity)
            (six,) = find_enrollments(connection, learner, "6", activity)
        assert (five["success_status"], five["best_score"]["raw"]) == ("passed", 90), opening
        assert (six["success_status"], six["completion_status"]) == ("unknown", "incomplete"), opening
        (of_five,), (of_six,) = five["attempts"], six["attempts"]
        assert (of_five["cmi"]["suspend_data"], of_five["cmi"]["core"]["lesson_location"]) == ("five", "end"), opening
        assert (of_six["cmi"]["suspend_data"], of_six["cmi"]["core"]["lesson_location"]) == ("six", "p1"), opening
        assert of_six["score"]["raw"] == 10, opening
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_the_scos_of_a_course_have_one_registration(bridge: Bridge) -> None:
    case = Case(bridge, "registration-per-sco")
    enrollments = []
    for verb, value in case.case["steps"]:
        if verb == "open":
            opened = await bridge.open(**value)
            enrollments.append(opened["enrollment"])
        else:
            answer = await bridge.commit(**value, activity=None, learner=None, session_id=opened["session_id"])
            enrollments.append(answer["enrollment"])
    assert len(enrollments) == 4
    assert {enrollment["activity"]["id"] for enrollment in enrollments} == {"sco1", "sco2"}
    (registration,) = {enrollment["course"]["registration"] for enrollment in enrollments}
    bodies = [json.loads(body) for *_, body in replayed(bridge.engine, load_mapping("cmi5"))]
    assert {body["object"]["id"].rpartition("/")[2] for body in bodies} == {"sco1", "sco2"}
    assert {body["context"]["registration"] for body in bodies} == {registration}
