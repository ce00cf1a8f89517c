"""Pages of an LMS that have a browser key, as far as a bridge sees them."""

from __future__ import annotations

import json
from typing import Any

from bridge.operations.audit_context import AuditContext
from bridge.operations.browser_keys import NewBrowserKey, create_browser_key
from storage.browser_keys import BrowserKey
from storage.engine import writing
from tests.support.bridge import Bridge

PATH = "/v1/browser/sessions"
PAGE = "https://pages.example.org"
WHO = {"learner": {"id": "u1", "name": "Ada"}, "activity": {"id": "235"}, "scorm_version": "1.2"}
PASSED = {"cmi.core.lesson_status": "passed", "cmi.core.score.raw": "80"}
STORED = {"result": True, "errorCode": 0}


def create_key(bridge: Bridge, **fields: Any) -> BrowserKey:
    """Create a key of the bridge's LMS for `PAGE`."""
    with writing(bridge.engine) as connection:
        return create_browser_key(
            connection,
            NewBrowserKey(**({"lms": "lms", "origins": [PAGE]} | fields)),
            AuditContext("ada", "", bridge.clock()),
        )


async def ask(
    bridge: Bridge, key: str, *, origin: str | None = PAGE, **fields: Any
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Open a session as a page does; return status, answer and headers."""
    headers = {"Content-Type": "text/plain;charset=UTF-8"} | ({} if origin is None else {"Origin": origin})
    body = json.dumps({"key": key} | WHO | fields)
    async with bridge.client.post(PATH, data=body, headers=headers) as response:
        return response.status, await response.json(content_type=None), dict(response.headers)


async def open_page(bridge: Bridge, key: str, **fields: Any) -> str:
    """Open a session that must open; return where it is committed to."""
    status, answer, _ = await ask(bridge, key, **fields)
    assert status == 200, answer
    return str(answer["commit_url"])


async def send(
    bridge: Bridge, url: str, cmi: dict[str, Any], *, origin: str | None = PAGE, **fields: Any
) -> tuple[int, dict[str, Any]]:
    """Commit as a page does."""
    headers = {"Content-Type": "text/plain;charset=UTF-8"} | ({} if origin is None else {"Origin": origin})
    return await bridge.post(
        path_of(url), token=None, data=json.dumps({"cmi": cmi, "scorm_version": "1.2"} | fields), headers=headers
    )


def path_of(url: str) -> str:
    """Return an address without scheme and host."""
    return "/" + url.split("//", 1)[1].split("/", 1)[1]
