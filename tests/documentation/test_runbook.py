"""The runbook says of each alarm what it means, how to check and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import pytest

from bridge.system_alarms import AlarmCode
from storage.states import AlarmState, DeliveryState
from tests.documentation.blocks import ROOT

_RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", _RUNBOOK, re.MULTILINE | re.DOTALL))
TROUBLES: Iterable[StrEnum] = (*AlarmCode, *AlarmState, DeliveryState.DEAD, DeliveryState.QUARANTINED)


@pytest.mark.parametrize("trouble", TROUBLES, ids=str)
def test_each_alarm_has_a_section(trouble: StrEnum) -> None:
    assert [title for title in SECTIONS if title.endswith(f": `{trouble}`")] != []


@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_has_a_cause_a_check_and_a_remedy(title: str) -> None:
    assert re.findall(r"^\*\*(\w+)\.\*\* \S", SECTIONS[title], re.MULTILINE) == ["Cause", "Check", "Remedy"]
