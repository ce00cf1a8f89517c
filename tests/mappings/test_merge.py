"""What one commit says merged into what is known: nothing is erased, nothing that was reached is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mappings.cmi.merge import merge, raises_status
from mappings.cmi.parser import parse_cmi
from mappings.cmi.snapshot import COLLECTIONS, EMPTY, SESSION_FIELDS, Snapshot, SuccessStatus
from mappings.cmi.tree import unflatten
from tests.mappings.builders import Build, Play, delta, flatten, page, scorm_12, scorm_2004, spelled_out, stored_items

proven = settings(deadline=None, max_examples=70, derandomize=True, database=None)

LESSON = ["not attempted", "browsed", "incomplete", "completed", "failed", "passed"]
COMPLETION = ["unknown", "not attempted", "incomplete", "completed"]
SUCCESS = ["unknown", "failed", "passed"]

_LEAVES = ["", "a", "b"]
_ITEM = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(_LEAVES),
        "result": st.sampled_from(_LEAVES),
        "score": st.dictionaries(st.sampled_from(["raw", "max"]), st.sampled_from(_LEAVES), max_size=2),
        "objectives": st.dictionaries(
            st.sampled_from("01"), st.fixed_dictionaries({}, optional={"id": st.sampled_from(_LEAVES)}), max_size=2
        ),
    },
)
_COLLECTION = st.none() | st.dictionaries(st.sampled_from("012"), _ITEM, max_size=3)
_INTERACTIONS = _COLLECTION.map(lambda items: None if items is None else stored_items(items))
_NUMBERS = st.none() | st.sampled_from([0, 0.5, 1, 85])
_TEXT = st.none() | st.sampled_from(["1", "2"])
snapshots = st.builds(
    Snapshot,
    scorm_version=st.none() | st.sampled_from(["1.2", "2004"]),
    lesson_status=st.none() | st.sampled_from(LESSON),
    completion_status=st.none() | st.sampled_from(COMPLETION),
    success_status=st.none() | st.sampled_from(SUCCESS),
    score_raw=_NUMBERS,
    score_max=_NUMBERS,
    progress_measure=_NUMBERS,
    location=_TEXT,
    suspend_data=_TEXT,
    exit=_TEXT,
    entry=_TEXT,
    nav_request=_TEXT,
    session_time=_NUMBERS,
    total_time=_NUMBERS,
    interactions=_INTERACTIONS,
    objectives=_COLLECTION,
)
known_snapshots = snapshots.map(lambda snapshot: merge(EMPTY, snapshot))

ELEMENTS = {
    "cmi.core.lesson_status": LESSON,
    "cmi.core.score.raw": ["", "85", "40"],
    "cmi.core.score.max": ["", "100"],
    "cmi.core.lesson_location": ["", "p2"],
    "cmi.core.exit": ["", "suspend"],
    "cmi.student_data.mastery_score": ["", "80"],
    "cmi.suspend_data": ["", "opaque"],
    "cmi.objectives.0.id": ["o1"],
    "cmi.objectives.0.score.raw": ["", "50"],
    "cmi.interactions.0.id": ["Q1"],
    "cmi.interactions.0.student_response": ["", "a"],
    "cmi.interactions.0.objectives.0.id": ["o1"],
    "cmi.interactions.0.correct_responses.0.pattern": ["a"],
    "cmi.interactions.1.id": ["Q2"],
    "cmi.interactions.1.result": ["wrong", "correct"],
}
flat_snapshots = st.fixed_dictionaries({}, optional={name: st.sampled_from(texts) for name, texts in ELEMENTS.items()})


def after(known: Snapshot, *deltas: Mapping[str, Any], older: bool = False) -> Snapshot:
    """Return what is known after trees of elements, one after the other."""
    for elements in deltas:
        known = merge(known, parse_cmi(delta(elements)).snapshot, older=older)
    return known


@pytest.mark.parametrize("unset", ["", None, {}, []], ids=repr)
@pytest.mark.parametrize("build", [scorm_12, scorm_2004])
def test_an_unset_value_never_erases_a_known_one(build: Build, unset: str | dict[str, Any] | list[Any] | None) -> None:
    known = merge(EMPTY, parse_cmi(build({"objectives.0.id": "o1", "suspend_data": "x"})).snapshot)
    blank = unflatten(dict.fromkeys(flatten(build({"objectives.0.id": "", "suspend_data": ""})), unset))

    assert merge(known, parse_cmi(blank).snapshot) == known


@pytest.mark.parametrize("build", [scorm_12, scorm_2004])
def test_an_absent_value_never_erases_a_known_one(build: Build) -> None:
    known = merge(EMPTY, parse_cmi(build({"objectives.0.id": "o1", "suspend_data": "x"})).snapshot)

    assert after(known, {"launch_data": "ld"}) == msgspec.structs.replace(known, launch_data="ld")


@given(known_snapshots)
@proven
def test_an_empty_commit_changes_nothing(known: Snapshot) -> None:
    assert merge(known, EMPTY) is known
    assert merge(known, EMPTY, older=True) is known


def test_a_delta_changes_its_own_element_only() -> None:
    known = after(EMPTY, {"core.lesson_location": "p2", "core.score.raw": "85"}, {"core.lesson_location": "p3"})

    assert (known.location, known.score_raw) == ("p3", 85)


@pytest.mark.parametrize(
    ("field", "words", "ways"),
    [
        ("completion_status", COMPLETION, (False, True)),
        ("lesson_status", LESSON, (True,)),
        ("success_status", SUCCESS, (True,)),
    ],
)
def test_a_status_never_goes_back(field: str, words: list[str], ways: tuple[bool, ...]) -> None:
    """Success, which belongs to a score, is decided about before a newer commit is merged."""
    for low, before in enumerate(words):
        for high, after in enumerate(words):
            for older in ways:
                known = merge(replace(EMPTY, **{field: before}), replace(EMPTY, **{field: after}), older=older)

                assert getattr(known, field) == words[max(low, high)]


@pytest.mark.parametrize(
    ("statuses", "completion", "success"),
    [
        (["incomplete", "completed", "incomplete", "completed"], "completed", None),
        (["passed", "failed"], "completed", "passed"),
        (["failed", "passed"], "completed", "passed"),
        (["failed", "completed"], "completed", "failed"),
        (["completed", "failed"], "completed", "failed"),
        (["passed", "incomplete"], "completed", "passed"),
        (["browsed", "not attempted"], "incomplete", None),
    ],
)
def test_scorm_12s_statuses_latch(statuses: list[str], completion: str, success: str | None) -> None:
    """The sequences that real content sends, wire format 3.5."""
    play = Play()
    for number, status in enumerate(statuses):
        play.send(page(number, status))
    known = play.known

    assert (known.completion_status, known.success_status) == (completion, success)


def test_an_older_commit_fills_in_what_is_not_known() -> None:
    known = after(Snapshot(score_raw=85), {"core.score.raw": "40", "core.score.max": "100"}, older=True)

    assert (known.score_raw, known.score_max) == (85, 100)


def test_an_older_commit_still_raises_a_status() -> None:
    assert (
        after(Snapshot(success_status=SuccessStatus.FAILED), {"success_status": "passed"}, older=True).success_status
        == "passed"
    )


@pytest.mark.parametrize("field", sorted(SESSION_FIELDS))
def test_an_older_commit_says_nothing_of_the_sessions_end(field: str) -> None:
    assert merge(EMPTY, replace(EMPTY, **{field: "suspend"}), older=True) == EMPTY


@given(known_snapshots, snapshots)
@proven
def test_an_older_commit_replaces_nothing(known: Snapshot, update: Snapshot) -> None:
    merged = merge(known, update, older=True)

    for field in Snapshot.__struct_fields__:
        before, after = getattr(known, field), getattr(merged, field)
        if before is not None and field not in {*COLLECTIONS, "lesson_status", "completion_status", "success_status"}:
            assert after == before, field
    for field in COLLECTIONS:
        leaves = flatten(spelled_out(getattr(merged, field) or {}))
        for name, leaf in flatten(spelled_out(getattr(known, field) or {})).items():
            assert leaf in ("", {}) or leaves[name] == leaf


@given(known=known_snapshots, update=snapshots, older=st.booleans())
@proven
def test_merging_twice_is_merging_once(known: Snapshot, update: Snapshot, *, older: bool) -> None:
    once = merge(known, update, older=older)

    assert merge(once, update, older=older) is once


@given(known=known_snapshots, update=snapshots, older=st.booleans())
@proven
def test_merging_changes_neither_of_the_two(known: Snapshot, update: Snapshot, *, older: bool) -> None:
    before, sent = msgspec.json.encode(known), msgspec.json.encode(update)
    merge(known, update, older=older)

    assert (msgspec.json.encode(known), msgspec.json.encode(update)) == (before, sent)


@given(known=known_snapshots, update=snapshots, older=st.booleans())
@proven
def test_times_are_never_merged(known: Snapshot, update: Snapshot, *, older: bool) -> None:
    """They are added up per session, where they can start again."""
    merged = merge(known, update, older=older)

    assert (merged.session_time, merged.total_time) == (None, None)


@given(known_snapshots, snapshots)
@proven
def test_raises_status_tells_what_merging_does(known: Snapshot, update: Snapshot) -> None:
    merged = merge(known, update, older=True)
    statuses = ("lesson_status", "completion_status", "success_status")

    assert raises_status(known, update) == any(getattr(merged, status) != getattr(known, status) for status in statuses)


def test_items_merge_element_by_element() -> None:
    """Clients that send single elements give an interaction's id and its result in different commits."""
    known = after(
        EMPTY,
        {"interactions.0.id": "Q1", "interactions.0.result": ""},
        {"interactions.0.result": "wrong", "interactions.0.objectives.0.id": "o1"},
        {"interactions.0.result": "", "interactions.0.id": None, "interactions.1.id": "Q2"},
    )

    assert spelled_out(known.interactions) == {
        "0": {"id": "Q1", "result": "wrong", "objectives": {"0": {"id": "o1"}}},
        "1": {"id": "Q2"},
    }


