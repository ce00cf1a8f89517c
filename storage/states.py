"""The states that rows can be in, each defined once. Their values are what is stored, shown and accepted."""

from __future__ import annotations

from enum import StrEnum


class AttemptStatus(StrEnum):
    """Where an attempt is."""

    ACTIVE = "active"
    """Its latest session is open."""
    SUSPENDED = "suspended"
    """The learner left it to go on later."""
    TERMINATED = "terminated"
    """The content ended it."""
    ABANDONED = "abandoned"
    """Nothing came from its latest session any more."""


class SessionSource(StrEnum):
    """Where the commits of a session come from."""

    SERVER = "server"
    """An LMS's server, or a player that got its commit URL from one."""
    BROWSER = "browser"
    """A page of the LMS that has a browser key: whoever has the key can forge them."""
    IMPORT = "import"
    """The stored history of an LMS."""


class DeliveryState(StrEnum):
    """Where a statement or a document is on its way to one target; a document is never quarantined or discarded."""

    WAITING = "waiting"
    """It is to be sent, or sent again."""
    DELIVERED = "delivered"
    """The LRS has it."""
    DEAD = "dead"
    """The LRS refused it for good."""
    QUARANTINED = "quarantined"
    """Every LRS would refuse it: it is never sent."""
    DISCARDED = "discarded"
    """People gave it up."""


class BackfillState(StrEnum):
    """Where a backfill is that the service runs for a target."""

    COUNTING = "counting"
    """What the target lacks is being counted."""
    COUNTED = "counted"
    """It was counted, and nothing is queued yet."""
    QUEUEING = "queueing"
    """It is being queued."""
    PAUSED = "paused"
    """People stopped it for a while."""
    DONE = "done"
    """All of it was queued."""


class TokenScope(StrEnum):
    """What a token permits. `docs/security.md` lists it by route."""

    COMMIT = "commit"
    """Opening sessions, and commits to them."""
    READ = "read"
    """Reading results: sessions, attempts and enrollments."""
    MIRROR = "mirror"
    """Passing on what the LMS's players post, for its proxy."""
    ADMIN = "admin"
    """All that tokens can permit."""


class TokenStatus(StrEnum):
    """Whether a token is valid."""

    VALID = "valid"
    """Requests with it are answered."""
    EXPIRED = "expired"
    """Its time is over."""
    REVOKED = "revoked"
    """People ended it."""


class TryOutcome(StrEnum):
    """What a try came to."""

    DELIVERED = "delivered"
    """The LRS has it."""
    EQUIVALENT = "equivalent"
    """The LRS has it, spelled its own way: as good as delivered."""
    UNVERIFIED = "unverified"
    """The LRS says that it has a statement of this id, and it cannot be read back to be compared."""
    RETRY = "retry"
    """The LRS or the network is in trouble: wait and send the same again."""
    BROKE = "broke"
    """The LRS failed (500): it is in trouble, or one of the statements makes it fail."""
    NOT_ALLOWED = "not-allowed"
    """The LRS denies the bridge access: wait, and raise an alarm."""
    REFUSED = "refused"
    """The LRS refuses such a statement: split the batch; a single one becomes dead."""
    CONFLICT = "conflict"
    """The LRS has a statement of one of these ids: split the batch; a single one is compared."""
    DIVERGED = "diverged"
    """The LRS has a statement of another history of this database under the id: people may reissue it."""
    TOO_LARGE = "too-large"
    """More than the LRS accepts at once: split the batch; a single one becomes dead."""
    FAULT = "fault"
    """The bridge itself failed unexpectedly: split the batch; a single one waits."""


class RequestKind(StrEnum):
    """What a request to an LRS is for: each has permissions of its own there."""

    STATEMENTS = "statements"
    """Storing statements."""
    VOIDING = "voiding"
    """Storing statements that void others."""
    READING = "reading"
    """Reading a statement back, to see whether the LRS has what it would not take again."""
    DOCUMENTS = "documents"
    """Reading and writing state and profile documents."""


class AlarmState(StrEnum):
    """What is the matter."""

    NOT_ALLOWED = "not-allowed"
    """The LRS does not let the bridge in (401, or 403 for everything)."""
    REFUSING = "refusing"
    """The LRS refuses one statement after the other and takes none."""
    UNREACHABLE = "unreachable"
    """The LRS, or the way to it, is in trouble."""
    FAULT = "fault"
    """The bridge itself fails over what it is to send."""


class AlertEvent(StrEnum):
    """What is told of an alert."""

    BEGAN = "began"
    """Something is wrong."""
    ENDED = "ended"
    """It is right again."""


class NotificationState(StrEnum):
    """Where the news of an alert is on its way to a channel."""

    WAITING = "waiting"
    """It is to be sent, or sent again."""
    SENT = "sent"
    """The channel took it."""
    FAILED = "failed"
    """The channel took it for a day of tries not, and it is given up."""


class SearchKind(StrEnum):
    """What people look for by name or id."""

    LEARNER = "learner"
    """A person at an LMS."""
    COURSE = "course"
    """What activities belong to."""
    ACTIVITY = "activity"
    """What learners play."""


class SearchField(StrEnum):
    """What of a learner, course or activity a term of the index is a part of."""

    LEARNER_NAME = "learner-name"
    """A word of a learner's name."""
    LEARNER_INSIDE = "learner-inside"
    """The rest of such a word, from any of its letters on."""
    LEARNER_ID = "learner-id"
    """A word of a learner's id."""
    COURSE_NAME = "course-name"
    """A word of a course's name."""
    COURSE_INSIDE = "course-inside"
    """The rest of such a word."""
    COURSE_ID = "course-id"
    """A word of a course's id."""
    ACTIVITY_NAME = "activity-name"
    """A word of an activity's name."""
    ACTIVITY_INSIDE = "activity-inside"
    """The rest of such a word."""
    ACTIVITY_ID = "activity-id"
    """A word of an activity's id."""


class WebhookState(StrEnum):
    """Whether events are sent to an endpoint of webhooks."""

    FLOWING = "flowing"
    """What is queued is sent at once."""
    FAILING = "failing"
    """Requests fail; events wait, and it is tried again and again."""
    PAUSED = "paused"
    """People paused it, or it answered 410 (Gone): events wait until it is resumed."""
