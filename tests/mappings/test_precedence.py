"""Whose word counts, page or server, without a service around it: what is restored, and what conditions see."""

from __future__ import annotations

import json

import pytest

from mappings.apply import apply_commit
from mappings.attempt import AttemptState
from mappings.attempt.launch import BROWSER, IMPORTED, SERVER, LaunchData
from mappings.attempt.opening import open_session
from mappings.attempt.precedence import is_led
from tests.mappings.builders import Play, delta, received_commit
from tests.mappings.statement_builders import facts
from tests.support.mapping import DEFAULT, variant

IMPORT, PAGE, LMS = LaunchData(source=IMPORTED), LaunchData(source=BROWSER), LaunchData(source=SERVER)
REVIEW = LaunchData(source=SERVER, mode="review")
RULE = """
[[rules]]
name = "{name}"
when = "success.passed"
if = "session.source == '{source}'"
verb = "scored"
object = "sco"
once = "attempt"
"""


def play(attempt: AttemptState, launch: LaunchData) -> Play:
    """Return a play of another session of an attempt."""
    return Play(*open_session(attempt, launch))


def test_what_was_imported_before_a_page_came_stays_where_the_server_takes_over() -> None:
    imported = play(AttemptState(), IMPORT)
    imported.send(delta({"core.lesson_status": "incomplete", "core.lesson_location": "3"}))
    page = play(imported.attempt, PAGE)
    page.send(delta({"core.lesson_status": "passed", "core.lesson_location": "9"}))

    server = play(page.attempt, LMS)

    assert (server.known.location, server.known.success_status) == ("3", None)
    assert server.session.resumes


def test_an_imported_attempt_is_not_led_and_a_page_goes_on_with_it() -> None:
    imported = play(AttemptState(), IMPORT)
    imported.send(delta({"core.lesson_status": "incomplete"}))
    page = play(imported.attempt, PAGE)

    assert page.send(delta({"core.lesson_status": "passed"})).disposition == "applied"
    assert page.known.success_status == "passed"


def test_a_review_that_the_server_opens_takes_nothing_over() -> None:
    page = play(AttemptState(), PAGE)
    page.send(delta({"core.lesson_status": "passed"}))
    review = play(page.attempt, REVIEW)

    assert not is_led(review.attempt)
    assert review.known.success_status == "passed"


@pytest.mark.parametrize("launch", [LMS, LaunchData()])
def test_an_attempt_of_the_server_alone_remembers_nothing_of_sources(launch: LaunchData) -> None:
    server = play(AttemptState(), launch)
    server.send(delta({"core.lesson_status": "passed"}))

    assert server.attempt == AttemptState(
        **{
            name: getattr(server.attempt, name)
            for name in AttemptState.__struct_fields__
            if name not in {"other_sessions", "browser_base", "told_by_browser"}
        }
    )


@pytest.mark.parametrize(("launch", "fires"), [(LMS, False), (PAGE, True), (IMPORT, False)])
def test_conditions_can_ask_where_a_session_comes_from(launch: LaunchData, fires: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    mapping = variant(add=RULE.format(name="claimed", source="browser"))
    attempt, session = open_session(AttemptState(), launch)
    transition = apply_commit(
        mapping, facts(), attempt, session, received_commit(delta({"core.lesson_status": "passed"}))
    )

    assert ("claimed" in [statement.rule for statement in transition.statements]) is fires


def test_a_rule_for_the_server_alone_speaks_of_what_a_page_has_told_with_other_rules() -> None:
    """What a page's commit was told with is remembered rule by rule."""
    mapping = variant(add=RULE.format(name="certain", source="server"))
    commit = received_commit(delta({"core.lesson_status": "passed"}))
    attempt, session = open_session(AttemptState(), PAGE)
    page = apply_commit(mapping, facts(), attempt, session, commit)
    attempt, session = open_session(page.attempt, LaunchData(joins=True))
    server = apply_commit(mapping, facts(), attempt, session, commit)

    assert [statement.rule for statement in page.statements] == ["initialized", "completed", "passed"]
    assert [statement.rule for statement in server.statements] == ["certain"]


def test_a_mapping_can_leave_the_source_out_or_name_it_otherwise() -> None:
    without = variant(**{"[context]\n": "[context]\nsession_source = false\n"})
    renamed = variant(**{"[iris]\n": '[iris]\nsource_extension = "https://example.org/from"\n'})
    commit = received_commit(delta({"core.lesson_status": "passed"}))

    bodies = [
        json.loads(apply_commit(mapping, facts(), *open_session(AttemptState(), PAGE), commit).statements[0].body)
        for mapping in (without, renamed)
    ]
    keys = [{*body["context"].get("extensions", {})} for body in bodies]

    assert not any("source" in key for key in keys[0])
    assert "https://example.org/from" in keys[1]


def test_all_else_of_a_pages_statements_is_as_the_servers_to_the_byte() -> None:
    commit = received_commit(delta({"core.lesson_status": "passed", "core.score.raw": "80.50"}), terminated=True)
    page, server = (
        apply_commit(DEFAULT, facts(), *open_session(AttemptState(), launch), commit).statements
        for launch in (PAGE, LMS)
    )

    for mine, theirs in zip(page, server, strict=True):
        assert (mine.id, mine.rule) == (theirs.id, theirs.rule)
        body, other = json.loads(mine.body), json.loads(theirs.body)
        extensions = body["context"]["extensions"]
        assert extensions.popitem() == ("https://lms.example.org/xapi/extensions/session-source", "browser"), mine
        if "extensions" not in other["context"]:
            del body["context"]["extensions"]
        assert body == other, mine
