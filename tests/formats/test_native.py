"""The bridge's own format: a body read in one step says, or is refused with, what it is when read step by step."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.errors import BridgeError
from bridge.formats import native
from bridge.formats.commit_request import CommitRequest
from bridge.formats.lenient_json import LONG, decode

proven = settings(deadline=None, max_examples=500, derandomize=True, database=None)

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        [2.0, 1.2, 1e300, 10**30, "", " ", "1.2", "2004", "u1", "\x00", "é\u00a0", "2026-01-31T12:00:00Z"]
    )
)
GROUPS = st.dictionaries(st.sampled_from(["id", "name", "type", "email", "x", "core.exit", "cmi.exit"]), LEAVES)
FIELDS = ["learner", "user", "activity", "course", "cmi", "cmi_data", "adl", "sequence", "attempt", "terminated"]
BODIES = st.dictionaries(
    st.sampled_from([*FIELDS, "committed_at", "scorm_version", "session_id", "other"]), LEAVES | GROUPS
)


def read(body: Any) -> Any:
    """Return what a body says, or the words it is refused with."""
    try:
        launch = native.parse_launch(body, lms_id=1) if native.has_launch(body) else None
        return launch, native.parse_commit(body, CommitRequest(b""))
    except BridgeError as error:
        return type(error), error.detail


@proven
@given(BODIES)
@example({"learner": {"id": "u1"}, "activity": "7", "cmi": {"core": {"exit": "suspend"}}, "other": [1e300]})
def test_a_body_read_at_once_says_what_it_says_step_by_step(fields: dict[str, Any]) -> None:
    body = json.dumps(fields).encode()
    whole = native.parse_all_in_one(body)

    if whole is not None:
        assert read(whole) == read(decode(body))
        assert (whole.session_id or None) == (decode(body).get("session_id") or None)


def test_a_usual_body_is_read_at_once() -> None:
    assert (
        native.parse_all_in_one(b'{"session_id":"x","learner":{"id":"u1"},"activity":{"id":"7"},"cmi":{}}') is not None
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"learner":[]}',
        b'{"cmi":"x"}',
        b'{"session_id":5}',
        b'{"cmi":{"suspend_data":"\\ud800"}}',
        b'{"registrationCompletion":null}',
        b'{"\\u0072egistrationCompletion":"COMPLETED"}',
        b'{"cmi":{"suspend_data":"' + b"x" * LONG + b'"}}',
        b'{"other":' + b"[" * 3000 + b"]" * 3000 + b"}",
    ],
)
def test_an_unusual_body_is_left_to_be_read_step_by_step(body: bytes) -> None:
    assert native.parse_all_in_one(body) is None
