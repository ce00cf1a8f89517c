"""The organisation that the documentation speaks of: its LMS, its learners, its LRS, and what its addresses are here.

The convention of blocks, which `CONTRIBUTING.md` explains to people who write them:

- `https://bridge.example.org`, `127.0.0.1:8080` and `localhost:8080` are the bridge, `https://lrs.example.org` is an
  LRS, `127.0.0.1:8081` the sandbox's, `https://lms.example.org` the LMS `campus`.
- A block whose title is the name of a file is that file (`ours.toml, added`: what is added to it); `scorm-bridge.toml`,
  `ours.toml` and `commit.json` exist.
- `make run` and `scorm-bridge serve` run until the page ends, or starts another bridge. On pages that do not start one,
  one runs already.
- `$TOKEN` is the LMS's token, `$SESSION` a session of learner u42 in activity 235, `$STATEMENT` one of its statements.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from storage import tokens
from storage.engine import reading
from tests.documentation.blocks import ROOT
from tests.support.accounts import HOME_PAGE, register_lms
from tests.support.lrs import Lrs
from tests.support.sql import closing_engine
from tests.support.waiting import poll

REFUSED_LEARNER = "u43"
COMMIT = {"core": {"lesson_status": "passed", "score": {"raw": "85"}, "session_time": "00:05:30"}}
SETTINGS = """\
[server]
port = 8080
public_url = "https://bridge.example.org"

[[targets]]
name = "analytics"
endpoint = "https://lrs.example.org/xapi/"
version = "1.0.3"
"""


@dataclass(frozen=True, slots=True)
class ExampleSite:
    """A directory in which the blocks of a page are run, and what their addresses stand for."""

    folder: Path
    port: int
    lrs_port: int
    sandbox_lrs_port: int

    @property
    def url(self) -> str:
        """Return the bridge's address."""
        return f"http://127.0.0.1:{self.port}"

    def resolve(self, text: str) -> str:
        """Return a block's text with the addresses that are here."""
        for address, here in (
            ("https://bridge.example.org", self.url),
            ("https://lrs.example.org", f"http://127.0.0.1:{self.lrs_port}"),
            ("127.0.0.1:8080", f"127.0.0.1:{self.port}"),
            ("localhost:8080", f"127.0.0.1:{self.port}"),
            ("127.0.0.1:8081", f"127.0.0.1:{self.sandbox_lrs_port}"),
        ):
            text = text.replace(address, here)
        return re.sub(r"^port = 8080\b", f"port = {self.port}", text, flags=re.MULTILINE)


def prepare(site: ExampleSite, template: Path) -> dict[str, str]:
    """Write settings, a database with the LMS, and a mapping of one's own; return the variables of blocks."""
    (site.folder / "scorm-bridge.toml").write_text(site.resolve(SETTINGS), encoding="utf-8")
    shutil.copy(template, site.folder / "scorm-bridge.db")
    shutil.copy(ROOT / "mappings/scorm-profile.toml", site.folder / "ours.toml")
    (site.folder / "commit.json").write_text(json.dumps({"cmi": COMMIT, "scorm_version": "1.2"}), encoding="utf-8")
    with closing_engine(f"sqlite:///{site.folder}/scorm-bridge.db") as engine:
        token = register_lms(engine, "campus", HOME_PAGE).token
        with reading(engine) as connection:
            [row] = tokens.of_lms(connection)
    return {"TOKEN": token, "NUMBER": str(row.id)}


async def play(site: ExampleSite, lrs: Lrs, token: str) -> dict[str, str]:
    """Commit what two learners did, and wait until the LRS has it; return more variables of blocks."""
    async with aiohttp.ClientSession(site.url, headers={"Authorization": f"Bearer {token}"}) as client:

        async def commit(learner: str, name: str, raw: str) -> tuple[str, str]:
            body = {
                "learner": {"id": learner, "name": name},
                "activity": {"id": "235", "name": "Engines"},
                "course": {"id": "c7", "name": "Computing"},
                "scorm_version": "1.2",
                "cmi": {"core": COMMIT["core"] | {"score": {"raw": raw}}},
                "terminated": True,
            }
            async with client.post("/v1/commits", json=body) as response:
                stored = await response.json()
                assert response.status == 200, stored
            return stored["session_id"], stored["statements"][-1]["id"]

        session, statement = await commit("u42", "Ada Lovelace", "85")
        async with asyncio.timeout(20):
            await poll(lambda: _ids(lrs), lambda ids: statement in ids)
        await commit(REFUSED_LEARNER, "Charles Babbage", "60")
    return {"SESSION": session, "STATEMENT": statement}


async def refuse_babbage(request: web.Request) -> web.StreamResponse | None:
    """Refuse, as an LRS, what one of the learners did."""
    if request.method == "POST" and f'"{REFUSED_LEARNER}"'.encode() in await request.read():
        return web.Response(status=400, text="This learner is not known here.")
    return None


async def _ids(lrs: Lrs) -> list[str]:
    return lrs.ids()
