"""Pages of LMSs and of courses, made of what a test gives them, and an end for what the tap sends from them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bridge.http import tap
from tests.support.waiting import wait_until

HOST = "127.0.0.1"
KEY = "pk_test"
NO_ICON = '<link rel="icon" href="data:,">'

SCO = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Course</title>%s<body><script>
  const names = { "1.2": "API", "2004": "API_1484_11" };
  function find(page, version) {
    try {
      for (let depth = 0; page && depth < 10; depth++) {
        if (page[names[version]]) return page[names[version]];
        page = page.parent === page ? page.opener : page.parent;
      }
    } catch (error) {} // of another origin
  }
  const calls = [];
  let api, version;
  function call(method, ...values) {
    const name = { Initialize: "LMSInitialize", SetValue: "LMSSetValue", GetValue: "LMSGetValue", Commit: "LMSCommit",
      Terminate: "LMSFinish", GetLastError: "LMSGetLastError" }[method];
    const answer = version === "1.2" ? api[name](...values) : api[method](...values);
    calls.push([method, ...values, answer]);
    return answer;
  }
  function begin() {
    version = find(window, "2004") ? "2004" : "1.2";
    api = find(window, version);
    if (!api || !(api.LMSInitialize || api.Initialize)) return setTimeout(begin, 20);
    call("Initialize", "");
    call("GetLastError");
    document.body.dataset.begun = version;
  }
  %s
</script></body></html>"""
"""A course: what stands in its head, and what it runs. It finds its API as courses do."""

LMS = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Campus</title>%s<body>
<iframe id="sco" src="%s"></iframe></body></html>"""
"""A page of an LMS: what stands in its head, and the course in it."""

MAKE_API = """
  function makeApi(version, given = {}) {
    const is12 = version === "1.2";
    const core = is12 ? "cmi.core." : "cmi.";
    const values = {
      [is12 ? "cmi.core.student_id" : "cmi.learner_id"]: "u42",
      [is12 ? "cmi.core.student_name" : "cmi.learner_name"]: "Lovelace, Ada",
      [core + "entry"]: "ab-initio", [is12 ? "cmi.core.lesson_mode" : "cmi.mode"]: "normal",
      [core + "credit"]: "credit", [core + "total_time"]: is12 ? "0000:00:00.00" : "PT0H0M0S",
      ...given };
    const log = window.lmsLog = [];
    let error = "0", running = false;
    const answer = (ok, code) => { error = ok ? "0" : code; return String(ok); };
    const methods = {
      Initialize() { log.push("Initialize"); const ok = !running; running = true; return answer(ok, "101"); },
      SetValue(name, value) {
        log.push(`SetValue ${name}`);
        const ok = running && String(name).startsWith("cmi.") && value !== "refused";
        if (ok) values[name] = String(value);
        return answer(ok, "401");
      },
      GetValue(name) {
        log.push(`GetValue ${name}`);
        return answer(name in values, "401") === "true" ? values[name] : "";
      },
      Commit() { log.push("Commit"); return answer(running, "301"); },
      Terminate() { log.push("Terminate"); const ok = running; running = false; return answer(ok, "301"); },
      GetLastError() { return error; },
      GetErrorString() { return ""; },
      GetDiagnostic() { return ""; },
    };
    if (!is12) return methods;
    return Object.fromEntries(Object.entries(methods).map(
      ([name, method]) => [name === "Terminate" ? "LMSFinish" : "LMS" + name, method]));
  }
"""
"""An LMS's API, with a log of what it was asked."""


