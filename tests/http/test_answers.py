"""The answer to a commit, on the wire: it is what aiohttp itself would have written."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime

import msgspec
import pytest

from tests.support.bridge import Bridge

BODY = b'{"learner":{"id":"u1"},"activity":{"id":"1"},"cmi":{"suspend_data":"x"}}'


def request(bridge: Bridge, *more: str, version: str = "1.1") -> bytes:
    lines = [
        f"POST /v1/commits HTTP/{version}",
        "Host: x",
        f"Authorization: Bearer {bridge.token}",
        f"Content-Length: {len(BODY)}",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + BODY


async def answer(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]], bytes]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in lines)]
    return first, headers, await reader.readexactly(int(dict(headers)["content-length"]))


async def test_one_connection_takes_commit_after_commit(bridge: Bridge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.client.port)
    writer.write(request(bridge) + request(bridge))
    responses = [await answer(reader) for _ in range(2)]
    writer.close()

    assert [first for first, _, _ in responses] == ["HTTP/1.1 200 OK"] * 2
    assert [msgspec.json.decode(body)["disposition"] for _, _, body in responses] == ["applied", "duplicate"]


@pytest.mark.parametrize(
    ("version", "header", "added"),
    [
        ("1.1", "Connection: close", [("connection", "close")]),
        ("1.0", "Connection: keep-alive", [("connection", "keep-alive")]),
    ],
)
async def test_a_usual_answer_has_the_headers_of_any_other(
    bridge: Bridge, version: str, header: str, added: list[tuple[str, str]]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.client.port)
    writer.write(request(bridge))
    _, usual, _ = await answer(reader)
    writer.write(request(bridge, header, version=version))
    first, other, _ = await answer(reader)
    writer.close()

    assert first == f"HTTP/{version} 200 OK"
    assert sorted(name for name, _ in usual) == sorted(name for name, _ in other if name != "connection")
    assert [pair for pair in other if pair[0] == "connection"] == added
    assert dict(usual)["content-type"] == dict(other)["content-type"]
    assert dict(usual)["server"] == dict(other)["server"] == "scorm-bridge"
    assert parsedate_to_datetime(dict(usual)["date"]).tzinfo is not None


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/audit/sign-in", "/audit", "/\x00"])
async def test_no_response_says_which_versions_of_what_made_it(bridge: Bridge, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.client.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    _, headers, _ = await answer(reader)
    writer.close()

    assert [value for name, value in headers if name == "server"] == ["scorm-bridge"]


async def test_what_a_commit_made_is_listed_up_to_a_bound_and_the_rest_is_counted(bridge: Bridge) -> None:
    interactions = [{"id": f"q{number}", "type": "numeric", "student_response": "x"} for number in range(300)]
    answer_body = await bridge.commit({"interactions": interactions}, sequence=1)
    total = len(bridge.rules())

    assert len(answer_body["statements"]) == 200
    assert answer_body["omitted"] == {"statements": total - 200, "warnings": 0}
    assert await bridge.commit({"interactions": interactions}, sequence=1) == answer_body | {"disposition": "duplicate"}


async def test_an_answer_to_a_page_is_labelled_for_its_origin(bridge: Bridge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.client.port)
    writer.write(request(bridge, "Origin: https://lms.example.org"))
    first, headers, _ = await answer(reader)
    writer.close()

    assert first == "HTTP/1.1 200 OK"
    assert dict(headers)["access-control-allow-origin"] == "https://lms.example.org"
