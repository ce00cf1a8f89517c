"""Ten years of a Moodle as one test: its history is imported, its learners go on, and its LRS is replaced."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.imports.moodle_site import PASSED, Rows, Tracks, since_43, site, write
from tests.support.lrs import Lrs, StartLrs
from tests.support.server import Server, StartServer

COMPLETED = "http://adlnet.gov/expapi/verbs/completed"
YEARS = range(2015, 2025)
LEARNERS = 8
"""Who passed in each year, in one of two courses."""
NEW = '[[targets]]\nname = "new"\nendpoint = "{endpoint}"\nversion = "1.0.3"\n'


@dataclass
class Story:
    """What was to be told by now: the completions of the whole history, by learner."""

    http: aiohttp.ClientSession
    token: str = ""
    completions: Counter[str] = field(default_factory=Counter)

    async def commit(self, server: Server, learner: str, status: str) -> dict[str, Any]:
        """Post a live commit of the course about ladders."""
        body = {
            "learner": {"id": learner}, "activity": {"id": "101"}, "course": {"id": "7"}, "scorm_version": "1.2",
            "cmi": {"core": {"lesson_status": status, "exit": ""}}, "terminated": status == "passed",
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.post(f"{server.url}/v1/commits", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    def assert_told_once(self, lrs: Lrs) -> None:
        """Check that an LRS has each completion once, and nothing twice."""
        told = Counter(
            statement["actor"]["account"]["name"] for statement in lrs.store.statements() if _is_completion(statement)
        )
        assert told == self.completions
        assert len(set(lrs.ids())) == len(lrs.ids())


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
async def test_ten_years_are_imported_go_on_live_and_move_to_another_lrs(
    database_url: str, start_lrs: StartLrs, new_server: StartServer, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    old, new = [await start_lrs(now=lambda: datetime.now(UTC)) for _ in range(2)]
    story = Story(http)
    server = new_server(database_url, endpoint=old.endpoint, target='version = "1.0.3"\n')
    story.token = await server.run("tokens", "create", "--lms", "campus", "--home-page", "https://lms.example.org")

    await _import_history(story, server, old, tmp_path)
    await _go_on_live(story, server, old)
    assert await server.stop() == 0
    await _replace_the_lrs(story, database_url, old, new, new_server)


async def _import_history(story: Story, server: Server, old: Lrs, directory: Path) -> None:
    """The history is there once, with its years, however often it is imported."""
    tracks = [
        (year * 100 + learner, 11, 101, 1, PASSED | {"x.start.time": _seconds(year)}, _seconds(year) + 3_600)
        for year in YEARS
        for learner in range(LEARNERS)
    ]
    in_the_middle: Tracks = [(1, 11, 101, 1, {**PASSED, **_UNFINISHED_12}, _seconds(2024))]
    moodle = write(since_43(_site([*tracks, *in_the_middle])), directory / "moodle")
    for _ in range(2):
        await server.run("import", "moodle", str(moodle), "--lms", "campus", "--yes")
    story.completions.update(f"learner-{user}" for user, *_ in tracks)

    await server.start()
    await old.wait_until(lambda: _count(old, COMPLETED) == len(tracks))
    story.assert_told_once(old)
    years = Counter(statement["timestamp"][:4] for statement in old.store.statements() if _is_completion(statement))
    assert years == {str(year): LEARNERS for year in YEARS}


_UNFINISHED_12 = {
    "cmi.core.lesson_status": "incomplete",
    "cmi.core.lesson_location": "page-4",
    "cmi.core.exit": "suspend",
}


async def _go_on_live(story: Story, server: Server, old: Lrs) -> None:
    """Who was in the middle goes on where the history ends; who had passed comes back and is not told again."""
    (enrollment,) = await server.verify("learner-1", "101")
    assert (enrollment["completion_status"], enrollment["attempts"][0]["number"]) == ("incomplete", 1)
    await story.commit(server, "learner-1", "incomplete")
    await story.commit(server, "learner-1", "passed")
    story.completions["learner-1"] += 1
    (enrollment,) = await server.verify("learner-1", "101")
    assert [attempt["number"] for attempt in enrollment["attempts"]] == [1]
    await old.wait_until(lambda: _count(old, COMPLETED) == story.completions.total())
    story.assert_told_once(old)


async def _replace_the_lrs(story: Story, database_url: str, old: Lrs, new: Lrs, new_server: StartServer) -> None:
    """The new LRS gets all, is compared, lacks nothing, and then is alone."""
    target, sections = 'version = "1.0.3"\n', NEW.format(endpoint=new.endpoint)
    both = new_server(database_url, endpoint=old.endpoint, target=target, sections=sections)
    await both.start()
    await both.run("backfill", "new", "--yes")
    await new.wait_until(lambda: len(new.ids()) == len(old.ids()))
    assert set(new.ids()) == set(old.ids())
    story.assert_told_once(new)

    lost = new.ids()[len(new.ids()) // 2]
    new.lose([lost])
    process = await both.spawn("reconcile", "new", "--repair", "--yes", "--json")
    output, _ = await process.communicate()
    assert process.returncode == 0, output
    assert [line["statement"] for line in json.loads(output)["items"]] == [lost]
    await new.wait_until(lambda: lost in new.ids())
    await both.run("reconcile", "new")
    assert await both.stop() == 0

    alone = new_server(database_url, sections=sections)
    await alone.start()
    await story.commit(alone, "learner-2", "passed")
    story.completions["learner-2"] += 1
    await new.wait_until(lambda: _count(new, COMPLETED) == story.completions.total())
    story.assert_told_once(new)
    assert await alone.stop() == 0


def _site(tracks: Tracks) -> dict[str, Rows]:
    """Return a Moodle whose every learner has a user name."""
    users = sorted({user for user, *_ in tracks})
    return site(tracks) | {
        "user": [{"id": user, "username": f"learner-{user}", "firstname": "", "lastname": ""} for user in users]
    }


def _seconds(year: int) -> int:
    return int(datetime(year, 6, 1, tzinfo=UTC).timestamp())


def _is_completion(statement: dict[str, Any]) -> bool:
    return bool(statement["verb"]["id"] == COMPLETED)


def _count(lrs: Lrs, verb: str) -> int:
    return sum(statement["verb"]["id"] == verb for statement in lrs.store.statements())
