"""Who plays what: all that is needed to open a session."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.errors import MalformedField
from mappings.cmi.snapshot import ScormVersion

LONGEST_ID = 1_000
"""UTF-8 bytes an id or name may have: two of them fit one row of PostgreSQL's indexes."""


@dataclass(frozen=True, slots=True)
class Learner:
    """A learner by the LMS's account. `name` is empty where the LMS does not tell it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Activity:
    """A SCO or topic by the LMS's id, or an IRI. `name` and `type` (an IRI) are empty where not told."""

    id: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Course:
    """The course the activity is part of; all empty where not told."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Launch:
    """What a session is opened with. `attempt_number` is set only where the LMS counts attempts itself."""

    lms_id: int
    learner: Learner
    activity: Activity
    course: Course
    scorm_version: ScormVersion | None = None
    attempt_number: int | None = None

    @property
    def key(self) -> tuple[int, str, str]:
        """Give what identifies the enrollment."""
        return self.lms_id, self.learner.id, self.activity.id


def check_launch(launch: Launch) -> None:
    """Check that every id can be stored and become part of an IRI, and every name stored.

    Raises:
        MalformedField: naming the field.
    """
    for field, value, required in (
        ("learner.id", launch.learner.id, True),
        ("activity.id", launch.activity.id, True),
        ("course.id", launch.course.id, False),
        ("learner.name", launch.learner.name, False),
        ("activity.name", launch.activity.name, False),
        ("course.name", launch.course.name, False),
    ):
        if required and not value.strip():
            raise MalformedField(f"{field} must not be empty.")
        if len(value.encode()) > LONGEST_ID:
            raise MalformedField(f"{field} is longer than {LONGEST_ID} bytes.")
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise MalformedField(f"{field} has a control character: {value[:40]!r}.")
