"""Every error response of the API, as a tree.

    BridgeError
      BadRequest 400            MalformedBody, MalformedSessionId, MalformedField, UnknownParameter
      Unauthorized 401          NoToken, UnknownToken (TokenExpired), BadCommitToken (CommitTokenExpired),
                                BrowserKeyUnknown, BrowserKeyExpired
      Forbidden 403             InsufficientScope, MetricsForbidden, BrowserOriginForbidden, BrowserActivityForbidden,
                                BrowserReadForbidden
      NotFound 404              SessionUnknown, AttemptUnknown, CourseUnknown
      Conflict 409              SessionMismatch
      Gone 410                  LearnerErased
      ContentTooLarge 413       BodyTooLarge, BodyTooComplex
      UnsupportedMediaType 415  UnsupportedEncoding
      Unprocessable 422         IdempotencyKeyReused
      OverLimit 429             SessionOverLimit, LearnerOverLimit, LmsOverLimit
      TooManyRequests 429       TooManyQuestions, TokenRateExceeded, LmsRateExceeded,
                                BrowserRateExceeded
      Unavailable 503           DatabaseUnavailable, DiskLow, Overloaded, Busy, NotProcessed

Each leaf has a stable `code`. The text says what was wrong, where, and what to do.
"""

from __future__ import annotations

from typing import ClassVar


