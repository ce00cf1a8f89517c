"""Conditions of rules: expressions in CEL (Common Expression Language, https://cel.dev), compiled once."""

from __future__ import annotations

import re
from typing import Any

import cel
import msgspec

from mappings.cmi.snapshot import CompletionStatus, SuccessStatus

VARIABLES: dict[str, str] = {
    "completion": "the attempt's completion status: completed, incomplete, not attempted or unknown",
    "success": "the attempt's success status: passed, failed or unknown",
    "score": "the attempt's score: score.scaled, score.raw, score.min, score.max, as far as known",
    "progress": "the attempt's progress measure, 0 to 1; null if unknown",
    "attempt": "attempt.number within the enrollment; attempt.total_time in seconds",
    "session": "session.time in seconds; session.mode: normal, review or browse; session.credit: credit or no-credit;"
    " session.ended: its end as stated: suspended, terminated or abandoned, empty before; session.success: the last"
    " success status of this session: passed, failed or unknown; session.source: server where the LMS's server"
    " opened it, browser where a page with a browser key did, import where it is of a stored history",
    "enrollment": "enrollment.completed and enrollment.passed: true if any attempt was, before this commit",
    "learner": "learner.id; learner.attributes by name, as learner.attributes.department, as far as the LMS sent them",
    "activity": "activity.id",
    "course": "course.id",
    "item": "the interaction or objective that the change is about: item.id, item.type, item.success, item.response",
    "change": "change.before and change.after, if the trigger has values",
}
"""All variables a condition can use."""


_SAMPLE: dict[str, Any] = {
    "completion": str(CompletionStatus.COMPLETED),
    "success": str(SuccessStatus.PASSED),
    "score": {"scaled": 0.5, "raw": 50, "min": 0, "max": 100},
    "progress": 0.5,
    "attempt": {"number": 1, "total_time": 60.0},
    "session": {
        "time": 60.0,
        "mode": "normal",
        "credit": "credit",
        "ended": "",
        "success": "unknown",
        "source": "server",
    },
    "enrollment": {"completed": False, "passed": False},
    "learner": {"id": "u1", "attributes": {}},
    "activity": {"id": "a1"},
    "course": {"id": "c1"},
    "item": {"id": "i1", "type": "choice", "success": True, "response": "a"},
    "change": {"before": None, "after": None},
}


_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\s*\(\s*([A-Za-z_]\w*)\s*,")
_UNDECIDED = (ValueError, TypeError, RuntimeError, KeyError, ArithmeticError)
"""What the library raises for what is not there, for what cannot be compared and for arithmetic without a result."""


MAX_ANSWERS = 128
"""Answers that a condition remembers."""

_LITERAL_TEXT = re.compile(r"""[rRbB]["']|\"{3}|'{3}""")  # raw, bytes or of several lines: not worth the trouble
_TEXT = re.compile(r"""(?:\"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_WORD = re.compile(r"\b(session|enrollment)\b\s*(?:\.\s*(\w+))?")
_SETTLED = {"session": {"mode", "credit", "ended", "success", "source"}, "enrollment": {"completed", "passed"}}
"""Members that have a few words for values each: what asks for nothing else has few answers."""

SettledValues = tuple[str, str, str, str, str, bool, bool]
"""Values of a session's mode, credit, ended, success and source, and of an enrollment's completed and passed."""


class Condition(msgspec.Struct, frozen=True):
    """A compiled condition, with its text. `is_settled`: it asks for nothing but what `SettledValues` has."""

    text: str
    program: Any
    is_settled: bool = False
    answers: dict[SettledValues, bool] = msgspec.field(default_factory=dict)

    def holds(self, variables: dict[str, Any]) -> bool:
        """Return whether it holds. One that cannot be decided, as what it asks for is not known, does not hold."""
        try:
            return self.program.execute(variables) is True
        except _UNDECIDED:
            return False

    def holds_for(self, settled: SettledValues) -> bool:
        """Return whether one that `is_settled` holds; each answer is worked out once."""
        cached = self.answers.get(settled)
        if cached is None:
            mode, credit, ended, success, source, completed, passed = settled
            cached = self.holds(
                {
                    "session": {"mode": mode, "credit": credit, "ended": ended, "success": success, "source": source},
                    "enrollment": {"completed": completed, "passed": passed},
                }
            )
            if len(self.answers) < MAX_ANSWERS:  # what a client sends as mode may be any word
                self.answers[settled] = cached
        return cached

    def asks_for(self, member: str) -> bool:
        """Return whether the text names a member, such as `session.ended`."""
        owner, _, name = member.partition(".")
        return any(named == (owner, name) for named in _members(self.text))


def _members(text: str) -> list[tuple[str, str]]:
    return _WORD.findall(_TEXT.sub('""', text))


def _is_settled(text: str, variables: list[str]) -> bool:
    if not variables or not set(variables) <= _SETTLED.keys() or _LITERAL_TEXT.search(text):
        return False
    return all(name in _SETTLED[owner] for owner, name in _members(text))


def compile_condition(text: str) -> Condition:
    """Compile a condition.

    Raises:
        ValueError: it is not CEL, or uses a variable that there is not.
    """
    try:
        program = cel.compile(text)
    except (ValueError, RuntimeError, TypeError) as error:
        raise ValueError(f"is not a CEL expression: {error}") from None
    # the library also names what a macro binds: `x` in `["a", "b"].exists(x, x == item.id)`
    unknown = sorted(set(program.variables()) - VARIABLES.keys() - set(_BOUND.findall(text)))
    if unknown:
        raise ValueError(f"uses {', '.join(unknown)}, which there is not; there are {', '.join(VARIABLES)}")
    try:
        program.execute(_SAMPLE)
    except RuntimeError as error:
        raise ValueError(f"cannot be evaluated: {error}") from None
    except (ValueError, TypeError, KeyError, ArithmeticError):
        pass  # of other values than the sample's it may well hold
    return Condition(text, program, _is_settled(text, program.variables()))
