"""A score that is written part by part is told once, as it is when all of it is there."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mappings.attempt.idle_end import end_idle
from mappings.attempt.state import AttemptState, Ending, SessionState
from mappings.attempt.update import AttemptUpdate
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import ScormVersion
from mappings.generation.statements import generate_statements
from tests.mappings.builders import MINUTE, NOON, Play, delta
from tests.mappings.statement_builders import SHIPPED, compiled, facts, judged

proven = settings(deadline=None, max_examples=300, derandomize=True, database=None)

BY_RANGE = SHIPPED.replace('scaled_score = "raw/100"', 'scaled_score = "range"')
"""What scores are told, not how they are scaled, is looked at here."""
NAMES: dict[str, tuple[str, ...]] = {"1.2": ("core.score.raw", "core.score.min", "core.score.max")}
NAMES["2004"] = ("score.raw", "score.min", "score.max", "score.scaled")
STATUS = {"1.2": ("core.lesson_status", "passed"), "2004": ("success_status", "passed")}
PLACE = {"1.2": ("core.lesson_location", "p2"), "2004": ("location", "p2")}
ENDS = ["element", "settled", "status", "terminated", "idle", "next session"]


SentScore = tuple[ScormVersion, dict[str, str] | None, list[tuple[str, str]]]
"""A version, what was told before, and a score's parts in some order."""


class Told:
    """An attempt, its sessions one after the other, and the statements that were made."""

    def __init__(self, version: ScormVersion, text: str = BY_RANGE) -> None:
        self.version, self.play = version, Play()
        self.mapping = compiled(text)
        self.statements: list[tuple[str, dict[str, Any]]] = []

    def generate(self, done: AttemptUpdate) -> list[str]:
        who = facts(session_id=f"22222222-2222-4222-8222-00000000000{self.play.session.number}")
        generated = generate_statements(self.mapping, who, done.attempt, done.session, done.changes, done.at)
        self.play.attempt = msgspec.json.decode(msgspec.json.encode(generated.attempt), type=AttemptState)
        self.play.session = msgspec.json.decode(msgspec.json.encode(generated.session), type=SessionState)
        self.statements += [
            (statement.rule, judged(statement.body).get("result", {})) for statement in generated.statements
        ]
        return [statement.rule for statement in generated.statements]

    def send(self, elements: Mapping[str, Any], **options: Any) -> list[str]:
        """Commit elements; return the rules that spoke."""
        return self.generate(self.play.send(delta(elements), declared=self.version, **options))

    def set(self, name: str, value: str) -> list[str]:
        """Post one element."""
        return self.send({name: value}, settled=False)

    def end(self, how: str) -> list[str]:
        """Let something follow that is no part of a score."""
        if how in {"element", "next session"}:
            self.play = self.play.next_session() if how == "next session" else self.play
            return self.set(*PLACE[self.version])
        if how == "idle":
            return self.generate(end_idle(self.play.attempt, self.play.session, Ending.ABANDONED))
        if how == "status":
            return self.set(*STATUS[self.version])
        return self.send({}, terminated=how == "terminated")

    @property
    def scores(self) -> list[dict[str, float]]:
        """The scores that were told, in their order."""
        return [result["score"] for rule, result in self.statements if rule == "scored"]


_VALUES = st.sampled_from(["0", "1", "0.5", "-1", "5", "85", "85,5", "100", "150", "200", "", "x"])


@st.composite
def scores_in_parts(draw: st.DrawFn) -> SentScore:
    """Return a version, what was told before, and a score's parts in some order."""
    version: ScormVersion = draw(st.sampled_from(["1.2", "2004"]))
    parts = st.dictionaries(st.sampled_from(NAMES[version]), _VALUES, max_size=4)
    return version, draw(st.none() | parts), draw(st.permutations([*draw(parts).items()]))


@pytest.mark.parametrize("end", ENDS)
@given(scored=scores_in_parts(), again=st.booleans())
@proven
@pytest.mark.slow
def test_parts_in_any_order_tell_what_one_commit_of_them_tells(end: str, scored: SentScore, *, again: bool) -> None:
    version, earlier, parts = scored
    split, whole = Told(version), Told(version)
    for teller in (split, whole):
        teller.send({PLACE[version][0]: "p1"} | (earlier or {}))
    for name, value in parts:
        split.set(name, value)
        if again:
            split.set(name, value)
    whole.send(dict(parts))
    for teller in (split, whole):
        teller.end(end)

    assert split.scores == whole.scores
    assert len(split.scores) <= 1 + bool(earlier)
    assert split.statements[-1] == whole.statements[-1]
    assert split.play.attempt.score == whole.play.attempt.score
    assert (split.play.attempt.score_pending_session, split.play.attempt.last_emitted_score) == (None, None)


@given(scored=scores_in_parts(), ends=st.lists(st.sampled_from(ENDS), min_size=1, max_size=3))
@proven
def test_every_session_that_ends_however_leaves_its_last_score_told(scored: SentScore, ends: list[str]) -> None:
    version, _, parts = scored
    assume(parts)
    teller = Told(version)
    for count, end in enumerate(ends):
        if count:
            teller.play = teller.play.next_session()
        for name, value in parts[count:] + parts[:count]:
            teller.set(name, value)
        teller.end(end)

    last = teller.play.attempt.score

    assert teller.scores[-1:] == ([] if last is None else [msgspec.to_builtins(last)])


PARTS = [("core.score.raw", "85"), ("core.score.max", "200"), ("core.score.min", "10")]


