"""How often a rule speaks, in which order statements come, and what other documents make of the same changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.attempt import AttemptState, SessionState
from mappings.attempt.changes import Change, Trigger, ending_change
from mappings.attempt.state import Ending
from mappings.cmi.snapshot import ScormVersion, Snapshot
from mappings.cmi.tree import Tree
from mappings.definition import DefinitionError
from mappings.definition.compiled import CompiledMapping
from mappings.generation.statements import Statement, generate_statements
from tests.mappings.builders import DAY, MINUTE, NOON, Play, delta, scorm_12
from tests.mappings.statement_builders import ENROLLMENT, SHIPPED, TOLD, change_of, compiled, facts, judged, tell

proven = settings(deadline=None, max_examples=80, derandomize=True, database=None)


class Teller:
    """A play whose changes are told, as the service tells them."""

    def __init__(self, play: Play | None = None, mapping: CompiledMapping | None = None, **changes: Any) -> None:
        self.play, self.mapping, self.context = play or Play(), mapping or compiled(), facts(**changes)
        self.statements: list[Statement] = []

    def send(self, tree: Tree, **options: Any) -> list[str]:
        """Fold a commit and return the rules that spoke."""
        done = self.play.send(tree, **options)
        generated = generate_statements(self.mapping, self.context, done.attempt, done.session, done.changes, done.at)
        self.play.attempt, self.play.session = generated.attempt, generated.session
        self.statements += generated.statements
        return [statement.rule for statement in generated.statements]

    def next_session(self) -> Teller:
        """Return a teller of the attempt's next session."""
        return Teller(self.play.next_session(), self.mapping, session_id=ENROLLMENT)


def with_rule(name: str, when: str, once: str, result: str) -> CompiledMapping:
    """Return the shipped document with one more rule at its end."""
    rule = f"""
[[rules]]
name = "{name}"
when = "{when}"
verb = "scored"
object = "sco"
once = "{once}"
result = {result}
"""
    return compiled(SHIPPED + rule)


def test_no_changes_make_no_statements_and_leave_the_states_alone() -> None:
    attempt, session = AttemptState(), SessionState()
    generated = generate_statements(compiled(), facts(), attempt, session, (), NOON)

    assert generated.statements == ()
    assert generated.attempt is attempt
    assert generated.session is session


def test_statements_come_in_the_order_of_the_changes_with_positions_from_one() -> None:
    generated = generate_statements(
        compiled(), facts(), AttemptState(), SessionState(), [change_of(trigger) for trigger in TOLD], NOON
    )

    assert [statement.position for statement in generated.statements] == list(range(1, 19))
    assert [statement.rule for statement in generated.statements][:3] == ["initialized", "resumed", "responded"]
    assert [judged(statement.body)["verb"]["id"] for statement in generated.statements] == [
        statement.verb for statement in generated.statements
    ]
    assert [judged(statement.body)["id"] for statement in generated.statements] == [
        statement.id for statement in generated.statements
    ]
    assert (generated.attempt.statements, generated.attempt.timestamp) == (18, NOON)


def test_a_rule_of_once_an_attempt_speaks_once() -> None:
    teller = Teller()
    teller.send(delta({"core.lesson_status": "passed", "core.exit": "suspend"}), terminated=True)
    again = generate_statements(
        compiled(),
        facts(),
        teller.play.attempt,
        SessionState(),
        [Change(Trigger.SUCCESS_PASSED), Change(Trigger.ATTEMPT_STARTED)],
        NOON,
    )

    assert again.statements == ()


def test_a_rule_of_once_a_session_speaks_in_each_session_once() -> None:
    first = Teller()
    assert first.send(delta({"core.exit": "suspend"}), terminated=True) == ["initialized", "suspended"]
    second = first.next_session()
    assert second.send(delta({"core.lesson_location": "2"})) == ["resumed"]
    assert second.send(delta({"core.exit": "suspend"}), terminated=True) == ["suspended"]
    again = generate_statements(
        compiled(), facts(), second.play.attempt, second.play.session, [Change(Trigger.SESSION_SUSPENDED)], NOON
    )
    assert again.statements == ()
    assert len({statement.id for statement in first.statements + second.statements}) == 4


def test_a_rule_of_every_change_speaks_at_each_with_an_id_of_its_own() -> None:
    teller = Teller()
    for raw in ("40", "85", "40"):
        teller.send(delta({"core.score.raw": raw}), at=NOON + int(raw) * MINUTE)
    scored = [statement for statement in teller.statements if statement.rule == "scored"]

    assert [judged(statement.body)["result"]["score"]["raw"] for statement in scored] == [40, 85, 40]
    assert len({statement.id for statement in scored}) == 3


