"""The audit log: what people changed, looked for by who, what, to what and when."""

from __future__ import annotations

import re

import pytest

from bridge.audit.components import audit_words
from bridge.operations.audit_context import AuditAction
from storage import audit_log
from storage.audit_log import AuditEntry
from storage.engine import writing
from tests.audit.page_content import table
from tests.support.accounts import START
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.sql import rows

DAY = 86_400_000


@pytest.fixture
def acts_kept(bridge: Bridge) -> None:
    """Three acts on three days."""
    with writing(bridge.engine) as connection:
        audit_log.append(connection, AuditEntry(START, "ada", "pause", "analytics", 1, "moving house"))
        audit_log.append(
            connection, AuditEntry(START + DAY, "bob", "discard", '{"learner":"50%_a"}', 12_345, "test learners")
        )
        audit_log.append(connection, AuditEntry(START + 2 * DAY, "ada", "resume", "analytics", 1, ""))


def _actions(text: str) -> list[str]:
    return re.findall(r'<td data-label="Action">([^<]*)</td>', text)


@pytest.mark.usefixtures("acts_kept")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["resume", "discard", "pause"]),
        ("by=ada", ["resume", "pause"]),
        ("by=ad", []),
        ("action=discard", ["discard"]),
        ("subject=analyt", ["resume", "pause"]),
        ("subject=50%25_", ["discard"]),
        ("subject=5_%25", []),
        ("since=2026-01-02", ["resume", "discard"]),
        ("until=2026-01-01", ["pause"]),
        ("since=2026-01-02&until=2026-01-02&by=bob", ["discard"]),
    ],
)
async def test_acts_are_found_by_what_is_told_of_them_the_newest_first(
    auditor: Visitor, query: str, expected: list[str]
) -> None:
    text = await auditor.text(f"/audit/log?{query}")

    assert _actions(text) == expected
    if not expected:
        assert "No matching entries." in text


@pytest.mark.usefixtures("acts_kept")
async def test_an_act_tells_all_that_is_kept_of_it(auditor: Visitor) -> None:
    text = await auditor.text("/audit/log?action=discard")
    link = '<a href="/audit/deliveries?learner=50%25_a">deliveries: learner 50%_a</a>'

    for part in ("bob", f"discarded {link}", "12\u202f345", "test learners"):
        assert part in text
    assert '<time datetime="2026-01-02T00:00:00.000Z" title="2026-01-02T00:00:00.000Z">2026-01-02 00:00:00 UTC' in text


async def test_pages_together_hold_each_act_once_whatever_is_added_meanwhile(bridge: Bridge, auditor: Visitor) -> None:
    with writing(bridge.engine) as connection:
        for number in range(120):
            audit_log.append(connection, AuditEntry(START, "ada", f"action-{number}", "x", 1, ""))
    path, seen = "/audit/log?by=ada", []
    while path:
        text = await auditor.text(path)
        seen += _actions(text)
        with writing(bridge.engine) as connection:
            audit_log.append(connection, AuditEntry(START, "ada", "later", "x", 1, ""))
        more = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = more[1].replace("&amp;", "&") if more else ""

    assert seen == [f"action-{number}" for number in reversed(range(120))]


@pytest.mark.usefixtures("acts_kept")
async def test_an_act_has_an_address_that_can_be_sent_to_somebody(auditor: Visitor) -> None:
    text = await auditor.text("/audit/log")
    (address, anchor) = re.findall(r'<a href="(/audit/log\?after=[^"#]+)#(entry-\d+)">', text)[1]
    there = await auditor.text(address)

    assert _actions(there)[0] == "discard"
    assert f'id="{anchor}"' in there


@pytest.mark.parametrize(
    "query", ["after=x", "after=WyJhIl0", "after=W3RydWVd", "after=%C3%A9", "since=1.1.2026", "until=9999-12-31"]
)
async def test_an_address_that_was_changed_by_hand_is_told_so(auditor: Visitor, query: str) -> None:
    answer = await auditor.get(f"/audit/log?{query}")

    assert answer.status == 400
    assert "Bad request" in await answer.text()


async def test_what_people_and_learners_are_called_does_nothing_on_the_page(bridge: Bridge, auditor: Visitor) -> None:
    canary = "<img src=x onerror=alert(1)>\"'</script>"
    with writing(bridge.engine) as connection:
        audit_log.append(connection, AuditEntry(START, canary, "pause", canary, 1, canary))
    text = await auditor.text("/audit/log")

    assert "<img" not in text
    assert '</script>"' not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt;&#34;&#39;") == 3