@pytest.mark.parametrize("order", list(itertools.permutations(PARTS)))
@pytest.mark.parametrize("end", ENDS)
def test_a_score_of_three_parts_is_told_once_with_its_range(
    order: tuple[tuple[str, str], tuple[str, str], tuple[str, str]], end: str
) -> None:
    teller = Told("1.2")

    assert [teller.set(*part).count("scored") for part in order] == [0, 0, 0]
    assert teller.end(end).count("scored") == 1
    assert teller.scores == [{"scaled": 0.394737, "raw": 85, "min": 10, "max": 200}]


@pytest.mark.parametrize(
    ("element", "value"),
    [("core.lesson_location", "2"), ("core.session_time", "00:01:00"), ("suspend_data", "x"), ("core.exit", "suspend")],
)
def test_whatever_else_is_written_shows_that_a_score_is_there(element: str, value: str) -> None:
    teller = Told("1.2")
    teller.set("core.score.raw", "85")

    assert teller.set(element, value) == ["scored"]


@pytest.mark.parametrize(
    ("element", "value"), [("core.score.min", ""), ("core.score.max", "x"), ("core.student_name", "Ada"), ("x.y", "1")]
)
def test_what_says_nothing_does_not_tell_a_score_early(element: str, value: str) -> None:
    teller = Told("1.2")
    teller.set("core.score.raw", "85")

    assert teller.set(element, value) == []
    assert teller.set("core.lesson_location", "2") == ["scored"]


def test_a_status_between_a_scores_parts_carries_the_score_as_known() -> None:
    teller = Told("1.2")
    teller.set("core.score.raw", "85")
    assert teller.set("core.lesson_status", "passed") == ["scored", "completed", "passed"]
    assert teller.statements[-1] == ("passed", {"success": True, "score": {"scaled": 0.85, "raw": 85}})
    teller.set("core.score.max", "200")
    assert teller.end("terminated") == ["scored", "terminated"]
    assert teller.scores == [{"scaled": 0.85, "raw": 85}, {"scaled": 0.425, "raw": 85, "max": 200}]


def test_a_score_that_is_written_over_at_once_is_told_as_it_is_in_the_end() -> None:
    teller = Told("1.2")
    for raw in ("10", "20", "30"):
        teller.set("core.score.raw", raw)
    teller.end("element")

    assert teller.scores == [{"scaled": 0.3, "raw": 30}]


def test_a_score_that_is_as_it_was_in_the_end_is_not_told_again() -> None:
    teller = Told("1.2")
    teller.send({"core.score.raw": "80"})
    teller.set("core.score.raw", "85")
    teller.set("core.score.raw", "80")
    teller.end("terminated")

    assert teller.scores == [{"scaled": 0.8, "raw": 80}]


def test_a_score_that_turns_out_to_be_impossible_was_none() -> None:
    teller = Told("2004")
    teller.send({"score.raw": "1"})
    teller.set("score.raw", "9")
    assert teller.play.attempt.score == Score(raw=9)
    teller.set("score.max", "3")
    teller.end("terminated")
    assert teller.scores == [{"raw": 1}]
    assert teller.play.attempt.score == Score(raw=1)


@pytest.mark.parametrize("settled", [True, False])
def test_a_score_left_by_a_session_is_told_before_the_next_ones(*, settled: bool) -> None:
    """Each with its own value, and each judged by rules and conditions as itself."""
    high = '[[rules]]\nname = "high"\nwhen = "score.changed"\nif = "score.raw > 80"\nverb = "passed"\nobject = "sco"\n'
    teller = Told("1.2", f'{BY_RANGE}\n{high}result = ["score"]\nonce = "change"\n')
    teller.set("core.score.raw", "85")
    teller.play = teller.play.next_session()

    assert (
        teller.send({"core.score.raw": "60"}, settled=settled) == ["scored", "high", "resumed"] + ["scored"] * settled
    )
    assert teller.end("terminated") == ["scored"] * (not settled) + ["completed", "terminated"]
    assert teller.scores == [{"scaled": 0.85, "raw": 85}, {"scaled": 0.6, "raw": 60}]
    assert teller.statements[-1][1]["score"] == {"scaled": 0.6, "raw": 60}


def test_a_session_that_is_given_up_does_not_tell_what_another_one_is_writing() -> None:
    first = Told("1.2")
    first.set("core.lesson_location", "1")
    earlier = first.play
    first.play = earlier.next_session()
    first.set("core.score.raw", "85")
    done = end_idle(first.play.attempt, earlier.session, Ending.ABANDONED)
    assert [change.trigger for change in done.changes] == ["session.abandoned"]
    first.play.attempt = done.attempt
    first.set("core.score.max", "200")
    first.end("terminated")
    assert first.scores == [{"scaled": 0.425, "raw": 85, "max": 200}]


def test_a_last_commit_of_one_part_tells_the_score() -> None:
    teller = Told("1.2")
    teller.set("core.score.raw", "85")

    assert teller.send({"core.score.max": "200"}, settled=False, terminated=True) == [
        "scored",
        "completed",
        "terminated",
    ]


def test_a_commit_that_comes_too_late_is_not_waited_with() -> None:
    teller = Told("1.2")
    teller.send({}, terminated=True)

    assert teller.send({"core.score.raw": "85"}, settled=False, at=NOON + MINUTE) == ["scored", "terminated"]


def test_a_score_does_not_show_that_an_interaction_is_there() -> None:
    teller = Told("1.2")
    for name, value in {"id": "Q1", "type": "choice", "student_response": "a", "result": "correct"}.items():
        teller.set(f"interactions.0.{name}", value)

    assert teller.set("core.score.raw", "85") == []
    assert teller.set("interactions.1.id", "Q2") == ["responded", "scored"]
