"""Ids of learners that pages say are rewritten as their LMS's rules say, in time that grows with their length alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.learner_ids import (
    AS_THEY_ARE,
    LearnerCase,
    LearnerIdRuleError,
    LearnerIdRules,
    check_rules,
    decode_rules,
    encode_rules,
)


@pytest.mark.parametrize(
    ("rules", "learner_id", "rewritten"),
    [
        ({}, " U42 ", " U42 "),
        ({"trim": True}, "\t U42\n", "U42"),
        ({"case": LearnerCase.LOWER}, "U42", "u42"),
        ({"case": LearnerCase.UPPER}, "u42ß", "U42SS"),
        ({"prefix": "campus-"}, "42", "campus-42"),
        ({"pattern": "user-{id}"}, "user-42", "42"),
        ({"pattern": "user-{id}"}, "admin-42", None),
        ({"pattern": "user-{id}"}, "user-", None),
        ({"pattern": "{id}@campus.example.org"}, "ada@campus.example.org", "ada"),
        ({"pattern": "{id}@campus.example.org"}, "ada@elsewhere.example.org", None),
        ({"pattern": "{id}@*"}, "ada@home@campus", "ada"),
        ({"pattern": "*:{id}"}, "sis:42:7", "42:7"),
        ({"pattern": "*:{id};*"}, "sis:42;staff;x", "42"),
        ({"pattern": "(a+)+{id}"}, "(a+)+42", "42"),
        (
            {"trim": True, "pattern": "user-{id}", "case": LearnerCase.UPPER, "prefix": "campus-"},
            " user-ab12 ",
            "campus-AB12",
        ),
        ({"trim": True}, "  ", None),
    ],
)
def test_an_id_is_trimmed_taken_out_of_its_pattern_changed_in_case_and_prefixed(
    rules: dict[str, object], learner_id: str, rewritten: str | None
) -> None:
    assert LearnerIdRules(**rules).rewrite(learner_id) == rewritten  # type: ignore[arg-type]  # of the table above


@pytest.mark.parametrize("pattern", ["user", "{id}{id}", "{id}-{id}", "{id}*", "**{id}", "x" * 201, "a\n{id}"])
def test_a_pattern_that_means_nothing_is_refused_in_words(pattern: str) -> None:
    with pytest.raises(LearnerIdRuleError):
        check_rules(LearnerIdRules(pattern=pattern))


@given(before=st.text(max_size=5), after=st.text(max_size=5), learner_id=st.text(min_size=1, max_size=20))
def test_what_is_written_by_a_pattern_is_read_by_it(before: str, after: str, learner_id: str) -> None:
    pattern = f"{before}{{id}}{after}".replace("*", "")
    if pattern.count("{id}") != 1 or not learner_id.strip():
        return
    written = pattern.replace("{id}", learner_id)

    assert LearnerIdRules(pattern=pattern).rewrite(written) == learner_id


@given(rules=st.builds(LearnerIdRules, st.booleans(), st.text(), st.sampled_from(LearnerCase), st.text()))
def test_rules_are_stored_as_they_are(rules: LearnerIdRules) -> None:
    assert decode_rules(encode_rules(rules)) == rules
    assert encode_rules(AS_THEY_ARE) is None
