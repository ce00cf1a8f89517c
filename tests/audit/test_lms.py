"""The page of LMSs and their tokens."""

from __future__ import annotations

import re

import pytest

from bridge.access import TOKEN_PREFIX
from storage import audit_log, lms, tokens
from storage.engine import reading
from storage.states import TokenScope, TokenStatus
from tests.audit.conftest import Meet
from tests.support.accounts import HOME_PAGE, START
from tests.support.bridge import Bridge
from tests.support.browser import Visitor

SECRET = re.compile(re.escape(TOKEN_PREFIX) + r"[A-Za-z0-9_-]{43}")
NEW = {"lms": "moodle", "home_page": "https://moodle.example.org", "commit": "yes", "expires": "90", "reason": "new"}


async def test_what_lmss_and_tokens_there_are_is_shown_without_the_tokens(bridge: Bridge, admin: Visitor) -> None:
    await bridge.commit({"core": {"lesson_status": "passed"}})
    text = await admin.text("/audit/lms")

    assert HOME_PAGE in text
    assert '<tr id="token-1">' in text
    assert "commit, read" in text
    assert bridge.token not in text
    assert "Remove lms" not in text


async def test_a_new_token_is_shown_once_and_works(bridge: Bridge, admin: Visitor) -> None:
    answer = await admin.post("/audit/lms/tokens", **NEW)
    (secret,) = set(SECRET.findall(await answer.text()))
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert SECRET.search(await admin.text("/audit/lms")) is None
    status, _ = await bridge.post("/v1/sessions", {"learner": {"id": "u"}, "activity": {"id": "a"}}, token=secret)
    assert status == 200
    with reading(bridge.engine) as connection:
        token = tokens.of_lms(connection)[-1]
        act = audit_log.newest(connection)[0]
    assert (token.lms.origins, token.scopes) == (("https://moodle.example.org",), (TokenScope.COMMIT,))
    assert token.expires_at == START + 90 * 86_400_000
    assert (act.by, act.action, act.subject) == ("ada", "create-token", f"moodle, token {token.id}")
    assert secret not in str(act)


@pytest.mark.parametrize(
    ("changed", "status", "fault"),
    [
        ({"commit": ""}, 400, "at least one scope"),
        ({"expires": "7"}, 400, "how long"),
        ({"home_page": "nonsense"}, 409, "A home page is a full address"),
        ({"origins": "nonsense"}, 409, "An origin is a scheme and a host"),
        ({"lms": " "}, 409, "A name of an LMS has"),
        ({"lms": "lms"}, 409, "is known with the home page"),
    ],
)
async def test_what_cannot_be_created_is_said_and_nothing_is_stored(
    bridge: Bridge, admin: Visitor, changed: dict[str, str], status: int, fault: str
) -> None:
    answer = await admin.post("/audit/lms/tokens", **(NEW | changed))
    text = await answer.text()
    assert (answer.status, fault in text, SECRET.search(text)) == (status, True, None)
    with reading(bridge.engine) as connection:
        assert (len(tokens.of_lms(connection)), lms.names(connection)) == (1, ["lms"])


async def test_a_token_is_rotated_and_revoked(bridge: Bridge, admin: Visitor) -> None:
    rotated = await admin.post("/audit/lms/tokens/1/rotate", overlap="1", reason="yearly")
    assert SECRET.search(await rotated.text()) is not None
    with reading(bridge.engine) as connection:
        old, new = tokens.of_lms(connection)
    assert (old.replaced_by, old.expires_at) == (new.id, START + 3_600_000)
    again = await admin.post("/audit/lms/tokens/1/rotate", overlap="1")
    assert (again.status, "rotated already" in await again.text()) == (409, True)
    assert (await admin.post("/audit/lms/tokens/2/rotate", overlap="5")).status == 400
    assert (await admin.post("/audit/lms/tokens/2/revoke")).status == 400
    revoked = await admin.post("/audit/lms/tokens/2/revoke", reason="it leaked")
    assert revoked.status == 303
    assert "Revoked token 2 of lms." in await admin.text(revoked.headers["Location"])
    assert (await admin.post("/audit/lms/tokens/2/revoke", reason="again")).status == 409
    for number in ("7", "x", "9" * 30):
        assert (await admin.post(f"/audit/lms/tokens/{number}/revoke", reason="x")).status in {404, 409}
    with reading(bridge.engine) as connection:
        assert [token.status(START) for token in tokens.of_lms(connection)] == [TokenStatus.VALID, TokenStatus.REVOKED]
        acts = [(act.by, act.action, act.subject) for act in audit_log.newest(connection)]
    assert acts == [("ada", "revoke-token", "lms, token 2"), ("ada", "rotate-token", "lms, token 1")]


async def test_origins_are_changed_and_an_lms_without_learners_is_removed(bridge: Bridge, admin: Visitor) -> None:
    await admin.post("/audit/lms/tokens", **NEW)
    change = {"lms": "moodle", "add_origins": "https://a.example https://b.example", "reason": "move"}
    assert (await admin.post("/audit/lms", **change)).status == 303
    assert (await admin.post("/audit/lms", lms="moodle", remove_origins="https://moodle.example.org")).status == 303
    assert "https://a.example, https://b.example" in await admin.text("/audit/lms")
    wrong = await admin.post("/audit/lms", lms="moodle", add_origins="nonsense")
    assert (wrong.status, "An origin is a scheme" in await wrong.text()) == (409, True)
    assert (await admin.post("/audit/lms/remove", lms="moodle")).status == 303
    await bridge.commit({"core": {"lesson_status": "passed"}})
    refused = await admin.post("/audit/lms/remove", lms="lms")
    assert (refused.status, "lms has 1 enrollments" in await refused.text()) == (409, True)
    with reading(bridge.engine) as connection:
        assert lms.names(connection) == ["lms"]


async def test_auditors_do_not_see_it(bridge: Bridge, meet: Meet) -> None:
    auditor = await meet(bridge, "otto", "auditor")

    assert (await auditor.get("/audit/lms")).status == 403
    assert '"/audit/lms"' not in await auditor.text("/audit/targets")
