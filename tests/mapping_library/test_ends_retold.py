"""Ends that a late commit makes untrue, in documents that void the first one."""

from __future__ import annotations

import json
from pathlib import Path

import mappings
from mappings.definition import compile_definition, load_definition
from mappings.xapi.voiding import VOIDED
from tests.http.test_learner_details import use
from tests.support.bridge import Bridge
from tests.support.replay import replayed, stored

SHIPPED = (Path(mappings.__file__).parent / "scorm-profile.toml").read_text(encoding="utf-8")
VOIDING = SHIPPED.replace("[status]", '[status]\nends_retold = "void"')


async def _late(bridge: Bridge) -> list[dict[str, object]]:
    first = await bridge.commit({"core": {"lesson_status": "incomplete", "score": {"raw": "20"}}}, terminated=True)
    await bridge.commit({"core": {"lesson_status": "passed"}}, session_id=first["session_id"])
    await bridge.commit({"core": {"session_time": "00:05:00"}}, session_id=first["session_id"])
    (report,) = bridge.reports()
    return [json.loads(statement.body) | {"rule": statement.rule} for statement in report.statements]


async def test_the_first_end_is_voided_before_the_second_is_told(bridge: Bridge) -> None:
    await use(bridge, VOIDING)
    statements = await _late(bridge)
    ends = [statement for statement in statements if statement["rule"] == "terminated"]
    valid_ends = [end for end in ends if end["verb"]["id"] != VOIDED]  # type: ignore[index]  # JSON

    assert [end["verb"]["id"] == VOIDED for end in ends] == [False, True, False, True, False]  # type: ignore[index]
    assert [end["object"]["id"] for end in ends if end not in valid_ends] == [end["id"] for end in valid_ends[:-1]]  # type: ignore[index]
    assert replayed(bridge.engine, compile_definition(load_definition(VOIDING, "voiding"), "voiding")) == stored(
        bridge.engine
    )


async def test_by_default_both_ends_stay(bridge: Bridge) -> None:
    statements = await _late(bridge)

    assert not [statement for statement in statements if statement["verb"]["id"] == VOIDED]  # type: ignore[index]  # JSON
