"""The browser keys of LMSs, on the page of LMSs."""

from __future__ import annotations

import re

import pytest

from storage import audit_log, browser_keys, lms
from storage.engine import reading
from storage.learner_ids import LearnerCase, LearnerIdRules
from storage.states import TokenStatus
from tests.support.accounts import START
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.browser_keys import PAGE, ask

NEW = {"lms": "lms", "origins": f"{PAGE} http://localhost:8000", "activities": "235\r\nlessons/*\r\n", "expires": "90"}
KEY = re.compile(r"data-key=&#34;(pk_[A-Za-z0-9_-]{43})&#34;")


async def test_a_new_key_works_and_stays_shown_with_its_line_for_pages(bridge: Bridge, admin: Visitor) -> None:
    answer = await admin.post("/audit/lms/keys", **NEW)
    text = await admin.text("/audit/lms")
    (key,) = KEY.findall(text)
    assert answer.status == 303
    assert (await ask(bridge, key))[0] == 200
    with reading(bridge.engine) as connection:
        (stored,) = browser_keys.of_lms(connection)
        act = audit_log.newest(connection)[0]
    assert (stored.origins, stored.activities) == (("http://localhost:8000", PAGE), ("235", "lessons/*"))
    assert stored.expires_at == START + 90 * 86_400_000
    assert (act.by, act.action, act.subject) == ("ada", "create-browser-key", "lms, key 1")


@pytest.mark.parametrize(
    ("changed", "status", "fault"),
    [
        ({"expires": "7"}, 400, "how long"),
        ({"origins": ""}, 409, "needs the origin"),
        ({"origins": "*"}, 409, "origins that are named"),
        ({"origins": "nonsense"}, 409, "An origin is"),
    ],
)
async def test_a_key_that_cannot_be_is_refused_in_words(
    bridge: Bridge, admin: Visitor, changed: dict[str, str], status: int, fault: str
) -> None:
    answer = await admin.post("/audit/lms/keys", **(NEW | changed))
    assert (answer.status, fault in await answer.text()) == (status, True)
    with reading(bridge.engine) as connection:
        assert browser_keys.of_lms(connection) == []


async def test_a_key_is_revoked_with_a_reason(bridge: Bridge, admin: Visitor) -> None:
    await admin.post("/audit/lms/keys", **NEW)
    assert (await admin.post("/audit/lms/keys/1/revoke")).status == 400
    assert (await admin.post("/audit/lms/keys/1/revoke", reason="the pages are gone")).status == 303
    assert (await admin.post("/audit/lms/keys/1/revoke", reason="again")).status == 409
    assert (await admin.post("/audit/lms/keys/x/revoke", reason="again")).status == 404
    with reading(bridge.engine) as connection:
        assert browser_keys.of_lms(connection)[0].status(START) is TokenStatus.REVOKED
    assert KEY.search(await admin.text("/audit/lms")) is None


async def test_rules_for_ids_are_set_shown_and_taken_back(bridge: Bridge, admin: Visitor) -> None:
    rules = {"lms": "lms", "learner_trim": "yes", "learner_pattern": "user-{id}", "learner_case": "lower"}
    assert (await admin.post("/audit/lms", **rules)).status == 303
    assert "spaces around left out, written as user-{id}, in lower case" in await admin.text("/audit/lms")
    with reading(bridge.engine) as connection:
        stored = lms.by_name(connection, "lms")
    assert stored is not None
    assert stored.learner_ids == LearnerIdRules(trim=True, pattern="user-{id}", case=LearnerCase.LOWER)
    assert (await admin.post("/audit/lms", lms="lms", learner_case="shout")).status == 400
    assert (await admin.post("/audit/lms", lms="lms", learner_case="keep", learner_pattern="user")).status == 409
    assert (await admin.post("/audit/lms", lms="lms", learner_case="keep")).status == 303
    assert "Ids of learners on its pages" not in await admin.text("/audit/lms")
