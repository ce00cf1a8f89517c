"""The shipped configuration for mirroring, run with the real nginx between a player, an LMS and a bridge."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector, encode_basic_auth, web

from tests.deployment.conftest import ROOT
from tests.deployment.proxies import NGINX, RunningProxy, listens, trust, write_certificate
from tests.formats.client import raw
from tests.formats.test_chamilo import BODY
from tests.formats.test_ilias import BODY as ILIAS
from tests.formats.test_ilias_2004 import BODY as ILIAS_2004
from tests.formats.test_sakai import call
from tests.support.bridge import Bridge, start_bridge
from tests.support.http_server import serve
from tests.support.mirror import Mirror, mirror_of
from tests.support.server import free_port
from tests.support.waiting import poll, wait_until

FOLDER = ROOT / "deploy/nginx"


@dataclass
class Place:
    """A bridge, and an LMS behind nginx that answers `ok` and remembers what came."""

    mirror: Mirror
    proxy: RunningProxy
    client: ClientSession
    received: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def post(self, path: str, body: object, **options: object) -> tuple[int, str]:
        """Post as a player does, and return what it gets."""
        async with self.client.post(f"{self.proxy.url}{path}", data=raw(body), **options) as response:  # type: ignore[arg-type]  # aiohttp's own
            return response.status, await response.text()

    async def settled(self, count: int) -> dict[tuple[str, str], float]:
        """Return what became of mirrored requests, as soon as there are so many."""
        await wait_until(lambda: sum(self.mirror.outcomes().values()) >= count)
        return self.mirror.outcomes()


async def _start_nginx(folder: Path, bridge_port: int, lms_port: int, token: str) -> RunningProxy:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.fail("The tests of proxies need nginx: run `make test-tools`.")
    write_certificate(folder)
    port = free_port()
    for name, replaced in {
        "scorm-mirror.conf": {
            "127.0.0.1:8080": f"127.0.0.1:{bridge_port}",
            "127.0.0.1:8000": f"127.0.0.1:{lms_port}",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/ssl/certs/lms.example.org.pem": f"{folder}/certificate.pem",
            "/etc/ssl/private/lms.example.org.key": f"{folder}/key.pem",
            "/etc/nginx/": f"{folder}/",
            "/var/log/nginx/": f"{folder}/",
        },
        "scorm-mirror-headers.conf": {"sxb_TOKEN": token, "/var/log/nginx/": f"{folder}/"},
    }.items():
        text = (FOLDER / name).read_text(encoding="utf-8")
        for shipped, here in replaced.items():
            assert shipped in text, shipped
            text = text.replace(shipped, here)
        (folder / name).write_text(text, encoding="utf-8")
    main = NGINX.format(folder=folder).replace("scorm-bridge.conf", "scorm-mirror.conf")
    (folder / "nginx.conf").write_text(main, encoding="utf-8")
    arguments = [
        "-c",
        str(folder / "nginx.conf"),
        "-p",
        str(folder),
        "-e",
        str(folder / "start.log"),
        "-g",
        "user root;",
    ]
    with (folder / "output.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdout=output, stderr=output, env=os.environ | {"HOME": str(folder)}
        )
    proxy = RunningProxy("nginx", port, folder, process)
    assert await poll(lambda: listens(port), lambda is_open: is_open or process.returncode is not None), proxy.logs()
    return proxy


@pytest.fixture
async def place(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Place]:
    folder = tmp_path / "nginx"
    folder.mkdir()
    received: list[tuple[str, str, bytes]] = []

    async def lms(request: web.Request) -> web.Response:
        received.append((request.path_qs, request.headers.get("Cookie", ""), await request.read()))
        return web.Response(text="ok")

    bridge: Bridge = await start_bridge(database_url=sqlite_url)
    mirror = mirror_of(bridge)
    async with serve(lms) as address, ClientSession(connector=TCPConnector(ssl=trust())) as client:
        proxy = await _start_nginx(
            folder, bridge.url.port or 0, int(address.rstrip("/").rpartition(":")[2]), mirror.token
        )
        yield Place(mirror, proxy, client, received)
        await proxy.stop()
    await bridge.close()


async def test_the_lms_gets_and_answers_everything_and_the_bridge_gets_a_copy(place: Place) -> None:
    query = "package_id=9&ref_id=77&client_id=default&do=store"
    posts = {
        f"/storeScorm.php?{query}": raw(ILIAS | {"p": "13"}),
        f"/storeScorm2004.php?{query}": raw(ILIAS_2004 | {"p": "13"}),
        "/main/lp/lp_ajax_save_item.php?cid=2&sid=0": raw(BODY),
    }
    for path, body in posts.items():
        assert await place.post(path, body, headers={"Cookie": "PHPSESSID=1"}) == (200, "ok")
    outcomes = await place.settled(3)

    assert place.received == [(path, "PHPSESSID=1", body) for path, body in posts.items()]
    assert outcomes == {(name, "stored"): 1 for name in ("ilias", "ilias-2004", "chamilo")}
    assert "passed" in place.mirror.bridge.rules("13", "5")
    assert "passed" in place.mirror.bridge.rules("13", "7")
    assert "passed" in place.mirror.bridge.rules("13", "9")
    assert place.mirror.bridge.reports("13", "7")[0].attempt.enrollment.course_id == "77"
    assert place.mirror.token not in place.proxy.logs()


async def test_a_learner_whom_the_proxy_knows_is_whose_calls_they_are(place: Place) -> None:
    headers = {"Authorization": encode_basic_auth("ada", "any"), "X-Mirror-Course": "forged"}
    for one in (call("SetValue", "cmi.success_status", "passed"), call("Terminate", "")):
        assert await place.post("/api/scorm/sessions/s-1/runtime", one, headers=headers) == (200, "ok"), one
    await place.settled(2)
    (report,) = place.mirror.bridge.reports("ada", "item-1")

    assert "passed" in place.mirror.bridge.rules("ada", "item-1")
    assert [session.commits for session in report.sessions] == [2]
    assert report.attempt.enrollment.course_id == ""


async def test_nobody_outside_can_ask_for_the_mirror_and_what_it_refuses_the_player_does_not_notice(
    place: Place,
) -> None:
    of_the_client = {"X-Mirror-Learner": "forged", "X-Mirror-Activity": "forged"}
    status, _ = await place.post("/mirror/chamilo", BODY)
    answer = await place.post("/main/lp/lp_ajax_save_item.php", "a=b", headers=of_the_client)
    outcomes = await place.settled(1)

    assert status == 404
    assert answer == (200, "ok")
    assert outcomes == {("chamilo", "refused"): 1}
    assert [refusal.code for refusal in await place.mirror.refusals()] == ["malformed-body"]


async def test_without_the_bridge_the_lms_goes_on(place: Place) -> None:
    await place.mirror.bridge.close()

    assert await place.post("/main/lp/lp_ajax_save_item.php", BODY) == (200, "ok")
    assert await place.post("/main/lp/lp_ajax_save_item.php", BODY) == (200, "ok")
    assert len(place.received) == 2


def test_what_the_guide_shows_is_what_is_shipped() -> None:
    guide = (ROOT / "docs/guides/mirror.md").read_text(encoding="utf-8")
    shown = guide.partition("```nginx\n")[2].partition("```")[0]
    shipped = (FOLDER / "scorm-mirror.conf").read_text(encoding="utf-8")
    parts = [part.strip("\n") for part in shown.split("\n\n")]

    assert len(parts) == 2
    assert [part for part in parts if part not in shipped] == []
