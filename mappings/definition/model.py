"""A mapping document as values: what `loader` gives and `templates` compiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from mappings.attempt.changes import Trigger
from mappings.attempt.policy import StatusPolicy
from mappings.attempt.state import Ending
from mappings.definition.conditions import Condition
from mappings.definition.placeholders import Placeholder, Template
from mappings.described_enum import DescribedEnum

Resource = Literal["activities/state", "activities/profile", "agents/profile"]
DocumentPart = Literal[
    "attempts",
    "comments_from_lms",
    "completion_threshold",
    "credit",
    "launch_data",
    "learner_id",
    "learner_name",
    "location",
    "max_time_allowed",
    "mode",
    "preferences",
    "scaled_passing_score",
    "suspend_data",
    "time_limit_action",
    "total_time",
]

ContextList = Literal["parent", "grouping", "category", "other"]
Identifier = Literal["account", "mbox", "mbox_sha1sum"]

IDENTIFIERS: dict[Identifier, str] = {
    "account": "the learner's account at the LMS",
    "mbox": "the learner's e-mail address if the LMS sent one, otherwise the account",
    "mbox_sha1sum": "the SHA-1 of that address (of mailto:…) if the LMS sent one, otherwise the account",
}


class ScaledScore(DescribedEnum):
    """How scores are scaled."""

    RANGE = (
        "range",
        "if the content set none: the position of raw between min and max (in SCORM 1.2 by default 0 and 100)",
    )
    RAW_100 = (
        "raw/100",
        (
            "in SCORM 1.2, raw / 100 whatever min and max are, as the SCORM Profile asks for, where raw is 0 to 100;"
            " else as `range`"
        ),
    )


class Overlap(DescribedEnum):
    """What becomes of a session that is open when a later one begins."""

    IGNORED = "ignored", "nothing: each ends by itself"
    ABANDONED = (
        "abandoned",
        "it ends at the later one's first commit, by the rules of `session.abandoned`, as cmi5 requires",
    )


class Once(DescribedEnum):
    """How often a rule makes a statement."""

    ENROLLMENT = "enrollment", "at most one statement for a learner in an activity, whatever the number of attempts"
    ATTEMPT = "attempt", "at most one statement per attempt"
    SESSION = "session", "at most one statement per session"
    CHANGE = "change", "a statement at every change"


ENDINGS: dict[Ending, str] = {
    Ending.SUSPENDED: "as if the content had suspended: the next launch resumes",
    Ending.TERMINATED: "as if the content had finished",
    Ending.ABANDONED: "neither: the LRS learns that the learner left",
}


class ResultPart(DescribedEnum):
    """A part of the result that a rule can ask for."""

    COMPLETION = "completion", "result.completion: true when completed, false when known to be incomplete"
    SUCCESS = "success", "result.success: true when passed or correct, false when failed or wrong"
    SCORE = "score", "result.score: scaled, raw, min and max, as far as known"
    SCORE_0_TO_1 = (
        "score_0_to_1",
        "the same as cmi5 requires: no scaled below 0; raw, min and max together, and as whole numbers",
    )
    DURATION = "duration", "result.duration: the time spent in this session, or an interaction's latency"
    RESPONSE = "response", "result.response: an interaction's response, or a comment's text"
    PROGRESS = "progress", "the cmi5 progress extension: progress_measure in whole per cent"
    PROGRESS_AS_SCORE = "progress_as_score", "result.score.scaled: progress_measure, as the SCORM Profile requires"
    CMI = "cmi", "an extension with SCORM elements that xAPI has no property for: weighting, result, time and the like"


RESOURCES: dict[Resource, str] = {
    "activities/state": "of one learner and one activity",
    "activities/profile": "of one activity, for all learners alike",
    "agents/profile": "of one learner, for all activities alike",
}
DOCUMENT_PARTS: dict[DocumentPart, str] = {
    "attempts": "the IRIs of the enrollment's attempts, the latest at the end; has no other parts",
    "comments_from_lms": "the LMS's comments: text, location and time",
    "completion_threshold": "the progress from which the activity counts as completed, 0 to 1",
    "credit": "credit or no-credit",
    "launch_data": "what the LMS passes to the content at launch",
    "learner_id": "the learner's id at the LMS",
    "learner_name": "the learner's name, if the LMS sent it",
    "location": "the learner's position in the content",
    "max_time_allowed": "the time limit in seconds",
    "mode": "browse, normal or review",
    "preferences": "audio level, language, delivery speed and captioning",
    "scaled_passing_score": "the score from which the activity counts as passed, -1 to 1",
    "suspend_data": "what the content stores to resume later; text, has no other parts",
    "time_limit_action": "what the content does when the time is up",
    "total_time": "the time spent in all sessions, as an ISO 8601 duration",
}
_OF_ACTIVITY: frozenset[DocumentPart] = frozenset(
    {"completion_threshold", "launch_data", "max_time_allowed", "scaled_passing_score", "time_limit_action"}
)
PARTS_OF: dict[Resource, frozenset[DocumentPart]] = {
    "activities/state": frozenset(DOCUMENT_PARTS),
    "activities/profile": _OF_ACTIVITY,
    "agents/profile": frozenset({"learner_id", "learner_name", "preferences"}),
}
"""What each resource may hold: no learner's data where all learners' documents are one."""
CONTEXT_LISTS: dict[ContextList, str] = {
    "parent": "what the interaction belongs to; the cmi5 project advises to name objectives here",
    "grouping": "what it is related to less directly, such as the course",
    "category": "what the statement is tagged with",
    "other": "anything else; the SCORM Profile leaves this list to you",
}


class Actor(msgspec.Struct, frozen=True):
    """The learner as an xAPI agent. `name` is left out of statements where it is None or cannot be filled."""

    home_page: Template
    account: Template
    name: Template | None = None
    identifier: Identifier = "account"


class ActivityTemplate(msgspec.Struct, frozen=True):
    """An xAPI activity; `name` and `description` as Actor's `name`.

    An `interaction` also gets the interaction type and the correct responses in its definition. With `keep_iri`, the
    id of an item that is an IRI already is the activity's id, whatever `id` says.
    """

    id: Template
    type: Template
    name: Template | None = None
    description: Template | None = None
    interaction: bool = False
    keep_iri: bool = False


Value = Template | bool | int | float
"""A text to fill in, or a number or boolean as it stands in the document."""
Extension = tuple[Template, Value | Mapping[str, Value]]
"""The key of an extension, and what it holds: a value or a table of values."""


class Context(msgspec.Struct, frozen=True):
    """The context that all statements share; `grouping` and `category` name activities of the document.

    With `session_source`, statements of sessions that a page opened say so in an extension.
    """

    registration: Template
    grouping: tuple[str, ...]
    category: tuple[str, ...]
    extensions: tuple[Extension, ...] = ()
    platform: Template | None = None
    language: Template | None = None
    session_source: bool = True


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

    `category` and `extensions` are in addition to the context's.
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
    extensions: tuple[Extension, ...] = ()


class DocumentDefinition(msgspec.Struct, frozen=True):
    """A state or profile document kept at the LRS.

    Attributes:
        name: what targets switch it on or off by.
        resource: which of xAPI's three document resources it belongs to.
        id: its stateId or profileId.
        activity: the activity it belongs to; None for a learner's profile.
        content: what it tells; `suspend_data` alone makes a text, everything else a JSON object.
        attempts: the activity that stands for an attempt in the part of that name.
        every: seconds that lie at least between two writes of it, unless the session ended.
        send: whether targets get it that say nothing of it.
    """

    name: str
    resource: Resource
    id: str
    activity: str | None
    content: tuple[DocumentPart, ...]
    attempts: str | None
    every: int
    send: bool


DEFAULT_SOURCE_EXTENSION: Template = (Placeholder("lms.base"), "/xapi/extensions/session-source")


class MappingDefinition(msgspec.Struct, frozen=True):
    """A mapping document without faults. `text` is the file's, `content_hash` the SHA-256 of it.

    `activity_in_course_iri` makes the activity's IRI where the LMS told a course. `status` is how statuses are
    understood, `idle` how a session ends from which nothing comes any more, `overlap` what becomes of one that is open
    when a later one of the learner begins, and `cmi_extension` the key of the result part `cmi`. `source_extension` is
    the key of the extension that says where a session comes from.
    """

    name: str
    title: str
    language: str
    content_hash: str
    text: str
    activity_iri: Template
    activity_in_course_iri: Template
    course_iri: Template
    cmi_extension: Template
    status: StatusPolicy
    idle: Ending
    actor: Actor
    activities: Mapping[str, ActivityTemplate]
    context: Context
    verbs: Mapping[str, Verb]
    rules: tuple[Rule, ...]
    documents: tuple[DocumentDefinition, ...] = ()
    scaled_score: ScaledScore = ScaledScore.RANGE
    overlap: Overlap = Overlap.IGNORED
    source_extension: Template = DEFAULT_SOURCE_EXTENSION
