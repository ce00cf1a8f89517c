"""Recordings of players, and playing them into a bridge."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.bridge import Bridge

FOLDER = Path(__file__).parent
SCORM_AGAIN = sorted(path.stem for path in (FOLDER / "scorm_again").glob("*.json"))
KEPT_HEADERS = frozenset({"content-type", "sec-fetch-mode", "x-session-id", "origin"})
SECONDS_BETWEEN = 1


@dataclass(frozen=True)
class Recorded:
    """One commit of a recording."""

    query: str
    headers: dict[str, str]
    body: bytes


def load(name: str) -> list[Recorded]:
    """Return a recording's commits in the order they arrived; preflights are left out."""
    recording: dict[str, Any] = json.loads((FOLDER / "scorm_again" / f"{name}.json").read_text(encoding="utf-8"))
    return [
        Recorded(
            urlsplit(request["url"]).query,
            {key: value for key, value in request["headers"].items() if key.lower() in KEPT_HEADERS},
            request["body"].encode(),
        )
        for request in recording["requests"]
        if request["method"] == "POST"
    ]


def version(name: str) -> str:
    """Return the SCORM version of a recording."""
    return "2004" if "s2004" in name else "1.2"


async def play(bridge: Bridge, commit_url: str, commits: list[Recorded]) -> list[dict[str, Any]]:
    """Post commits to a session's own address, a second apart; every one must be answered 200 and `result: true`."""
    address = urlsplit(commit_url)
    answers = []
    for commit in commits:
        # the recording's own token and session id are those of the server it was made with
        extra = "&".join(
            part for part in commit.query.split("&") if part and not part.startswith(("token=", "session_id="))
        )
        path = f"{address.path}?{address.query}" + (f"&{extra}" if extra else "")
        status, answer = await bridge.post(path, token=None, data=commit.body, headers=commit.headers)
        assert status == 200, answer
        assert answer["result"] is True, commit
        answers.append(answer)
        bridge.clock.advance(SECONDS_BETWEEN)
    return answers
