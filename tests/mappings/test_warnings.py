"""What is not taken is said: elements that SCORM does not have, items that cannot be used, and nothing that it has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mappings.attempt import SessionState
from mappings.cmi import names, parser
from mappings.cmi.names import KEYWORDS
from mappings.cmi.parser import parse_cmi
from mappings.cmi.spelling import distance, nearest
from mappings.cmi.tree import MAX_ITEMS, Tree, unflatten
from mappings.cmi.warnings import MAX_NAME_LENGTH, MAX_WARNINGS, WarningCode
from tests.mappings.builders import DAY, NOON, SECOND, Build, Play, delta, numbered, scorm_12, scorm_2004

proven = settings(deadline=None, max_examples=200, derandomize=True, database=None)


def warnings_of(tree: Tree) -> list[tuple[str, str]]:
    """Return element and code of each warning that a commit gets, in their order."""
    return [(warning.element, warning.code.value) for warning in Play().send(tree).warnings]


@pytest.mark.parametrize(
    ("element", "meant"),
    [
        ("core.lesson_staus", "did you mean lesson_status?"),
        ("core.lessonstatus", "did you mean lesson_status?"),
        ("core.Lesson_Status", "did you mean lesson_status?"),
        ("core.lesson-status", "did you mean lesson_status?"),
        ("core.sesion_time", "did you mean session_time?"),
        ("core.score.rwa", "did you mean raw?"),
        ("suspenddata", "did you mean suspend_data?"),
        ("sucess_status", "did you mean success_status?"),
        ("interaction", "did you mean interactions?"),
        ("lesson_staus", "did you mean lesson_status? It belongs in the group cmi.core (SCORM 1.2)."),
        ("core.complet_status", "was not read"),
        ("core.lesson_duration", "was not read"),
        ("x" * 100_000, "was not read"),
    ],
)
def test_an_element_that_scorm_does_not_have_is_warned_of_with_the_one_that_was_meant(element: str, meant: str) -> None:
    for tree in (delta({element: "x"}), unflatten({f"cmi.{element}": "x"})):
        (warning,) = parse_cmi(tree).warnings
        assert (warning.code, warning.element) == (
            "unknown-element",
            f"cmi.{element}"[: MAX_NAME_LENGTH - 1] + "…" * (len(element) > 160),
        ), tree
        assert warning.message.endswith(meant), tree


@pytest.mark.parametrize(
    ("element", "where"),
    [
        ("lesson_status", "cmi.core (SCORM 1.2)"),
        ("core.completion_status", "cmi (SCORM 2004)"),
        ("core.suspend_data", "cmi"),
        ("raw", "cmi.core.score (SCORM 1.2) or cmi.score (SCORM 2004)"),
        ("mastery_score", "cmi.student_data (SCORM 1.2)"),
        ("student_response", "cmi.interactions.n (SCORM 1.2)"),
    ],
)
def test_an_element_outside_its_group_is_warned_of_with_its_group(element: str, where: str) -> None:
    (warning,) = parse_cmi(delta({element: "x"})).warnings

    assert (warning.code, warning.element) == ("misplaced-element", f"cmi.{element}")
    assert warning.message == f"belongs in the group {where} and was not read here"


def test_a_name_that_lacks_its_beginning_is_warned_of() -> None:
    tree = unflatten(
        {"cmi.core.exit": "suspend", "core.lesson_status": "passed", "adl.nav.reqest": "continue", "foo": "1"}
    )

    assert [(warning.element, warning.code.value) for warning in parse_cmi(tree).warnings] == [
        ("core", "misplaced-element"),
        ("adl.nav.reqest", "unknown-element"),
        ("foo", "unknown-element"),
    ]


@pytest.mark.parametrize("value", ["", None, {}, []], ids=repr)
def test_what_is_empty_is_never_warned_of(value: str | dict[str, Any] | list[Any] | None) -> None:
    assert (
        warnings_of(
            delta({"nonsense": value, "core.nonsense": value, "interactions.0": {"id": "q", "nonsense": value}})
        )
        == []
    )


def test_every_element_that_is_read_is_known_to_scorm() -> None:
    def check(group: parser._NameGroup) -> None:
        assert {*group.elements, *group.groups} <= names.names(group.path.removesuffix("."))
        for below in group.groups.values():
            check(below)

    check(parser._CMI)


ITEM = {
    "cmi.interactions.n": {"id": "q"},
    "cmi.interactions.n.objectives.n": {"id": "q"},
    "cmi.interactions.n.correct_responses.n": {},
    "cmi.objectives.n": {"id": "q"},
}


@pytest.mark.parametrize("group", [group for group in names._ALL if group.startswith("cmi")])
def test_nothing_that_scorm_or_aicc_has_is_called_unknown(group: str) -> None:
    values = {"type": "choice", "status": "passed", "result": "correct", "latency": "PT1S", "exit": "suspend"}
    flat = {
        f"{group}.{name}".replace(".n", ".0"): values.get(name, "0")
        for name in names.names(group)
        if name != "n" and f"{group}.{name}" not in names._ALL
    }
    codes = {warning.code for warning in Play().send(unflatten(flat)).warnings}

    assert codes.isdisjoint({"unknown-element", "misplaced-element", "bad-index", "not-a-group"})


@pytest.mark.parametrize("build", [scorm_12, scorm_2004])
def test_a_whole_snapshot_of_a_player_is_not_warned_of(build: Build) -> None:
    assert (
        warnings_of(build({"_version": "1.0", "core._children": "x"} if build is scorm_12 else {"_version": "1.0"}))
        == []
    )


@pytest.mark.parametrize(
    ("item", "problems"),
    [
        ({"id": "q", "type": "choices"}, [("type", "unknown-word")]),
        ({"id": "q", "latency": "12 sec"}, [("latency", "bad-time")]),
        ({"id": "q", "latency": "PT-5S"}, [("latency", "bad-time")]),
        ({"id": "q", "result": "right"}, [("result", "unknown-word")]),
        ({"id": "q", "result": "1,234"}, [("result", "thousands-separator")]),
        ({"id": "q", "respons": "a"}, [("respons", "unknown-element")]),
        ({"id": "q", "status": "passed"}, [("status", "misplaced-element")]),
        ({"id": "q", "learner_response": ["a"]}, [("learner_response", "not-text")]),
        ({"id": "q\0", "learner_response": "a\0b"}, [("id", "nul-removed"), ("learner_response", "nul-removed")]),
        ({"id": "q", "objectives": {"0": {"idd": "x"}}}, [("objectives.0.idd", "unknown-element")]),
        ({"id": "q", "objectives": {"one": {"id": "x"}}}, [("objectives.one", "bad-index")]),
        ({"id": "q", "correct_responses": {"0": "a"}}, [("correct_responses.0", "not-a-group")]),
        ({"id": "q", "correct_responses": {"0": {"pattern": "a\0"}}}, [("correct_responses.0.pattern", "nul-removed")]),
        ({"type": "choice", "learner_response": "a", "result": "correct"}, [("id", "missing-id")]),
        ({"id": "", "learner_response": "a"}, [("id", "missing-id")]),
        ({"id": "\0", "learner_response": "a"}, [("id", "nul-removed"), ("id", "missing-id")]),
        ("text", [("", "not-a-group")]),
        ({}, []),
        ({"id": "q", "type": "True_False", "result": "0.5", "weighting": 2, "latency": "00:00:01.5"}, []),
        ({"id": "q", "objectives": [{"id": "x"}], "correct_responses": {"_count": "1", "0": {"pattern": "a"}}}, []),
        ({"id": "q", "learner_response": 5, "timestamp": "2026-01-01T00:00:00", "description": ""}, []),
    ],
)
def test_an_interaction_that_cannot_be_used_is_warned_of(
    item: str | dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    expected = [(f"cmi.interactions.0.{name}".removesuffix("."), code) for name, code in problems]

    assert warnings_of(delta({"interactions": {"0": item}})) == expected
    assert warnings_of(delta({"interactions": [item]})) == expected


@pytest.mark.parametrize(
    ("item", "problems"),
    [
        ({"id": "o", "status": "done"}, [("status", "unknown-word")]),
        ({"id": "o", "success_status": "completed"}, [("success_status", "unknown-word")]),
        ({"id": "o", "score": {"raw": "abc"}}, [("score.raw", "not-a-number")]),
        ({"id": "o", "score": {"raw": "150"}}, [("score.raw", "score-out-of-range")]),
        ({"id": "o", "score": {"raw": "1", "min": "5", "max": "2"}}, [("score.max", "score-range")]),
        ({"id": "o", "score": {"scaled": "85"}}, [("score.scaled", "out-of-range")]),
        ({"id": "o", "score": {"row": "85"}}, [("score.row", "unknown-element")]),
        ({"id": "o", "score": "85"}, [("score", "not-a-group")]),
        ({"id": "o", "progress_measure": "2"}, [("progress_measure", "out-of-range")]),
        ({"status": "passed"}, [("id", "missing-id")]),
        ({"id": "o", "status": "", "score": {"raw": "", "min": "", "max": "100"}}, []),
    ],
)
def test_an_objective_that_cannot_be_used_is_warned_of(item: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    tree = delta({"objectives": {"0": item}, "core.lesson_location": "1"})

    assert warnings_of(tree) == [(f"cmi.objectives.0.{name}", code) for name, code in problems]


@pytest.mark.parametrize("name", ["interactions", "objectives", "comments_from_learner", "comments_from_lms"])
@pytest.mark.parametrize("index", ["-1", "first", "1.5", "", "٣", str(MAX_ITEMS), "9" * 5_000])
def test_an_index_that_is_none_is_warned_of(name: str, index: str) -> None:
    item = {"comment": "x"} if name.startswith("comments") else {"id": "q"}
    (warning,) = Play().send(delta({name: {index: item, "_count": "1", "0": item}})).warnings

    assert (warning.code, warning.value[:60]) == ("bad-index", index[:60])
    assert warning.element.startswith(f"cmi.{name}.{index}"[:100])


def test_an_item_that_is_repeated_by_every_snapshot_is_warned_of_once() -> None:
    play, items = Play(), numbered({"learner_response": "a"}, {"id": "q", "latency": "soon"})
    for place in range(3):
        codes = {
            warning.code.value
            for warning in play.send(scorm_2004({"interactions": items, "location": f"{place}"})).warnings
        }
        assert codes == ({"missing-id", "bad-time"} if place == 0 else set())


def test_elements_that_are_set_one_by_one_may_have_their_id_last() -> None:
    play = Play()
    for element in ("type", "learner_response", "result", "id"):
        answer = play.send(
            delta({f"interactions.0.{element}": "other" if element == "type" else "correct"}), settled=False
        )
        assert answer.warnings == (), element
    play.send(delta({"objectives.0.status": "passed"}), settled=False)
    play.send(delta({"objectives.0.id": "o"}), settled=False)
    play.send(delta({"interactions.1.result": "correct"}), settled=False)
    last = play.send({}, terminated=True)

    assert [(warning.element, warning.code.value) for warning in last.warnings] == [
        ("cmi.interactions.1.id", "missing-id")
    ]


def test_an_objective_without_an_id_is_told_at_the_end_of_one_by_one() -> None:
    play = Play()
    assert play.send(delta({"objectives.0.status": "passed"}), settled=False).warnings == ()

    (warning,) = play.send({}, terminated=True).warnings
    assert (warning.element, warning.code.value) == ("cmi.objectives.0.id", "missing-id")


def test_an_answer_has_no_more_warnings_than_it_may_and_says_that_there_are_more() -> None:
    many = {f"nonsense{place}": "x" for place in range(10_000)}
    items = {str(place): {"latency": "soon", "result": "x"} for place in range(MAX_ITEMS)}
    for tree in (delta(many), delta({"interactions": items}), delta({"interactions": {"0": {"id": "q"} | many}})):
        warnings = Play().send(tree).warnings
        assert (len(warnings), warnings[-1].code) == (MAX_WARNINGS, WarningCode.MORE_WARNINGS), tree
        assert WarningCode.MORE_WARNINGS not in [warning.code for warning in warnings[:-1]], tree


def test_a_comment_of_scorm_12_loses_its_nul_characters() -> None:
    reading = parse_cmi(delta({"comments": "a\0b"}))

    assert (reading.snapshot.comments, [warning.code.value for warning in reading.warnings]) == ("ab", ["nul-removed"])


def test_suspend_data_keeps_every_character() -> None:
    assert parse_cmi(delta({"suspend_data": "a\0b"})).snapshot.suspend_data == "a\0b"


@pytest.mark.parametrize(
    "number", ["1,234", "1,234.5", "1.234,5", "1,234,567", "1.234.567", "1 234", "1'234", "12\u00a0345,6", "-1,000"]
)
def test_a_thousands_separator_is_warned_of_and_the_number_left_out(number: str) -> None:
    reading = parse_cmi(delta({"core.score.raw": number}))

    assert [warning.code.value for warning in reading.warnings] == ["thousands-separator"]
    assert reading.snapshot.score_raw is None


@pytest.mark.parametrize(
    ("number", "value"), [("85,5", 85.5), ("0,125", 0.125), ("1.234", 1.234), ("1234", 1234), ("1234,567", 1234.567)]
)
def test_a_decimal_comma_is_read(number: str, value: float) -> None:
    reading = parse_cmi(delta({"core.score.raw": number}))

    assert (reading.snapshot.score_raw, reading.warnings) == (value, ())


@pytest.mark.parametrize(
    ("sequences", "codes"), [((1, 5, 3), ["sequence-went-back"]), ((1, 2, 2), ["sequence-repeated"]), ((1, 2, 3), [])]
)
def test_a_count_that_falls_back_is_warned_of(sequences: tuple[int, int, int], codes: list[str]) -> None:
    play = Play()
    for number in sequences[:-1]:
        assert play.send(delta({"core.lesson_location": f"p{number}"}), sequence=number).warnings == ()
    warnings = play.send(delta({"core.lesson_location": "other"}), sequence=sequences[-1]).warnings

    assert [warning.code.value for warning in warnings] == codes
    assert all((warning.element, warning.value) == ("sequence", str(sequences[-1])) for warning in warnings)


def _whole_distance(first: str, second: str) -> int:
    """Work the same distance out without a limit."""
    rows = [[*range(len(second) + 1)]]
    for row, letter in enumerate(first, 1):
        now = [row]
        for column, other in enumerate(second, 1):
            edits = min(rows[-1][column] + 1, now[-1] + 1, rows[-1][column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == second[column - 2] and first[row - 2] == other:
                edits = min(edits, rows[-2][column - 2] + 1)
            now.append(edits)
        rows.append(now)
    return rows[-1][-1]


@given(st.text("abc", max_size=7), st.text("abc", max_size=7), st.integers(0, 3))
@example("raw", "rwa", 1)
@proven
def test_a_bounded_distance_is_the_whole_one_within_its_bound(first: str, second: str, limit: int) -> None:
    assert distance(first, second, limit) == min(_whole_distance(first, second), limit + 1)


@given(
    st.sampled_from(sorted({name for element_names in names._ALL.values() for name in element_names if len(name) > 4})),
    st.data(),
)
@proven
def test_one_letter_that_is_wrong_never_hides_what_was_meant(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 1))
    wrong = data.draw(st.sampled_from([name[:place] + name[place + 1 :], name[:place] + "~" + name[place:]]))

    assert nearest(wrong, [name]) == name


def test_keywords_are_known_everywhere() -> None:
    assert all(names.names(group) >= KEYWORDS for group in names._ALL)


@pytest.mark.parametrize(
    ("launched_at", "committed_at", "codes"),
    [
        (NOON, NOON - SECOND, ["time-before-launch"]),
        (NOON, NOON, []),
        (NOON + 400, NOON, []),
        (0, NOON - DAY, []),
        (NOON - DAY, NOON - DAY, []),
    ],
)
def test_a_time_before_the_launch_is_warned_of(launched_at: int, committed_at: int, codes: list[str]) -> None:
    play = Play(session=SessionState(number=1, launched_at=launched_at))
    warnings = play.send(delta({"core.lesson_location": "1"}), at=NOON + SECOND, committed_at=committed_at).warnings

    assert [(warning.element, warning.code.value) for warning in warnings] == [("committed_at", code) for code in codes]


@pytest.mark.parametrize("group", ["interactions", "objectives", "comments_from_learner"])
@pytest.mark.parametrize("name", ["core", "suspend_data", "nav", "interactions", "score", "exit", "n", "cmi"])
def test_an_item_may_hold_the_name_of_any_element_and_is_warned_of(group: str, name: str) -> None:
    play = Play()
    done = play.send(delta({group: numbered({"id": "Q", name: "x"})}))

    assert done.disposition == "applied"
