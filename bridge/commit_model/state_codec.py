"""States of attempts, sessions and enrollments as the database has them: JSON."""

from __future__ import annotations

import msgspec

from mappings.attempt.enrollment import NEW_ENROLLMENT, EnrollmentState
from mappings.attempt.state import AttemptState, SessionState
from storage.attempts import Enrollment

decode_attempt_state = msgspec.json.Decoder(AttemptState).decode
decode_session_state = msgspec.json.Decoder(SessionState).decode
_decode_enrollment_state = msgspec.json.Decoder(EnrollmentState).decode
_encode = msgspec.json.Encoder().encode


def encode_state(state: AttemptState | SessionState | EnrollmentState) -> str:
    """Return a state as it is stored."""
    return _encode(state).decode()


def enrollment_state(row: Enrollment) -> EnrollmentState:
    """Return what is remembered of an enrollment over all its attempts."""
    return _decode_enrollment_state(row.state) if row.state else NEW_ENROLLMENT
