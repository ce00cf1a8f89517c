"""Every condition is documented, with cause, check and remedy."""

from __future__ import annotations

import re
from pathlib import Path

from bridge.settings import AlertCondition

DOCUMENT = (Path(__file__).parents[2] / "docs/alerts.md").read_text(encoding="utf-8")


def test_every_condition_is_documented_and_nothing_else_is() -> None:
    sections = re.split(r"^### ", DOCUMENT.partition("<!-- conditions -->")[2], flags=re.MULTILINE)[1:]
    by_name = {section.splitlines()[0]: section for section in sections}

    assert by_name.keys() == set(AlertCondition)
    for name, section in by_name.items():
        assert [word for word in ("**Cause.**", "**Check.**", "**Remedy.**") if word not in section] == [], name
