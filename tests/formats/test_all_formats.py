"""What all formats have in common, and what no body whatsoever does to any format."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import BodyTooComplex, BridgeError, MalformedBody
from bridge.formats import BY_NAME, FORMATS, CommitRequest, FormatRequest, FormatResponse, SessionData, detect, parse_as
from mappings.cmi import parse_cmi
from tests.formats.client import open_format_client
from tests.formats.test_aicc import INTERACTIONS, PARAM, form
from tests.formats.test_chamilo import BODY as CHAMILO
from tests.formats.test_elements import BODY as ELEMENTS
from tests.formats.test_hyperf import BODY as HYPERF
from tests.formats.test_ilias import BODY as ILIAS
from tests.formats.test_ilias_2004 import BODY as ILIAS_2004
from tests.formats.test_moodle import BEACON, FINISH
from tests.formats.test_scorm_again import EVERYTHING, TEXT
from tests.formats.test_scorm_cloud import BODY as SCORM_CLOUD
from tests.support.bridge import Bridge

BODIES: dict[str, list[bytes]] = {
    "moodle": [FINISH.encode(), BEACON],
    "aicc": [form("PutParam", PARAM).encode(), form("PutInteractions", INTERACTIONS).encode()],
    "chamilo": [CHAMILO.encode()],
    "openedx": [b'[{"name": "cmi.location", "value": "p"}]'],
    "rpc": [b'{"method": "SetValue", "parameters": ["cmi.location", "p"]}'],
    "sakai": [b'{"method": "SetValue", "arguments": ["cmi.location", "p"], "scoId": "item-1"}'],
    "scorm-cloud": [json.dumps(SCORM_CLOUD).encode()],
    "native": [b'{"cmi": {"location": "p"}, "sequence": 1}'],
    "elements": [json.dumps(ELEMENTS).encode()],
    "single": [b'{"cmi": {"cmi.location": "p"}}'],
    "ilias": [json.dumps(ILIAS).encode()],
    "ilias-2004": [json.dumps(ILIAS_2004).encode()],
    "hyperf": [json.dumps(HYPERF).encode()],
    "scorm-again": [TEXT.encode(), json.dumps(EVERYTHING).encode(), b'{"cmi.location": "p"}'],
}
PAIRS = [(name, body) for name, bodies in BODIES.items() for body in bodies]

NAMES = """
cmi adl data runtimeData elements method parameters name value lesson session cmi.location cmi.interactions.0.id
registrationCompletion activityDetails interactions sequence command session_id aicc_data cmi__core__exit scoid id
learner course meta updated node interaction objective correct_response comment i_check arguments scoId lid uid vid iid
interact[0] t s max
"""
names = st.sampled_from(NAMES.split()) | st.text(max_size=5)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["SetValue", "getparam", "PutParam", "PutInteractions", "cmi.location", "[Core]\nScore=1", "2026"]
    )
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)
forms = st.lists(st.tuples(names, st.text(max_size=40) | scalars.map(str)), max_size=6).map(
    lambda pairs: urlencode(pairs, errors="replace").encode()
)
alike = st.sampled_from([body for _, body in PAIRS])


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Return a good body with some of it cut out or replaced."""
    body = draw(alike)
    start = draw(st.integers(0, len(body)))
    return body[:start] + draw(st.binary(max_size=8)) + body[start + draw(st.integers(0, 40)) :]


bodies = st.binary(max_size=200) | trees.map(lambda tree: json.dumps(tree).encode()) | forms | spoilt()
queries = st.dictionaries(st.text(max_size=3), st.sampled_from(["true", "beacon", ""]), max_size=2)


@pytest.mark.parametrize(("name", "body"), PAIRS)
def test_a_body_of_each_format_is_recognised_whatever_its_label(name: str, body: bytes) -> None:
    for content_type in (
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data",
    ):
        wire_format, call = detect(CommitRequest(body, content_type))

        assert wire_format.name == name, content_type
        assert call.commit is not None, content_type
        assert call.commit.tree["cmi"], content_type


@pytest.mark.parametrize(("name", "body"), PAIRS)
@pytest.mark.parametrize("ornament", ["\ufeff", "\r\n ", "\ufeff\n"])
def test_a_mark_or_blanks_before_the_body_do_not_matter(name: str, body: bytes, ornament: str) -> None:
    assert detect(CommitRequest(ornament.encode() + body))[0].name == name


@pytest.mark.parametrize(("name", "body"), PAIRS)
async def test_each_door_takes_its_own_format_and_stores_it(bridge: Bridge, name: str, body: bytes) -> None:
    at = await open_format_client(bridge, name)
    answer = await at.post(body)
    (commit,) = (await at.session())["commits"]

    assert answer.status == 200
    assert commit["format"].startswith(name)


