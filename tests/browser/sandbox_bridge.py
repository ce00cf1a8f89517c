"""A real bridge with its sandbox pages and an LRS of the test's choice, and the places that tell what it stored."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Page

from bridge.app import create_app
from bridge.clock import system_now
from bridge.sandbox.site import Sandbox, add_sandbox
from bridge.settings import DatabaseSettings, Settings, TargetSettings
from tests.browser.course_page import CoursePage
from tests.support.accounts import register_lms
from tests.support.server import free_port
from tests.support.sql import closing_engine
from tests.support.waiting import poll

HOST = "127.0.0.1"
TARGET = "learning-locker"

_READ_ATTEMPTS = """articles => articles.map(article => ({
    number: Number(article.dataset.number),
    state: article.dataset.state,
    fields: Object.fromEntries(
        [...article.querySelectorAll("[data-field]")].map(field => [field.dataset.field, field.textContent.trim()])),
    statements: [...article.querySelectorAll("tr[data-statement]")].map(row => ({
        rule: row.dataset.verb,
        deliveries: [...row.querySelectorAll(".delivery")].map(one => [one.dataset.target, one.dataset.state]),
    })),
}))"""


def _states(attempts: list[dict[str, Any]]) -> set[str]:
    """Return the states of all deliveries of attempts."""
    return {state for attempt in attempts for row in attempt["statements"] for _, state in row["deliveries"]}


@dataclass
class SandboxBridge:
    """A bridge that runs in the test's loop until it is stopped; the browser is another process."""

    runner: web.AppRunner
    database_url: str

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.runner.addresses[0][1]

    @property
    def start_page(self) -> str:
        """The address that people are given."""
        return f"{self.origin}/sandbox/"

    @property
    def origin(self) -> str:
        """Where the bridge is."""
        return f"http://{HOST}:{self.port}"

    async def stop(self) -> None:
        """Stop it as SIGTERM would."""
        await self.runner.cleanup()

    async def launch(self, page: Page, learner: str, version: str) -> CoursePage:
        """Launch the sample course from the start page."""
        await page.goto(self.start_page)
        await page.get_by_label("Learner’s name").fill(learner)  # noqa: RUF001 -- as the page writes it
        await page.get_by_role("button", name=f"Play in SCORM {version}").click()
        return CoursePage(page)

    async def shown_attempts(self, page: Page, learner: str, *, delivery: str = "delivered") -> list[dict[str, Any]]:
        """Return a learner's attempts as the start page shows them once all deliveries are in a state, newest first."""

        async def look() -> list[dict[str, Any]]:
            await page.goto(self.start_page)
            shown = page.locator(f'article.attempt[data-learner="{learner}"]')
            rows: list[dict[str, Any]] = await shown.evaluate_all(_READ_ATTEMPTS)
            return rows

        attempts = await poll(look, lambda seen: _states(seen) == {delivery})
        assert _states(attempts) == {delivery}
        return attempts

    async def verify(self, learner: str, version: str) -> dict[str, Any]:
        """Return what `scorm-bridge verify --json` prints of a learner's one enrollment."""
        command: list[str | Path] = [
            Path(sys.executable).with_name("scorm-bridge"),
            "verify",
            learner_id(learner),
            f"sample-{version}",
            "--json",
        ]
        environment = {**os.environ, "SCORM_BRIDGE_DATABASE__URL": self.database_url}
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        assert process.returncode == 0
        [enrollment] = json.loads(output)["items"]
        return enrollment


def learner_id(name: str) -> str:
    """Return the id that the sandbox's LMS knows a learner by."""
    return name.lower().replace(" ", ".")


async def start_sandbox(
    database_url: str, endpoint: str, *, port: int | None = None, target: str = TARGET
) -> SandboxBridge:
    """Start a bridge on a migrated database, with one target. Retries come twenty times as fast as they would."""
    with closing_engine(database_url) as engine:
        owner = register_lms(engine, origins=(), now=system_now())
    lrs = TargetSettings(name=target, endpoint=endpoint, username="tester", password="secret", version="1.0.3")
    settings = Settings(database=DatabaseSettings(url=database_url), targets=(lrs,))
    app = create_app(settings, random=lambda: 0.05)
    add_sandbox(app, Sandbox(owner.id, endpoint))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port or free_port()).start()
    return SandboxBridge(runner, database_url)
