"""Which attempts a new session goes on with."""

from __future__ import annotations

import pytest

from mappings.attempt.resuming import RESUME, Resume, goes_on
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
        ("auto", "1.2", UNFINISHED),
        ("auto", "2004", NOT_ENDED),
        ("broken-off", "1.2", NOT_ENDED),
        ("broken-off", "2004", NOT_ENDED),
        ("suspended", "1.2", {"suspended", "suspended, completed", "open, to come back"}),
        ("suspended", "2004", {"suspended", "suspended, completed", "open, to come back"}),
        ("incomplete", "2004", UNFINISHED),
        ("never", "1.2", set()),
        ("never", "2004", set()),
    ],
)
def test_each_rule_goes_on_with_what_it_says(rule: Resume, version: ScormVersion, expected: set[str]) -> None:
    assert {kind for kind, attempt in KINDS.items() if goes_on(attempt, version, rule)} == expected


@pytest.mark.parametrize("rule", RESUME)
def test_an_attempt_that_nothing_was_ever_told_of_goes_on_by_any_rule(rule: Resume) -> None:
    assert goes_on(AttemptState(), "2004", rule)
