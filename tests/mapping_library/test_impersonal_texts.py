"""What dictionaries are trained with has what many learners share, and tells of none of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.mapping_library.impersonal_texts import MAX_DEPTH, MAX_SIZE, MIN_LEARNERS, impersonal_texts
from storage.frame_samples import StoredText


def _texts(values: Iterable[Any], *, learners: int = 1_000_000) -> list[StoredText]:
    """Return statements with these values, of so many learners in turn."""
    return [
        StoredText((1, f"learner {number % learners}"), json.dumps(value, separators=(",", ":")).encode())
        for number, value in enumerate(values)
    ]


def _read(texts: Sequence[StoredText]) -> list[Any]:
    return [json.loads(text) for text in impersonal_texts(texts, Random(1))]


def test_a_value_stays_if_enough_learners_have_it() -> None:
    values = [{"course": "Engines", "learner": f"Ada {number:020}"} for number in range(MIN_LEARNERS)]

    read = _read(_texts(values))

    assert {value["course"] for value in read} == {"Engines"}
    assert not {value["learner"] for value in read} & {value["learner"] for value in values}


def test_a_value_that_one_learner_less_has_is_not_in_it() -> None:
    few = [{"course": "Engines"}] * (MIN_LEARNERS - 1)
    others = [{"course": f"{number}:"} for number in range(100)]

    assert "Engines" not in str(_read(_texts(few + others)))


def test_a_learner_counts_once_however_often_they_say_it() -> None:
    same = [{"comment": "I am Ada"}] * 500

    assert "I am Ada" not in str(_read(_texts(same, learners=MIN_LEARNERS - 1)))


def test_the_same_id_at_two_lmss_is_two_learners() -> None:
    texts = [StoredText((lms_id, "u1"), b'{"course":"Engines"}') for lms_id in range(MIN_LEARNERS)]

    assert _read(texts)[0] == {"course": "Engines"}


def test_a_value_is_counted_by_its_place() -> None:
    named = [{"name": "Ada"}] * (MIN_LEARNERS - 1)
    titled = [{"title": "Ada"}] * (MIN_LEARNERS - 1)

    assert "Ada" not in str(_read(_texts(named + titled)))


def test_numbers_and_keys_that_few_have_are_not_in_it() -> None:
    shared = [{"raw": 85, "max": 100} for _ in range(MIN_LEARNERS)]
    own = [{"raw": 31_415_926, "max": 100, "ada@example.org": True}]

    read = _read(_texts(shared + own))

    assert {value["max"] for value in read} == {100}
    assert 85 in {value["raw"] for value in read}
    assert "31415926" not in str(read)
    assert "ada" not in str(read)


def test_the_beginning_of_a_value_stays_up_to_where_it_differs() -> None:
    values = [{"id": f"https://lms.example.org/courses/{number:030}"} for number in range(MIN_LEARNERS)]

    read = _read(_texts(values))

    assert all(value["id"].startswith("https://lms.example.org/courses/") for value in read)
    assert not {value["id"] for value in read} & {value["id"] for value in values}


def test_an_object_that_enough_learners_have_stays_together() -> None:
    verbs = [{"verb": {"id": f"x:{name}", "display": name}} for name in ("passed", "failed") for _ in range(50)]

    assert all(value["verb"]["id"] == f"x:{value['verb']['display']}" for value in _read(_texts(verbs)))


def test_what_stands_side_by_side_is_of_different_learners_where_few_have_both() -> None:
    sides = range(2 * MIN_LEARNERS)
    values = [{"page": left, "score": right} for left in sides for right in sides if (left + right) % 2 == 0]

    read = _read(_texts(values))

    assert {value["page"] for value in read} == set(sides)
    assert sum((value["page"] + value["score"]) % 2 for value in read) > len(read) / 3


def test_items_of_an_array_are_exchanged_as_members_are() -> None:
    sides = range(2 * MIN_LEARNERS)
    values = [{"answers": [left, right]} for left in sides for right in sides if (left + right) % 2 == 0]

    read = _read(_texts(values))

    assert sum(sum(value["answers"]) % 2 for value in read) > len(read) / 3


def test_a_response_and_its_body_are_parts_of_one_text() -> None:
    texts = [StoredText((1, str(number)), b'{"result":true}\n{"cmi": {"exit": ""}}') for number in range(MIN_LEARNERS)]

    assert set(impersonal_texts(texts, Random(1))) == {b'{"result":true}\n{"cmi": {"exit": ""}}'}


def test_what_is_no_json_is_left_out() -> None:
    texts = [StoredText((1, str(number)), b'{"result":true}\nlearner=Ada') for number in range(MIN_LEARNERS)]
    texts += [StoredText((1, "x"), content) for content in (b"", b"Ada", b"\xff\xfe", b'"Ada"', b"[" * 100_000)]

    assert set(impersonal_texts(texts, Random(1))) == {b'{"result":true}'}


def test_what_is_deep_or_large_costs_nothing() -> None:
    deep = '{"a":' * 900 + '"Ada"' + "}" * 900
    large = json.dumps({"a": "Ada" * MAX_SIZE})
    texts = [StoredText((1, str(number)), text.encode()) for number in range(MIN_LEARNERS) for text in (deep, large)]

    read = impersonal_texts(texts, Random(1))

    assert len(read) == MIN_LEARNERS
    assert all(text.count(b"{") <= MAX_DEPTH for text in read)
    assert not any(b"Ada" in text for text in read)


_SAID = st.text(st.characters(codec="utf-8", categories=["L", "Nd"]), min_size=6, max_size=12)
_VALUES = st.recursive(
    _SAID, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_SAID, inner, max_size=3), max_leaves=8
)


def _said(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _said(item)
    else:
        for key, member in value.items():
            yield key
            yield from _said(member)


@given(st.lists(st.dictionaries(_SAID, _VALUES, min_size=1, max_size=4), min_size=1, max_size=MIN_LEARNERS - 1))
def test_of_fewer_learners_nothing_is_in_it_whatever_they_say(values: list[dict[str, Any]]) -> None:
    text = b"".join(impersonal_texts(_texts(values), Random(1))).decode()

    assert not any(said in text for value in values for said in _said(value))
