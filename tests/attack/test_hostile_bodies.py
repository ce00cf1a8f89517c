"""Bodies that were made to be slow, played against a running bridge: each has its answer, and nobody waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from benchmarks.hostile import ALL_IN_ONE, OPEN, POSTBACK, PROGRESS, SESSION, Hostile, hostile
from tests.support.browser import csrf_token
from tests.support.server import Server

TIMEOUT = 20
"""Seconds after which an answer counts as hanging."""
STRANGERS = 20
"""Connections of people without a token, all at once."""
WHO = {"learner": {"id": "honest"}, "activity": {"id": "235"}}

TOO_COMPLEX = {
    *("JSON: 500 deep, repeated", "JSON: brackets", "JSON: cut off", "JSON: lists of lists", "JSON: objects in a list"),
    *("JSON: mended, lists of lists", "JSON: objects in objects", "form: many names", "gzip: lists of lists"),
    *("gzip: more than a mebibyte", "gzip: parts", "hyperf: empty answers", "hyperf: objectives"),
    *("items: a list of empty ones", "multipart: many header lines", "multipart: many parts"),
    *("multipart: no end of a header", "multipart: one header of parameters", "openedx: questions for counts"),
    *(
        "ilias: triples",
        "ilias: broken at the end",
        "openedx: questions for much",
        "openedx: questions",
        "scorm-cloud: children",
    ),
    *("ilias-2004: interactions", "ilias-2004: correct responses", "chamilo: interactions"),
    *("items: empty ones", "scorm-cloud: answers", "scorm-cloud: SCOs of answers"),
    *("wrapper: texts", "wrapper: objects", "wrapper: lists", "wrapper: broken texts"),
    *(f"items: {kind} of '[,]'" for kind in ("choice", "matching", "numeric", "performance", "true-false")),
    *(f"{entry}: unknown list" for entry in (ALL_IN_ONE, PROGRESS, OPEN)),
}
BROKEN = {
    *("JSON: a number of all digits", "JSON: text in text", "multipart: bare boundaries"),
    *("multipart: continued header lines", "multipart: nested", "openedx: broken at the end", "text: blanks"),
    *("wrapper: a form of texts", "wrapper: form in JSON in form", "wrapper: in wrapper"),
    *(
        f"{entry}: {case}"
        for entry in (ALL_IN_ONE, PROGRESS, OPEN)
        for case in ("activity dict", "attempt int", "learner dict", "scorm_version str", "session_id str")
    ),
    *(f"{entry}: committed_at str" for entry in (ALL_IN_ONE, PROGRESS)),
}
WITHOUT_A_TOKEN = "scorm-cloud form"


def expected(attack: Hostile) -> int:
    """Return the status that a body is answered with."""
    if attack.entry == WITHOUT_A_TOKEN:
        return 401
    return 413 if attack.name in TOO_COMPLEX else 400 if attack.name in BROKEN else 200


@dataclass
class Watched:
    """A bridge that is looked at all the time: milliseconds that `/healthz` and an honest learner's commits took."""

    server: Server
    client: ClientSession
    token: str
    health: list[float] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, path: str, body: bytes, *, token: bool = True, encoding: str = "") -> tuple[int, bytes]:
        headers = (self.headers if token else {}) | ({"Content-Encoding": encoding} if encoding else {})
        async with self.client.post(self.server.url + path, data=body, headers=headers) as answer:
            return answer.status, await answer.read()

    async def open(self, learner: str) -> str:
        body = {"learner": {"id": learner}, "activity": {"id": "235"}}
        async with self.client.post(f"{self.server.url}/v1/sessions", json=body, headers=self.headers) as answer:
            assert answer.status == 200
            return str((await answer.json())["session_id"])

    async def look(self) -> None:
        """Ask for `/healthz`, and let an honest learner commit, until it is cancelled."""
        for number in range(1_000_000):
            began = time.perf_counter()
            async with self.client.get(f"{self.server.url}/healthz") as answer:
                assert answer.status == 200, number
            self.health.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            body: dict[str, Any] = WHO | {"cmi": {"core": {"lesson_location": f"p{number}"}}, "sequence": number}
            async with self.client.post(f"{self.server.url}/v1/commits", json=body, headers=self.headers) as answer:
                assert (answer.status, (await answer.json())["disposition"]) == (200, "applied"), number
            self.commits.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.005)

    def summary(self, label: str) -> str:
        """Say what was seen."""
        health, commits = sorted(self.health), sorted(self.commits)
        return (
            f"{label}: /healthz {len(health)} times, median {health[len(health) // 2]:.1f} ms,"
            f" at most {health[-1]:.0f} ms;"
            f" honest commits median {commits[len(commits) // 2]:.1f} ms, at most {commits[-1]:.0f} ms"
        )


@pytest.fixture(scope="module")
def attacks() -> list[Hostile]:
    """All hostile bodies, made beforehand: the clients' event loop is to wait for the bridge alone."""
    return list(hostile())


