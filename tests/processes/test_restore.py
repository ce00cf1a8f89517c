"""A database restored from an older backup, while the LRS has what came after it: nothing is lost or passed over."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.processes.backups import Backup
from tests.real_lrs.learning_locker import LearningLocker
from tests.real_lrs.service import PASSWORD, USERNAME
from tests.support.lrs import Lrs
from tests.support.server import Server, StartServer

DEADLINE = 60
SESSION = str(uuid.UUID(int=7, version=4))


@dataclass
class Shelf:
    """An LRS: how a target is told of it, and what it has."""

    endpoint: str
    target: str
    statements: Callable[..., list[dict[str, Any]]]

    def scores(self) -> list[float]:
        """Return the raw scores of what it has, sorted."""
        results = (statement.get("result", {}) for statement in self.statements())
        return sorted(result["score"]["raw"] for result in results if "score" in result)


@pytest.fixture(params=["sandbox", LearningLocker.name])
async def shelf(request: pytest.FixtureRequest, lrs: Lrs) -> AsyncIterator[Shelf]:
    """The sandbox LRS, and a real one."""
    if request.param == "sandbox":
        yield Shelf(lrs.endpoint, "", lrs.store.statements)
        return
    with LearningLocker() as running:
        yield Shelf(running.endpoint, f'username = "{USERNAME}"\npassword = "{PASSWORD}"\n', running.statements)


@pytest.fixture
def backup(database_url: str, tmp_path: Path) -> Backup:
    """A backup of the test's database, which is still to be taken."""
    return Backup(database_url, tmp_path)


@dataclass
class Site:
    """A bridge with a target, its backup, and one learner's session in it."""

    server: Server
    backup: Backup
    token: str
    http: aiohttp.ClientSession

    async def score(self, raw: int) -> None:
        """Commit a score, in the one session."""
        body = {
            "session_id": SESSION,
            "learner": {"id": "u1"},
            "activity": {"id": "235"},
            "scorm_version": "1.2",
            "cmi": {"core": {"score": {"raw": str(raw)}}},
        }
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.post(f"{self.server.url}/v1/commits", json=body, headers=headers) as response:
            assert response.status == 200, await response.text()

    async def deliveries(self, *filters: str) -> list[dict[str, Any]]:
        """Return what `deliveries list` says of the scores, the oldest first."""
        listed = json.loads(await self.server.run("deliveries", "list", "--json", "--rule", "scored", *filters))
        return [*reversed(listed["items"])]

    async def settled(self, count: int) -> list[dict[str, Any]]:
        """Wait until there are so many deliveries of scores and none of them waits, and return them."""
        async with asyncio.timeout(DEADLINE):
            while True:
                listed = await self.deliveries()
                if len(listed) == count and not any(delivery["state"] == "waiting" for delivery in listed):
                    return listed

    async def target(self) -> dict[str, Any]:
        """Return what `targets list` says."""
        (state,) = json.loads(await self.server.run("targets", "list", "--json"))["items"]
        return dict(state)

    async def reissue(self) -> None:
        """Re-issue what met another history's statements."""
        await self.server.run("deliveries", "reissue", "--target", "lrs", "--yes", "--reason", "restored")

    async def go_back(self) -> None:
        """Stop the bridge, restore the backup and start it again."""
        await self.server.stop()
        await self.backup.restore()
        await self.server.start()


StartSite = Callable[[], Awaitable[Site]]


@pytest.fixture
async def site(
    new_server: StartServer, database_url: str, shelf: Shelf, backup: Backup, http: aiohttp.ClientSession
) -> Site:
    """A bridge whose backup has one score, 10; after it came 20, which only the LRS knows of since the restore."""
    server = new_server(database_url, endpoint=shelf.endpoint, target=shelf.target)
    token = server.new_token()
    await server.start()
    site = Site(server, backup, token, http)
    await site.score(10)
    await site.settled(1)
    await backup.take()
    await site.score(20)
    await site.settled(2)
    assert shelf.scores() == [10, 20]
    await site.go_back()
    return site


async def test_after_a_restore_what_meets_an_old_id_is_an_alarm_and_sent_anew_only_when_people_say_so(
    site: Site, shelf: Shelf
) -> None:
    await site.score(30)
    first, dead = await site.settled(2)
    assert (first["state"], dead["state"], dead["outcome"]) == ("delivered", "dead", "diverged")
    await site.server.says("history_diverged")
    assert (await site.target())["diverged"] == 1
    assert "deliveries reissue --target lrs" in await site.server.run("targets", "list")
    assert shelf.scores() == [10, 20]  # never by itself

    await site.reissue()
    _, old, new = await site.settled(3)
    assert (old["state"], new["state"]) == ("discarded", "delivered")
    assert old["statement_id"] == dead["statement_id"] != new["statement_id"]
    assert shelf.scores() == [10, 20, 30]
    assert (await site.target())["diverged"] == 0

    await site.score(40)  # the lost history had no such id
    assert (await site.settled(4))[-1]["state"] == "delivered"
    assert shelf.scores() == [10, 20, 30, 40]


async def test_a_backup_restored_twice_takes_further_ids_and_the_same_ones_for_the_same_statements(
    site: Site, shelf: Shelf
) -> None:
    await site.score(30)
    await site.settled(2)
    await site.reissue()
    reissued = (await site.settled(3))[-1]["statement_id"]
    await site.go_back()

    await site.score(50)
    await site.settled(2)
    await site.reissue()
    _, _, again = await site.settled(3)
    assert (again["statement_id"], again["state"], again["outcome"]) == (reissued, "dead", "diverged")
    await site.reissue()
    *_, last = await site.settled(4)
    assert last["state"] == "delivered"
    assert shelf.scores() == [10, 20, 30, 50]


async def test_what_was_on_its_way_when_the_backup_was_taken_is_delivered_and_no_alarm(
    new_server: StartServer, database_url: str, shelf: Shelf, backup: Backup, http: aiohttp.ClientSession
) -> None:
    server = new_server(database_url, endpoint=shelf.endpoint, target=shelf.target)
    token = server.new_token()
    await server.run("targets", "pause", "lrs", "--reason", "so that it waits in the backup")
    await server.start()
    site = Site(server, backup, token, http)
    await site.score(10)
    await backup.take()
    await server.run("targets", "resume", "lrs")
    await site.settled(1)

    await site.go_back()
    await server.run("targets", "resume", "lrs")

    assert (await site.settled(1))[0]["state"] == "delivered"
    assert (await site.target())["diverged"] == 0
    assert shelf.scores() == [10]
