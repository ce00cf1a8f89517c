"""A mapping document as values: what `loader` gives and `skeletons` compiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from mappings.attempt.changes import Trigger
from mappings.document.templates import Template

Once = Literal["attempt", "session", "change"]
ResultPart = Literal["completion", "success", "score", "duration", "progress", "progress_as_score"]

ONCE: dict[Once, str] = {
    "attempt": "at most one statement an attempt",
    "session": "at most one statement a session",
    "change": "a statement at every change",
}
RESULT_PARTS: dict[ResultPart, str] = {
    "completion": "result.completion: true when completed, false when known to be incomplete",
    "success": "result.success: true when passed, false when failed",
    "score": "result.score: scaled, raw, min and max, as far as known",
    "duration": "result.duration: the time spent in this session",
    "progress": "the cmi5 progress extension: progress_measure in whole per cent",
    "progress_as_score": "result.score.scaled: progress_measure, as the SCORM Profile asks for",
}


class Actor(msgspec.Struct, frozen=True):
    """The learner as an xAPI account. `name` is left out of statements where it is None or cannot be filled."""

    home_page: Template
    account: Template
    name: Template | None = None


class Activity(msgspec.Struct, frozen=True):
    """An xAPI activity; `name` as Actor's."""

    id: Template
    type: Template
    name: Template | None = None


class Context(msgspec.Struct, frozen=True):
    """The context that all statements share. `grouping` and `category` name activities of the document."""

    registration: Template
    grouping: tuple[str, ...]
    category: tuple[str, ...]
    extensions: tuple[tuple[Template, Mapping[str, Template]], ...] = ()


class Verb(msgspec.Struct, frozen=True):
    """A verb with its display in one or more languages."""

    id: str
    display: Mapping[str, str]


class Rule(msgspec.Struct, frozen=True):
    """When `when` happens, a statement with this verb, object and result, as often as `once` allows."""

    name: str
    when: Trigger
    verb: str
    object: str
    once: Once
    result: tuple[ResultPart, ...] = ()


class Document(msgspec.Struct, frozen=True):
    """A mapping document without faults. `text` is the file's, `content_hash` the SHA-256 of it."""

    name: str
    title: str
    language: str
    content_hash: str
    text: str
    activity_iri: Template
    course_iri: Template
    actor: Actor
    activities: Mapping[str, Activity]
    context: Context
    verbs: Mapping[str, Verb]
    rules: tuple[Rule, ...]
