"""Junk by name and recorded bodies bitten into at random: they are answered in words and never fail."""

from __future__ import annotations

import gzip
import io
import secrets
from random import Random
from typing import Any

import pytest

from bridge import formats
from tests.recordings import recording
from tests.support.bridge import Bridge

ROUNDS = 100
"""Bodies for each address."""
BITES = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"1e999", b"NaN", b"-0", b"9" * 400, b'"', b"{", b"[[[[", b"\\ud800", b"%zz",
    b"&", b"=", b"cmi.", b".0.", b"null", b"{}", b"\r\n", b'{"id":', b"cmi.interactions.0.", b"n.99999.", b"PT",
)  # fmt: skip


WHO = b'"learner":{"id":"u1"},"activity":{"id":"235"}'


def _holding(value: bytes) -> bytes:
    """Return a commit whose suspend data is this JSON."""
    return b'{"cmi":{"suspend_data":%b},"sequence":1,%b}' % (value, WHO)


KEPT: dict[str, tuple[bytes, object]] = {
    "NaN": (_holding(b"NaN"), None),
    "Infinity": (_holding(b"-Infinity"), None),
    "beyond all range": (_holding(b"1e999"), None),
    "half an emoji, escaped": (_holding(b'"a\\ud83d"'), "a\ufffd"),
    "half an emoji, in bytes": (_holding(b'"a\xed\xa0\x80"'), "a\ufffd\ufffd\ufffd"),
    "NUL, escaped": (_holding(b'"a\\u0000b"'), "a\x00b"),
    "NUL": (_holding(b'"a\x00b"'), "a\x00b"),
    "NUL in a name": (b'{"cmi":{"suspend_data":"a","x\\u0000y":"b"},"sequence":1,%b}' % WHO, "a"),
    "a name twice": (b'{"cmi":{"suspend_data":"a","suspend_data":"b"},"sequence":1,%b}' % WHO, "b"),
    "a body twice": (b'{"cmi":{"suspend_data":"a"},"cmi":{"suspend_data":"b"},"sequence":1,%b}' % WHO, "b"),
    "bytes that are no UTF-8": (_holding(b'"a\xff\xfe"'), "a\ufffd\ufffd"),
    "a name of 10,000 parts": (
        b'{"cmi":{"cmi.%b":"b","cmi.suspend_data":"a"},"sequence":1,%b}' % (b"a." * 10_000, WHO), "a",
    ),
    "an index of 400 digits": (
        b'{"cmi":{"cmi.interactions.%b.id":"b","cmi.suspend_data":"a"},"sequence":1,%b}' % (b"9" * 400, WHO), "a",
    ),
}  # fmt: skip
"""Bodies that are kept, and the suspend data that they come to."""
REFUSED = {
    "10 MB": (_holding(b'"' + b"x" * 10_000_000 + b'"'), {}, 413),
    "a list 10,000 deep": (_holding(b"[" * 10_000 + b"]" * 10_000), {}, 400),
    "an object 10,000 deep": (_holding(b'{"a":' * 10_000 + b"1" + b"}" * 10_000), {}, 400),
    "lists that never end": (b"[" * 40_000, {}, 400),
    "more lists than are taken": (b"[" * 1_000_000, {}, 413),
    "a number of 5,000 digits": (b'{"cmi":{},"sequence":%b,%b}' % (b"9" * 5_000, WHO), {}, 400),
    "bytes that are no text": (bytes(range(128, 256)) * 100, {}, 400),
    "100 MB, packed": (gzip.compress(bytes(100_000_000), 1), {"Content-Encoding": "gzip"}, 413),
    "a bomb in a bomb": (
        gzip.compress(gzip.compress(b" " * 50_000_000)), {"Content-Encoding": "gzip, gzip"}, 415,
    ),
}  # fmt: skip
"""Bodies that are refused, their headers and with which status."""


def _addresses(session_id: str) -> list[str]:
    """Return every address that takes bodies."""
    return [
        "/v1/commits",
        "/v1/sessions",
        "/scorm/progress/235/",
        f"/v1/sessions/{session_id}/commits",
        "/v1/formats/scorm-cloud",
        *(f"/v1/formats/{name}/sessions/{session_id}/commits" for name in formats.BY_NAME),
    ]


