"""Reported cases of real content, and what is right."""

from __future__ import annotations

import json

import pytest

from bridge.commits.idle_session_reaper import IdleSessionReaper
from bridge.http.services import SERVICES
from bridge.mapping_library.documents import load_mapping
from tests.cases.playing import Case, result_of, verbs
from tests.support.bridge import Bridge
from tests.support.replay import replayed, stored

IDLE_AFTER = 4 * 3600
SUFFIXES = ["", "openedx", "moodle", "native", "native-seq", "rpc", "no-exit"]


async def _idle(bridge: Bridge) -> None:
    bridge.clock.advance(IDLE_AFTER + 1)
    assert bridge.client.app is not None
    parts = bridge.client.app[SERVICES]
    await IdleSessionReaper(parts.database, parts.commits, bridge.clock, IDLE_AFTER).reap()


async def test_a_session_left_over_night_goes_on_whatever_its_player(bridge: Bridge) -> None:
    case = Case(bridge, "continues-after-idle")
    await case.play(0, 18)
    await _idle(bridge)
    await case.play(18, -1)

    for suffix in SUFFIXES:
        enrollment, statements = case.enrollment(suffix), case.statements(suffix)
        (attempt,) = enrollment["attempts"]
        assert attempt["score"]["raw"] == 90, suffix
        assert (attempt["success_status"], enrollment["best_score"]["raw"]) == ("passed", 90), suffix
        assert (attempt["cmi"]["core"]["lesson_location"], attempt["cmi"]["suspend_data"]) == ("p9", "B"), suffix
        assert result_of(statements, "passed")["score"]["raw"] == 90, suffix
        assert verbs(statements).count("resumed") == 1, suffix
        assert all(
            commit["disposition"] == "applied" for session in attempt["sessions"] for commit in session["commits"]
        ), suffix


async def test_the_exit_that_was_said_last_counts_empty_or_not(bridge: Bridge) -> None:
    case = Case(bridge, "exit-cleared-after-suspend")
    await case.play()
    await _idle(bridge)

    for suffix in ("", "openedx", "moodle", "native", "rpc"):
        statements = case.statements(suffix)
        assert "terminated" in verbs(statements), suffix
        assert not {"suspended", "abandoned"} & set(verbs(statements)), suffix

    assert (case.opened[1]["attempt"]["number"], case.opened[1]["attempt"]["entry"]) == (2, "ab-initio")


async def test_what_is_reached_without_credit_stays_out_of_the_gradebook(bridge: Bridge) -> None:
    case = Case(bridge, "no-credit-passed")
    await case.play()

    for suffix in ("", "b"):
        enrollment = case.enrollment(suffix)
        assert (enrollment["completion_status"], enrollment["success_status"]) == ("unknown", "unknown"), suffix
        assert (enrollment["best_score"], enrollment["total_time"]) == (None, "PT0S"), suffix
        assert enrollment["attempts"][0]["success_status"] == "passed", suffix


async def test_a_review_records_nothing(bridge: Bridge) -> None:
    case = Case(bridge, "review-mode-changes-result")
    await case.play()

    for suffix in ("", "b"):
        enrollment, statements = case.enrollment(suffix), case.statements(suffix)
        assert (enrollment["success_status"], enrollment["total_time"]) == ("failed", "PT10M"), suffix
        assert (enrollment["total_attempts"], enrollment["best_score"]["scaled"]) == (1, 0.4), suffix
        assert not {"passed", "responded"} & set(verbs(statements)), suffix

    assert [warning["code"] for warning in case.answers[-1]["warnings"]] == ["not-recorded"]


async def test_the_best_score_is_the_best_of_results_and_not_of_what_came_before_them(bridge: Bridge) -> None:
    case = Case(bridge, "best-score-of-interim-values")
    await case.play()

    assert case.enrollment()["best_score"] == {"scaled": 0.333333, "raw": 1, "min": 0, "max": 3}
    assert case.enrollment("b")["best_score"]["scaled"] == 0.6