async def test_an_address_without_a_format_leads_nowhere(bridge: Bridge) -> None:
    opened = await bridge.open()

    assert (await bridge.post(f"/v1/formats/word/sessions/{opened['session_id']}/commits", {}))[0] == 404


@pytest.mark.parametrize("name", list(BY_NAME))
async def test_a_door_needs_a_token_and_says_so_in_its_own_way(bridge: Bridge, name: str) -> None:
    at = await open_format_client(bridge, name)
    at.address = at.address.split("?")[0]
    answer = await at.post(BODIES[name][0])

    assert answer.status == (200 if name in {"moodle", "aicc", "rpc"} else 401)
    assert (await at.session())["commits"] == []


@pytest.mark.parametrize("name", list(BY_NAME))
async def test_get_tells_what_the_session_holds_and_stores_nothing(bridge: Bridge, name: str) -> None:
    at = await open_format_client(bridge, name, learner={"id": "u1", "name": "Ada"})
    answer = await at.get()

    assert answer.status == 200
    assert "Ada" in answer.text
    assert (await at.session())["commits"] == []


@given(body=bodies, query=queries)
@settings(max_examples=400)
def test_no_bytes_make_recognition_raise_anything_but_its_own_error(body: bytes, query: dict[str, str]) -> None:
    try:
        wire_format, call = detect(CommitRequest(body, query=query))
    except BridgeError:
        return
    check_response(wire_format.name, call)


@given(name=st.sampled_from(sorted(BY_NAME)), body=bodies, query=queries)
@settings(max_examples=600)
def test_no_bytes_make_a_door_raise_anything_but_its_own_error(name: str, body: bytes, query: dict[str, str]) -> None:
    try:
        call = parse_as(BY_NAME[name], CommitRequest(body, query=query))
    except BridgeError as error:
        check_error(name, error, None)
    else:
        check_response(name, call)
        check_error(name, MalformedBody("No."), call)


@given(tree=trees, name=st.text())
def test_any_state_can_be_told_in_any_format(tree: Any, name: str) -> None:
    cmi = tree if isinstance(tree, dict) else {"core": tree, "objectives": {"0": tree}}
    state = SessionData(cmi, {"0": tree})

    assert isinstance(state.value(f"cmi.{name}"), str)
    for format_ in FORMATS:
        assert isinstance(format_.respond(FormatRequest(requested=()), None, state), FormatResponse)
        assert isinstance(format_.respond(FormatRequest(requested=("cmi.core",)), None, state), FormatResponse)


@pytest.mark.parametrize(
    "body",
    [
        b"cmi.a=b" + b"&a=true" * 140_000,
        b"&".join(b"cmi.interactions.%d.id=x" % number for number in range(30_000)),
        form("PutParam", "[Core]\n[Comments]\n" + "<1>" * 110_000).encode(),
        form("PutParam", "[Core]\n" * 60_000).encode(),
        b"--b\r\n" + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 19_000,
        b"--b\r\n" + b"--b\r\n" * 190_000,
        b'{"data":' * 100_000,
        b"[" * 1_000_000,
        b'{"a":"{"' + b',"a":"{"' * 100_000 + b"}",
    ],
    ids=["marks", "elements", "comments", "groups", "nested parts", "parts", "wrappers", "brackets", "texts"],
)
def test_a_mebibyte_that_was_made_to_be_slow_is_not(body: bytes) -> None:
    with contextlib.suppress(MalformedBody, BodyTooComplex):
        assert detect(CommitRequest(body))[1].commit


def check_response(name: str, call: FormatRequest) -> None:
    """Check that a call can go its whole way."""
    if call.commit is not None:
        parse_cmi(call.commit.tree, declared=call.commit.scorm_version)
        assert call.commit.sequence is None or 0 <= call.commit.sequence < 1 << 62
    response = BY_NAME[name].respond(call, b"{}" if call.commit else None, None if call.commit else SessionData({}, {}))

    assert response.status == 200


def check_error(name: str, error: BridgeError, call: FormatRequest | None) -> None:
    """Check that an error can be told."""
    respond_error = BY_NAME[name].respond_error
    if respond_error is not None:
        response = respond_error(error, call)

        if response.content_type == "text/javascript":
            assert response.body.startswith(b"//")
            assert len(response.body.decode().splitlines()) == 1
        else:
            assert response.content_type == "text/plain" or msgspec.json.decode(response.body)
