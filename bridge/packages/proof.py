"""Proof that an LMS notices nothing: a package and its wrapped twin are played alike, and their calls compared.

It needs Playwright and a Chromium, and takes seconds for each SCO.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import quote

from aiohttp import web

from bridge.packages import PackageError
from bridge.packages.manifest import MANIFEST, Manifest, read_manifest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

NOW = 1_700_000_000_000
"""The time that both courses are played at, in milliseconds since the epoch: it stands still."""
QUIET_SECONDS = 2.0
"""A course that has made no call for so long waits for its learner."""
MAX_SECONDS = 60.0
"""How long a course is waited for."""
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
_FOLDER = Path(__file__).parent
_SAME_FOR_BOTH = """
  let state = 1;
  // the script's own dice must not change what the course throws next
  const isOfScript = () => new Error().stack.includes("scorm-bridge-tap.js");
  Math.random = () => isOfScript() ? 0.5 : (state = (state * 16807) % 2147483647) / 2147483647;
  performance.now = () => 0;
"""
"""What a course may take from chance, and from a clock that is not the page's date."""
_IDENTITY = frozenset(
    {
        "cmi.core.student_id", "cmi.core.student_name", "cmi.core.entry", "cmi.core.lesson_mode",
        "cmi.core.credit", "cmi.core.total_time",
        "cmi.learner_id", "cmi.learner_name", "cmi.entry", "cmi.mode", "cmi.credit", "cmi.total_time",
    }
)  # fmt: skip
"""What the script reads of the LMS when the course has initialized, once."""

Call: TypeAlias = tuple[str, list[str], str]
"""A call that reached the LMS: name, values and answer."""
Play: TypeAlias = "Callable[[Page], Awaitable[None]]"
"""What a learner does in a page with the course in the frame `sco`."""


class ScoProof(NamedTuple):
    """What the LMS heard of a SCO, from the original and from its wrapped twin.

    `reads` is how often the script asked the LMS who is there, which the course did not.
    """

    path: str
    original: list[Call]
    wrapped: list[Call]
    reads: int

    @property
    def difference(self) -> str:
        """Return the first difference in words, empty where there is none."""
        for number, (call, twin) in enumerate(zip(self.original, self.wrapped, strict=False), 1):
            if call != twin:
                return f"call {number} is {_shown(call)}, and of the wrapped package {_shown(twin)}"
        more = len(self.wrapped) - len(self.original)
        if more:
            last = (self.wrapped if more > 0 else self.original)[min(len(self.wrapped), len(self.original))]
            return f"the wrapped package makes {abs(more)} calls {'more' if more > 0 else 'less'}: {_shown(last)}"
        return ""


async def prove(original: Path, wrapped: Path, player: Path, play: Play | None = None) -> list[ScoProof]:
    """Return what an LMS hears of each SCO of two packages.

    Args:
        original: an archive or a folder.
        wrapped: its twin.
        player: the folder with scorm-again's scripts.
        play: what a learner does before leaving the SCO; by default nothing but wait until it is quiet.

    Raises:
        PackageError: Playwright or a browser is missing, or a package cannot be read.
    """
    with tempfile.TemporaryDirectory() as directory:
        folders = [
            _unpacked(package, Path(directory) / name)
            for name, package in (("original", original), ("wrapped", wrapped))
        ]
        manifest = read_manifest((folders[0] / MANIFEST).read_bytes())
        async with _lms(player, folders) as address, _browser() as browser:
            return [
                await _proof(browser, f"{address}/?version={manifest.scorm_version}", launch, play or wait_until_quiet)
                for launch in _launches(manifest)
            ]


def _unpacked(package: Path, folder: Path) -> Path:
    if package.is_dir():
        shutil.copytree(package, folder)
    else:
        with zipfile.ZipFile(package) as archive:
            archive.extractall(folder)
    return folder


def _launches(manifest: Manifest) -> list[str]:
    return [quote(sco.path) + _query(sco.href) for sco in manifest.scos if sco.path is not None]


def _query(href: str) -> str:
    _, mark, rest = href.partition("?")
    return mark + rest


@asynccontextmanager
async def _lms(player: Path, folders: Sequence[Path]) -> AsyncIterator[str]:
    """Serve both packages under one path, so that a course cannot tell which it is; yield the address."""
    app = web.Application()
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/proof.js", _script),
            web.static("/scorm-again", player),
            *(web.static(f"/{folder.name}", folder) for folder in folders),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def _page(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(_FOLDER / "proof.html")


async def _script(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(_FOLDER / "proof.js")


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    try:
        from playwright.async_api import Error, async_playwright  # noqa: PLC0415 -- an extra, for this alone
    except ImportError:
        raise PackageError('The proof needs Playwright: pip install "scorm-xapi-bridge[proof]".') from None
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        except Error as error:
            raise PackageError(f"The proof needs Chromium: {str(error).splitlines()[0]}.") from None
        try:
            yield browser
        finally:
            await browser.close()


async def _proof(browser: Browser, lms: str, launch: str, play: Play) -> ScoProof:
    original, wrapped = await asyncio.gather(
        *(_played(browser, lms, f"/{name}/{launch}", play) for name in ("original", "wrapped"))
    )
    heard, reads = _without_reads(original, wrapped)
    return ScoProof(launch, original, heard, reads)


async def _played(browser: Browser, lms: str, address: str, play: Play) -> list[Call]:
    context = await browser.new_context()
    try:
        # of the context: courses open windows
        await context.clock.set_fixed_time(NOW)
        await context.add_init_script(_SAME_FOR_BOTH)
        # the bridge is away: nothing that is played here is recorded
        await context.route(lambda url: not url.startswith(lms.partition("/?")[0]), lambda route: route.abort())
        page = await context.new_page()
        await page.goto(lms)
        await page.evaluate("address => window.launch(address)", address)
        await play(page)
        await page.evaluate("() => window.leave()")
        return [(name, values, answer) for name, values, answer in await page.evaluate("() => window.calls")]
    finally:
        await context.close()


async def wait_until_quiet(page: Page) -> None:
    """Wait until the course has made no call for a while: it waits for its learner."""
    loop = asyncio.get_running_loop()
    count, since, end = -1, loop.time(), loop.time() + MAX_SECONDS
    while loop.time() < end and loop.time() - since < QUIET_SECONDS:
        now: Any = await page.evaluate("() => window.calls.length")
        if now != count:
            count, since = now, loop.time()
        await asyncio.sleep(0.1)


def _without_reads(original: Sequence[Call], wrapped: Sequence[Call]) -> tuple[list[Call], int]:
    """Return the calls but for the script's reads of who is there, and how many those are.

    They follow the course's Initialize; what the course reads itself there stays.
    """
    heard: list[Call] = []
    reads, place = 0, 0
    initialized = False
    for call in wrapped:
        expected = original[place] if place < len(original) else None
        if initialized and call != expected and call[0].endswith("GetValue") and call[1][0] in _IDENTITY:
            reads += 1
            continue
        initialized = call[0].endswith("Initialize") or (initialized and call[0].endswith("GetValue"))
        heard.append(call)
        place += 1
    return heard, reads


def _shown(call: Call) -> str:
    name, values, answer = call
    return f"{name}({', '.join(map(repr, values))}) -> {answer!r}"
