"""Ids that statements are sent under anew: certain, free, and known to a re-issue by another version of the mapping."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from mappings.analysis.reissue import ReissueIds, StoredStatement, plan_reissue, with_id
from mappings.generation.statements import Statement

ONE, OTHER = str(uuid.UUID(int=1, version=5)), str(uuid.UUID(int=2, version=5))
HASH = "a" * 64
BODY = f'{{"id":"{ONE}","verb":{{"id":"http://example.org/verb"}}}}'


def test_the_same_statement_gets_the_same_id_in_every_copy_of_a_database() -> None:
    assert ReissueIds({ONE}, [HASH]).next_id(ONE, HASH) == ReissueIds({ONE, OTHER}, [HASH, "b" * 64]).next_id(ONE, HASH)


@given(st.lists(st.sampled_from([ONE, OTHER]), min_size=1, max_size=8), st.booleans())
def test_each_id_is_new_whether_it_is_asked_for_of_the_first_or_of_the_last_one(
    names: list[str],
    of_the_last: bool,  # noqa: FBT001 -- hypothesis gives it by position
) -> None:
    ids, newest = {ONE, OTHER}, {ONE: ONE, OTHER: OTHER}
    for name in names:
        new = ReissueIds(ids, [HASH]).next_id(newest[name] if of_the_last else name, HASH)
        assert new not in ids, name
        assert uuid.UUID(new).version == 5, name
        ids.add(new)
        newest[name] = new


def test_an_id_asked_for_twice_at_once_is_not_given_twice() -> None:
    renaming = ReissueIds({ONE}, [HASH])

    assert renaming.next_id(ONE, HASH) != renaming.next_id(ONE, HASH)


def test_a_re_issue_by_a_mapping_takes_a_renamed_statement_for_what_it_is() -> None:
    """It neither voids it nor makes the statement once more."""
    new = ReissueIds({ONE}, [HASH]).next_id(ONE, HASH)
    stored = [
        StoredStatement(ONE, 1, "rule", 1, None, BODY),
        StoredStatement(new, 2, "rule", 1, None, with_id(BODY, new)),
    ]
    statement = Statement(ONE, 1, "rule", "http://example.org/verb", BODY)
    (step,) = plan_reissue(stored, [statement], current_bodies={}, content_hash=HASH, hashes=[HASH])

    assert (step.kind, step.stored) == ("same", stored[1])
