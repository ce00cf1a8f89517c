"""A year of an operator as one test: installation, outage, another token, a learner who leaves, an upgrade."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from alembic import command
from sqlalchemy import create_engine, inspect

from bridge.sandbox.lrs import Match
from mappings.xapi.voiding import VOIDED
from storage import migrations
from storage.engine import open_engine
from storage.tables import metadata
from tests.support.browser import new_visitor
from tests.support.http_server import serve
from tests.support.lrs import Lrs
from tests.support.server import Server, StartServer
from tests.support.waiting import poll, wait_until

SECTIONS = """
[[alerts]]
name = "operations"
type = "webhook"
url = "{hook}alerts"
[alerting]
settle_after = 0
[outgoing]
allow = ["127.0.0.1"]
"""


@dataclass
class Site:
    """The operator's bridge, the LMS's token, and the messages that reached the operator."""

    server: Server
    lrs: Lrs
    http: aiohttp.ClientSession
    token: str = ""
    alerts: list[dict[str, Any]] = field(default_factory=list)

    async def commit(self, learner: str, raw: int, token: str = "") -> tuple[int, dict[str, Any]]:
        """Post a commit as the LMS does; return status and answer."""
        body = {
            "learner": {"id": learner}, "activity": {"id": "235"}, "scorm_version": "1.2",
            "cmi": {"core": {"lesson_status": "incomplete", "score": {"raw": str(raw)}}},
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {token or self.token}"}
        async with self.http.post(f"{self.server.url}/v1/commits", json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def scores(self) -> list[float]:
        """Return the raw scores that the LRS has."""
        results = [statement.get("result", {}) for statement in self.lrs.store.statements()]
        return [result["score"]["raw"] for result in results if "score" in result]

    async def target(self) -> dict[str, Any]:
        """Return what `targets list` says of the LRS."""
        (status,) = json.loads(await self.server.run("targets", "list", "--json"))["items"]
        return dict(status)

    def has_heard(self, condition: str, event: str) -> bool:
        """Return whether a message told the operator of this."""
        return any((alert["condition"], alert["event"]) == (condition, event) for alert in self.alerts)

    async def status(self, *arguments: str) -> tuple[int | None, str]:
        """Run a command; return its exit code and output."""
        process = await self.server.spawn(*arguments)
        output, _ = await process.communicate()
        return process.returncode, output.decode()


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
async def test_an_operator_goes_through_all_that_comes_with_a_bridge(
    database_url: str, lrs: Lrs, new_server: StartServer, http: aiohttp.ClientSession
) -> None:
    alerts: list[dict[str, Any]] = []

    async def receive(request: web.Request) -> web.Response:
        alerts.extend((await request.json())["alerts"])
        return web.Response(status=204)

    async with serve(receive) as hook:
        server = new_server(
            database_url, endpoint=lrs.endpoint, target='version = "1.0.3"\n', sections=SECTIONS.format(hook=hook)
        )
        site = Site(server, lrs, http, alerts=alerts)
        await _install(site, database_url)
        await _connect(site)
        await _outlast_an_outage(site)
        await _rotate_the_token(site)
        await _erase_a_learner(site)
        await _upgrade(site, database_url)
        assert await server.stop() == 0


async def _install(site: Site, database_url: str) -> None:
    """From nothing: the commands say what is to be done, and then that all is well."""
    engine = create_engine(open_engine(database_url).url)
    with engine.begin() as connection:
        for view in inspect(connection).get_view_names():
            connection.exec_driver_sql(f"DROP VIEW {view}")
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
    engine.dispose()

    code, output = await site.status("doctor", "--json")
    assert code == 1
    assert "scorm-bridge migrate" in output
    await site.server.run("migrate")
    code, output = await site.status("doctor", "--json")
    assert code == 0, output


async def _connect(site: Site) -> None:
    """The LMS's first commits arrive at the LRS."""
    site.token = await site.server.run("tokens", "create", "--lms", "campus", "--home-page", "https://lms.example.org")
    site.server.add_account("ada")
    await site.server.start()
    for learner in ("u1", "u2"):
        assert (await site.commit(learner, 10))[0] == 200
    await site.lrs.wait_until(lambda: len(site.lrs.ids()) == 4)


