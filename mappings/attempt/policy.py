"""How a mapping document wants statuses to be understood: its table `[status]`."""

from __future__ import annotations

from typing import Literal

import msgspec

Result = Literal["best", "last"]
EndsRetold = Literal["keep", "void"]
PassMarks = Literal["when-silent", "always", "never"]

RESULTS: dict[Result, str] = {
    "best": "a passed result is replaced by a passed one only; of others, the newest counts",
    "last": "the newest result counts, a failed one after a passed one too",
}
ENDS_RETOLD: dict[EndsRetold, str] = {
    "keep": "an end that a late commit corrects is stated again; the first statement stays",
    "void": "an end that a late commit corrects is stated again, and the first statement is voided",
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
    several are the attempt's, `marks` when marks that the LMS or the content gives decide, `ends_retold` what becomes
    of an end that is told anew.
    """

    failed_completes: bool = False
    result: Result = "best"
    marks: PassMarks = "when-silent"
    ends_retold: EndsRetold = "keep"


DEFAULT_POLICY = StatusPolicy()
