"""One browser and one LRS for all tests of this folder; a bridge, a learner and a browser profile for each."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright, expect

from tests.browser.sandbox_bridge import SandboxBridge, start_sandbox
from tests.browser.tap_pages import Ear, listening
from tests.real_lrs.learning_locker import LearningLocker

expect.set_options(timeout=30_000)  # as all that tests wait for: machines that run them are busy

ARGUMENTS = (
    "--no-sandbox",  # which root, in a container, cannot have
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PLAYER_WARNING = "useAsynchronousCommits=true is not SCORM compliant"
"""What scorm-again says to whoever has the console open, each time that it starts."""
SANDBOX_LEFT = "^failed: GET [^ ]*/sandbox/(?:live)?: net::ERR_ABORTED$"
"""What a browser says of the sandbox's start page when it is left: it hears no news, nor loads what it heard of."""
COMMIT_LEFT = "^failed: POST [^ ]*/v1/sessions/[^ ]*/(?:commits|calls)[^ ]*: net::ERR_ABORTED$"
"""What it says of a commit, or of recorded calls, that were on their way: they arrive, and nobody hears the answer."""
TELL_VIOLATIONS = """document.addEventListener("securitypolicyviolation", violation =>
    console.error(`Content Security Policy: ${violation.violatedDirective} ${violation.blockedURI}`))"""


@dataclass
class Watch:
    """What a browser complains of. Whatever a test does not expect fails it."""

    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=lambda: [PLAYER_WARNING, SANDBOX_LEFT, COMMIT_LEFT])

    def expect(self, *patterns: str) -> None:
        """Take complaints that one of these regular expressions is found in as part of the test."""
        self.expected += patterns

    def on(self, context: BrowserContext) -> None:
        """Listen to all pages of a profile."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("requestfailed", self._request)
        context.on("response", lambda answer: self._answer(answer.status, answer.url))

    def unexpected(self) -> list[str]:
        """Return the complaints that no test asked for."""
        return [
            complaint
            for complaint in self.complaints
            if not any(re.search(pattern, complaint) for pattern in self.expected)
        ]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.complaints.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        self.complaints.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _answer(self, status: int, url: str) -> None:
        if status >= 400:
            self.complaints.append(f"status {status}: {url}")


@pytest.fixture(scope="session")
def lrs() -> Iterator[LearningLocker]:
    """A real LRS, which keeps the statements of all tests: each has a learner of its own."""
    with LearningLocker() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium as the system has it."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("The browser tests need chromium: run `make test-tools`.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        await browser.close()


StartSandbox = Callable[..., Awaitable[SandboxBridge]]


@pytest_asyncio.fixture(loop_scope="session")
async def start() -> AsyncIterator[StartSandbox]:
    """Start bridges that are stopped after the test. See `start_sandbox` for what can be set."""
    running: list[SandboxBridge] = []

    async def starter(*given: str, **options: Any) -> SandboxBridge:
        running.append(await start_sandbox(*given, **options))
        return running[-1]

    yield starter
    for bridge in running:
        await bridge.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def bridge(start: StartSandbox, sqlite_url: str, lrs: LearningLocker) -> SandboxBridge:
    """A bridge on SQLite that forwards to the LRS."""
    return await start(sqlite_url, lrs.endpoint)


@pytest_asyncio.fixture(loop_scope="session")
async def ear() -> AsyncIterator[Ear]:
    """An LMS's server, and one that hears what the tap sends."""
    async with listening() as running:
        yield running


@pytest.fixture
def learner() -> str:
    """The name of somebody the LRS knows nothing of yet."""
    return f"Learner {uuid.uuid4().hex[:12]}"


@pytest.fixture
def watch() -> Watch:
    """What the test's browser complains of."""
    return Watch()


@asynccontextmanager
async def watched_page(browser: Browser, watch: Watch, **profile: Any) -> AsyncIterator[Page]:
    """Return a page of a fresh browser profile; fail if the browser has anything to complain of until it is closed."""
    context = await browser.new_context(**profile)
    context.set_default_timeout(20_000)
    await context.add_init_script(TELL_VIOLATIONS)
    watch.on(context)
    yield await context.new_page()
    await context.close()
    assert watch.unexpected() == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, watch: Watch) -> AsyncIterator[Page]:
    """A page on a desktop."""
    async with watched_page(browser, watch) as page:
        yield page