def test_a_changed_item_is_an_edit_unless_it_is_older() -> None:
    edited = after(EMPTY, {"interactions.0.result": "wrong"}, {"interactions.0.result": "correct"})
    filled = after(edited, {"interactions.0.result": "wrong", "interactions.0.id": "Q1"}, older=True)

    assert spelled_out(filled.interactions) == {"0": {"result": "correct", "id": "Q1"}}


@pytest.mark.parametrize("junk", ["x", [], {}, None, 5])
def test_items_that_are_none_are_left_out(junk: object) -> None:
    assert after(EMPTY, {"interactions": {"0": junk}}).interactions is None


@pytest.mark.parametrize(
    ("before", "sent"),
    [
        ({"id": "Q1", "score": "5"}, {"score": {"raw": "3"}}),
        ({"id": "Q1", "score": {"raw": "3"}}, {"score": "5"}),
        ({"id": "Q1", "objectives": {"0": {"id": "o1"}}}, {"objectives": ""}),
    ],
)
def test_an_older_item_of_another_shape_replaces_nothing(before: dict[str, Any], sent: dict[str, Any]) -> None:
    known = Snapshot(interactions=stored_items({"0": before}))

    assert merge(known, Snapshot(interactions=stored_items({"0": sent})), older=True) == known


@pytest.mark.parametrize("unset", ["", {}, []], ids=repr)
@pytest.mark.parametrize("before", ["5", {"raw": "5"}], ids=repr)
def test_an_unset_part_of_an_item_erases_nothing(
    before: str | dict[str, str], unset: str | dict[str, Any] | list[Any]
) -> None:
    known = Snapshot(objectives={"0": {"id": "o1", "score": before}})

    assert merge(known, Snapshot(objectives={"0": {"score": unset}})) == known


