"""`scorm-bridge mapping`: versions, what they would do, and which of them holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.exit_codes import ExitCode
from bridge.mapping_library.documents import read_document
from storage import audit_log
from storage.engine import reading
from tests.cli.conftest import Run
from tests.support.bridge import Bridge

URL = "SCORM_BRIDGE_DATABASE__URL"
PASSED = {"core": {"lesson_status": "passed", "score": {"raw": "95", "max": "100"}}}
Mapping = Any


@pytest.fixture
def mapping(run: Run, database_url: str) -> Mapping:
    """Run a `mapping` command that must succeed."""

    def runner(*arguments: str, **options: Any) -> Any:
        result = run("mapping", *arguments, **{URL: database_url}, **options)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if "--json" in arguments else result

    return runner


@pytest.fixture
def ours(tmp_path: Path) -> str:
    """The default document with a rule more and one less."""
    text = read_document("scorm-profile")
    head, first, *rules = text.split("[[rules]]")
    assert 'name = "initialized"' in first
    rule = '\nname = "mastered"\nwhen = "score.changed"\nif = "score.scaled >= 0.9"\nverb = "scored"\nobject = "sco"\n'
    path = tmp_path / "ours.toml"
    path.write_text("[[rules]]".join([head, *rules, rule + 'once = "attempt"\n']), encoding="utf-8")
    return str(path)


def test_before_the_first_start_there_is_no_version(mapping: Mapping) -> None:
    assert "first start" in mapping("list").stderr
    assert mapping("list", "--json")["items"] == []


async def test_a_version_is_activated_listed_and_rolled_back(bridge: Bridge, mapping: Mapping, ours: str) -> None:
    done = mapping("activate", ours, "--reason", "mastery counts", "--by", "ada", "--yes")
    versions = mapping("list", "--json")["items"]
    table = mapping("list").stdout
    mapping("activate", "minimal", "--lms", "lms", "--reason", "pilot", "--by", "ada", "--yes")
    with_pilot = mapping("list", "--json")["items"]
    mapping("rollback", "--reason", "too many", "--by", "ada")
    mapping("rollback", "--lms", "lms", "--reason", "too few", "--by", "ada")
    after = mapping("list", "--json")["items"]
    assert "is active for all" in done.stderr
    assert [(version["holds_for"], len(version["activations"])) for version in versions] == [(["all"], 1), ([], 1)]
    assert "mastery counts" in table
    assert [version["holds_for"] for version in with_pilot] == [["lms"], ["all"], []]
    assert [version["holds_for"] for version in after] == [[], [], ["all"]]
    with reading(bridge.engine) as connection:
        assert [act.action for act in audit_log.newest(connection)] == ["rollback", "rollback", "activate", "activate"]


async def test_nothing_is_activated_without_consent(bridge: Bridge, run: Run, database_url: str, ours: str) -> None:
    result = run("mapping", "activate", ours, "--reason", "why", **{URL: database_url})
    assert result.exit_code == 1
    listed = json.loads(run("mapping", "list", "--json", **{URL: database_url}).stdout)["items"]
    assert [version["holds_for"] for version in listed] == [[], ["all"]]


async def test_a_document_with_faults_is_not_activated_and_all_of_them_are_listed(
    bridge: Bridge, run: Run, database_url: str, ours: str
) -> None:
    _spoil(ours)
    result = run("mapping", "activate", ours, "--reason", "why", "--yes", **{URL: database_url})
    listing = run("mapping", "check", ours, "--json", **{URL: database_url})
    faults = json.loads(listing.stdout)["faults"]

    assert (result.exit_code, listing.exit_code) == (1, 1)
    assert "'past' is not a verb" in result.stderr
    assert "rules[20].name: must be lower-case letters" in result.stderr
    assert [fault["place"] for fault in faults] == ["rules[5].verb", "rules[11].verb", "rules[20].name"]
    assert {*faults[0]} == {"place", "line", "message"}


def _spoil(document: str) -> None:
    text = Path(document).read_text(encoding="utf-8").replace('verb = "passed"', 'verb = "past"')
    Path(document).write_text(text.replace('name = "mastered"', 'name = "Mastered!"'), encoding="utf-8")


async def test_a_filter_that_the_version_has_nothing_for_is_warned_of(bridge: Bridge, mapping: Mapping) -> None:
    file = '[[targets]]\nname = "lrs"\nendpoint = "https://l.example/"\nfilter = { without = ["scored"] }\n'
    done = mapping("activate", "minimal", "--reason", "less", "--yes", file=file)

    assert "Warning: targets.lrs.filter: scored is no rule or verb" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rollback", "--reason", "x"), "no version before"),
        (("activate", "minimal", "--lms", "nowhere", "--reason", "x", "--yes"), "No LMS has the name 'nowhere'"),
        (("activate", "minimal", "--by", "settings", "--reason", "x", "--yes"), "not the name of a person"),
        (("show", "none-such"), "shipped are cmi5, minimal, scorm-profile"),
        (("reissue", "minimal", "--preview"), "Select statements first"),
        (("reissue", "minimal", "--activity", "235"), "Give a --reason"),
    ],
)
async def test_what_cannot_be_done_is_said(
    bridge: Bridge, run: Run, database_url: str, arguments: tuple[str, ...], words: str
) -> None:
    result = run("mapping", *arguments, **{URL: database_url})

    assert result.exit_code in {1, 2}
    assert words in result.stderr


async def test_a_document_is_shown_as_a_table_as_data_and_as_it_is(bridge: Bridge, mapping: Mapping) -> None:
    table = mapping("show").stdout
    document = mapping("show", "minimal", "--json")
    text = mapping("show", "minimal", "--text").stdout

    assert "the attempt became passed" in table
    assert [rule["name"] for rule in document["rules"]] == ["completed", "passed", "failed"]
    assert [part.partition(":")[0] for part in document["rules"][1]["result"]] == ["result.success", "result.score"]
    assert text == read_document("minimal")


async def test_differences_are_told_by_rule_and_line_by_line(bridge: Bridge, mapping: Mapping, ours: str) -> None:
    differences = mapping("diff", "active", ours, "--json")
    words = mapping("diff", "active", ours).stdout

    assert (differences["added"], differences["dropped"], differences["changed"]) == (["mastered"], ["initialized"], [])
    assert '+name = "mastered"' in differences["text"]
    assert "dropped: initialized" in words
    assert "There are no differences" in mapping("diff", "active").stderr


async def test_a_pasted_commit_is_previewed_with_the_reasons(
    bridge: Bridge, mapping: Mapping, ours: str, tmp_path: Path
) -> None:
    body = tmp_path / "commit.json"
    body.write_text(json.dumps({"cmi": PASSED}), encoding="utf-8")
    preview = mapping("preview", ours, str(body), "--json")
    words = mapping("preview", ours, str(body)).stdout

    assert [statement["rule"] for statement in preview["statements"]] == ["scored", "mastered", "completed", "passed"]
    assert {rule["rule"]: rule["reason"] for rule in preview["rules"]}["failed"] == "no-change"
    assert "rule mastered: fired, made" in words


async def test_a_commit_of_a_stored_session_is_previewed_as_the_next_or_as_it_was(
    bridge: Bridge, mapping: Mapping, ours: str, tmp_path: Path
) -> None:
    answer = await bridge.commit(PASSED)
    session_id = answer["session_id"]
    body = tmp_path / "commit.xml"
    body.write_text("cmi.core.score.raw=40&cmi.core.score.max=100", encoding="utf-8")
    after = mapping("preview", "active", str(body), "--session", session_id, "--json")
    before = mapping("preview", ours, "--session", session_id, "--number", "1", "--json")

    assert [statement["rule"] for statement in after["statements"]] == ["scored"]
    assert after["changes"][0]["before"]["raw"] == 95
    assert [statement["rule"] for statement in before["statements"]] == ["scored", "mastered", "completed", "passed"]


async def test_the_impact_is_told_by_rule_with_examples(bridge: Bridge, mapping: Mapping, ours: str) -> None:
    await bridge.commit(PASSED)
    impact = mapping("impact", ours, "--days", "36500", "--json")
    words = mapping("impact", ours, "--days", "36500", "--lms", "lms").stdout
    recent = mapping("impact", ours, "--json")

    assert impact["rules"]["mastered"] == {"added": 1, "dropped": 0, "changed": 0, "same": 0}
    assert impact["rules"]["initialized"]["dropped"] == 1
    assert "added by mastered, commit 1" in words
    assert recent["commits"] == 0


async def test_the_past_is_told_anew_when_a_person_asks_for_it(bridge: Bridge, mapping: Mapping, ours: str) -> None:
    await bridge.commit(PASSED)
    look = mapping("reissue", ours, "--activity", "235", "--preview", "--json")
    before = bridge.rules()
    done = mapping("reissue", ours, "--activity", "235", "--reason", "why", "--yes", "--json")

    assert look == done
    assert before == ["initialized", "scored", "completed", "passed"]
    assert bridge.rules() == [*before, "mastered", "voided"]


def test_settings_that_name_no_document_are_told(run: Run, database_url: str) -> None:
    result = run("serve", file='[mapping]\ndocument = "none-such"\n', **{URL: database_url})

    assert result.exit_code == ExitCode.CONFIG