async def _outlast_an_outage(site: Site) -> None:
    """The operator is told, sees it by command and page, and commits are accepted all the same."""
    site.lrs.script(site.lrs.refuse(503, Match(path="/xapi/statements")))
    assert (await site.commit("u1", 20))[0] == 200
    await wait_until(lambda: site.has_heard("target-unreachable", "began"))
    status = await poll(site.target, lambda target: target["state"] == "unreachable")
    assert (status["state"], status["waiting"]) == ("unreachable", 1)
    assert status["since"]
    async with new_visitor(site.server.url) as visitor:
        await visitor.sign_in("ada")
        assert "nreachable" in await visitor.text("/audit/targets")
    assert (await site.commit("u2", 20))[0] == 200
    async with site.http.get(f"{site.server.url}/readyz") as answer:
        assert answer.status == 200

    site.lrs.script()
    code, output = await site.status("targets", "resume", "lrs")
    assert code in {0, 1}, output  # 1: the bridge had tried the LRS again by itself
    await site.lrs.wait_until(lambda: len(site.lrs.ids()) == 6)
    await wait_until(lambda: site.has_heard("target-unreachable", "ended"))
    # an answer that was on its way when the LRS was resumed may have begun another outage, as short
    assert {alert["condition"] for alert in site.alerts} == {"target-unreachable"}
    status = await poll(site.target, lambda target: target["state"] == "flowing")
    assert status["state"] == "flowing"


async def _rotate_the_token(site: Site) -> None:
    """The old token is good for as long as the LMS needs to be given the new one."""
    (old,) = json.loads(await site.server.run("tokens", "list", "--json"))["items"]
    new = await site.server.run("tokens", "rotate", str(old["id"]), "--overlap", "1h", "--reason", "yearly")
    for token in (site.token, new):
        assert (await site.commit("u2", 30, token))[0] == 200
    await site.server.run("tokens", "revoke", str(old["id"]), "--reason", "the LMS has the new one")
    status, _ = await poll(partial(site.commit, "u2", 30, site.token), lambda answer: answer[0] == 401)
    assert status == 401
    site.token = new
    assert (await site.commit("u2", 30))[0] == 200


async def _erase_a_learner(site: Site) -> None:
    """Nothing is left of the learner here, what the LRS has is voided, and what comes later is refused."""
    of_learner = {statement["id"] for statement in site.lrs.store.statements() if _is_of(statement, "u1")}
    assert of_learner
    await site.server.run("erase", "u1", "--lms", "campus", "--reason", "as requested", "--yes")
    await site.lrs.wait_until(lambda: of_learner <= _voided(site.lrs))
    code, _ = await site.status("verify", "u1", "235")
    assert code == 1
    assert (await site.commit("u1", 40))[0] == 410
    assert (await site.commit("u2", 40))[0] == 200


def _is_of(statement: dict[str, Any], learner: str) -> bool:
    return bool(statement["actor"].get("account", {}).get("name") == learner)


def _voided(lrs: Lrs) -> set[str]:
    return {statement["object"]["id"] for statement in lrs.store.statements() if statement["verb"]["id"] == VOIDED}


async def _upgrade(site: Site, database_url: str) -> None:
    """A release with a newer schema says so before it starts, and finds everything after its migration."""
    assert await site.server.stop() == 0
    engine = open_engine(database_url)
    await asyncio.to_thread(migrations._run, engine, partial(command.downgrade, revision="-1"))
    engine.dispose()

    code, output = await site.status("serve")
    assert code == 78, output
    plan = json.loads(await site.server.run("migrate", "--plan", "--json"))
    assert len(plan["steps"]) == 1
    await site.server.run("migrate")
    await site.server.start()
    assert (await site.commit("u2", 50))[0] == 200
    (enrollment,) = await site.server.verify("u2", "235")
    assert enrollment["best_score"]["raw"] == 50