def test_making_statements_again_from_the_same_journal_gives_the_same_statements() -> None:
    """What a replay does, and a process that was killed before it could answer."""
    commits = [
        ({"core.lesson_status": "incomplete"}, {}),
        ({"core.score.raw": "85"}, {}),
        ({"core.lesson_status": "passed", "core.exit": "suspend"}, {"terminated": True}),
    ]
    first, again = Teller(), Teller()
    for changes, options in commits:
        for teller in (first, again):
            teller.send(delta(changes), **options)

    assert first.statements == again.statements


def test_two_rules_of_one_trigger_both_speak_in_the_documents_order() -> None:
    mapping = with_rule("graded", "score.changed", "session", '["score", "completion"]')
    teller = Teller(mapping=mapping)

    assert teller.send(delta({"core.score.raw": "85"})) == ["initialized", "scored", "graded"]
    assert teller.send(delta({"core.score.raw": "90"})) == ["scored"]


def test_a_change_without_a_rule_is_not_told() -> None:
    head, *rules = SHIPPED.split("[[rules]]")
    mapping = compiled(head + "[[rules]]" + next(rule for rule in rules if 'name = "completed"' in rule))
    teller = Teller(mapping=mapping)

    assert teller.send(delta({"core.lesson_status": "passed", "core.score.raw": "85"})) == ["completed"]


def test_a_duplicate_is_told_nothing_of() -> None:
    teller = Teller()
    teller.send(delta({"core.score.raw": "85"}))

    assert teller.send(delta({"core.score.raw": "85"})) == []


def test_statements_are_never_dated_before_the_attempts_last_one() -> None:
    teller = Teller()
    teller.send(delta({"core.score.raw": "40"}))
    teller.send(delta({"core.score.raw": "85"}), committed_at=NOON - DAY)

    assert {judged(statement.body)["timestamp"] for statement in teller.statements} == {"2026-01-31T12:00:00.000Z"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{course.iri}/{activity.id}", "https://lms.example.org/courses/7/235"),
        ("{lms.base}/{attempt.number}/{activity.id}", "https://lms.example.org/2/235"),
        ("{lms.base}/{activity.name|unnamed}", "https://lms.example.org/Fire%20safety"),
        ("tag:{learner.id},{registration}", f"tag:u42,{'3' * 8}-3333-4333-8333-{'3' * 12}"),
    ],
)
def test_an_activitys_iri_can_be_made_of_any_place_that_is_an_id(template: str, expected: str) -> None:
    """The SCORM Profile's own is `<course>/<sco>`."""
    mapping = compiled(SHIPPED.replace('"{course.base}/{activity.id}"', f'"{template}"'))
    (statement,) = tell("attempt.started", mapping=mapping)

    assert statement["object"]["id"] == expected


def test_an_activitys_iri_falls_back_where_a_name_is_empty() -> None:
    mapping = compiled(SHIPPED.replace('"{course.base}/{activity.id}"', '"{lms.base}/{activity.name|unnamed}"'))

    assert tell("attempt.started", mapping=mapping, activity_name="")[0]["object"]["id"].endswith("/unnamed")


def test_what_becomes_part_of_an_iri_is_encoded_wherever_it_stands() -> None:
    text = SHIPPED.replace('home_page = "{lms.home_page}"', 'home_page = "{lms.base}/{lms.name}"')
    mapping = compiled(text.replace('"{lms.base}/xapi/extensions/scorm"', '"{lms.base}/{lms.name}/scorm"'))
    (statement,) = tell("attempt.started", mapping=mapping)

    assert statement["actor"]["account"]["homePage"] == "https://lms.example.org/Example%20LMS"
    assert list(statement["context"]["extensions"]) == ["https://lms.example.org/Example%20LMS/scorm"]


@pytest.mark.parametrize(
    ("activity", "course"),
    [
        ("{activity.iri}", "{lms.base}/c/{course.id}"),
        ("{attempt.query}", "{lms.base}/c/{course.id}"),
        ("{lms.base}/a/{activity.id}", "{course.iri}/c"),
        ("{course.iri}/a", "{activity.iri}/c"),
    ],
)
def test_a_document_whose_iris_go_in_circles_is_refused(activity: str, course: str) -> None:
    """Filled with nothing they would be no IRIs, and every statement refused by every LRS."""
    text = SHIPPED.replace('activity = "{lms.base}/activities/{activity.id}"', f'activity = "{activity}"')
    with pytest.raises(DefinitionError, match=r"iris\."):
        compiled(text.replace('course = "{lms.base}/courses/{course.id}"', f'course = "{course}"'))