@given(flat_snapshots, st.lists(st.integers(0, 3), min_size=len(ELEMENTS), max_size=len(ELEMENTS)))
@proven
def test_a_snapshot_cut_into_deltas_is_the_same_as_the_whole(flat: dict[str, str], places: list[int]) -> None:
    deltas: list[dict[str, str]] = [{}, {}, {}, {}]
    for place, (name, text) in zip(places, flat.items(), strict=False):
        deltas[place][name] = text
    known = EMPTY
    for part in deltas:
        known = merge(known, parse_cmi(unflatten(part)).snapshot)

    whole = merge(EMPTY, parse_cmi(unflatten(flat)).snapshot)
    assert spelled_out(known.interactions or {}) == spelled_out(
        whole.interactions or {}
    )  # the parts of an item in whichever order
    without = {"interactions": None}
    assert msgspec.structs.replace(known, **without) == msgspec.structs.replace(whole, **without)


@given(st.lists(flat_snapshots, min_size=1, max_size=4), st.data())
@proven
def test_a_repeated_older_commit_changes_nothing_wherever_it_arrives(
    sent: list[dict[str, str]], data: st.DataObject
) -> None:
    # whether an older commit raises success is decided before it is merged
    nothing = {"lesson_status": None, "success_status": None}
    snapshots_sent = [msgspec.structs.replace(parse_cmi(unflatten(flat)).snapshot, **nothing) for flat in sent]
    known = EMPTY
    for count, snapshot in enumerate(snapshots_sent, 1):
        known = merge(known, snapshot)
        assert merge(known, snapshot) is known
        again = snapshots_sent[data.draw(st.integers(0, count - 1))]
        assert merge(known, again, older=True) is known, count
