"""The pages of deliveries: causes, and what people do about them."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, urlsplit

import pytest

from bridge.audit.components.remediation import remediation_for
from bridge.operations import delivery_operations
from storage import audit_log
from storage.engine import reading
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.sample_data import COMMENT, SCRIPT, TARGET, fill
from tests.support.sql import rows, scalar

_COUNT = re.compile(r'<span class="count"><span class="number">(\d+)</span>')


@pytest.fixture
async def bridge(bridge: Bridge) -> Bridge:
    """A bridge with something of everything."""
    await fill(bridge)
    return bridge


def _in_state(bridge: Bridge, state: str, more: str = "") -> int:
    return scalar(bridge, f"SELECT count(*) FROM delivery WHERE state = :state {more}", state=state)


async def test_those_in_trouble_are_shown_by_cause_each_with_what_to_do(bridge: Bridge, auditor: Visitor) -> None:
    text = await auditor.text("/audit/deliveries")
    numbers = [int(number) for number in _COUNT.findall(text)]
    assert numbers == [2, 1, 1, 1]
    assert sum(numbers) == _in_state(bridge, "dead") + _in_state(bridge, "quarantined")
    assert "lrs-canary (number)" in text
    for state, outcome in (("dead", "refused"), ("dead", "conflict"), ("dead", "too-large"), ("quarantined", None)):
        remediation = remediation_for(state, outcome)
        assert remediation.problem in text, state
        assert all(step in text for step in remediation.steps), state
    assert "Retry…" not in text


async def test_the_numbers_of_targets_are_those_of_the_database(bridge: Bridge, auditor: Visitor) -> None:
    text = await auditor.text("/audit/deliveries")
    for state in ("waiting", "dead", "quarantined"):
        match = re.search(rf'target={TARGET}&amp;state={state}"><span class="number">(\d+)<', text)
        assert match is not None, state
        assert int(match[1]) == _in_state(bridge, state)


@pytest.mark.parametrize(
    "query", ["state=dead", "state=waiting", f"target={TARGET}", "rule=passed", "outcome=conflict"]
)
async def test_a_list_holds_exactly_what_its_filter_names(bridge: Bridge, auditor: Visitor, query: str) -> None:
    where = {
        "state=dead": "d.state = 'dead'",
        "state=waiting": "d.state = 'waiting'",
        f"target={TARGET}": "1 = 1",
        "rule=passed": "s.rule = 'passed'",
        "outcome=conflict": "d.state = 'dead' AND s.rule = 'passed' AND e.learner_id = 'u3'",
    }[query]
    expected = rows(
        bridge,
        "SELECT d.id FROM delivery d JOIN statement s ON s.attempt_id = d.attempt_id AND s.position = d.position"
        f" JOIN attempt a ON a.id = d.attempt_id JOIN enrollment e ON e.id = a.enrollment_id WHERE {where}",
    )
    shown = re.findall(r"#delivery-(\d+)", await auditor.text(f"/audit/deliveries?{query}"))

    assert sorted(map(int, shown)) == sorted(row[0] for row in expected)


@pytest.mark.parametrize("query", ["", "state=waiting&", "rule=initialized&"])
async def test_the_order_can_be_turned_round_and_no_filter_is_lost_by_that(
    bridge: Bridge, auditor: Visitor, query: str
) -> None:
    for number in range(60):
        await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": f"more-{number}"})
    newest, _ = await _pages(auditor, f"/audit/deliveries?{query}sort=-made")
    oldest, text = await _pages(auditor, f"/audit/deliveries?{query}sort=made")
    assert len(oldest) > 50
    assert oldest == sorted(oldest) == newest[::-1]
    (head,) = re.findall(r'<th aria-sort="ascending"><a href="([^"]+)">Made</a>', text)
    assert head == f"/audit/deliveries?{query}sort=-made".replace("&", "&amp;")


async def _pages(visitor: Visitor, path: str) -> tuple[list[int], str]:
    """Return the ids of deliveries on all pages, and the last page."""
    ids: list[int] = []
    text = ""
    while path:
        text = await visitor.text(path)
        ids += map(int, re.findall(r"#delivery-(\d+)", text))
        match = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = match[1].replace("&amp;", "&") if match else ""
    return ids, text


@pytest.mark.parametrize("path", ["/audit/deliveries?sort=state", "/audit/statements?sort=verb"])
async def test_an_order_that_no_index_has_is_refused_in_words(bridge: Bridge, auditor: Visitor, path: str) -> None:
    answer = await auditor.get(path)

    assert answer.status == 400
    assert "sort must be one of: -made, made" in await answer.text()


async def test_links_of_a_cause_find_its_deliveries_alone(bridge: Bridge, admin: Visitor) -> None:
    text = await admin.text("/audit/deliveries")
    links = [address.replace("&amp;", "&") for address in re.findall(r'href="(/audit/deliveries/retry\?[^"]+)"', text)]

    assert len(links) == 3
    for link, number in zip(links, [2, 1, 1], strict=True):
        assert re.search(rf'Retry\s+<span class="number">{number}</span>', await admin.text(link)), link


async def test_a_retry_by_filter_says_how_many_and_which_and_is_kept_with_its_reason(
    bridge: Bridge, admin: Visitor
) -> None:
    page = f"/audit/deliveries/retry?target={TARGET}&outcome=refused&status=400"
    question = await admin.text(page)
    assert re.search(r'Retry\s+<span class="number">2</span>', question)
    assert len(re.findall(r"#delivery-\d+", question)) == 2
    fields = {"target": TARGET, "outcome": "refused", "status": "400", "reason": "the profile is loaded now"}
    before = _in_state(bridge, "dead")
    done = await admin.post("/audit/deliveries/retry", page=page, **fields)
    assert done.status == 303
    assert _in_state(bridge, "dead") == before - 2
    with reading(bridge.engine) as connection:
        act = audit_log.newest(connection)[0]
    assert (act.by, act.action, act.affected, act.reason) == ("ada", "retry", 2, "the profile is loaded now")
    assert json.loads(act.subject) == {"target": TARGET, "state": "dead", "outcome": "refused", "status": 400}
    assert "Deliveries that will be sent again: " in await admin.text(done.headers["Location"])
    assert "the profile is loaded now" in await admin.text("/audit/log")


async def test_a_single_one_is_discarded_and_its_statement_tells_so(bridge: Bridge, admin: Visitor) -> None:
    ((statement_id,),) = rows(bridge, "SELECT id FROM statement WHERE problem IS NOT NULL")
    text = await admin.text(f"/audit/statements/{statement_id}")
    (link,) = re.findall(r'href="(/audit/deliveries/\w+\?[^"]+)"', text)
    link = link.replace("&amp;", "&")
    assert urlsplit(link).path.endswith("/discard")
    fields = {"statement": str(statement_id), "target": TARGET, "reason": "the rule is mended"}
    done = await admin.post("/audit/deliveries/discard", page=link, **fields)
    assert (done.status, urlsplit(done.headers["Location"]).path) == (303, f"/audit/statements/{statement_id}")
    text = await admin.text(done.headers["Location"])
    assert "Deliveries discarded: 1." in text
    assert "nothing, it was discarded" in text
    assert (_in_state(bridge, "quarantined"), _in_state(bridge, "discarded")) == (0, 1)


async def test_very_many_are_done_in_steps_each_of_which_is_kept(
    bridge: Bridge, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_operations, "BATCH_SIZE", 7)
    waiting = _in_state(bridge, "waiting")
    page = f"/audit/deliveries/discard?target={TARGET}&state=waiting"
    done = await admin.post("/audit/deliveries/discard", page=page, target=TARGET, state="waiting", reason="moved")
    assert done.status == 303
    assert (_in_state(bridge, "waiting"), _in_state(bridge, "discarded")) == (0, waiting)
    with reading(bridge.engine) as connection:
        numbers = [act.affected for act in audit_log.newest(connection) if act.action == "discard"]
    assert (sum(numbers), len(numbers)) == (waiting, -(-waiting // 7))


async def test_nothing_is_done_without_a_reason_a_token_or_the_role(
    bridge: Bridge, admin: Visitor, auditor: Visitor, reader: Visitor
) -> None:
    path, fields = "/audit/deliveries/retry", {"target": TARGET, "state": "dead"}
    before = _in_state(bridge, "dead")
    without = await admin.post(path, page=f"{path}?target={TARGET}", **fields, reason="  ")
    assert (without.status, "A reason is required" in await without.text()) == (400, True)
    forged = await admin.client.post(path, data=fields | {"reason": "x"}, allow_redirects=False)
    assert forged.status == 403
    for person in (auditor, reader):
        assert (await person.get(f"{path}?target={TARGET}")).status == 403
        assert (await person.post(path, **fields, reason="x")).status == 403
    assert _in_state(bridge, "dead") == before
    with reading(bridge.engine) as connection:
        assert not [act for act in audit_log.newest(connection) if act.action == "retry"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("retry", "Select deliveries first"),
        ("discard", "Select deliveries first"),
        ("retry?state=quarantined", "that are quarantined cannot be selected for retry"),
        ("discard?state=delivered", "that are delivered cannot be selected for discard"),
        ("retry?statement=x", "must look like"),
    ],
)
async def test_what_cannot_be_done_is_told_in_words(bridge: Bridge, admin: Visitor, path: str, words: str) -> None:
    answer = await admin.get(f"/audit/deliveries/{path}")

    assert (answer.status, words in await answer.text()) == (400, True)


async def test_where_nothing_is_left_to_do_the_page_says_so(bridge: Bridge, admin: Visitor) -> None:
    for words in ("will be sent again", "No deliveries were left to change."):
        done = await admin.post("/audit/deliveries/retry", target=TARGET, reason="x")
        assert words in await admin.text(done.headers["Location"])

    assert "There is nothing to retry." in await admin.text(f"/audit/deliveries/retry?target={TARGET}&rule=scored")


async def test_no_link_makes_the_bridge_tell_what_it_did_not_do(bridge: Bridge, admin: Visitor) -> None:
    for forged in ("Deliveries discarded: 900.", "Deliveries discarded: 900.c2lnbmF0dXJl", SCRIPT):
        assert 'role="status"' not in await admin.text(f"/audit/deliveries?told={quote(forged)}")


async def test_a_reader_sees_causes_but_not_what_lrss_said(bridge: Bridge, reader: Visitor) -> None:
    for path in ("/audit/deliveries", "/audit/deliveries?state=dead", f"/audit/deliveries?target={TARGET}"):
        text = await reader.text(path)
        for secret in ("lrs-canary", "problem-canary", "cmi-canary", "Ada"):
            assert secret not in text

    assert [int(number) for number in _COUNT.findall(await reader.text("/audit/deliveries"))] == [2, 1, 1, 1]


async def test_what_people_and_lrss_said_is_shown_and_does_nothing(bridge: Bridge, admin: Visitor) -> None:
    for path in ("/audit/deliveries", f"/audit/deliveries/discard?target={TARGET}"):
        text = await admin.text(path)
        assert SCRIPT not in text, path
        assert "<b>" not in text, path
    page = await admin.text(f"/audit/deliveries/discard?rule={quote(COMMENT)}")

    assert "<img src=x" not in page


async def test_without_any_trouble_the_page_says_so(bridge: Bridge, admin: Visitor) -> None:
    fields = {"target": TARGET, "reason": "x"}
    for state in ("dead", "quarantined"):
        await admin.post("/audit/deliveries/discard", **fields, state=state)

    assert "No failed deliveries." in await admin.text("/audit/deliveries")