async def test_a_value_that_a_terminate_overtook_is_the_attempts(bridge: Bridge) -> None:
    case = Case(bridge, "terminate-overtakes")
    await case.play()

    for suffix in ("", "b"):
        assert case.enrollment(suffix)["attempts"][0]["score"]["raw"] == 80, suffix
        assert result_of(case.statements(suffix), "terminated")["score"]["raw"] == 80, suffix
    assert case.enrollment()["attempts"][0]["cmi"]["core"]["lesson_location"] == "end"


async def test_a_second_terminate_adds_no_time(bridge: Bridge) -> None:
    case = Case(bridge, "time-doubled-by-second-terminate")
    await case.play()
    durations = [statement["result"]["duration"] for statement in case.statements() if statement["rule"] == "suspended"]

    assert case.enrollment()["attempts"][0]["total_time"] == "PT15M"
    assert durations == ["PT10M", "PT5M"]


async def test_content_finds_its_interactions_again(bridge: Bridge) -> None:
    case = Case(bridge, "2004-resume-interactions")
    await case.play()
    interactions = case.opened[1]["cmi"]["interactions"]

    assert [interactions[index]["learner_response"] for index in ("0", "1")] == ["0", "x^2"]
    assert case.answers[-1] == [{"value": "2"}, {"value": "x^2"}]


async def test_what_was_passed_stays_whole(bridge: Bridge) -> None:
    case = Case(bridge, "passed-then-failed-zero-in-session")
    await case.play()
    (attempt,) = case.enrollment()["attempts"]
    result = result_of(case.statements(), "terminated")

    assert (attempt["success_status"], attempt["score"]["raw"]) == ("passed", 100)
    assert (result["success"], result["score"]["raw"]) == (True, 100)
    assert (attempt["cmi"]["core"]["lesson_status"], attempt["cmi"]["core"]["score"]["raw"]) == ("passed", "100")
    assert "failed" not in verbs(case.statements())


async def test_a_late_status_has_its_own_score_and_the_end_is_told_anew(bridge: Bridge) -> None:
    case = Case(bridge, "passed-with-anothers-score-late")
    await case.step()
    ends = [
        statement for report in bridge.reports() for statement in report.statements if statement.rule == "terminated"
    ]
    first, second = (json.loads(statement.body)["result"] for statement in ends)

    assert bridge.rules()[-3:] == ["completed", "passed", "terminated"]
    assert (second["success"], second["score"]["scaled"]) == (True, 0.9)
    assert (first["duration"], second["duration"]) == ("PT1M", "PT1M")
    assert case.answers[-1]["attempt"]["total_time"] == "PT2M"


async def test_time_from_before_the_bridge_is_carried_over_once(bridge: Bridge) -> None:
    case = Case(bridge, "migrated-learner-time-doubled")
    await case.step()

    assert bridge.durations() == ["PT10M"]
    assert case.answers[-1]["attempt"]["total_time"] == "PT1H10M"
    assert case.answers[-1]["enrollment"]["total_time"] == "PT1H10M"


async def test_an_attempt_begins_when_the_lms_opens_it(bridge: Bridge) -> None:
    case = Case(bridge, "initialized-dated-at-first-commit")
    await case.step()
    (report,) = bridge.reports()
    times = {statement.rule: json.loads(statement.body)["timestamp"] for statement in report.statements}

    assert (times["initialized"], times["terminated"]) == ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:05.000Z")


@pytest.mark.parametrize(
    ("name", "pause"),
    [
        ("continues-after-idle", 18),
        ("exit-cleared-after-suspend", None),
        ("no-credit-passed", None),
        ("review-mode-changes-result", None),
        ("best-score-of-interim-values", None),
        ("terminate-overtakes", None),
        ("time-doubled-by-second-terminate", None),
        ("passed-then-failed-zero-in-session", None),
    ],
)
async def test_the_journal_replayed_gives_the_same_statements(bridge: Bridge, name: str, pause: int | None) -> None:
    case = Case(bridge, name)
    await case.play(0, pause)
    if pause is not None:
        await _idle(bridge)
        await case.play(pause)
    await _idle(bridge)

    assert replayed(bridge.engine, load_mapping("scorm-profile")) == stored(bridge.engine)
