"""Re-issuing what was told of courses, of registrations that an LMS gave, and of packages of several SCOs."""

from __future__ import annotations

from bridge.mapping_library import activation
from bridge.mapping_library.reissue import Reissue
from bridge.operations.audit_context import AuditContext
from mappings.definition import CompiledMapping
from storage.engine import writing
from storage.journal_replay import JournalSpan
from tests.formats.client import open_format_client
from tests.support.accounts import START
from tests.support.bridge import Bridge
from tests.support.mapping import DEFAULT, MASTERED, variant

OWN = "5d1f3c1e-7c0b-4c0a-9a4e-0b6c6a3f2d11"


def _reissue(bridge: Bridge, mapping: CompiledMapping, span: JournalSpan) -> tuple[int, dict[str, int]]:
    """Re-issue; return how many enrollments were looked at, and what was done to how many statements."""
    with writing(bridge.engine) as connection:
        version_id = activation.store_version(connection, mapping, START)
    impact = Reissue(bridge.engine, version_id, span, ()).run(
        AuditContext("ada", "by mistake", START), bridge.clock, lambda _a, _b: None
    )
    kinds = ("added", "dropped", "changed", "same")
    return impact.enrollments, {kind: sum(getattr(rule, kind) for rule in impact.rules.values()) for kind in kinds}


async def test_the_version_that_told_it_has_nothing_to_tell_anew(bridge: Bridge) -> None:
    at = await open_format_client(bridge, None, activity={"id": "package"}, scorm_version="1.2")
    for sco in (5, 6):
        await at.post({"cmi": [[sco, "cmi.core.lesson_status", "passed"], [7, "cmi.core.lesson_location", f"{sco}"]]})
    for given in ({}, {"registration": OWN}, {}):
        await bridge.commit(
            {"core": {"lesson_status": "passed", "exit": ""}}, course={"id": "C1"}, terminated=True, **given
        )
    enrollments, done = _reissue(bridge, DEFAULT, JournalSpan(learner="u1"))

    assert enrollments == 4
    assert (done["added"], done["dropped"], done["changed"]) == (0, 0, 0)
    assert done["same"] > 9


async def test_a_course_alone_can_be_told_anew(bridge: Bridge) -> None:
    for course in ("C1", "C2", ""):
        await bridge.commit({"core": {"lesson_status": "passed", "score": {"raw": "95"}}}, course={"id": course})
    new = variant(add=MASTERED)
    in_course = _reissue(bridge, new, JournalSpan(course="C2"))
    in_none = _reissue(bridge, new, JournalSpan(course=""))
    assert (in_course[0], in_none[0]) == (1, 1)
    assert in_course[1]["added"] == in_none[1]["added"] > 0
    rules = [[statement.rule for statement in report.statements] for report in bridge.reports()]
    assert ["mastered" in names for names in rules] == [False, True, True]
