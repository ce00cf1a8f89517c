"""The journal, told once more by the version that told it first: exactly the statements that are stored."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.mapping_library.documents import load_mapping
from tests.recordings import recording
from tests.recordings.test_scorm_again import SUSPENDED_EARLIER
from tests.support.bridge import Bridge
from tests.support.replay import replayed, stored

MAPPING = load_mapping("scorm-profile")


@pytest.mark.parametrize("name", recording.SCORM_AGAIN)
async def test_a_recording_replayed_gives_exactly_the_stored_statements(bridge: Bridge, name: str) -> None:
    opened = await bridge.open(scorm_version=recording.version(name))
    commits = recording.load(name)
    await recording.play(bridge, opened["commit_url"], commits)
    await recording.play(bridge, opened["commit_url"], commits)
    statements = stored(bridge.engine)

    assert statements
    assert replayed(bridge.engine, MAPPING) == statements


@pytest.mark.parametrize("earlier", SUSPENDED_EARLIER.values(), ids=[*SUSPENDED_EARLIER])
async def test_a_resumed_attempt_replayed_gives_exactly_the_stored_statements(
    bridge: Bridge, earlier: dict[str, Any]
) -> None:
    await bridge.commit(**earlier, terminated=True)
    for name in ("s12_resume_then_finish", "s2004_resume_then_terminate"):
        opened = await bridge.open()
        await recording.play(bridge, opened["commit_url"], recording.load(name))

    assert replayed(bridge.engine, MAPPING) == stored(bridge.engine)
