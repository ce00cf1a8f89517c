"""Canaries in every secret: none is found in logs, answers, pages, metrics, commands, the database or process lists."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote_plus

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.audit.access.auth_middleware import Route
from bridge.audit.routes import ROUTES
from storage import tokens
from tests.attack.load import Learner
from tests.support.accounts import PASSWORD
from tests.support.browser import Visitor, new_visitor
from tests.support.server import Server, StartServer
from tests.support.sql import closing_engine
from tests.support.waiting import poll

CANARIES = {
    "password": "canary-basic-91f3",
    "token": "canary-bearer-a27c",
    "client secret": "canary-client:/+5d10",
    "access token": "canary-access-3e88",
    "refused client secret": "canary-refused-77b2",
    "metrics token": "canary-metrics-c4d9",
    "password in HTTP": base64.b64encode(b"u:canary-basic-91f3").decode(),
    "client secret in HTTP": quote_plus("canary-client:/+5d10"),
}
TARGETS = """
[[targets]]
name = "basic"
endpoint = "{url}xapi/"
version = "1.0.3"
username = "u"
password = "canary-basic-91f3"

[[targets]]
name = "bearer"
endpoint = "{url}xapi/"
version = "1.0.3"
token = "canary-bearer-a27c"

[[targets]]
name = "oauth"
endpoint = "{url}xapi/"
version = "1.0.3"
token_url = "{url}token"
client_id = "bridge"
client_secret = "canary-client:/+5d10"

[[targets]]
name = "refused"
endpoint = "{url}xapi/"
version = "1.0.3"
token_url = "{url}refused"
client_id = "bridge"
client_secret = "canary-refused-77b2"
client_secret_post = true

[log]
level = "debug"
format = "json"
access = true

[metrics]
access = "token"
token = "canary-metrics-c4d9"
"""
COMMANDS = (
    ("targets", "list", "--json"),
    ("tokens", "list", "--json"),
    ("lms", "list", "--json"),
    ("accounts", "list", "--json"),
    ("deliveries", "list", "--json"),
    ("sessions", "list", "--json"),
    ("statements", "list", "--json"),
    ("verify", "u1", "235", "--json"),
)


@asynccontextmanager
async def echoing_servers() -> AsyncIterator[str]:
    """Run an LRS and token endpoints that repeat each request in what they answer, as debug pages do."""

    async def echo(request: web.Request) -> web.Response:
        if request.path == "/token":
            return web.json_response({"access_token": CANARIES["access token"], "expires_in": 3600})
        body = await request.text()
        headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        text = f"{request.method} {request.path_qs}\n{headers}\n\n{body}\ncredentials: {dict(request.headers)}"
        return web.Response(status=400 if request.path == "/refused" else 401, text=text)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    server = TestServer(app)
    async with server:
        yield str(server.make_url("/"))


@pytest.fixture
async def served(new_server: StartServer, sqlite_url: str) -> AsyncIterator[Server]:
    """A bridge with canaries in all its settings, whose log says all it can."""
    async with echoing_servers() as url:
        server = new_server(sqlite_url, sections=TARGETS.format(url=url))
        server.add_account("ada")
        await server.start()
        yield server


async def _requests(server: Server, token: str) -> tuple[str, str]:
    """Make requests of all kinds, wrong ones among them; return what was answered, and the commit URL's token."""
    may = {"Authorization": f"Bearer {token}"}
    launch = {"learner": {"id": "u1"}, "activity": {"id": "235"}}
    form = {"data": json.dumps({"id": "r1", "registrationCompletion": "COMPLETED"} | launch), "password": token}
    answers = ""
    async with aiohttp.ClientSession(server.url) as http:
        await Learner(server, token, "u1").commit(http)
        async with http.post("/v1/sessions", json=launch, headers=may) as response:
            commit_url = (await response.json())["commit_url"].removeprefix(server.url)
        commit_token = commit_url.partition("token=")[2]
        for method, path, options in (
            ("POST", commit_url, {"json": {"cmi": {"core": {"lesson_status": "passed"}}}}),
            ("POST", commit_url, {"data": b"nonsense"}),
            ("DELETE", commit_url, {}),
            ("GET", f"/v1/enrollments?token={token}", {"headers": may}),
            ("GET", f"/v1/enrollments?access_token={token}", {}),
            ("POST", f"/nowhere/{token}?token={commit_token}", {"headers": may}),
            ("POST", "/v1/formats/scorm-cloud", {"data": form}),
            ("POST", "/v1/formats/scorm-cloud", {"data": form | {"data": "nonsense"}}),
            ("GET", "/metrics", {}),
            ("GET", "/metrics", {"headers": {"Authorization": f"Bearer {CANARIES['metrics token']}"}}),
            ("GET", "/readyz", {}),
            ("GET", "/openapi.json", {}),
            ("GET", "/", {}),
        ):
            async with http.request(method, path, **options) as response:
                # what is answered to who sent a token may name the address that they sent
                told = await response.text()
                answers += "" if token in path else told
    return answers, commit_token


