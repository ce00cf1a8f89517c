"""Which attempts a new session goes on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.attempt.resuming import Resume, goes_on
from mappings.attempt.state import AttemptState, Ending
from mappings.cmi.snapshot import CompletionStatus, ScormVersion, Snapshot, SuccessStatus

INCOMPLETE = Snapshot(completion_status=CompletionStatus.INCOMPLETE)
COMPLETED = Snapshot(completion_status=CompletionStatus.COMPLETED)
FAILED = Snapshot(success_status=SuccessStatus.FAILED)
KINDS = {
    "suspended": AttemptState(commits=1, ended=Ending.SUSPENDED, snapshot=INCOMPLETE),
    "suspended, completed": AttemptState(commits=1, ended=Ending.SUSPENDED, snapshot=COMPLETED),
    "left": AttemptState(commits=1, ended=Ending.TERMINATED, snapshot=INCOMPLETE),
    "finished": AttemptState(commits=1, ended=Ending.TERMINATED, snapshot=COMPLETED),
    "failed": AttemptState(commits=1, ended=Ending.TERMINATED, snapshot=FAILED),
    "broken off": AttemptState(commits=1, ended=Ending.ABANDONED, broken_off=True, snapshot=INCOMPLETE),
    "broken off, completed": AttemptState(commits=1, ended=Ending.ABANDONED, broken_off=True, snapshot=COMPLETED),
    "open": AttemptState(commits=1, snapshot=INCOMPLETE),
    "open, to come back": AttemptState(commits=1, snapshot=Snapshot(exit="suspend")),
}
UNFINISHED = {"suspended", "left", "broken off", "open", "open, to come back"}
NOT_ENDED = {*UNFINISHED - {"left"}, "suspended, completed", "broken off, completed"}


@pytest.mark.parametrize(
    ("rule", "version", "expected"),
    [
        (Resume.AUTO, "1.2", UNFINISHED),
        (Resume.AUTO, "2004", NOT_ENDED),
        (Resume.BROKEN_OFF, "1.2", NOT_ENDED),
        (Resume.BROKEN_OFF, "2004", NOT_ENDED),
        (Resume.SUSPENDED, "1.2", {"suspended", "suspended, completed", "open, to come back"}),
        (Resume.SUSPENDED, "2004", {"suspended", "suspended, completed", "open, to come back"}),
        (Resume.INCOMPLETE, "2004", UNFINISHED),
        (Resume.NEVER, "1.2", set()),
        (Resume.NEVER, "2004", set()),
    ],
)
def test_each_rule_goes_on_with_what_it_says(rule: Resume, version: ScormVersion, expected: set[str]) -> None:
    assert {kind for kind, attempt in KINDS.items() if goes_on(attempt, version, rule)} == expected


@pytest.mark.parametrize("rule", Resume)
def test_the_guide_to_scorm_explains_each_rule(rule: Resume) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "scorm.md").read_text(encoding="utf-8")

    assert f"\n- `{rule}`: {rule.meaning}\n" in guide


@pytest.mark.parametrize("rule", Resume)
def test_an_attempt_that_nothing_was_ever_told_of_goes_on_by_any_rule(rule: Resume) -> None:
    assert goes_on(AttemptState(), "2004", rule)