@dataclass
class Ear:
    """Two servers: an LMS's, whose pages a test gives, and what the tap believes to be a bridge.

    Attributes:
        pages: text by path, each served as HTML.
        scripts: the same, each served as JavaScript.
        forms: what was posted to the LMS: path and body, in the order of arrival.
        launches: bodies of the requests that opened sessions, in their order.
        commits: bodies of the commits that were taken, by session in the order of arrival.
        refusals: statuses to refuse the next requests with; 0 cuts the connection.
        recordings: bodies with calls that were taken, by session in the order of arrival.
        call_refusals: statuses to refuse the next ones with; 0 cuts the connection.
        losses: how many of the next requests are taken and never answered.
        headers: of every request that came.
        methods: of every request that came.
    """

    lms: str
    address: str
    pages: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    forms: list[tuple[str, str]] = field(default_factory=list)
    policies: dict[str, str] = field(default_factory=dict)
    launches: list[dict[str, Any]] = field(default_factory=list)
    commits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refusals: deque[int] = field(default_factory=deque)
    refused: list[int] = field(default_factory=list)
    recordings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    call_refusals: deque[int] = field(default_factory=deque)
    losses: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)

    def script(self, *attributes: str) -> str:
        """Return the element that loads the tap."""
        return f'<script src="{self.address}/tap.js" data-key="{KEY}" {" ".join(attributes)}></script>'

    def of(self, session: int = 1) -> list[dict[str, Any]]:
        """Return the commits of a session in the order of their numbers, each number once."""
        unique = {commit["sequence"]: commit for commit in self.commits.get(f"s{session}", [])}
        return [unique[number] for number in sorted(unique)]

    def calls(self, session: int = 1) -> list[list[Any]]:
        """Return the calls of a session in the order of their numbers, each number once."""
        unique = {call[0]: call for body in self.recordings.get(f"s{session}", []) for call in body["calls"]}
        return [unique[number] for number in sorted(unique)]

    def told(self, session: int = 1) -> dict[str, str]:
        """Return what the commits of a session say together, but for what was read when it began."""
        told = {name: value for commit in self.of(session) for name, value in commit["cmi"].items()}
        return {name: value for name, value in told.items() if not name.endswith((".entry", ".total_time"))}

    async def wait(self, condition: Callable[[list[dict[str, Any]]], object], session: int = 1) -> list[dict[str, Any]]:
        """Wait until a condition holds for a session's commits, and return them."""
        await wait_until(lambda: condition(self.of(session)))
        return self.of(session)

    async def wait_for_end(self, session: int = 1) -> list[dict[str, Any]]:
        """Wait until a session has all its commits up to one that ends it."""
        return await self.wait(
            lambda commits: bool(commits) and commits[-1]["terminated"] and commits[-1]["sequence"] == len(commits),
            session,
        )

    async def wait_for(self, element: str, value: str, session: int = 1) -> None:
        """Wait until an element was told, and every commit up to that has come."""
        await wait_until(
            lambda: (
                self.told(session).get(element) == value
                and [commit["sequence"] for commit in self.of(session)] == [*range(1, len(self.of(session)) + 1)]
            )
        )

    async def _page(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.forms.append((request.path, await request.text()))
            return web.Response(text="true\n0")
        if request.path in self.scripts:
            return web.Response(text=self.scripts[request.path], content_type="text/javascript")
        text = self.pages.get(request.path)
        if text is None:
            return web.Response(status=204)
        policy = self.policies.get(request.path)
        headers = {"Cache-Control": "no-store"} | ({"Content-Security-Policy": policy} if policy else {})
        # else the browser asks for one, and that as late as when the test is over
        text = text.replace("<meta", f"{NO_ICON}<meta", 1) if "<meta" in text else NO_ICON + text
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def _open(self, request: web.Request) -> web.Response:
        body = await request.text()
        if (refusal := self._refuse(request, self.refusals)) is not None:
            return refusal
        self.launches.append(json.loads(body))
        ids = [*dict.fromkeys(launch["launch_id"] for launch in self.launches)]
        address = f"{self.address}/v1/sessions/s{ids.index(self.launches[-1]['launch_id']) + 1}/commits?token=t"
        return self._answer(request, {"session_id": "any", "commit_url": address})

    async def _commit(self, request: web.Request) -> web.Response:
        body = await request.text()
        if (refusal := self._refuse(request, self.refusals)) is not None:
            return refusal
        self.commits.setdefault(request.match_info["session_id"], []).append(json.loads(body))
        return self._answer(request, {"accepted": True})

    async def _record(self, request: web.Request) -> web.Response:
        body = await request.text()
        if (refusal := self._refuse(request, self.call_refusals)) is not None:
            return refusal
        self.recordings.setdefault(request.match_info["session_id"], []).append(json.loads(body))
        return web.json_response({"accepted": True}, headers=_allow(request))

    def _answer(self, request: web.Request, answer: dict[str, Any]) -> web.Response:
        if self.losses:
            self.losses -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(answer, headers=_allow(request))

    def _refuse(self, request: web.Request, refusals: deque[int]) -> web.Response | None:
        self.headers.append(dict(request.headers))
        self.methods.append(request.method)
        if not refusals:
            return None
        status = refusals.popleft()
        self.refused.append(status)
        if not status:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=status or 500, headers=_allow(request) | {"Retry-After": "0"})


def _allow(request: web.Request) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": request.headers.get("Origin", ""),
        "Access-Control-Expose-Headers": "Retry-After",
    }


@asynccontextmanager
async def listening() -> AsyncIterator[Ear]:
    """Run both servers."""
    ear = Ear("", "")
    lms, bridge = web.Application(), web.Application()
    lms.add_routes([web.route("*", "/{path:.*}", ear._page)])
    bridge.add_routes(
        [
            web.get("/tap.js", tap.get_tap),
            web.post("/v1/browser/sessions", ear._open),
            web.post("/v1/sessions/{session_id}/commits", ear._commit),
            web.post("/v1/sessions/{session_id}/calls", ear._record),
        ]
    )
    runners = [web.AppRunner(app, access_log=None) for app in (lms, bridge)]
    for runner in runners:
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
    ear.lms, ear.address = (f"http://{HOST}:{runner.addresses[0][1]}" for runner in runners)
    yield ear
    for runner in runners:
        await runner.cleanup()