async def test_an_empty_trail_says_what_will_be_in_it(auditor: Visitor) -> None:
    assert "No entries yet." in await auditor.text("/audit/log")


@pytest.mark.parametrize("text", ["%00", "%ED%A0%80", "%FF", "%F0%9F%98%80", "x" * 7000])
async def test_no_text_in_an_address_makes_the_page_fail(auditor: Visitor, text: str) -> None:
    for name in ("by", "action", "subject", "since", "after"):
        assert (await auditor.get(f"/audit/log?{name}={text}")).status in {200, 400}


@pytest.mark.usefixtures("acts_kept")
@pytest.mark.parametrize("name", ["by", "action", "subject"])
async def test_what_nothing_stored_can_hold_is_told_so_and_what_is_too_long_is_in_no_act(
    auditor: Visitor, name: str
) -> None:
    answer = await auditor.get(f"/audit/log?{name}=a%00b")

    assert (answer.status, f"The parameter {name} contains a NUL character" in await answer.text()) == (400, True)
    for long in ("x" * 7000, "%25" * 2500, "_" * 7000, "%5C" * 2500):
        assert "No matching entries." in await auditor.text(f"/audit/log?{name}={long}")
    assert (await auditor.get(f"/audit/log?{name}={'x' * 20_000}")).status == 400


async def test_what_was_done_is_told_in_words_with_links_to_what_it_was_done_to(
    bridge: Bridge, auditor: Visitor
) -> None:
    ((version, content_hash),) = rows(bridge, "SELECT id, content_hash FROM mapping_version")
    entries = {
        ("pause", "analytics"): ("paused the target analytics", "/audit/targets#target-analytics"),
        ("retry", '{"target":"lrs","state":"dead","since":0}'): (
            "sent again deliveries: target lrs, state dead, since 1970-01-01T00:00:00.000Z",
            "/audit/deliveries?target=lrs&amp;since=1970-01-01T00%3A00%3A00.000Z",
        ),
        ("activate", f'{{"lms":"moodle","mapping_version":{version}}}'): (
            f"activated scorm-profile {content_hash[:12]} for moodle", f"/audit/mappings/{content_hash}",
        ),
        ("rollback", '{"lms":"moodle","mapping_version":null}'): (
            "rolled back to the version of all LMSs, for moodle", ""
        ),
        ("reissue", f'{{"mapping_version":{version},"since":0,"until":null,"learner":"u1"}}'): (
            f"re-issued statements by scorm-profile {content_hash[:12]}: learner u1", f"/audit/mappings/{content_hash}",
        ),
        ("keep-draft", f"mine {content_hash}"): (
            f"saved the mapping mine {content_hash[:12]}", f"/audit/mappings/{content_hash}",
        ),
        ("export", '{"learner":"u1","lms":"moodle"}'): (
            "exported all that is held about learner u1 at moodle", "/audit/learner?lms=moodle&amp;id=u1",
        ),
        ("export", '{"learner":"u1"}'): ("exported all that is held about learner u1 at all LMSs", ""),
        ("erase", '{"erasure":"e-1","lms":"moodle","deleted":{"commits":3}}'): (
            "erased a learner at moodle, receipt e-1: commits 3", "/audit/erasures/e-1",
        ),
        ("revoke-token", "moodle, token 3"): ("revoked, of the LMS moodle, token 3", "/audit/lms"),
        ("make-account", "rita"): ("created the account rita", ""),
        ("retry", "no JSON"): ("no JSON", ""),
        ("activate", "[1]"): ("[1]", ""),
        ("of-another-time", "x"): ("x", ""),
    }  # fmt: skip
    for (action, subject), (words, href) in entries.items():
        with writing(bridge.engine) as connection:
            audit_log.append(connection, AuditEntry(START, "cli", action, subject, 1, ""))
        text = await auditor.text("/audit/log?by=cli")
        newest = text.split("<tbody>")[1].split("</tr>")[0]
        assert table(text, "Entries")[0][2:4] == [action, words]
        assert (f'href="{href}"' in newest) == bool(href)


def test_every_action_has_words() -> None:
    assert {action.value for action in AuditAction} == set(audit_words._WORDS)