class BridgeError(Exception):
    """A response other than success. `detail` is for people; `retry_after` is in seconds."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class BadRequest(BridgeError):
    """The request cannot be understood; sending it again changes nothing."""

    status = 400


class MalformedBody(BadRequest):
    """The body is no commit in any known format, or not what this address takes."""

    code = "malformed-body"
    title = "The body cannot be understood"


class MalformedSessionId(BadRequest):
    """The session id is not a UUID."""

    code = "malformed-session-id"
    title = "The session id is not a UUID"


class MalformedField(BadRequest):
    """A field of the request has a value that is not valid."""

    code = "malformed-field"
    title = "A field cannot be used"


class UnknownParameter(BadRequest):
    """The address does not take one of the query parameters."""

    code = "unknown-parameter"
    title = "A query parameter is not known"


class Unauthorized(BridgeError):
    """The request is not authenticated."""

    status = 401


class NoToken(Unauthorized):
    """The request has no token."""

    code = "no-token"
    title = "A token is needed"


class UnknownToken(Unauthorized):
    """The LMS token is unknown or revoked."""

    code = "unknown-token"
    title = "The token is not valid"


class TokenExpired(UnknownToken):
    """The token of an LMS, `lms_id`, was valid until some time, which is over."""

    code = "token-expired"
    title = "The token has expired"

    def __init__(self, detail: str, lms_id: int) -> None:
        super().__init__(detail)
        self.lms_id = lms_id


class BadCommitToken(Unauthorized):
    """The token in the commit URL is forged, for another session, or expired."""

    code = "bad-commit-token"
    title = "The commit URL's token is not valid"


class CommitTokenExpired(BadCommitToken):
    """The token in the commit URL was made for the session of an LMS, `lms_id`, and is valid no longer."""

    def __init__(self, lms_id: int) -> None:
        super().__init__("The token in the commit URL has expired; open the session again to get another URL.")
        self.lms_id = lms_id


class BrowserKeyUnknown(Unauthorized):
    """The browser key is unknown or revoked."""

    code = "browser-key-unknown"
    title = "The browser key is not valid"


class BrowserKeyExpired(Unauthorized):
    """The browser key was valid until some time, which is over."""

    code = "browser-key-expired"
    title = "The browser key has expired"


class Forbidden(BridgeError):
    """The request is not for whoever sends it."""

    status = 403


class InsufficientScope(Forbidden):
    """The token of an LMS, `lms_id`, lacks the scope that the address needs, `scope`."""

    code = "insufficient-scope"
    title = "The token does not permit this"

    def __init__(self, scope: str, lms_id: int) -> None:
        super().__init__(
            f"This address needs a token with the scope {scope}; `scorm-bridge tokens create --scope {scope}` makes"
            " one."
        )
        self.scope = scope
        self.lms_id = lms_id


class MetricsForbidden(Forbidden):
    """Metrics are only for programs on the machine of the bridge, as the settings say."""

    code = "metrics-forbidden"
    title = "Metrics are not for everybody"


class BrowserOriginForbidden(Forbidden):
    """The page that uses a browser key is of an origin that the key is not for."""

    code = "browser-origin-forbidden"
    title = "The browser key is not for this page"


class BrowserActivityForbidden(Forbidden):
    """A browser key is used for an activity that it is not for."""

    code = "browser-activity-forbidden"
    title = "The browser key is not for this activity"


class BrowserReadForbidden(Forbidden):
    """A page asks for what its session holds; a browser key only writes."""

    code = "browser-read-forbidden"
    title = "A browser key only writes"


class RecordingForbidden(Forbidden):
    """Calls are sent of a session that no page opened."""

    code = "recording-forbidden"
    title = "Only pages record calls"


class NotFound(BridgeError):
    """The resource does not exist, or not for this LMS."""

    status = 404


class SessionUnknown(NotFound):
    """The LMS has no such session; a session of another LMS is reported in the same way."""

    code = "session-unknown"
    title = "The session is not known"

    @classmethod
    def named(cls, session_id: str) -> SessionUnknown:
        """Return the error for a session that a commit names."""
        return cls(f"This LMS has no session {session_id}; open it with POST /v1/sessions or send its learner.")


class AttemptUnknown(NotFound):
    """The LMS has no such attempt."""

    code = "attempt-unknown"
    title = "The attempt is not known"


class CourseUnknown(NotFound):
    """The LMS has no such learner in such a course."""

    code = "course-unknown"
    title = "The learner is not known in the course"


class Conflict(BridgeError):
    """The request contradicts what is stored."""

    status = 409


class SessionMismatch(Conflict):
    """The session belongs to another learner or activity."""

    code = "session-mismatch"
    title = "The session belongs to another learner or activity"


class Gone(BridgeError):
    """What the request is about was removed for good."""

    status = 410


class LearnerErased(Gone):
    """The learner was erased, and what comes later of them is refused."""

    code = "learner-erased"
    title = "The learner was erased"


class ContentTooLarge(BridgeError):
    """The request is larger than is accepted."""

    status = 413


class BodyTooLarge(ContentTooLarge):
    """The body is larger than the limit."""

    code = "body-too-large"
    title = "The body is too large"


class BodyTooComplex(ContentTooLarge):
    """The body has more fields, parts or questions than are accepted, whatever its size."""

    code = "body-too-complex"
    title = "The body has too many parts"


class UnsupportedMediaType(BridgeError):
    """The body is in a form that is not accepted."""

    status = 415


class UnsupportedEncoding(UnsupportedMediaType):
    """The body is compressed in a way that is not accepted."""

    code = "unsupported-encoding"
    title = "The body's Content-Encoding is not taken"


class Unprocessable(BridgeError):
    """The request is well-formed and contradicts itself or an earlier one."""

    status = 422


class IdempotencyKeyReused(Unprocessable):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency-key-reused"
    title = "The Idempotency-Key was used for another commit"


class TooManyRequests(BridgeError):
    """One client has too many requests, at once or in a short time; nothing was done."""

    status = 429


class OverLimit(BridgeError):
    """More was sent than may be stored in so short a time. Nothing was stored; the same request may succeed later."""

    status = 429


class SessionOverLimit(OverLimit):
    """The session has used up its budget of commits or bytes."""

    code = "session-over-limit"
    title = "The session sends more than it may"


class LearnerOverLimit(OverLimit):
    """The learner's sessions together have used up the learner's budget of commits or bytes."""

    code = "learner-over-limit"
    title = "The learner's sessions send more than they may"


class LmsOverLimit(OverLimit):
    """The LMS has used up its budget of commits or bytes."""

    code = "lms-over-limit"
    title = "The LMS sends more than it may"


class TooManyQuestions(TooManyRequests):
    """An LMS has as many queries in progress as it may."""

    code = "too-many-questions"
    title = "Too many questions at a time"


class TokenRateExceeded(TooManyRequests):
    """An LMS token has made as many requests as it may in so short a time."""

    code = "token-rate-exceeded"
    title = "The token makes more requests than it may"


class LmsRateExceeded(TooManyRequests):
    """The tokens of an LMS together have made as many requests as they may in so short a time."""

    code = "lms-rate-exceeded"
    title = "The LMS makes more requests than it may"


class BrowserRateExceeded(TooManyRequests):
    """A browser key, a learner's pages or an address have made as many requests as they may in so short a time."""

    code = "browser-rate-exceeded"
    title = "More requests of browsers than may be"


class Unavailable(BridgeError):
    """Nothing was stored; the same request may succeed later."""

    status = 503


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached or written."""

    code = "database-unavailable"
    title = "The database is not available"


class DiskLow(Unavailable):
    """The database's disk is nearly full: what is left is kept for what the bridge has to finish."""

    code = "disk-low"
    title = "The disk of the database is nearly full"


class Overloaded(Unavailable):
    """More commits are waiting than can be stored in good time."""

    code = "overloaded"
    title = "Too many commits are waiting"


class Busy(Unavailable):
    """More requests for what is stored are waiting than are worked on in good time; commits do not wait for them."""

    code = "busy"
    title = "Too many requests are waiting"


class NotProcessed(Unavailable):
    """The commit caused an error of the bridge itself, which is logged."""

    code = "not-processed"
    title = "The commit could not be processed"
