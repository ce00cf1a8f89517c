"""Statements of made-up sessions: whatever content may say, through the real core, by each shipped mapping document."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from mappings.attempt.idle_end import end_idle
from mappings.attempt.update import AttemptUpdate
from mappings.cmi.interactions import TYPES
from mappings.cmi.tree import Tree
from mappings.definition.compiled import CompiledMapping
from mappings.definition.statement_context import StatementContext
from mappings.generation.statements import generate_statements
from tests.mappings.builders import NOON, SECOND, Play, delta, numbered, scorm_12, scorm_2004
from tests.mappings.statement_builders import DOCUMENTS, ODD_IDS, compiled, facts

EXAMPLES = 300

_WORDS = st.text(max_size=12) | st.sampled_from(ODD_IDS)
_NAMES = st.sampled_from(["1", "2"]) | _WORDS.filter(bool)
_NUMBERS = st.sampled_from(["", "0", "1", "0.5", "-1", "85", "100", "85,5", "1e300", "x"]) | st.integers(-5, 105).map(
    str
)
_PARTS = st.sampled_from(
    ["a[,]b", "a[.]1[,]b[.]2", "a,b", "{a.1,b.2}", "1:2", "[.]x", "{case_matters=true}Rome", "{}", " ", ""]
)
_TIMES = st.sampled_from(["", "00:01:00", "0000:10:30.25", "PT1H", "PT0.5S", "P1DT2H", "9999:99:99", "soon"])
_DATES = st.sampled_from(["", "12:30:00", "2026-01-31T11:59:00Z", "2026-01-31", "yesterday"])
_RESPONSES = st.one_of(_PARTS, _NUMBERS, _WORDS, st.booleans().map(str))


def _listed(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return numbered(*items)


_SCORES = st.fixed_dictionaries({}, optional=dict.fromkeys(("raw", "min", "max", "scaled"), _NUMBERS))


def _interaction(response: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"id": _NAMES, "type": st.sampled_from([*sorted(TYPES), "", "odd"])},
        optional={
            response: _RESPONSES,
            "result": st.sampled_from(["correct", "incorrect", "wrong", "neutral", "unanticipated", "0.75", ""]),
            "description": _WORDS,
            "weighting": _NUMBERS,
            "latency": _TIMES,
            "time": _DATES,
            "timestamp": _DATES,
            "correct_responses": st.lists(_RESPONSES.map(lambda text: {"pattern": text}), max_size=2).map(_listed),
            "objectives": st.lists(_NAMES.map(lambda name: {"id": name}), max_size=2).map(_listed),
        },
    )


_OBJECTIVES = st.fixed_dictionaries(
    {"id": _NAMES},
    optional={
        "status": st.sampled_from(["passed", "completed", "failed", "incomplete"]),
        "completion_status": st.sampled_from(["completed", "incomplete"]),
        "success_status": st.sampled_from(["passed", "failed"]),
        "score": _SCORES,
        "progress_measure": _NUMBERS,
        "description": _WORDS,
    },
)
_COMMENTS = st.fixed_dictionaries({"comment": _WORDS}, optional={"location": _WORDS, "timestamp": _DATES})
_ONE = st.fixed_dictionaries(
    {},
    optional={
        "core.lesson_status": st.sampled_from(["incomplete", "completed", "passed", "failed", "browsed"]),
        "core.lesson_location": _WORDS,
        "core.exit": st.sampled_from(["", "suspend", "logout"]),
        "core.session_time": _TIMES,
        "core.score": _SCORES,
        "comments": _WORDS,
        "interactions": st.lists(_interaction("student_response"), max_size=3).map(_listed),
        "objectives": st.lists(_OBJECTIVES, max_size=2).map(_listed),
    },
)
_TWO = st.fixed_dictionaries(
    {},
    optional={
        "completion_status": st.sampled_from(["incomplete", "completed"]),
        "success_status": st.sampled_from(["passed", "failed"]),
        "progress_measure": _NUMBERS,
        "score": _SCORES,
        "exit": st.sampled_from(["", "suspend", "normal"]),
        "session_time": _TIMES,
        "comments_from_learner": st.lists(_COMMENTS, max_size=2).map(_listed),
        "interactions": st.lists(_interaction("learner_response"), max_size=3).map(_listed),
        "objectives": st.lists(_OBJECTIVES, max_size=2).map(_listed),
    },
)
_COMMITS = st.one_of(
    st.lists(_ONE.map(scorm_12), min_size=1, max_size=4),
    st.lists(_TWO.map(scorm_2004), min_size=1, max_size=4),
    st.lists((_ONE | _TWO).map(delta), min_size=1, max_size=4),
)
_ENDS = st.sampled_from(["terminated", "idle", "open"])
_ATTEMPTS = st.lists(st.tuples(_COMMITS, _ENDS), min_size=1, max_size=2)
_FACTS = st.fixed_dictionaries(
    {"learner_id": _NAMES, "activity_id": _NAMES | st.just("https://lms.example.org/course?id=5")},
    optional={
        "learner_name": _WORDS,
        "activity_name": _WORDS,
        "activity_type": st.sampled_from(["", "http://adlnet.gov/expapi/activities/assessment"]),
        "course_id": _WORDS,
        "course_name": _WORDS,
        "lms_name": _WORDS,
        "home_page": st.sampled_from(
            ["https://lms.example.org", "http://localhost:8080/moodle/", "https://köln.example"]
        ),
    },
)

_BLANK = [
    {
        "id": f"Q{kind}{blank}",
        "type": kind,
        "learner_response": blank,
        "correct_responses": numbered({"pattern": blank}, {"pattern": "{case_matters=true}" + blank}),
    }
    for kind in sorted(TYPES)
    for blank in (" ", "{}", "{order_matters=false}")
]
_EDGES = [
    ([scorm_2004({"interactions": numbered(*_BLANK)})], "terminated"),
    ([scorm_2004({"score": {"scaled": "-0.5"}, "success_status": "passed"})], "terminated"),
    ([scorm_2004({"score": {"scaled": "-0.5", "raw": "1"}, "success_status": "failed"})], "idle"),
]
"""What a sample may miss: answers that are empty once they are rewritten, scores that are empty once they are cut."""


@cache
def sampled() -> dict[str, str]:
    """Return the statements that may be sent of a fixed sample of sessions, with the mapping document of each."""
    statements: dict[str, str] = {}

    @given(attempt=_ATTEMPTS, learner_facts=_FACTS)
    @example(attempt=_EDGES, learner_facts={})
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def collect(attempt: list[tuple[list[Tree], str]], learner_facts: dict[str, str]) -> None:
        for name, text in DOCUMENTS.items():
            for body in _play(compiled(text), attempt, facts(**learner_facts)):
                statements[body] = name

    collect()
    return statements


def _play(mapping: CompiledMapping, attempt: list[tuple[list[Tree], str]], context: StatementContext) -> Iterator[str]:
    play, at = None, NOON
    document = mapping.definition
    for commits, end in attempt:
        play = play.next_session() if play else Play(policy=document.status)
        for count, tree in enumerate(commits, 1):
            at += 10 * SECOND
            terminated = True if end == "terminated" and count == len(commits) else None
            yield from _tell(mapping, context, play, play.send(tree, at=at, terminated=terminated))
        if end == "idle" and play.session.ended is None:
            yield from _tell(mapping, context, play, end_idle(play.attempt, play.session, document.idle))


def _tell(mapping: CompiledMapping, context: StatementContext, play: Play, done: AttemptUpdate) -> list[str]:
    generated = generate_statements(mapping, context, done.attempt, done.session, done.changes, done.at)
    play.attempt, play.session = generated.attempt, generated.session
    return [statement.body for statement in generated.statements if statement.problem is None]