async def _pages(visitor: Visitor) -> str:
    """Return all pages that need no id, and what testing each connection shows."""
    plain = [route.path for route in ROUTES if _is_page(route)]
    texts = [await (await visitor.get(f"/audit{path}")).text() for path in plain]
    for name in ("basic", "bearer", "oauth", "refused"):
        answer = await visitor.post(f"/audit/targets/{name}/test")
        texts.append(await answer.text())
        texts.append(await (await visitor.get(f"/audit/deliveries?target={name}")).text())
    statements = await (await visitor.get("/audit/statements.ndjson")).text()
    ids = [json.loads(line)["id"] for line in statements.splitlines()]
    texts += [await visitor.text(f"/audit/statements/{statement_id}") for statement_id in ids]
    return "\n".join([*texts, statements])


def _is_page(route: Route) -> bool:
    return route.method == "GET" and "{" not in route.path and "live" not in route.path


def _command_lines(pid: int) -> str:
    """Return the command line of a process and of its children, as everybody on the machine can read them."""
    children = (Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")).split()
    return "".join(Path(f"/proc/{each}/cmdline").read_text(encoding="utf-8") for each in (str(pid), *children))


async def test_no_secret_is_found_anywhere_although_servers_repeat_them(served: Server, tmp_path: Path) -> None:
    token = served.new_token()
    answers, commit_token = await _requests(served, token)

    async def tried() -> int:
        listed = json.loads(await served.run("targets", "list", "--json"))["items"]
        return sum("unauthorized" in json.dumps(item) for item in listed)

    assert await poll(tried, lambda number: number == 4) == 4
    async with new_visitor(served.url) as visitor:
        assert (await visitor.sign_in("ada")).status == 303
        pages = await _pages(visitor)
        cookies = [cookie.value for cookie in visitor.client.cookie_jar]
    commands = "".join([await served.run(*command) for command in COMMANDS])
    command_lines = _command_lines(served.pid)
    assert await served.stop() == 0
    database = b"".join(path.read_bytes() for path in sorted(_database_files(served.database_url)))

    secrets = CANARIES | {"LMS token": token, "commit token": commit_token, "account's password": PASSWORD}
    secrets |= {f"cookie {number}": value for number, value in enumerate(cookies)}
    seen = {"log": served.log, "answers": answers, "pages": pages, "commands": commands, "processes": command_lines}
    found = {(name, where) for name, secret in secrets.items() for where, text in seen.items() if secret in text}
    found |= {(name, "database") for name, secret in secrets.items() if secret.encode() in database}
    assert found == set()
    # else there was nothing to find
    assert "[redacted]" in pages
    assert len(cookies) >= 2
    assert tokens.digest(token).encode() in database
    print(f"{len(secrets)} secrets, {sum(map(len, seen.values())) + len(database):,} characters, 0 found")


def _database_files(url: str) -> list[Path]:
    with closing_engine(url) as engine:
        path = Path(engine.url.database or "")
    return [each for each in path.parent.iterdir() if each.name.startswith(path.name)]
