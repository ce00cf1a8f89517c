"""What bad input gets: a clear answer with a stable code, never a 500, and nothing stored."""

from __future__ import annotations

import asyncio
import gzip
import io
import zlib
from typing import Any

import pytest
from sqlalchemy import func, select, text
from yarl import URL

from storage import tables
from storage.engine import reading, writing
from tests.support.accounts import HOME_PAGE
from tests.support.bridge import Bridge

WHO = {"learner": {"id": "u1"}, "activity": {"id": "235"}}
BAD_BODIES: list[tuple[str, Any, int, str]] = [
    ("/v1/commits", b"", 400, "malformed-body"),
    ("/v1/commits", b"{", 400, "malformed-body"),
    ("/v1/commits", b"[]", 400, "malformed-body"),
    ("/v1/commits", b"null", 400, "malformed-body"),
    ("/v1/commits", b'"text"', 400, "malformed-body"),
    ("/v1/commits", b"\xff\xfe\x00", 400, "malformed-body"),
    ("/v1/commits", b"[" * 5000 + b"]" * 5000, 400, "malformed-body"),
    ("/v1/commits", b'{"cmi":' + b'{"a":' * 2000 + b"1" + b"}" * 2000 + b"}", 400, "malformed-body"),
    ("/v1/commits", {"cmi": {}}, 400, "malformed-body"),
    ("/v1/commits", WHO, 400, "malformed-body"),
    ("/v1/commits", WHO | {"cmi": "text"}, 400, "malformed-body"),
    ("/v1/commits", WHO | {"cmi": []}, 400, "malformed-body"),
    ("/v1/commits", WHO | {"cmi": {}, "sequence": "one"}, 400, "malformed-body"),
    ("/v1/commits", WHO | {"cmi": {}, "sequence": -1}, 400, "malformed-field"),
    ("/v1/commits", WHO | {"cmi": {}, "sequence": 10**30}, 400, "malformed-field"),
    ("/v1/commits", WHO | {"cmi": {}, "terminated": "yes"}, 400, "malformed-body"),
    ("/v1/commits", WHO | {"cmi": {}, "committed_at": "yesterday"}, 400, "malformed-field"),
    ("/v1/commits", WHO | {"cmi": {}, "committed_at": "2026-01-01T00:00:00"}, 400, "malformed-field"),
    ("/v1/commits", WHO | {"cmi": {}, "scorm_version": "3"}, 400, "malformed-field"),
    ("/v1/commits", WHO | {"cmi": {}, "attempt": 0}, 400, "malformed-field"),
    ("/v1/commits", WHO | {"cmi": {}, "session_id": "not-a-uuid"}, 400, "malformed-session-id"),
    ("/v1/commits", WHO | {"cmi": {}, "session_id": 7}, 400, "malformed-body"),
    ("/v1/commits", {"learner": {"id": ""}, "activity": {"id": "1"}, "cmi": {}}, 400, "malformed-field"),
    ("/v1/commits", {"learner": {"id": "a\u0000b"}, "activity": {"id": "1"}, "cmi": {}}, 400, "malformed-field"),
    ("/v1/commits", {"learner": {"id": "x" * 2000}, "activity": {"id": "1"}, "cmi": {}}, 400, "malformed-field"),
    ("/v1/commits", {"learner": {}, "activity": {"id": "1"}, "cmi": {}}, 400, "malformed-body"),
    (
        "/v1/commits",
        {"learner": {"id": "u"}, "activity": {"id": "1", "type": "no iri"}, "cmi": {}},
        400,
        "malformed-field",
    ),
    ("/v1/sessions", b"", 400, "malformed-body"),
    ("/v1/sessions", {"learner": {"id": "u1"}}, 400, "malformed-body"),
    ("/v1/sessions", WHO | {"session_id": "{6f3c2a9e}"}, 400, "malformed-session-id"),
    ("/scorm/progress/235/", {"cmi_data": {}}, 400, "malformed-body"),
    ("/scorm/progress/235/", {"learner": {"id": "u1"}}, 400, "malformed-body"),
    (
        "/scorm/progress/235/",
        {"learner": {"id": "u1"}, "cmi_data": {}, "session_id": "235"},
        400,
        "malformed-session-id",
    ),
    ("/v1/sessions/235/commits", {"cmi": {"suspend_data": "x"}}, 400, "malformed-session-id"),
    ("/v1/sessions/00000000-0000-4000-8000-0000000000aa/commits", {"cmi": {"a": "x"}}, 404, "session-unknown"),
    ("/v1/sessions/00000000-0000-4000-8000-0000000000aa/commits", {"neither": "nor"}, 400, "malformed-body"),
    (
        "/v1/commits",
        WHO | {"cmi": {}, "learner": None, "session_id": "00000000-0000-4000-8000-0000000000aa"},
        404,
        "session-unknown",
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "code"), BAD_BODIES, ids=map(str, range(len(BAD_BODIES))))
async def test_what_cannot_be_understood_is_refused_in_words_and_not_stored(
    bridge: Bridge, path: str, body: Any, status: int, code: str
) -> None:
    given = {"data": body} if isinstance(body, bytes) else {"body": body}
    answered, answer = await bridge.post(path, **given)

    assert (answered, answer["code"]) == (status, code)
    assert answer["result"] is False
    assert answer["errorCode"] == 101
    assert answer["status"] == status
    assert len(answer["detail"]) > 20
    assert _rows(bridge) == 0


