"""The runbook and the page of alerts say of each what it means, how to check and what to do."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from bridge.system_alarms import AlarmCode
from storage.states import AlarmState, DeliveryState
from tests.documentation.blocks import ROOT

_SECTION = re.compile(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
RUNBOOK, ALERTS = [
    dict(_SECTION.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))) for page in ("runbook.md", "alerts.md")
]
TROUBLES: tuple[StrEnum, ...] = (*AlarmCode, *AlarmState, DeliveryState.DEAD, DeliveryState.QUARANTINED)


@pytest.mark.parametrize("trouble", TROUBLES, ids=str)
def test_each_alarm_has_a_section(trouble: StrEnum) -> None:
    assert [title for title in RUNBOOK if title.endswith(f": `{trouble}`")] != []


@pytest.mark.parametrize(("title", "text"), [*RUNBOOK.items(), *ALERTS.items()], ids=lambda value: value[:30])
def test_a_section_has_a_cause_a_check_and_a_remedy(title: str, text: str) -> None:
    assert re.findall(r"^\*\*(\w+)\.\*\* \S", text, re.MULTILINE) == ["Cause", "Check", "Remedy"], title
