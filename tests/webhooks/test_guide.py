"""The guide's receiver takes what the bridge signs, and nothing else; its table has every type of event."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.clock import random_id, system_now
from bridge.http.openapi import description
from bridge.http.openapi_webhooks import EVENT_TYPES
from bridge.webhooks.connection_trial import WebhookTrial, try_endpoint
from bridge.webhooks.event_types import TEST_EVENT, WebhookEventType
from bridge.webhooks.signing import new_secret
from storage.webhook_endpoints import WebhookEndpoint
from tests.documentation.blocks import ROOT, blocks
from tests.support.http_server import LOOPBACK
from tests.support.server import free_port

GUIDE = ROOT / "docs/guides/webhooks.md"
ROW = re.compile(r"^\| `([a-z_.]+)` \| ([^|]+) \|$", re.MULTILINE)


@asynccontextmanager
async def _receiver(folder: Path, secret: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run the guide's receiver as a program; yield its address and the process."""
    (program,) = [block.text for block in blocks(GUIDE) if block.language == "python"]
    port = free_port()
    file = folder / "receiver.py"
    file.write_text(program.replace("port=9000", f"port={port}"), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, file, env=os.environ | {"WEBHOOK_SECRET": secret}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        # aiohttp says where it listens, and how to quit
        for _ in range(2):
            await asyncio.wait_for(process.stdout.readline(), 30)
        yield f"http://127.0.0.1:{port}/hooks/scorm", process
    finally:
        process.kill()
        await process.wait()


async def _try(url: str, secret: str) -> WebhookTrial:
    endpoint = WebhookEndpoint(
        1, 1, "campus", "gradebook", url, (), secret, None, None, 0, None, "", trouble_since=None, trouble=""
    )
    return await try_endpoint(endpoint, LOOPBACK, now=system_now, new_id=random_id)


async def test_the_receiver_of_the_guide_takes_what_the_bridge_signs_and_nothing_else(tmp_path: Path) -> None:
    secret = new_secret()
    async with _receiver(tmp_path, secret) as (url, process):
        trial = await _try(url, secret)
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        forged = await _try(url, new_secret())

    assert (trial.status, trial.is_success) == (204, True)
    assert trial.message_id in line
    assert TEST_EVENT in line
    assert (forged.status, forged.is_success) == (500, False)


def test_the_guide_has_every_type_of_event_with_its_meaning() -> None:
    table = GUIDE.read_text(encoding="utf-8").partition("<!-- webhook events -->")[2]

    assert dict(ROW.findall(table)) == {event_type.value: event_type.meaning for event_type in WebhookEventType}


def test_openapi_has_every_type_of_event() -> None:
    assert EVENT_TYPES.keys() == {*map(str, WebhookEventType), TEST_EVENT}
    assert description()["webhooks"].keys() == EVENT_TYPES.keys()
