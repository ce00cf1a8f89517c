"""How a mapping document wants statuses to be understood: its table `[status]`."""

from __future__ import annotations

from typing import Literal

import msgspec

Result = Literal["best", "last"]
PassMarks = Literal["when-silent", "always", "never"]

RESULTS: dict[Result, str] = {
    "best": "a passed result is replaced by a passed one only; of others, the newest counts",
    "last": "the newest result counts, a failed one after a passed one too",
}
PASS_MARKS: dict[PassMarks, str] = {
    "when-silent": "where the content left success or completion open, mastery score, passing score and completion"
    " threshold decide",
    "always": "they decide wherever they are known, whatever the content says",
    "never": "only the content decides",
}


class StatusPolicy(msgspec.Struct, frozen=True, gc=False):
    """How statuses are understood.

    `failed_completes` says whether SCORM 1.2's `failed` also completes an attempt, `result` which success and score of
    several are the attempt's, `marks` when marks that the LMS or the content gives decide.
    """

    failed_completes: bool = False
    result: Result = "best"
    marks: PassMarks = "when-silent"


DEFAULT_POLICY = StatusPolicy()