async def test_what_is_odd_and_can_be_understood_is_kept(bridge: Bridge) -> None:
    for number, (name, (body, suspend_data)) in enumerate(KEPT.items()):
        answers, session = await _post(bridge, number, body, {})

        assert [(status, answer["result"]) for status, answer in answers] == [(200, True)] * 3, name
        assert session["cmi"].get("suspend_data") == suspend_data, name
        assert [commit["disposition"] for commit in session["commits"]] == ["applied", "duplicate", "duplicate"], name


async def test_what_cannot_be_taken_is_refused_in_words_and_not_kept(bridge: Bridge) -> None:
    for number, (name, (body, headers, expected)) in enumerate(REFUSED.items()):
        answers, session = await _post(bridge, number, body, headers)

        assert [(status, answer["result"], answer["status"]) for status, answer in answers] == [
            (expected, False, expected)
        ] * 3
        assert session["commits"] == [], name


async def _post(
    bridge: Bridge, number: int, body: bytes, headers: dict[str, str]
) -> tuple[list[tuple[int, dict[str, Any]]], dict[str, Any]]:
    """Post a body to the three addresses, as a session's of an activity of its own; return answers and session."""
    opened = await bridge.open(activity={"id": f"{number}"})
    body = body.replace(b'"id":"235"', b'"id":"%d"' % number)
    addresses = "/v1/commits", f"/v1/sessions/{opened['session_id']}/commits", f"/scorm/progress/{number}/"
    answers = [await bridge.post(path, data=io.BytesIO(body), headers=headers) for path in addresses]
    _, session = await bridge.get(f"/v1/sessions/{opened['session_id']}")
    return answers, session


async def test_no_junk_makes_a_door_fail(bridge: Bridge) -> None:
    bodies: list[tuple[Any, dict[str, str]]] = [(body, {}) for body, _ in KEPT.values()] + [
        (body, headers) for body, headers, _ in REFUSED.values()
    ]
    for address in _addresses((await bridge.open())["session_id"]):
        for body, headers in bodies:
            may = {"Authorization": f"Bearer {bridge.token}", "Content-Type": "text/plain"} | headers
            async with bridge.client.post(address, data=io.BytesIO(body), headers=may) as response:
                await response.read()
                assert response.status < 500, (address, body[:100])


@pytest.fixture
def seed() -> int:
    """A new one each time, which is printed with a failure."""
    number = secrets.randbelow(1 << 32)
    print(f"seed {number}")  # noqa: T201 -- shown with a failure
    return number


def _bitten(random: Random, body: bytes) -> bytes:
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(body) + 1)
        kind = random.randrange(4)
        if kind == 0:
            body = body[:at]
        elif kind == 1:
            body = body[:at] + random.choice(BITES) + body[at:]
        elif kind == 2:
            body = body[:at] + random.choice(BITES) + body[at + random.randint(1, 20) :]
        else:
            body = body[:at] + body[random.randrange(len(body) + 1) :]
    return body


async def test_no_bitten_body_makes_a_door_fail(bridge: Bridge, seed: int) -> None:
    random = Random(seed)
    bodies = [request.body for name in recording.SCORM_AGAIN for request in recording.load(name)]
    bodies += [b'{"learner":{"id":"u1"},"activity":{"id":"1"},"cmi":{"core":{"lesson_status":"passed"}},"sequence":1}']
    addresses = _addresses((await bridge.open())["session_id"])
    kinds = ("application/json", "text/plain", "application/x-www-form-urlencoded", "\x80", "multipart/form-data")
    statuses = set()
    for address in addresses:
        for _ in range(ROUNDS):
            body = _bitten(random, random.choice(bodies))
            headers = {"Content-Type": random.choice(kinds), "Authorization": f"Bearer {bridge.token}"}
            async with bridge.client.post(address, data=body, headers=headers) as response:
                await response.read()
                statuses.add(response.status)
                assert response.status < 500, (address, headers, body)

    assert statuses >= {200, 400}
    assert (await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": "after"}))["result"] is True
