"""The lock file: what runs the bridge, to the byte, and whether any of it is known to be vulnerable."""

from __future__ import annotations

import asyncio
import re
import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.metadata import requires as metadata_requires
from pathlib import Path

import pytest
from aiohttp import web
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.http_server import serve

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
AUDIT_DEADLINE = 60

Pins = dict[str, Requirement]


def _entries() -> list[list[str]]:
    """Return the lines of each entry of the lock, without comments: the requirement, then its hashes."""
    text = re.sub(r"^\s*#.*\n", "", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [[part.strip() for part in entry.split("\\\n")] for entry in re.split(r"\n(?=\S)", text.strip())]


@pytest.fixture(scope="module")
def pins() -> Pins:
    """Return name -> the release that the lock names for this Python on this platform."""
    requirements = [Requirement(entry[0]) for entry in _entries()]
    return {
        canonicalize_name(requirement.name): requirement
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


def _is_met(pins: Pins, wanted: Requirement) -> bool:
    pin = pins.get(canonicalize_name(wanted.name))
    if pin is None:
        return False
    (specifier,) = pin.specifier
    return specifier.operator == "==" and wanted.specifier.contains(specifier.version, prereleases=True)


@pytest.mark.parametrize(
    "wanted",
    sorted(
        {
            *PROJECT["project"]["dependencies"],
            *PROJECT["build-system"]["requires"],
            *PROJECT["dependency-groups"]["build"],
        }
    ),
)
def test_the_lock_satisfies_what_the_project_asks_for(pins: Pins, wanted: str) -> None:
    assert _is_met(pins, Requirement(wanted)), f"{wanted}: run `make lock`"


def test_the_lock_satisfies_what_its_own_packages_ask_for(pins: Pins) -> None:
    looked = 0
    for name, pin in pins.items():
        try:
            installed = version(name)
        except PackageNotFoundError:  # of another platform
            continue
        if not pin.specifier.contains(installed, prereleases=True):
            continue  # another release may ask for something else
        looked += 1
        for line in metadata_requires(name) or ():
            wanted = Requirement(line)
            if any(wanted.marker is None or wanted.marker.evaluate({"extra": extra}) for extra in ("", *pin.extras)):
                assert _is_met(pins, wanted), f"{name}: {line}"

    assert looked > 10


def test_each_file_of_the_lock_is_known_by_its_hash() -> None:
    for requirement, *hashes in _entries():
        assert Requirement(requirement).url is None
        assert hashes, requirement
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", digest) for digest in hashes), requirement


def test_the_lock_names_no_host_and_no_path() -> None:
    lines = [line.strip() for line in LOCK.read_text(encoding="utf-8").splitlines()]

    assert not [line for line in lines if "://" in line or re.search(r"(^|\s)[./~]\S*/", line)]
    assert not [line for line in lines if line.startswith("-") and not line.startswith("--hash=")]


def test_the_lock_holds_no_tools_for_development(pins: Pins) -> None:
    tools = {
        canonicalize_name(Requirement(requirement).name)
        for requirement in PROJECT["project"]["optional-dependencies"]["dev"]
    }
    used_by_others = {"packaging", "tomlkit"}  # hatchling's

    assert (tools & pins.keys()) <= used_by_others


Audit = Callable[[str], Awaitable[tuple[int, str]]]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """Look a lock through by the feed at an address; return the exit status and what was said."""

    async def run(url: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, ROOT / ".ci/audit", Path(sys.executable).with_name("pip-audit"), LOCK,
            "--vulnerability-service", "osv", "--osv-url", url, "--cache-dir", tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(AUDIT_DEADLINE):
            output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    return run


@pytest.fixture
async def feed() -> AsyncIterator[tuple[str, set[str]]]:
    """A feed in the OSV format: its address, and the names of packages that it knows a vulnerability of."""
    vulnerable: set[str] = set()

    async def query(request: web.Request) -> web.Response:
        package = (await request.json())["package"]
        if package["name"] not in vulnerable:
            return web.json_response({})
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}]
        vulnerability = {
            "id": "PYSEC-2026-1",
            "summary": "a flaw",
            "affected": [{"package": package, "ranges": ranges}],
        }
        return web.json_response({"vulns": [vulnerability]})

    async with serve(query) as url:
        yield url, vulnerable


async def test_an_audit_fails_where_a_feed_knows_a_vulnerability(audit: Audit, feed: tuple[str, set[str]]) -> None:
    url, vulnerable = feed
    vulnerable.add("aiohttp")
    status, output = await audit(url)

    assert (status, "aiohttp" in output, "PYSEC-2026-1, fixed in 99.0" in output) == (1, True, True), output


async def test_an_audit_passes_where_a_feed_knows_of_none(audit: Audit, feed: tuple[str, set[str]]) -> None:
    status, output = await audit(feed[0])
    assert status == 0, output
    looked, listed = re.findall(r"no known vulnerability of (\d+) of the (\d+) packages", output)[0]
    assert looked == listed


async def test_an_audit_passes_and_says_so_where_no_feed_can_be_reached(audit: Audit, unused_tcp_port: int) -> None:
    status, output = await audit(f"http://127.0.0.1:{unused_tcp_port}/")

    assert (status, "nothing was looked for" in output) == (0, True), output
