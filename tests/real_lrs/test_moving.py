"""Moving to a real LRS, documents included: filled, compared, equal."""

from __future__ import annotations

import json

import pytest

from bridge.sandbox.lrs.documents import Place
from bridge.sandbox.lrs.documents_resource import AGENT_PROFILE, STATE
from bridge.settings import TargetSettings
from tests.real_lrs.adl import AdlLrs
from tests.real_lrs.conftest import needs_adl
from tests.real_lrs.service import PASSWORD, USERNAME
from tests.reconciliation.comparison import compare
from tests.reconciliation.test_moving import LEARNERS, documents, fill, play
from tests.support.bridge import StartBridge
from tests.support.deliveries import advance_until, wait_until_settled
from tests.support.lrs import StartLrs

RESOURCES = {resource.path: resource for resource in (STATE, AGENT_PROFILE)}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone: what an LRS does is the same to both databases."""
    return sqlite_url


def _document(lrs: AdlLrs, place: Place, document_id: str) -> bytes:
    resource = RESOURCES[str(place[0])]
    parameters = {
        name: value for name, value in zip((*resource.required, *resource.optional), place[1:], strict=True) if value
    }
    _, home_page, name = json.loads(parameters["agent"])
    parameters["agent"] = json.dumps({"account": {"homePage": home_page, "name": name}})
    return lrs.document(resource.path, **{resource.identifier: document_id}, **parameters)


@needs_adl
async def test_after_a_backfill_adl_s_lrs_has_every_statement_and_document(
    start: StartBridge, start_lrs: StartLrs, adl_lrs: AdlLrs
) -> None:
    lrs = await start_lrs()
    old = lrs.settings("old")
    new = TargetSettings(name="new", endpoint=adl_lrs.endpoint, username=USERNAME, password=PASSWORD)
    bridge = await start(targets=(old,))
    for learner in LEARNERS:
        await play(bridge, learner, "40")
    await bridge.let_documents_follow()
    await wait_until_settled(bridge)
    await bridge.close()
    bridge = await start(targets=(old, new), token=bridge.token, clock=bridge.clock)
    fill(bridge, new)
    await play(bridge, LEARNERS[0], "80")
    await bridge.let_documents_follow()
    await wait_until_settled(bridge)
    bridge.clock.advance(120)

    result = await compare(bridge, new)
    assert (result.lines, result.report.equal) == ([], len(lrs.ids()))

    def has_all() -> bool:
        kept = documents(lrs)
        return len(kept) > len(LEARNERS) and all(
            _same(_document(adl_lrs, place, document_id), content) for (place, document_id), content in kept.items()
        )

    await advance_until(bridge, has_all, 60)


def _same(theirs: bytes, ours: bytes) -> bool:
    """Return whether they are equal, as JSON where they are JSON."""
    return theirs == ours or (theirs != b"" and ours.startswith(b"{") and json.loads(theirs) == json.loads(ours))
