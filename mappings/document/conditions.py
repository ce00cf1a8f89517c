"""Conditions of rules: expressions in CEL (Common Expression Language, https://cel.dev), compiled once."""

from __future__ import annotations

import re
from typing import Any

import cel
import msgspec

VARIABLES: dict[str, str] = {
    "completion": "the attempt's completion status: completed, incomplete, not attempted or unknown",
    "success": "the attempt's success status: passed, failed or unknown",
    "score": "the attempt's score: score.scaled, score.raw, score.min, score.max, as far as known",
    "progress": "the attempt's progress measure, 0 to 1; null where it is not known",
    "attempt": "attempt.number within the enrollment; attempt.total_time in seconds",
    "session": "session.time in seconds",
    "enrollment": "enrollment.completed and enrollment.passed: true if any attempt was, before this commit",
    "learner": "learner.id",
    "activity": "activity.id",
    "course": "course.id",
    "item": "the interaction or objective a rule speaks of: item.id, item.type, item.success, item.response",
    "change": "change.before and change.after, where the trigger has values",
}
"""All variables a condition can use."""


_SAMPLE: dict[str, Any] = {
    "completion": "completed",
    "success": "passed",
    "score": {"scaled": 0.5, "raw": 50, "min": 0, "max": 100},
    "progress": 0.5,
    "attempt": {"number": 1, "total_time": 60.0},
    "session": {"time": 60.0},
    "enrollment": {"completed": False, "passed": False},
    "learner": {"id": "u1"},
    "activity": {"id": "a1"},
    "course": {"id": "c1"},
    "item": {"id": "i1", "type": "choice", "success": True, "response": "a"},
    "change": {"before": None, "after": None},
}


_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\s*\(\s*([A-Za-z_]\w*)\s*,")
_UNDECIDED = (ValueError, TypeError, RuntimeError, KeyError, ArithmeticError)
"""What the library raises for what is not there, for what cannot be compared and for arithmetic without a result."""


class Condition(msgspec.Struct, frozen=True):
    """A compiled condition, with its text."""

    text: str
    program: Any

    def holds(self, variables: dict[str, Any]) -> bool:
        """Tell whether it holds. One that cannot be decided, as what it asks for is not known, does not hold."""
        try:
            return self.program.execute(variables) is True
        except _UNDECIDED:
            return False


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
    return Condition(text, program)
