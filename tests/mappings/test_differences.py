"""Mapping documents in words, and what differs between two."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.mapping_library.documents import SHIPPED
from mappings.definition import load_definition
from mappings.definition.describe import describe
from mappings.definition.diff import CONTEXT_LINES, DifferenceKind, diff_lines, diff_rules, diff_settings
from mappings.definition.model import MappingDefinition
from tests.mappings.statement_builders import FOR_CREDIT

TEXT = (SHIPPED / "scorm-profile.toml").read_text(encoding="utf-8")
LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=30).map("\n".join)


def _document(*changes: tuple[str, str]) -> MappingDefinition:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return load_definition(text, "a test's")


def test_every_shipped_document_has_all_its_rules_in_words() -> None:
    for path in SHIPPED.glob("*.toml"):
        document = load_definition(path.read_text(encoding="utf-8"), path.name)
        description = describe(document)
        assert [rule.name for rule in description.rules] == [rule.name for rule in document.rules], path
        assert all(rule.when and rule.verb and rule.object_id and rule.often for rule in description.rules), path
        assert len(description.documents) == len(document.documents), path


def test_a_condition_is_told_with_what_its_names_mean() -> None:
    condition = 'if = "score.scaled > 0.5 && [1, 2].exists(x, x == attempt.number)"'
    rule = 'name = "passed"\nwhen = "success.passed"\n'
    document = _document((rule + FOR_CREDIT, f"{rule}{condition}\n"))
    (described,) = [rule for rule in describe(document).rules if rule.name == "passed"]

    assert [name for name, _ in described.means] == ["attempt", "score"]


def test_nothing_differs_from_a_document_to_itself() -> None:
    document = _document()

    assert diff_rules(document, document) == []
    assert diff_settings(document, document) == []


def test_rules_that_were_added_dropped_or_changed_are_told_with_what_changed() -> None:
    changed = _document(
        ('name = "progressed"\n', 'name = "moved-on"\n'),
        ('verb = "suspended"\nobject = "sco"', 'verb = "terminated"\nobject = "course"'),
    )
    differences = {difference.name: difference for difference in diff_rules(_document(), changed)}

    assert {name: difference.kind for name, difference in differences.items()} == {
        "moved-on": "added",
        "suspended": "changed",
        "progressed": "dropped",
    }
    assert [field.name for field in differences["suspended"].fields] == ["verb", "verb's name", "object", "object's id"]


def test_what_is_no_rule_is_told_by_itself_and_a_new_rule_is_no_new_order() -> None:
    before, after = _document(), _document(('account = "{learner.id}"', 'account = "{learner.name|x}"'))
    (difference,) = diff_settings(before, after)

    assert (difference.name, difference.before, difference.after) == (
        "actor: Account's name",
        "{learner.id}",
        "{learner.name|x}",
    )
    assert diff_settings(before, _document(('name = "progressed"\n', 'name = "moved-on"\n'))) == []


@given(LINES, LINES)
def test_side_by_side_every_line_that_differs_stands_once(before: str, after: str) -> None:
    rows = diff_lines(before, after)
    old, new = before.splitlines(), after.splitlines()
    for row in rows:
        if row.kind is DifferenceKind.SKIPPED:
            continue
        assert row.left == 0 or old[row.left - 1] == row.before
        assert row.right == 0 or new[row.right - 1] == row.after
    assert ({row.kind for row in rows} <= {DifferenceKind.SAME, DifferenceKind.SKIPPED}) == (old == new)
    skipped = sum(int(row.before.split()[0]) for row in rows if row.kind is DifferenceKind.SKIPPED)
    assert sum(row.left > 0 for row in rows if row.kind is not DifferenceKind.SKIPPED) + skipped == len(old)


def test_long_stretches_that_are_the_same_are_left_out() -> None:
    before = "\n".join(map(str, range(100)))
    rows = diff_lines(before, before.replace("50", "fifty"))

    assert [row.kind for row in rows].count(DifferenceKind.CHANGED) == 1
    assert len(rows) == 2 * (CONTEXT_LINES + 1) + 1
