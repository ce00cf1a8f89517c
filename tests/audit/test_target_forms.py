"""What each target gets, on the pages, in files and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.cli.explain import explain_statement
from bridge.settings import PseudonymKeySettings, TargetSettings
from storage.engine import reading
from tests.support.accounts import START
from tests.support.bridge import Bridge, StartBridge
from tests.support.browser import Visitor
from tests.support.deliveries import is_settled
from tests.support.lrs import Lrs, StartLrs
from tests.support.waiting import wait_until

FORM = "pseudonym by key one, no name"
NAME = "Canary Name"


@pytest.fixture
async def research(start_lrs: StartLrs) -> Lrs:
    """An LRS that gets pseudonyms."""
    return await start_lrs()


@pytest.fixture
async def bridge(start: StartBridge, lrs: Lrs, research: Lrs, tmp_path: Path) -> Bridge:
    """A bridge with a target that gets pseudonyms and one that gets all, and their documents."""
    file = tmp_path / "key"
    file.write_text("k" * 32, encoding="utf-8")
    key = PseudonymKeySettings(id="one", key_file=str(file))
    targets: tuple[TargetSettings, ...] = (
        lrs.settings("plain"),
        research.settings("research", actor="pseudonym", pseudonym_keys=(key,)),
    )
    bridge = await start(targets=targets)
    await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": "u1", "name": NAME})
    await bridge.let_documents_follow()
    await wait_until(lambda: is_settled(bridge))
    return bridge


def _first(bridge: Bridge) -> str:
    return bridge.reports()[0].statements[0].id


async def test_the_page_of_a_statement_shows_what_each_target_gets(
    bridge: Bridge, research: Lrs, auditor: Visitor, reader: Visitor
) -> None:
    statement_id = _first(bridge)
    page = await auditor.text(f"/audit/statements/{statement_id}")
    assert page.count(f"in another form: {FORM}.") == 1
    assert 'aria-label="Statement for research"' in page
    pseudonym = json.loads(research.bodies[0])[0]["actor"]["account"]["name"]
    assert pseudonym in page
    body = await auditor.text(f"/audit/statements/{statement_id}/body?target=research")
    assert json.loads(body) == json.loads(research.bodies[0])[0]
    whole = json.loads(await auditor.text(f"/audit/statements/{statement_id}/body?target=plain"))
    assert whole["actor"]["name"] == NAME

    page = await reader.text(f"/audit/statements/{statement_id}")
    assert FORM in page
    assert pseudonym not in page
    assert (await reader.get(f"/audit/statements/{statement_id}/body?target=research")).status == 403


async def test_files_and_commands_say_which_form_a_target_gets(bridge: Bridge, auditor: Visitor) -> None:
    lines = [json.loads(line) for line in (await auditor.text("/audit/statements.ndjson")).splitlines()]
    assert [line["forms"] for line in lines] == [{"research": FORM}] * len(lines)
    assert f'"research: {FORM}"' in await auditor.text("/audit/statements.csv")

    with reading(bridge.engine) as connection:
        explanation = explain_statement(connection, _first(bridge), START, with_body=True)
    assert explanation is not None
    by_target = {way["target"]: way for way in explanation["deliveries"]}
    assert by_target["plain"]["form"] is None
    assert by_target["research"]["form"] == FORM
    assert "body" not in by_target["plain"]
    assert by_target["research"]["body"]["actor"]["account"]["homePage"].endswith("/pseudonyms/one")
    assert explanation["body"]["actor"]["name"] == NAME


async def test_documents_in_another_form_say_so(bridge: Bridge, auditor: Visitor) -> None:
    lines = [json.loads(line) for line in (await auditor.text("/audit/documents.ndjson")).splitlines()]
    by_form = {line["form"]: line for line in lines if line["name"] == "activity-state"}
    assert {form: [*line["deliveries"]] for form, line in by_form.items()} == {None: ["plain"], FORM: ["research"]}
    page = await auditor.text(f"/audit/documents/{by_form[FORM]['id']}")
    assert FORM in page
    assert "/pseudonyms/one" in page
    assert FORM not in await auditor.text(f"/audit/documents/{by_form[None]['id']}")


async def test_the_page_of_targets_says_in_which_form_each_gets_what_is_made(bridge: Bridge, reader: Visitor) -> None:
    page = await reader.text("/audit/targets")

    assert page.count("in another form") == 1
    assert "in another form: pseudonyms by key one, no names." in page
