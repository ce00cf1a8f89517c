"""What readers do not see: names that a mapping puts into activities, hashes of addresses, clients' own words."""

from __future__ import annotations

import pytest

from bridge.app import MAPPING_RELOADER
from bridge.mapping_library import activation
from bridge.mapping_library.documents import compile_text, read_document
from bridge.operations.audit_context import AuditContext
from storage.engine import writing
from tests.audit.conftest import Meet
from tests.support.accounts import START
from tests.support.bridge import Bridge
from tests.support.browser import Visitor

NAME = "Canary Ångström"
ENCODED = "Canary%20%C3%85ngstr%C3%B6m"
NAMING = (
    read_document("scorm-profile")
    .replace('name = "{activity.name}"', 'name = "Course of {learner.name}"')
    .replace('activity = "{lms.base}/activities/', 'activity = "{lms.base}/of/{learner.name|nobody}/activities/')
)


@pytest.fixture
async def bridge(bridge: Bridge) -> Bridge:
    """A bridge whose mapping puts the learner's name into the activity's name and address."""
    with writing(bridge.engine) as connection:
        version_id = activation.store_version(connection, compile_text(NAMING, "a test's"), START)
        context = AuditContext("ada", "a test", START)
        activation.activate_version(connection, version_id, None, targets=(), context=context)
    assert bridge.client.app is not None
    await bridge.client.app[MAPPING_RELOADER].run_once()
    await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": "u1", "name": NAME})
    return bridge


async def test_a_reader_does_not_learn_a_name_from_what_an_activity_is_called(
    bridge: Bridge, reader: Visitor, meet: Meet
) -> None:
    (report,) = bridge.reports()
    trusted = await meet(bridge, "tess", "reader", sees_names=True)
    for path in (f"/audit/attempts/{report.attempt.uuid}", f"/audit/statements/{report.statements[0].id}"):
        shown, whole = await reader.text(path), await trusted.text(path)
        assert NAME in whole, path
        assert NAME not in shown, path
        assert ENCODED not in shown, path
        assert "Course of (name)" in shown, path


async def test_a_clients_own_word_for_a_commit_is_for_auditors(
    bridge: Bridge, reader: Visitor, auditor: Visitor
) -> None:
    word = "commit-of-canary"
    status, answer = await bridge.post(
        "/v1/commits",
        {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": {"location": "p2"}},
        headers={"Idempotency-Key": word},
    )
    assert status == 200
    (report,) = bridge.reports()
    path = f"/audit/attempts/{report.attempt.uuid}"
    assert word in await auditor.text(path)
    assert word not in await reader.text(path)
    assert answer["result"]
