"""State and profile documents to look at: attempts that have something for each part, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from mappings.attempt.state import AttemptState
from mappings.cmi.snapshot import Snapshot
from mappings.cmi.tree import Tree
from mappings.definition.compiled import CompiledMapping
from mappings.definition.statement_context import DocumentAddress
from mappings.generation.documents import DocumentContent, generate_documents
from tests.mappings.builders import Play, scorm_2004
from tests.mappings.statement_builders import ATTEMPT, compiled, facts

NAMES = tuple(document.name for document in compiled().definition.documents)
SCO = "https://lms.example.org/courses/7/235"
OTHER = "44444444-4444-4444-8444-444444444444"
PARTS_12 = {
    "core.credit": "no-credit",
    "core.lesson_mode": "normal",
    "core.lesson_location": "p2",
    "comments_from_lms": "Well done",
    "suspend_data": "s1",
    "launch_data": "x=1",
    "student_data.mastery_score": "80",
    "student_data.max_time_allowed": "00:30:00",
    "student_data.time_limit_action": "exit,no message",
    "student_preference.audio": "50",
    "student_preference.language": "de",
    "student_preference.speed": "0",
    "student_preference.text": "1",
}
PARTS_2004 = {
    "credit": "credit",
    "mode": "normal",
    "location": "p2",
    "comments_from_lms": {"0": {"comment": "Well done", "location": "p1", "timestamp": "2026-01-31T11:59:00Z"}},
    "suspend_data": "s1",
    "launch_data": "x=1",
    "completion_threshold": "0.75",
    "scaled_passing_score": "-0.5",
    "max_time_allowed": "PT1H0.5S",
    "time_limit_action": "continue,message",
    "learner_preference.audio_level": "0.5",
    "learner_preference.language": "de-CH",
    "learner_preference.delivery_speed": "1",
    "learner_preference.audio_captioning": "-1",
}


def contents(
    attempt: AttemptState,
    *,
    mapping: CompiledMapping | None = None,
    names: Collection[str] = NAMES,
    attempts: Sequence[tuple[str, int]] = (),
    **who: Any,
) -> dict[str, DocumentContent]:
    """Return the documents of an attempt by their names."""
    documents = generate_documents(
        mapping or compiled(),
        facts(**who),
        attempt,
        names=names,
        attempts=attempts,
    )
    assert [document.name for document in documents] == [
        name for name in NAMES if name in {document.name for document in documents}
    ]
    return {document.name: document for document in documents}


def bodies(known: AttemptState | Snapshot, **options: Any) -> dict[str, Any]:
    """Return what the documents of an attempt say, by their names; for a snapshot, of the attempt that knows it."""
    attempt = known if isinstance(known, AttemptState) else AttemptState(snapshot=known)
    return {
        name: json.loads(document.content) if document.content_type == "application/json" else document.content.decode()
        for name, document in contents(attempt, **options).items()
    }


def after(tree: Tree, **options: Any) -> AttemptState:
    """Return the attempt after one commit."""
    return Play().send(tree, **options).attempt


def places(**who: Any) -> dict[str, DocumentAddress]:
    """Return the place of each document of an attempt that has all of them."""
    documents = contents(after(scorm_2004(PARTS_2004)), attempts=[(ATTEMPT, 2)], **who)
    assert tuple(documents) == NAMES
    return {name: document.place for name, document in documents.items()}
