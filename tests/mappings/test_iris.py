"""What counts as an IRI, a language tag, a date in statements."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.xapi.iris import is_iri, is_language, is_own_iri, own_iri, percent_encode, sendable_iri
from mappings.xapi.timestamps import rfc3339
from mappings.xapi.validation.syntax import check_iri
from tests.mappings.builders import NOON

proven = settings(deadline=None, max_examples=100, derandomize=True, database=None)

NO_IRIS = [
    "",
    "235",
    "unit 5",
    "no-scheme/x",
    "//host/x",
    "1http://host/x",
    "http:",
    "http://host/a b",
    "http://host/{x}",
    'http://host/"x"',
    "http://host/<x>",
    "http://host/a|b",
    "http://host/a\\b",
    "http://host/a^b",
    "http://host/a`b",
    "http://host/x\n",
    "http://host/\x7f",
    "http://host/\u00a0x",
]
OWN_IRIS = [
    "http://host/x",
    "https://lms.example.org/scos/235?lang=de&x=1#top",
    "https://lms.example.org/ü/😀",
    "urn:uuid:00000000-0000-4000-8000-000000000000",
    "tag:example.org,2026:sco-1",
    "HTTPS://host/x",
    "x-lms+1.0://host/x",
]


@pytest.mark.parametrize("text", NO_IRIS)
def test_what_an_lrs_refuses_is_no_iri(text: str) -> None:
    assert not is_iri(text)
    assert not is_own_iri(text)


@pytest.mark.parametrize("text", OWN_IRIS)
def test_iris_of_an_lms_are_taken_as_they_are(text: str) -> None:
    assert is_iri(text)
    assert is_own_iri(text)


@pytest.mark.parametrize("text", ["unit:5", "course:1/2", "a:b", "C:\\x", "12:30", "http:///x"])
def test_an_id_with_a_colon_is_an_id(text: str) -> None:
    assert not is_own_iri(text)


@given(
    st.tuples(st.sampled_from(["https://", "x://", "urn:", "tag:"]), st.text(max_size=4)).map("".join)
    | st.text('htps:/ab "<>{}|\\^`\t', max_size=12)
)
@proven
def test_every_iri_of_an_lms_is_an_iri(text: str) -> None:
    """An id that is taken as it is must be one that no LRS refuses."""
    assert is_iri(text) or not is_own_iri(text)


@pytest.mark.parametrize("mark", list('"<>{}|\\^`\x00\x7f '))
def test_a_host_never_begins_with_what_no_iri_may_hold(mark: str) -> None:
    assert not is_own_iri(f"https://{mark}lms.example.org/x")


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("http://ex.org/100%", "http://ex.org/100%25"),
        ("http://ex.org/a%zz", "http://ex.org/a%25zz"),
        ("http://ex.org/%E2%82%AC", "http://ex.org/%E2%82%AC"),
        ("http://ex.org/a[b]", "http://ex.org/a%5Bb%5D"),
        ("http://[::1]:8080/a[b]", "http://[::1]:8080/a%5Bb%5D"),
        ("http://ex.org/a#b#c", "http://ex.org/a#b%23c"),
        ("http://ex.org/\ue000", "http://ex.org/%EE%80%80"),
        ("http://ex.org/\ufdd0", "http://ex.org/%EF%B7%90"),
        ("http://ex.org/\U0001ffff", "http://ex.org/%F0%9F%BF%BF"),
        ("http://ex.org/\U0010fffd", "http://ex.org/%F4%8F%BF%BD"),
        ("http://ex.org/\x81", "http://ex.org/%C2%81"),
        ("http://ex.org/a\u200eb", "http://ex.org/a%E2%80%8Eb"),
        ("urn:x:a[1]", "urn:x:a%5B1%5D"),
    ],
)
def test_what_an_iri_cannot_hold_is_escaped(text: str, sent: str) -> None:
    assert not is_iri(text) or text == sent
    assert own_iri(text) == sent
    assert is_iri(sent)


@pytest.mark.parametrize(
    "text",
    ["https://?x=1", "https://#f", "https://", "http://:80/x", "http://ex.org:99999/x", "http://ex.org:port/x", "http://[::1/x",
     "http://u@/x", "http://a]b/x"],
)  # fmt: skip
def test_what_no_escape_makes_an_iri_is_an_id(text: str) -> None:
    assert own_iri(text) is None
    assert not is_iri(text)


@given(
    st.text("htps:/ab%[]#?@:1\ue000\ufdd0\x81\u200e\U0001ffff é", max_size=16).map("https://h/".__add__)
    | st.text(max_size=20)
)
@proven
def test_one_judge_decides_what_is_made_and_what_is_taken(text: str) -> None:
    iri = own_iri(text)

    assert iri is None or is_iri(iri)
    assert is_iri(text) == (not any(check_iri(text, "")))
    if is_iri(text):
        assert sendable_iri(text) == text
    if iri is not None:
        assert sendable_iri(iri) == iri


@pytest.mark.parametrize("tag", ["en", "en-US", "de-CH-1996", "zh-Hant-TW", "sl-rozaj-biske"])
def test_language_tags_are_known_by_their_form(tag: str) -> None:
    assert is_language(tag)


@pytest.mark.parametrize("tag", ["", "e", "en_US", "en-", "-en", "en US", "englishlanguage", "ën", "en-US_x", "en\n"])
def test_what_has_not_the_form_is_no_language_tag(tag: str) -> None:
    assert not is_language(tag)


@given(st.text(st.characters(codec="utf-8")))
@proven
def test_an_encoded_id_is_one_segment_of_an_iri_and_decodes_back(text: str) -> None:
    encoded = percent_encode(text)

    assert unquote(encoded) == text
    assert not set(encoded) & set("/?#&=+:@ \"'<>")
    assert is_iri(f"https://lms.example.org/{encoded}")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (NOON, "2026-01-31T12:00:00.000Z"),
        (NOON + 999, "2026-01-31T12:00:00.999Z"),
        (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
    ],
)
def test_a_date_is_written_with_its_zone_and_milliseconds(milliseconds: int, text: str) -> None:
    assert rfc3339(milliseconds) == text


@given(st.integers(NOON, NOON + 10**12), st.integers(0, 10_000))
@proven
def test_dates_sort_as_the_times_they_tell(milliseconds: int, later: int) -> None:
    first, second = rfc3339(milliseconds), rfc3339(milliseconds + later)

    assert first[-4:-1] == f"{milliseconds % 1000:03d}"
    assert (first < second) == (later > 0)
