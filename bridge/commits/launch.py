"""Who plays what: all that is needed to open a session."""

from __future__ import annotations

import re

import msgspec

from bridge.errors import MalformedField
from mappings.attempt.launch import NO_LAUNCH_DATA, LaunchData
from mappings.cmi.snapshot import ScormVersion

LONGEST_ID = 1_000
"""UTF-8 bytes an id or name may have: two of them fit one row of PostgreSQL's indexes."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Learner(msgspec.Struct, frozen=True, gc=False):
    """A learner by the LMS's account. `name` and `email` are empty where the LMS does not tell them.

    `attributes` is a JSON object of texts, None where the LMS says nothing of them.
    """

    id: str
    name: str
    email: str = ""
    attributes: str | None = None


class Activity(msgspec.Struct, frozen=True, gc=False):
    """A SCO or topic by the LMS's id, or an IRI. What is not told of it is empty; `type` is an IRI."""

    id: str
    name: str
    type: str
    description: str = ""


class Course(msgspec.Struct, frozen=True, gc=False):
    """The course the activity is part of; all empty where not told."""

    id: str
    name: str
    description: str = ""


class Launch(msgspec.Struct, frozen=True, gc=False):
    """What a session is opened with.

    `attempt_number` is set only where the LMS counts attempts itself, `fresh` where it says that this is another one;
    `data` is what it gives the content.
    """

    lms_id: int
    learner: Learner
    activity: Activity
    course: Course
    scorm_version: ScormVersion | None = None
    attempt_number: int | None = None
    data: LaunchData = NO_LAUNCH_DATA
    fresh: bool = False

    @property
    def key(self) -> tuple[int, str, str]:
        """Give what identifies the enrollment."""
        return self.lms_id, self.learner.id, self.activity.id


def check_launch(launch: Launch) -> None:
    """Check that every id can be stored and become part of an IRI, and every name stored.

    Raises:
        MalformedField: naming the field.
    """
    who, what, course = launch.learner, launch.activity, launch.course
    told = who.id + what.id + course.id + who.name + what.name + course.name
    if len(told) <= LONGEST_ID // 4 and told.isprintable() and who.id.strip() and what.id.strip():
        return  # as nearly all are: nothing to look for
    for field, value, required in (
        ("learner.id", who.id, True),
        ("activity.id", what.id, True),
        ("course.id", course.id, False),
        ("learner.name", who.name, False),
        ("activity.name", what.name, False),
        ("course.name", course.name, False),
    ):
        if required and not value.strip():
            raise MalformedField(f"{field} must not be empty.")
        if len(value) > LONGEST_ID // 4 and len(value.encode()) > LONGEST_ID:
            raise MalformedField(f"{field} is longer than {LONGEST_ID} bytes.")
        if _CONTROL.search(value) is not None:
            raise MalformedField(f"{field} has a control character: {value[:40]!r}.")
