"""`scorm-bridge compact`: what earlier releases stored is compressed beside live traffic, and reads as before."""

from __future__ import annotations

import asyncio
import json

from sqlalchemy import delete, func, select

from storage.engine import reading, writing
from storage.frame_tables import frame_dictionary
from storage.tables import journal, statement
from tests.cli.conftest import Run
from tests.support.bridge import Bridge
from tests.support.frames import unpack_frames
from tests.support.replay import stored

CMI = {"core": {"lesson_status": "incomplete", "score": {"raw": "50"}}}


def _plain_rows(bridge: Bridge) -> int:
    with reading(bridge.engine) as connection:
        return sum(
            connection.execute(select(func.count()).select_from(table).where(table.c.frame.is_(None))).scalar_one()
            for table in (journal, statement)
        )


async def test_a_bridge_goes_on_while_its_rows_are_compacted(bridge: Bridge, run: Run, database_url: str) -> None:
    for learner in range(5):
        await bridge.commit(CMI, learner={"id": f"u{learner}"})
    unpack_frames(bridge.engine)
    before, plain = stored(bridge.engine), _plain_rows(bridge)
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    compacting = asyncio.create_task(asyncio.to_thread(run, "compact", "--json", **environment))
    await bridge.commit(CMI, learner={"id": "another"})
    result = await compacting
    items = json.loads(result.stdout)["items"]

    assert result.exit_code == 0, result.output
    assert [item["table"] for item in items] == ["journal", "statement", "target_statement"]
    assert sum(item["rows"] for item in items) == plain
    assert all(item["bytes_after"] <= item["bytes_before"] for item in items), items
    assert _plain_rows(bridge) == 0
    assert stored(bridge.engine)[: len(before)] == before


async def test_there_is_nothing_to_do_the_second_time(bridge: Bridge, run: Run, database_url: str) -> None:
    await bridge.commit(CMI)
    unpack_frames(bridge.engine)
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    assert run("compact", **environment).exit_code == 0
    again = json.loads(run("compact", "--json", **environment).stdout)["items"]
    assert [item["rows"] for item in again] == [0, 0, 0]


async def test_without_a_dictionary_it_says_what_to_do(bridge: Bridge, run: Run, database_url: str) -> None:
    with writing(bridge.engine) as connection:
        connection.execute(delete(frame_dictionary))
    result = run("compact", SCORM_BRIDGE_DATABASE__URL=database_url)

    assert result.exit_code == 1
    assert "the first start of this release stores one" in result.stderr
