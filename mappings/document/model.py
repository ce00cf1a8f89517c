"""A mapping document as values: what `loader` gives and `skeletons` compiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from mappings.attempt.changes import Trigger
from mappings.attempt.state import Ending
from mappings.document.conditions import Condition
from mappings.document.templates import Template

Once = Literal["attempt", "session", "change"]
ResultPart = Literal[
    "completion", "success", "score", "score_0_to_1", "duration", "response", "progress", "progress_as_score", "cmi"
]

ONCE: dict[Once, str] = {
    "attempt": "at most one statement an attempt",
    "session": "at most one statement a session",
    "change": "a statement at every change",
}
ENDINGS: dict[Ending, str] = {
    "suspended": "as if the content had left to come back: the next launch resumes",
    "terminated": "as if the content had finished",
    "abandoned": "neither: the LRS is told that the learner left",
}
RESULT_PARTS: dict[ResultPart, str] = {
    "completion": "result.completion: true when completed, false when known to be incomplete",
    "success": "result.success: true when passed or correct, false when failed or wrong",
    "score": "result.score: scaled, raw, min and max, as far as known",
    "score_0_to_1": "the same without a scaled score below 0, as cmi5 asks for",
    "duration": "result.duration: the time spent in this session, or an interaction's latency",
    "response": "result.response: an interaction's response, or a comment's text",
    "progress": "the cmi5 progress extension: progress_measure in whole per cent",
    "progress_as_score": "result.score.scaled: progress_measure, as the SCORM Profile asks for",
    "cmi": "an extension with SCORM's own words for which xAPI has no place: weighting, result, time and the like",
}
ContextList = Literal["parent", "grouping", "category", "other"]
CONTEXT_LISTS: dict[ContextList, str] = {
    "parent": "what the interaction belongs to; the cmi5 project advises to name objectives here",
    "grouping": "what it has to do with less directly, such as the course",
    "category": "what the statement is tagged with",
    "other": "anything else; the SCORM Profile leaves this list to you",
}


class Actor(msgspec.Struct, frozen=True):
    """The learner as an xAPI account. `name` is left out of statements where it is None or cannot be filled."""

    home_page: Template
    account: Template
    name: Template | None = None


class Activity(msgspec.Struct, frozen=True):
    """An xAPI activity; `name` and `description` as Actor's `name`.

    An `interaction` also gets the interaction type and the correct responses in its definition.
    """

    id: Template
    type: Template
    name: Template | None = None
    description: Template | None = None
    interaction: bool = False


class Context(msgspec.Struct, frozen=True):
    """The context that all statements share.

    `grouping` and `category` name activities of the document; an extension is a text or a table of texts.
    """

    registration: Template
    grouping: tuple[str, ...]
    category: tuple[str, ...]
    extensions: tuple[tuple[Template, Template | Mapping[str, Template]], ...] = ()


class Verb(msgspec.Struct, frozen=True):
    """A verb with its display in one or more languages."""

    id: str
    display: Mapping[str, str]


class Objectives(msgspec.Struct, frozen=True):
    """How a statement tells the objectives that its interaction names: each as this activity, in this list."""

    activity: str
    place: ContextList


class Rule(msgspec.Struct, frozen=True):
    """When `when` happens and `condition` holds, a statement with these parts, as often as `once` allows.

    `category` is in addition to the context's.
    """

    name: str
    when: Trigger
    verb: str
    object: str
    once: Once
    result: tuple[ResultPart, ...] = ()
    parent: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    objectives: Objectives | None = None
    condition: Condition | None = None


class Document(msgspec.Struct, frozen=True):
    """A mapping document without faults. `text` is the file's, `content_hash` the SHA-256 of it.

    `failed_completes` says whether SCORM 1.2's `failed` also completes an attempt; `idle` how a session ends from which
    nothing comes any more; `cmi_extension` is the key of the result part `cmi`.
    """

    name: str
    title: str
    language: str
    content_hash: str
    text: str
    activity_iri: Template
    course_iri: Template
    cmi_extension: Template
    failed_completes: bool
    idle: Ending
    actor: Actor
    activities: Mapping[str, Activity]
    context: Context
    verbs: Mapping[str, Verb]
    rules: tuple[Rule, ...]
