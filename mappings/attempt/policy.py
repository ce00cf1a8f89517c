"""How a mapping document wants statuses to be understood: its table `[status]`."""

from __future__ import annotations

import msgspec

from mappings.described_enum import DescribedEnum


class ResultPolicy(DescribedEnum):
    """Which of several results is the attempt's."""

    BEST = "best", "a passed result is replaced by a passed one only; of others, the newest counts"
    LAST = "last", "the newest result counts, a failed one after a passed one too"


class EndsRetold(DescribedEnum):
    """What becomes of the statement of an end that a late commit corrects."""

    KEEP = "keep", "an end that a late commit corrects is stated again; the first statement stays"
    VOID = "void", "an end that a late commit corrects is stated again, and the first statement is voided"


class PassMarks(DescribedEnum):
    """When mastery score, passing score and completion threshold decide."""

    WHEN_SILENT = (
        "when-silent",
        (
            "where the content left success or completion open, mastery score, passing score and completion threshold"
            " decide"
        ),
    )
    ALWAYS = "always", "they decide wherever they are known, whatever the content says"
    NEVER = "never", "only the content decides"


class StatusPolicy(msgspec.Struct, frozen=True, gc=False):
    """How statuses are understood.

    `failed_completes` says whether SCORM 1.2's `failed` also completes an attempt, `result` which success and score of
    several are the attempt's, `marks` when marks that the LMS or the content gives decide, `ends_retold` what becomes
    of an end that is told anew.
    """

    failed_completes: bool = False
    result: ResultPolicy = ResultPolicy.BEST
    marks: PassMarks = PassMarks.WHEN_SILENT
    ends_retold: EndsRetold = EndsRetold.KEEP


DEFAULT_POLICY = StatusPolicy()
