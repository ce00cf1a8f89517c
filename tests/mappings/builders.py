"""CMI data as players send it, commits as they arrive, and a session to play them in."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mappings.attempt import AttemptState, Commit, PriorCommit, ReceivedCommit, SessionState, update_attempt
from mappings.attempt.changes import Trigger
from mappings.attempt.launch import NO_LAUNCH_DATA
from mappings.attempt.opening import open_session
from mappings.attempt.ordering import needs_duplicate_lookup
from mappings.attempt.policy import DEFAULT_POLICY, StatusPolicy
from mappings.attempt.update import AttemptUpdate
from mappings.cmi.parser import parse_cmi
from mappings.cmi.snapshot import Interactions, ScormVersion, Snapshot
from mappings.cmi.tree import Tree, as_json, from_json, is_full

NOON = 1_769_860_800_000
"""2026-01-31T12:00:00Z in milliseconds since the epoch."""

SECOND = 1_000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE

Build = Callable[[Mapping[str, Any]], Tree]
"""Makes a tree of elements by dotted name: `scorm_12`, `scorm_2004` and `delta`."""

_Item = TypeVar("_Item")

_SCORM_12 = {
    "suspend_data": "",
    "launch_data": "",
    "comments": "",
    "comments_from_lms": "",
    "core": {
        "student_id": "u42",
        "student_name": "Doe, Jane",
        "lesson_location": "",
        "credit": "credit",
        "lesson_status": "not attempted",
        "entry": "ab-initio",
        "lesson_mode": "normal",
        "exit": "",
        "session_time": "00:00:00",
        "score": {"raw": "", "min": "", "max": "100"},
    },
    "objectives": {},
    "student_data": {"mastery_score": "", "max_time_allowed": "", "time_limit_action": ""},
    "student_preference": {"audio": "", "language": "", "speed": "", "text": ""},
    "interactions": {},
}
_SCORM_2004 = {
    "comments_from_learner": {},
    "comments_from_lms": {},
    "completion_status": "unknown",
    "completion_threshold": "",
    "credit": "credit",
    "entry": "ab-initio",
    "exit": "",
    "interactions": {},
    "launch_data": "",
    "learner_id": "u42",
    "learner_name": "Doe, Jane",
    "learner_preference": {"audio_level": "1", "language": "", "delivery_speed": "1", "audio_captioning": "0"},
    "location": "",
    "max_time_allowed": "",
    "mode": "normal",
    "objectives": {},
    "progress_measure": "",
    "scaled_passing_score": "",
    "score": {"scaled": "", "raw": "", "min": "", "max": ""},
    "session_time": "PT0H0M0S",
    "success_status": "unknown",
    "suspend_data": "",
    "time_limit_action": "",
}


def scorm_12(changes: Mapping[str, Any] | None = None) -> Tree:
    """Return a full SCORM 1.2 snapshot as scorm-again sends it; `changes` are by dotted name: `core.exit`."""
    return _changed(_SCORM_12, changes)


def scorm_2004(changes: Mapping[str, Any] | None = None) -> Tree:
    """Return a full SCORM 2004 snapshot as scorm-again sends it; `changes` as `scorm_12` takes them."""
    return _changed(_SCORM_2004, changes)


def _changed(whole: Tree, changes: Mapping[str, Any] | None) -> Tree:
    tree = copy.deepcopy(whole)
    for name, value in (changes or {}).items():
        *path, leaf = name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[leaf] = value
    return {"cmi": tree}


def page(number: int, status: str = "incomplete", seconds: int | None = None, /, **changes: str) -> Tree:
    """Return a full SCORM 1.2 snapshot of a learner on a page, some seconds after it was loaded."""
    times = {} if seconds is None else {"core.session_time": f"00:00:{seconds}"}
    return scorm_12({"core.lesson_location": str(number), "core.lesson_status": status} | times | changes)


def delta(changes: Mapping[str, Any]) -> Tree:
    """Return a tree of nothing but the given elements, by dotted name without `cmi.`, as Moodle sends it."""
    return _changed({}, changes)


def numbered(*items: _Item) -> dict[str, _Item]:
    """Return a collection as clients send it: items under the numbers they have there."""
    return {str(index): item for index, item in enumerate(items)}


def stored_items(items: Mapping[str, object]) -> Interactions:
    """Return interactions as snapshots keep them."""
    return {index: as_json(item) for index, item in items.items()}


def spelled_out(interactions: Interactions | None) -> dict[str, Any]:
    """Return what a snapshot's interactions say."""
    assert interactions is not None
    return {index: from_json(item) for index, item in interactions.items()}


