"""What players send as they should is never warned of."""

from __future__ import annotations

import pytest

from tests.recordings import recording
from tests.support.bridge import Bridge


@pytest.mark.parametrize("name", recording.SCORM_AGAIN)
async def test_no_commit_of_a_recording_is_warned_of_but_after_its_end(bridge: Bridge, name: str) -> None:
    opened = await bridge.open(scorm_version=recording.version(name))
    answers = await recording.play(bridge, opened["commit_url"], recording.load(name))
    assert opened["warnings"] == []
    for answer in answers:
        late = [("session_id", "session-ended")] if answer["disposition"] == "late" else []
        assert [(warning["element"], warning["code"]) for warning in answer["warnings"]] == late