@pytest.fixture
async def watched(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Watched]:
    server = Server(tmp_path / "server", sqlite_url)
    token = server.new_token()
    await server.start()
    connector = TCPConnector(limit=0)
    async with ClientSession(timeout=ClientTimeout(total=TIMEOUT), connector=connector) as client:
        watch = Watched(server, client, token)
        looking = asyncio.create_task(watch.look())
        yield watch
        assert not looking.done(), looking.exception()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert await server.stop() == 0
    assert "request_not_processed" not in server.log
    assert "page_not_made" not in server.log
    assert "Traceback" not in server.log


async def test_every_hostile_body_is_answered_and_nobody_waits_for_it(attacks: list[Hostile], watched: Watched) -> None:
    wrong = []
    for number, attack in enumerate(attacks):
        learner = f"u{number}"
        session = await watched.open(learner)
        path = path_of(attack, session)
        for body in attack.bodies[:-1]:
            assert (await watched.post(path, body))[0] == 200, attack.name
        if attack.entry == "resumed":
            await watched.post(path, b'{"cmi":{"core":{"exit":"suspend"}}}')
            path = path_of(attack, await watched.open(learner))
        status, answer = await watched.post(
            path, attack.bodies[-1], token=attack.entry != WITHOUT_A_TOKEN, encoding=attack.encoding
        )
        if status != expected(attack):
            wrong.append((attack.name, status, answer[:200]))
        assert len(answer) < 2 * 1024 * 1024, attack.name

    print(watched.summary(f"{number + 1} hostile bodies"))

    assert wrong == []


async def test_strangers_with_hostile_bodies_are_refused_at_every_entry(
    attacks: list[Hostile], watched: Watched
) -> None:
    session = await watched.open("u1")
    chosen = [
        attack for attack in attacks if attack.name.startswith(("multipart", "form", "wrapper", "scorm-cloud", "open"))
    ]
    began, refused = time.perf_counter(), 0

    async def stranger(first: int) -> None:
        nonlocal refused
        for attack in chosen[first::STRANGERS]:
            for path in {path_of(attack, session), "/v1/formats/scorm-cloud", "/v1/commits"}:
                status, _ = await watched.post(path, attack.bodies[-1], token=False)
                assert status == 401 or (status == 200 and path.split("/")[3] in {"aicc", "moodle", "rpc"}), attack.name
                refused += 1

    await asyncio.gather(*(stranger(first) for first in range(STRANGERS)))

    print(watched.summary(f"{refused} bodies of strangers in {time.perf_counter() - began:.1f} s"))


async def test_hostile_sign_in_forms_are_refused(watched: Watched) -> None:
    sign_in = f"{watched.server.url}/audit/sign-in"
    async with watched.client.get(sign_in) as answer:
        page, cookie = await answer.text(), answer.cookies["scorm_bridge_audit"].value
    csrf = csrf_token(page)
    part = f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{csrf}\r\n'.encode()
    multipart, urlencoded = "multipart/form-data; boundary=b", "application/x-www-form-urlencoded"
    statuses = {
        name: await _post_form(watched, sign_in, body, content_type, cookie)
        for name, (body, content_type) in {
            "many fields": (b"csrf=" + csrf.encode() + b"&a=b" * 2_000, urlencoded),
            "many parts": (
                part + b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 200 + b"--b--",
                multipart,
            ),
            "parameters": (
                b"--b\r\nContent-Disposition: form-data" + b"; a=b" * 2_000 + b"\r\n\r\nx\r\n--b--",
                multipart,
            ),
            "a mebibyte": (b"csrf=" + csrf.encode() + b"&name=" + b"x" * 1_000_000, urlencoded),
            "nested": (b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 100, multipart),
            "cut short": (part, multipart),
            "no such charset": (b"csrf=" + csrf.encode(), f"{urlencoded}; charset=no-such"),
            "NUL": (b"csrf=" + csrf.encode() + b"&name=%00", urlencoded),
            "half a character": (b"csrf=" + csrf.encode() + b"&name=%ED%A0%80&password=x", urlencoded),
        }.items()
    }

    print(watched.summary(f"sign-in forms {statuses}"))

    assert statuses == {
        **dict.fromkeys(("many fields", "many parts", "parameters", "a mebibyte"), 413),
        **dict.fromkeys(("nested", "cut short", "no such charset", "NUL"), 400),
        "half a character": 401,
    }


async def _post_form(watched: Watched, url: str, body: bytes, content_type: str, cookie: str) -> int:
    headers = {"Content-Type": content_type, "Cookie": f"scorm_bridge_audit={cookie}"}
    async with watched.client.post(url, data=body, headers=headers, allow_redirects=False) as answer:
        text = await answer.text()
        assert "Traceback" not in text
        return answer.status


def path_of(attack: Hostile, session: str) -> str:
    """Return the address that a body is posted to."""
    paths = {
        ALL_IN_ONE: "/v1/commits",
        PROGRESS: "/scorm/progress/235/",
        OPEN: "/v1/sessions",
        POSTBACK: "/v1/formats/scorm-cloud",
        WITHOUT_A_TOKEN: "/v1/formats/scorm-cloud",
        SESSION: f"/v1/sessions/{session}/commits",
        "resumed": f"/v1/sessions/{session}/commits",
    }
    return paths.get(attack.entry) or f"/v1/formats/{attack.entry}/sessions/{session}/commits"
