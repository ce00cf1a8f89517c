"""Who plays what: all that is needed to open a session."""

from __future__ import annotations

import re

import msgspec

from bridge.errors import MalformedField
from mappings.attempt.launch import NO_LAUNCH_DATA, LaunchData
from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.warnings import CmiWarning, WarningCode, warn

MAX_ID_BYTES = 1_000
"""UTF-8 bytes an id or name may have."""
MAX_KEY_BYTES = 2_400
"""UTF-8 bytes that the ids of learner, activity and course may have together: they share a row of an index, for which
PostgreSQL has 2,704."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class LaunchLearner(msgspec.Struct, frozen=True, gc=False):
    """A learner by the LMS's account. `name` and `email` are empty where the LMS leaves them out.

    `attributes` is a JSON object of texts, None where the LMS says nothing of them.
    """

    id: str
    name: str
    email: str = ""
    attributes: str | None = None


class LaunchActivity(msgspec.Struct, frozen=True, gc=False):
    """A SCO or topic by the LMS's id, or an IRI. What the LMS leaves out is empty; `type` is an IRI."""

    id: str
    name: str
    type: str
    description: str = ""


class LaunchCourse(msgspec.Struct, frozen=True, gc=False):
    """The course the activity is part of; all empty where the LMS leaves it out.

    `activities` are the ids of those that make the course up for the learner, None where the LMS does not list them.
    """

    id: str
    name: str
    description: str = ""
    activities: tuple[str, ...] | None = None


class PastLaunch(msgspec.Struct, frozen=True, gc=False):
    """A launch long ago, of an LMS's stored history: when it was, in milliseconds since the epoch.

    `attempt_id` is the UUID of its attempt and `registration` that of its enrollment: both are made of the history
    alone, and so are statements and their ids.
    """

    opened_at: int
    attempt_id: str
    registration: str


class Launch(msgspec.Struct, frozen=True, gc=False):
    """What a session is opened with.

    `attempt_number` is set only where the LMS counts attempts itself, `fresh` where it says that this is another one;
    `data` is what it gives the content. `past` is there where the launch is imported.
    """

    lms_id: int
    learner: LaunchLearner
    activity: LaunchActivity
    course: LaunchCourse
    scorm_version: ScormVersion | None = None
    attempt_number: int | None = None
    data: LaunchData = NO_LAUNCH_DATA
    fresh: bool = False
    past: PastLaunch | None = None

    @property
    def key(self) -> tuple[int, str, str, str]:
        """Return what identifies the enrollment, where the LMS names the course or there is none."""
        return self.lms_id, self.learner.id, self.activity.id, self.course.id

    def may_mean(self, key: tuple[int, str, str, str]) -> bool:
        """Return whether an enrollment may be meant where its session is known: either may leave the course out.

        An LMS that named the course at the launch need not name it again.
        """
        mine = self.key
        return mine == key or (mine[:3] == key[:3] and (not mine[3] or not key[3]))


def validate_launch(launch: Launch) -> tuple[Launch, list[CmiWarning]]:
    """Validate that every id can be stored and become part of an IRI, and every name stored.

    Control characters in names are replaced by spaces, and warned of.

    Raises:
        MalformedField: naming the field.
    """
    who, what, course = launch.learner, launch.activity, launch.course
    texts = who.id + what.id + course.id + who.name + what.name + course.name
    if len(texts) <= MAX_ID_BYTES // 4 and texts.isprintable() and who.id.strip() and what.id.strip():
        return launch, []  # as nearly all are: nothing to look for
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
        if len(value) > MAX_ID_BYTES // 4 and len(value.encode()) > MAX_ID_BYTES:
            raise MalformedField(f"{field} is longer than {MAX_ID_BYTES} bytes.")
        if not field.endswith(".name") and _CONTROL.search(value) is not None:
            raise MalformedField(f"{field} has a control character: {value[:40]!r}.")
    if len((who.id + what.id + course.id).encode()) > MAX_KEY_BYTES:
        raise MalformedField(
            f"learner.id, activity.id and course.id are together longer than {MAX_KEY_BYTES} bytes; shorten one of"
            " them."
        )
    warnings: list[CmiWarning] = []
    launch = msgspec.structs.replace(
        launch,
        learner=msgspec.structs.replace(who, name=_printable("learner.name", who.name, warnings)),
        activity=msgspec.structs.replace(what, name=_printable("activity.name", what.name, warnings)),
        course=msgspec.structs.replace(course, name=_printable("course.name", course.name, warnings)),
    )
    return launch, warnings


def _printable(field: str, name: str, warnings: list[CmiWarning]) -> str:
    if _CONTROL.search(name) is None:
        return name
    # the name itself is a learner's, and the answer is kept
    warnings.append(
        warn(WarningCode.CONTROL_CHARACTER, field, "", "had control characters, which were replaced by spaces")
    )
    return _CONTROL.sub(" ", name)