def test_names_and_words_of_a_document_may_hold_anything_json_can() -> None:
    text = SHIPPED.replace('{ en-US = "completed" }', '{ en-US = "said \\"done\\" \\\\ 😀", de = "abgeschlossen" }')
    mapping = compiled(text.replace('name = "{learner.name}"', 'name = "{learner.name} \\"{lms.name}\\""'))
    (statement,) = tell("completion.completed", mapping=mapping)

    assert statement["verb"]["display"] == {"en-US": 'said "done" \\ 😀', "de": "abgeschlossen"}
    assert statement["actor"]["name"] == 'Doe, Jane "Example LMS"'


def test_a_fallback_stands_where_a_name_is_empty() -> None:
    mapping = compiled(SHIPPED.replace('name = "{learner.name}"', 'name = "{learner.name|somebody}"'))

    assert tell("attempt.started", mapping=mapping, learner_name="")[0]["actor"]["name"] == "somebody"
    assert tell("attempt.started", mapping=mapping)[0]["actor"]["name"] == "Doe, Jane"


_STATUSES: list[Any] = ["", "incomplete", "completed", "passed", "failed", "Passed", "browsed", "nonsense", None, {}, 5]
_NUMBERS = ["", "0", "85", "85,5", "100", "101", "-1", "1e308", "-1e308", "NaN", None, 40, 0.1, True]
_TIMES = ["", "00:00:00", "00:05:30.25", "PT1H", "9999:99:99.99", "soon", "PT0.001S", 5]
_COMMITS = st.fixed_dictionaries(
    {},
    optional={
        "core.lesson_status": st.sampled_from(_STATUSES),
        "completion_status": st.sampled_from(_STATUSES),
        "core.score.raw": st.sampled_from(_NUMBERS),
        "core.score.min": st.sampled_from(_NUMBERS),
        "core.score.max": st.sampled_from(_NUMBERS),
        "score.scaled": st.sampled_from(_NUMBERS),
        "progress_measure": st.sampled_from(["0", "0.29", "1", "1.1", ""]),
        "core.session_time": st.sampled_from(_TIMES),
        "core.total_time": st.sampled_from(_TIMES),
        "core.exit": st.sampled_from(["", "suspend", "logout", "x"]),
    },
)


@given(
    st.lists(
        st.tuples(_COMMITS, st.none() | st.booleans(), st.none() | st.integers(1, 5), st.integers(-DAY, DAY)),
        max_size=6,
    ),
    st.sampled_from(["1.2", "2004", None]),
)
@settings(proven, max_examples=100)
def test_whatever_is_committed_no_lrs_refuses_what_leaves(
    commits: list[tuple[dict[str, Any], bool | None, int | None, int]], declared: ScormVersion | None
) -> None:
    teller = Teller(activity_id="unit 5")
    for changes, terminated, sequence, moved in commits:
        teller.send(
            delta(changes),
            terminated=terminated,
            sequence=sequence,
            declared=declared,
            at=NOON + moved,
            full=bool(moved % 2),
        )
    statements = [judged(statement.body) for statement in teller.statements]
    ids, dates = [statement["id"] for statement in statements], [statement["timestamp"] for statement in statements]

    assert len(set(ids)) == len(ids)
    assert dates == sorted(dates)
    assert [statement.position for statement in teller.statements] == list(range(1, len(ids) + 1))


def test_a_whole_session_of_a_player_is_told_as_the_scorm_profile_asks() -> None:
    teller = Teller()
    teller.send(scorm_12({"core.lesson_status": "incomplete"}), full=True)
    teller.send(scorm_12({"core.lesson_status": "incomplete", "core.score.raw": "40"}), full=True)
    last = {"core.lesson_status": "passed", "core.score.raw": "85", "core.total_time": "00:05:30.25"}
    teller.send(scorm_12(last | {"core.session_time": "00:05:30.25"}), full=True, beacon=True)

    assert [(statement.position, statement.rule) for statement in teller.statements] == list(
        enumerate(["initialized", "scored", "scored", "completed", "passed", "terminated"], 1)
    )
    assert judged(teller.statements[-1].body)["result"] == {
        "completion": True,
        "success": True,
        "score": {"scaled": 0.85, "raw": 85, "max": 100},
        "duration": "PT5M30.25S",
    }


@pytest.mark.parametrize("spent", [0, 1, 99, 360_000])
def test_the_duration_is_the_sessions_and_not_the_attempts(spent: int) -> None:
    generated = generate_statements(
        compiled(),
        facts(),
        AttemptState(snapshot=Snapshot(), total_time=10**6),
        SessionState(time_spent=spent, time_known=True),
        [ending_change(Ending.TERMINATED, SessionState(time_spent=spent, time_known=True))],
        NOON,
    )

    assert (
        judged(generated.statements[0].body)["result"]["duration"]
        == {
            0: "PT0S",
            1: "PT0.01S",
            99: "PT0.99S",
            360_000: "PT1H",
        }[spent]
    )