async def test_a_problem_is_labelled_as_one(bridge: Bridge) -> None:
    async with bridge.client.post("/v1/commits", data=b"{") as response:
        assert response.content_type == "application/problem+json"
        assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("header", "code"),
    [(None, "no-token"), ("Basic dTpw", "no-token"), ("Bearer ", "no-token"), ("Bearer sxb_unknown", "unknown-token")],
)
@pytest.mark.parametrize("path", ["/v1/commits", "/v1/sessions", "/scorm/progress/1/"])
async def test_without_a_valid_token_nothing_is_taken(bridge: Bridge, path: str, header: str | None, code: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    status, answer = await bridge.post(path, WHO | {"cmi": {}, "cmi_data": {}}, token=None, headers=headers)

    assert (status, answer["code"]) == (401, code)
    assert _rows(bridge) == 0


async def test_a_body_over_one_mebibyte_is_refused(bridge: Bridge) -> None:
    status, answer = await bridge.post("/v1/commits", data=io.BytesIO(b" " * (1024 * 1024 + 1)))

    assert (status, answer["code"]) == (413, "body-too-large")


async def test_a_body_that_unpacks_to_more_than_the_limit_is_refused(bridge: Bridge) -> None:
    bomb = gzip.compress(b" " * 50 * 1024 * 1024)
    status, answer = await bridge.post("/v1/commits", data=bomb, headers={"Content-Encoding": "gzip"})

    assert (status, answer["code"]) == (413, "body-too-large")


COMMIT = b'{"learner":{"id":"u1"},"activity":{"id":"235"},"cmi":{"suspend_data":"x"}}'


def _headless(body: bytes) -> bytes:
    """Compress as those do who take deflate for the bare stream."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(COMMIT)),
        ("GZip", gzip.compress(COMMIT)),
        ("x-gzip", gzip.compress(COMMIT)),
        ("deflate", zlib.compress(COMMIT)),
        ("deflate", _headless(COMMIT)),
        ("identity", COMMIT),
        ("", COMMIT),
    ],
    ids=["gzip", "capitals", "x-gzip", "deflate", "bare deflate", "identity", "empty"],
)
async def test_a_compressed_body_is_taken(bridge: Bridge, encoding: str, body: bytes) -> None:
    status, _ = await bridge.post("/v1/commits", data=body, headers={"Content-Encoding": encoding})

    assert status == 200
    assert _rows(bridge) > 0


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "spoil",
    [lambda _: b"{}", lambda packed: packed[:-5], lambda packed: packed + b"{}"],
    ids=["plain", "cut", "longer"],
)
async def test_a_body_that_is_not_compressed_as_it_says_is_refused(bridge: Bridge, encoding: str, spoil: Any) -> None:
    packed = gzip.compress(COMMIT) if encoding == "gzip" else zlib.compress(COMMIT)
    status, answer = await bridge.post("/v1/commits", data=spoil(packed), headers={"Content-Encoding": encoding})

    assert (status, answer["code"], answer["result"]) == (400, "malformed-body", False)
    assert _rows(bridge) == 0


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, br", "gzip, gzip", "no such", "\xe9"])
@pytest.mark.parametrize("path", ["/v1/commits", "/v1/sessions", "/scorm/progress/1/", "/v1/formats/scorm-cloud"])
async def test_a_body_that_cannot_be_unpacked_is_refused_with_what_to_do(
    bridge: Bridge, path: str, encoding: str
) -> None:
    headers = {"Content-Encoding": encoding, "Authorization": f"Bearer {bridge.token}", "Origin": HOME_PAGE}
    async with bridge.client.post(path, data=b"\x0b\x02\x80{}\x03", headers=headers) as response:
        answer = await response.json(content_type=None)

        assert (response.status, answer["code"], answer["result"]) == (415, "unsupported-encoding", False)
        assert response.content_type == "application/problem+json"
        assert response.headers["Accept-Encoding"] == "gzip, deflate"
        assert response.headers["Access-Control-Allow-Origin"] == HOME_PAGE

    assert "gzip" in answer["detail"]
    assert _rows(bridge) == 0


async def test_a_session_takes_no_body_that_cannot_be_unpacked_and_goes_on(bridge: Bridge) -> None:
    path = URL((await bridge.open())["commit_url"]).relative()
    status, answer = await bridge.post(path, data=b"\x0b", token=None, headers={"Content-Encoding": "br"})
    following_status, _ = await bridge.post(path, {"cmi": {"suspend_data": "x"}}, token=None)

    assert (status, answer["result"], following_status) == (415, False, 200)


async def test_a_question_whose_empty_body_is_said_to_be_compressed_is_answered(bridge: Bridge) -> None:
    headers = {"Content-Encoding": "br", "Authorization": f"Bearer {bridge.token}"}
    async with bridge.client.get("/v1/enrollments?learner=u1", headers=headers) as response:
        assert response.status == 200


async def test_a_far_too_long_idempotency_key_is_refused(bridge: Bridge) -> None:
    status, answer = await bridge.post("/v1/commits", WHO | {"cmi": {}}, headers={"Idempotency-Key": "k" * 201})

    assert (status, answer["code"]) == (400, "malformed-field")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/v1/commits", 405), ("DELETE", "/v1/sessions", 405)],
)
async def test_wrong_addresses_and_methods_have_the_same_shape(
    bridge: Bridge, method: str, path: str, status: int
) -> None:
    async with bridge.client.request(method, path) as response:
        answer = await response.json(content_type=None)

        assert response.status == status
        assert (answer["status"], answer["result"]) == (status, False)


def _rows(bridge: Bridge) -> int:
    with reading(bridge.engine) as connection:
        return sum(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.enrollment, tables.attempt, tables.session, tables.journal, tables.statement)
        )


@pytest.mark.parametrize("topic", ["%00", "%ED%A0%80", "%FF", "a%0Ab", "%F0%9F%98%80", "..%2F..", "x" * 3000])
async def test_no_topic_in_the_address_makes_the_bridge_fail(bridge: Bridge, topic: str) -> None:
    url = URL(f"/scorm/progress/{topic}/", encoded=True)
    status, answer = await bridge.post(url, {"learner": {"id": "u1"}, "cmi_data": {"suspend_data": "x"}})

    assert status in {200, 400, 404}
    assert answer["result"] is (status == 200)


@pytest.mark.parametrize(
    "query", ["learner=%00", "learner=%ED%A0%80", "activity=%FF", "since=x", "since=-1", "limit=99999999999999999999"]
)
async def test_no_question_makes_the_bridge_fail(bridge: Bridge, query: str) -> None:
    status, _ = await bridge.get(URL(f"/v1/enrollments?{query}", encoded=True))

    assert status in {200, 400}


async def test_headers_that_are_not_utf_8_are_taken(bridge: Bridge) -> None:
    """Browsers and proxies send what they like; the commit is what counts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.client.port)
    body = b'{"learner":{"id":"u1"},"activity":{"id":"1"},"cmi":{"suspend_data":"x"}}'
    writer.write(
        b"POST /v1/commits HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \xff\xfe\r\n"
        b"Idempotency-Key: \xe9\r\nAuthorization: Bearer " + bridge.token.encode() + b"\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_token_that_is_no_text_is_refused_without_a_fuss(bridge: Bridge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.client.port)
    writer.write(
        b"POST /v1/commits HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer \xff\xfe\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 401")
    assert b"unknown-token" in answer


async def test_a_browser_gets_a_problem_and_no_500_when_the_database_fails(bridge: Bridge) -> None:
    with writing(bridge.engine) as connection:
        connection.execute(text("ALTER TABLE lms RENAME TO lost"))
    headers = {"Origin": "https://lms.example.org", "Authorization": "Bearer sxb_x"}
    async with bridge.client.get("/healthz", headers=headers) as response:
        assert response.status == 200
    async with bridge.client.post("/v1/commits", headers=headers, data=b"{}") as response:
        answer = await response.json(content_type=None)

        assert (response.status, answer["result"]) == (503, False)
