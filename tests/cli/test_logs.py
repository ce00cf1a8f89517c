"""The log: every line of it is JSON where JSON was asked for, whoever wrote it, and no line holds a secret."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bridge.log_redaction import HIDDEN, redact

CANARY = "canary-7c1e"
COMMIT_TOKEN = "69c31f80.XyW4-s0Zq1V_2Yb3c4d5e6f7g8h9i0jklmnopqrstuv"
NOISE = f"""
import asyncio, gc, logging, threading, warnings
import structlog
from aiohttp.log import access_logger, server_logger
from bridge import logs
from bridge.settings import LogSettings

logs.configure(LogSettings(format="{{format}}"))
token = "{COMMIT_TOKEN}"
with logs.capture_uncaught():
    logs.announce("scorm-bridge listens on http://127.0.0.1:8080")
    structlog.get_logger().info("own", url=f"/commits?token={{{{token}}}}", nested=[{{{{"token": "{CANARY}"}}}}])
    try:
        raise ValueError(f"b'GET /v1/sessions/x/commits?token={{{{token}}}} HTTP/9'\\n  second line")
    except ValueError:
        server_logger.exception("Error handling request from %s", "127.0.0.1")
        structlog.get_logger().exception("own_failure")
    access_logger.warning('127.0.0.1 "POST /v1/sessions/x/commits?token=%s HTTP/1.1" 200', token)
    logging.getLogger("lib").error("two %d", "{CANARY}")
    logging.getLogger("lib").warning("first line\\nAuthorization: Bearer {CANARY}\\nthird line")
    warnings.warn("password={CANARY} is deprecated", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(target=lambda: open("/no/such/file?token={CANARY}"))
    thread.start()
    thread.join()

    class Unclean:
        def __del__(self):
            raise RuntimeError("token={CANARY}")

    Unclean()
    gc.collect()

    async def main():
        async def fail():
            raise RuntimeError("Cookie: audit={CANARY}")
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(main())
"""


def _noise(format_: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-W", "always", "-c", NOISE.format(format=format_)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert CANARY not in result.stderr
    assert COMMIT_TOKEN not in result.stderr
    return result.stderr.splitlines()


def test_every_line_of_a_json_log_is_json_whoever_wrote_it() -> None:
    lines = [json.loads(line) for line in _noise("json")]
    assert {line.get("logger") for line in lines} >= {
        "aiohttp.server",
        "aiohttp.access",
        "asyncio",
        "lib",
        "py.warnings",
    }
    events = [line["event"] for line in lines]
    for event in ("own", "own_failure", "uncaught_exception", "unraisable_exception", "log_line_not_formatted"):
        assert event in events
    assert "scorm-bridge listens on http://127.0.0.1:8080" in events
    assert any(HIDDEN in json.dumps(line) for line in lines)


def test_a_log_for_people_has_the_same_secrets_left_out_and_begins_no_line_that_a_client_wrote() -> None:
    lines = _noise("text")

    assert "scorm-bridge listens on http://127.0.0.1:8080" in lines
    assert not any(line.startswith("third line") for line in lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"/v1/sessions/x/commits?token={COMMIT_TOKEN}&a=1", f"/v1/sessions/x/commits?token={HIDDEN}&a=1"),
        (f"b'GET /x?token={CANARY}\\x00 HTTP/1.1'", f"b'GET /x?token={HIDDEN} HTTP/1.1'"),
        (f"Authorization : Bearer {CANARY}", f"Authorization : {HIDDEN}"),
        (f"b'Authorization: Basic {CANARY}\\r\\nHost: x'", f"b'Authorization: {HIDDEN}\\r\\nHost: x'"),
        (f"sent Bearer {CANARY} twice", f"sent Bearer {HIDDEN} twice"),
        (f'{{"password": "{CANARY}"}}', f'{{"password": "{HIDDEN}"}}'),
        (f"{{'token': '{CANARY}'}}", f"{{'token': '{HIDDEN}'}}"),
        ("key sxb_abcDEF-_123 leaked", f"key {HIDDEN} leaked"),
        (f"copied {COMMIT_TOKEN} here", f"copied {HIDDEN} here"),
        (f"postgresql://ada:{CANARY}@db/x", f"postgresql://ada:{HIDDEN}@db/x"),
        ("a token is needed; tokens: 3", "a token is needed; tokens: 3"),
    ],
)
def test_secrets_are_left_out_wherever_they_stand_and_nothing_else(text: str, expected: str) -> None:
    assert redact(text) == expected
