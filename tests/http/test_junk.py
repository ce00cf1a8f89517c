"""Recorded bodies, bitten into at random, to every door: whatever comes, the answer is in words and never a failure."""

from __future__ import annotations

import secrets
from random import Random

import pytest

from bridge import formats
from tests.bridges import Bridge
from tests.recordings import recording

ROUNDS = 100
"""Bodies for each door."""
BITES = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"1e999", b"NaN", b"-0", b"9" * 400, b'"', b"{", b"[[[[", b"\\ud800", b"%zz",
    b"&", b"=", b"cmi.", b".0.", b"null", b"{}", b"\r\n", b'{"id":', b"cmi.interactions.0.", b"n.99999.", b"PT",
)  # fmt: skip


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
    bodies = [one.body for name in recording.SCORM_AGAIN for one in recording.load(name)]
    bodies += [b'{"learner":{"id":"u1"},"activity":{"id":"1"},"cmi":{"core":{"lesson_status":"passed"}},"sequence":1}']
    session_id = (await bridge.open())["session_id"]
    doors = [
        "/v1/commits",
        "/v1/sessions",
        "/scorm/progress/235/",
        f"/v1/sessions/{session_id}/commits",
        "/v1/formats/scorm-cloud",
        *(f"/v1/formats/{name}/sessions/{session_id}/commits" for name in formats.BY_NAME),
    ]
    kinds = ("application/json", "text/plain", "application/x-www-form-urlencoded", "\x80", "multipart/form-data")
    statuses = set()
    for door in doors:
        for _ in range(ROUNDS):
            body = _bitten(random, random.choice(bodies))
            headers = {"Content-Type": random.choice(kinds), "Authorization": f"Bearer {bridge.token}"}
            async with bridge.client.post(door, data=body, headers=headers) as response:
                await response.read()
                statuses.add(response.status)
                assert response.status < 500, (door, headers, body)
    assert {200, 400} <= statuses
    assert (await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": "after"}))["result"] is True