def flatten(tree: Tree, path: str = "") -> Tree:
    """Return the dotted names of a tree's leaves with their values; an empty group is a leaf too."""
    flat: Tree = {}
    for key, value in tree.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            flat |= flatten(value, name)
        else:
            flat[name] = value
    return flat


def received_commit(
    tree: Tree,
    *,
    at: int = NOON,
    key: str | None = None,
    declared: ScormVersion | None = None,
    digest: str | None = None,
    **commit: Any,
) -> ReceivedCommit:
    """Return a commit as it arrives. Its digest is of all that its body would hold."""
    commit.setdefault("echoes", is_full(tree))
    body = json.dumps([tree, commit.get("sequence"), commit.get("terminated")], sort_keys=True)
    return ReceivedCommit(
        commit=Commit(wire_format="test", tree=tree, scorm_version=declared, **commit),
        parsed_cmi=parse_cmi(tree, declared=declared),
        digest=digest or hashlib.sha256(body.encode()).hexdigest(),
        received_at=at,
        idempotency_key=key,
    )


class Play:
    """An attempt and one of its sessions, with the journal, as commits come in one by one."""

    def __init__(
        self,
        attempt: AttemptState | None = None,
        session: SessionState | None = None,
        *,
        policy: StatusPolicy = DEFAULT_POLICY,
    ) -> None:
        self.attempt = attempt or AttemptState(sessions=1)
        self.session = session or SessionState(number=1)
        self.policy = policy
        self.journal: list[PriorCommit] = []
        self.folds: list[AttemptUpdate] = []

    def take(self, arrived: ReceivedCommit) -> AttemptUpdate:
        """Fold one commit the way the service does: the journal is read only where the guards ask for it."""
        earlier = tuple(self.journal) if needs_duplicate_lookup(self.session, arrived) else ()
        done = update_attempt(
            self.attempt,
            self.session,
            arrived,
            prior_commits=earlier,
            policy=self.policy,
        )
        self.attempt, self.session = done.attempt, done.session
        self.folds.append(done)
        if done.disposition != "duplicate":
            self.journal.append(
                PriorCommit(len(self.folds), arrived.digest, arrived.commit.sequence, arrived.idempotency_key)
            )
        return done

    def send(self, tree: Tree, **options: Any) -> AttemptUpdate:
        """Fold one commit made of a tree and what `received_commit` takes."""
        return self.take(received_commit(tree, **options))

    def next_session(self) -> Play:
        """Return a play of the attempt's next session, which resumes it where the last one was suspended."""
        attempt, session = open_session(
            self.attempt, NO_LAUNCH_DATA, prior_total_time=self.attempt.client_total_time or self.attempt.total_time
        )
        return Play(attempt, session, policy=self.policy)

    @property
    def told(self) -> list[Trigger]:
        """The triggers of all changes so far, as `triggers` returns them."""
        return [trigger for done in self.folds for trigger in triggers(done)]

    @property
    def known(self) -> Snapshot:
        """The attempt's snapshot."""
        return self.attempt.snapshot


def triggers(done: AttemptUpdate) -> list[Trigger]:
    """Return the triggers of one commit's changes, but for the learner's place, which nearly every commit changes."""
    return [change.trigger for change in done.changes if change.trigger != "location.changed"]
