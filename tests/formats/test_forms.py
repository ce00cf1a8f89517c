"""Forms are parsed within limits, and what is beyond them is told in words."""

from __future__ import annotations

import contextlib
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BodyTooComplex, MalformedBody
from bridge.formats.body import MAX_FIELDS_UNAUTHENTICATED, MAX_WRAPPED, form_field, parse, unwrap
from bridge.forms import (
    MAX_FIELDS,
    MAX_PART_HEADER_BYTES,
    MAX_PART_HEADERS,
    FormError,
    FormLimitError,
    FormPart,
    parse_multipart,
    parse_urlencoded,
    percent_decode,
)

HEAD = b'--b\r\nContent-Disposition: form-data; name="a"'


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


def test_parts_come_as_they_were_sent() -> None:
    body = form(
        HEAD + b"\r\n\r\nx\r\n--c\r\n \xff\r\n",
        HEAD + b'; filename="f.toml"\r\nContent-Type: text/plain; charset=no-such\r\n\r\n\x00\r\n',
        b'--b\r\ncontent-disposition: form-data; name="\xc3\xa9"\r\nX-Own: 1\r\n\r\n\r\n',
    )

    assert parse_multipart(body, b"b") == [
        FormPart("a", b"x\r\n--c\r\n \xff"),
        FormPart("a", b"\0", "f.toml"),
        FormPart("é", b""),
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (form((HEAD + b"\r\n\r\n\r\n") * (MAX_FIELDS + 1)), "more than 5000 parts"),
        (form(HEAD + b"\r\nX: y" * MAX_PART_HEADERS + b"\r\n\r\n\r\n"), "more than 8 header lines"),
        (form(HEAD + b"; a=b" * (MAX_PART_HEADER_BYTES // 5) + b"\r\n\r\n\r\n"), "more than 1024 bytes"),
        (b"--b\r\n" + b"a" * 2_000, "more than 1024 bytes"),
    ],
)
def test_more_than_is_accepted_is_told_in_words(body: bytes, words: str) -> None:
    with pytest.raises(FormLimitError, match=words):
        parse_multipart(body, b"b")
    with pytest.raises(BodyTooComplex, match=words):
        parse(body)


@pytest.mark.parametrize(
    "body",
    [
        HEAD + b"\r\n\r\nx",
        HEAD + b"\r\n\r\nx\r\n--b",
        form(b"--b\r\n\r\nx\r\n"),
        form(b"--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n"),
        form(b"--b\r\nContent-Disposition: form-data; name=\xff\r\n\r\nx\r\n"),
        form(HEAD + b"\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n"),
        form(HEAD + b"\r\n folded\r\n\r\nx\r\n"),
        form(HEAD + b"\r\nno colon\r\n\r\nx\r\n"),
        form(b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 3),
    ],
)
def test_a_broken_form_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(FormError):
        parse_multipart(body, b"b")
    with pytest.raises(MalformedBody, match=r"^The form "):
        parse(body)


def test_a_part_is_not_looked_into_whatever_it_claims_to_be() -> None:
    inside = form(HEAD + b"\r\n\r\nx\r\n").replace(b"--b", b"--c")
    around = HEAD + b"\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    (part,) = parse_multipart(form(around + inside + b"\r\n"), b"b")

    assert part.content == inside


def test_a_form_may_have_as_many_fields_as_moodle_asks_php_to_take() -> None:
    assert len(parse_urlencoded("&".join(["a=b"] * MAX_FIELDS))) == MAX_FIELDS
    assert len(parse_multipart(form((HEAD + b"\r\n\r\n\r\n") * MAX_FIELDS), b"b")) == MAX_FIELDS
    with pytest.raises(FormLimitError, match="more than 5000 fields"):
        parse_urlencoded("&".join(["a=b"] * (MAX_FIELDS + 1)))
    with pytest.raises(BodyTooComplex, match="more than 5000 fields"):
        parse(b"&".join([b"a=b"] * (MAX_FIELDS + 1)))


def test_of_an_unknown_sender_s_form_only_a_short_one_is_looked_into() -> None:
    few, many = "&a=b" * (MAX_FIELDS_UNAUTHENTICATED - 1), "&a=b" * MAX_FIELDS_UNAUTHENTICATED
    part = HEAD + b"\r\n\r\n\r\n"
    password = part.replace(b'"a"', b'"password"').replace(b"\r\n\r\n\r\n", b"\r\n\r\ns3cret\r\n")

    assert form_field(f"password=s3cret{few}".encode(), "password") == "s3cret"
    assert form_field(f"password=s3cret{many}".encode(), "password") is None
    assert form_field(form(password, part * (MAX_FIELDS_UNAUTHENTICATED - 1)), "password") == "s3cret"
    assert form_field(form(password, part * MAX_FIELDS_UNAUTHENTICATED), "password") is None
    assert form_field(b'{"password":"s3cret"}', "password") is None


def test_no_more_values_of_a_wrapper_are_looked_into_than_a_wrapper_has() -> None:
    body = parse(b"{%b}" % b",".join(b'"k%d":{"a":1},"t%d":"text"' % (n, n) for n in range(1_000)))

    assert len(list(unwrap(body))) == MAX_WRAPPED


SHARDS = (HEAD, b"\r\n", b"--b", b"--", b"x", b":", b";", b'"')


@given(st.binary(max_size=300) | st.lists(st.sampled_from(SHARDS), max_size=30).map(b"".join))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    with contextlib.suppress(FormError):
        assert all(isinstance(part, FormPart) for part in parse_multipart(body, b"b"))
    assert all(isinstance(value, str) for _, value in parse_urlencoded(body.decode(errors="replace")))
    form_field(body, "password")


PIECES = ("a", "=", "&", "+", "%", "%41", "%C3%A9", "%ED%A0%80", "%e9", "%4", "%zz", "\u00e9", "\U0001f600", " ", ";")


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=20).map("".join))
def test_fields_are_decoded_as_the_standard_library_decodes_them(text: str) -> None:
    assert parse_urlencoded(text) == parse_qsl(text, keep_blank_values=True, errors="replace")
    assert percent_decode(text) == unquote(text, errors="replace")
