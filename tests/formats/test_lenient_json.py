"""JSON bodies: a long one, whose interactions stay JSON, says what it would say if it were short."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import MalformedBody
from bridge.formats.lenient_json import LONG, decode
from mappings.cmi import parse_cmi
from mappings.cmi.tree import item

proven = settings(deadline=None, max_examples=200, derandomize=True, database=None)

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ITEMS = st.dictionaries(st.sampled_from(["id", "type", "result", "x"]), LEAVES | st.lists(LEAVES, max_size=2)) | LEAVES
ANSWERS = [{"id": f"q{number}", "type": "choice", "learner_response": "a"} for number in range(120)]


def body(interactions: Any, **fields: Any) -> dict[str, Any]:
    return {"cmi": {"suspend_data": "x" * LONG, "interactions": interactions}, **fields}


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def interactions(data: bytes) -> dict[str, Any]:
    packed = parse_cmi(decode(data)).snapshot.interactions or {}
    return {index: item(interaction) for index, interaction in packed.items()}


def test_interactions_of_a_long_body_are_left_as_json() -> None:
    decoded = decode(compact(body({"0": ANSWERS[0], "1": ANSWERS[1]}, sequence=3, learner={"id": "u1"})))

    assert all(isinstance(interaction, msgspec.Raw) for interaction in decoded["cmi"]["interactions"].values())
    assert (decoded["sequence"], decoded["learner"], decoded["cmi"]["suspend_data"]) == (3, {"id": "u1"}, "x" * LONG)


@given(st.dictionaries(st.sampled_from(["0", "1", "2", "_count"]), ITEMS) | st.lists(ITEMS, max_size=3) | LEAVES)
@pytest.mark.parametrize("write", [compact, lambda value: json.dumps(value).encode()], ids=["compact", "spaced"])
@proven
def test_a_long_body_says_what_a_short_one_says(write: Any, collection: Any) -> None:
    short = write({"cmi": {"interactions": collection}})[: LONG - 1]
    try:
        expected = interactions(short)
    except MalformedBody:
        return

    assert interactions(write(body(collection))) == expected


@pytest.mark.parametrize(
    ("written", "response"),
    [
        (b'"a \\ud83d b"', "a � b"),
        (b'"a \\u00fc \\" b"', 'a ü " b'),
        (b'"a \xff b"', "a � b"),
        (b'"a\nb"', "a\nb"),
        (b"1e999", None),
        (b"-1e999", None),
        (b"1.50", "1.5"),
        (b"NaN", None),
    ],
)
def test_what_strict_json_forbids_is_mended_in_a_long_body_too(written: bytes, response: str | None) -> None:
    data = compact(body({"0": {"id": "q", "learner_response": "?"}})).replace(b'"?"', written)

    assert interactions(data)["0"] == {"id": "q"} | ({} if response is None else {"learner_response": response})


def test_a_number_of_thousands_of_digits_leaves_out_only_the_interaction_it_is_in() -> None:
    data = compact(body({"0": {"id": "q", "weighting": "?"}, "1": {"id": "r"}})).replace(b'"?"', b"9" * 5_000)

    assert interactions(data) == {"0": {}, "1": {"id": "r"}}


@pytest.mark.parametrize("broken", [b'{"id":"q"', b'{"id":"q"}}}', b'{"id":q}', b'{"id":"\\x"}'])
def test_a_broken_long_body_is_refused(broken: bytes) -> None:
    with pytest.raises(MalformedBody):
        decode(compact(body({"0": "?"})).replace(b'"?"', broken))


def test_many_interactions_are_read_as_they_were_written() -> None:
    sent = {str(index): answer for index, answer in enumerate(ANSWERS)}

    assert interactions(compact({"cmi": {"interactions": sent}})) == sent
