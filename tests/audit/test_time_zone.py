"""Times, days and charts are of the viewer's zone."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError
from yarl import URL

from bridge.audit.components.time_zone import COOKIE_NAME
from bridge.settings import AuditSettings
from tests.audit.conftest import Meet
from tests.audit.page_content import table
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.sql import column, scalar

BERLIN = "Europe/Berlin"


async def _text(visitor: Visitor, path: str, zone: str) -> str:
    """Return a page as a browser of this zone gets it, which keeps the zone's cookie."""
    visitor.client.cookie_jar.update_cookies({COOKIE_NAME: zone}, URL("http://127.0.0.1/audit/"))
    return await visitor.text(path)


async def test_times_days_and_charts_are_of_the_zone_that_the_browser_tells(bridge: Bridge, meet: Meet) -> None:
    # 23:30 UTC of the first of January is the second in Berlin
    bridge.clock.advance(84_600)
    auditor = await meet(bridge, "otto", "auditor")
    await bridge.commit({"core": {"lesson_status": "passed"}})
    made = scalar(bridge, "SELECT count(*) FROM statement")
    assert "2026-01-01 23:30:00 UTC" in await auditor.text("/audit/statements")
    assert "Minute (UTC)" in await auditor.text("/audit/")

    text = await _text(auditor, "/audit/statements", BERLIN)
    assert "2026-01-02 00:30:00 CET" in text
    assert 'title="2026-01-01T23:30:00.000Z"' in text
    assert "From (Europe/Berlin)" in text
    for query, number in (("since=2026-01-02", made), ("until=2026-01-01", 0), ("since=2026-01-03", 0)):
        shown = re.findall(r'<tr id="statement-', await auditor.text(f"/audit/statements?{query}"))
        assert len(shown) == number, query
        lines = (await (await auditor.get(f"/audit/statements.ndjson?{query}")).text()).splitlines()
        assert len(lines) == number, query
    registrations = column(bridge, "SELECT registration FROM enrollment")
    assert str(registrations[0]) in await auditor.text("/audit/learners?since=2026-01-02")
    assert "No matching" in await auditor.text("/audit/learners?until=2026-01-01")

    overview = await auditor.text("/audit/")
    assert "Minute (Europe/Berlin)" in overview
    minutes = dict(table(overview, "Commits per minute"))
    assert (minutes["00:30"], minutes["23:45"]) == ("1", "0")
    assert ">23:31<" in await (await auditor.get("/audit/charts/commits.svg")).text()


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../../etc/passwd", "/etc/passwd", "x" * 200, "a%00b", ""])
async def test_a_zone_that_is_none_counts_as_that_of_the_settings(auditor: Visitor, zone: str) -> None:
    assert "From (UTC)" in await _text(auditor, "/audit/statements", zone)


def test_a_zone_of_the_settings_must_be_known() -> None:
    assert AuditSettings(time_zone=BERLIN).time_zone == BERLIN
    for wrong in ("Berlin", "", "../UTC"):
        with pytest.raises(ValidationError, match="is no time zone that this machine knows"):
            AuditSettings(time_zone=wrong)
