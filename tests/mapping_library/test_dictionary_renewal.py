"""A dictionary becomes poor when commits have more in common than it knows, and is renewed from what they have."""

from __future__ import annotations

from random import Random

from sqlalchemy import Engine, select

from bridge.app import MAPPING_RELOADER
from bridge.mapping_library.frame_dictionaries import POOR, STORED, renew_dictionary
from bridge.mapping_library.impersonal_texts import MIN_LEARNERS
from storage.engine import reading
from storage.frame_tables import frame_dictionary
from storage.tables import journal, statement
from tests.support.accounts import START
from tests.support.bridge import Bridge

COURSE = "Analytical engines and the weaving of algebraical patterns"
ACTIVITY = {"id": "a-notable-translation", "name": "Sketch of the analytical engine, with notes by the translator"}


async def _commit(bridge: Bridge, learner: int, status: str) -> None:
    core = {"lesson_status": status, "lesson_location": f"{learner:04}-canary"}
    await bridge.commit(
        {"core": core, "suspend_data": f"{learner:04}canary"},
        learner={"id": f"{learner:04}canary", "name": f"{learner:04}Canary, Ada"},
        activity=ACTIVITY,
        course={"id": "algebra", "name": COURSE},
        session_id=f"00000000-0000-4000-9000-{learner:012}",
    )


async def _fill(bridge: Bridge, learners: int) -> None:
    for learner in range(learners):
        for status in ("incomplete", "passed"):
            await _commit(bridge, learner, status)


def _origins(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(select(frame_dictionary.c.origin).order_by(frame_dictionary.c.id)).scalars())


def _newest(engine: Engine) -> tuple[int, bytes]:
    query = select(frame_dictionary.c.id, frame_dictionary.c.content).order_by(frame_dictionary.c.id.desc()).limit(1)
    with reading(engine) as connection:
        dictionary_id, content = connection.execute(query).one()
    return dictionary_id, bytes(content)


async def test_a_renewed_dictionary_has_what_courses_share_and_nothing_of_a_learner(
    bridge: Bridge, engine: Engine
) -> None:
    await _fill(bridge, 4 * MIN_LEARNERS)

    renewal = renew_dictionary(engine, Random(1), START)
    _, content = _newest(engine)

    assert renewal is not None
    assert renewal.bytes_after < renewal.bytes_before * POOR
    assert COURSE.encode() in content
    assert b"canary" not in content.lower()
    assert _origins(engine)[-1] == STORED


async def test_a_running_bridge_compresses_by_it_before_long(bridge: Bridge, engine: Engine) -> None:
    await _fill(bridge, 4 * MIN_LEARNERS)
    renew_dictionary(engine, Random(1), START)
    await bridge.client.app[MAPPING_RELOADER].run_once()
    await _commit(bridge, 9_999, "incomplete")

    dictionary_id, _ = _newest(engine)
    with reading(engine) as connection:
        used = [
            connection.execute(select(table.c.dictionary_id).order_by(*order).limit(1)).scalar_one()
            for table, order in ((journal, [journal.c.id.desc()]), (statement, [statement.c.attempt_id.desc()]))
        ]

    assert used == [dictionary_id, dictionary_id]


async def test_one_that_is_as_good_is_not_stored(bridge: Bridge, engine: Engine) -> None:
    await _fill(bridge, 4 * MIN_LEARNERS)
    renew_dictionary(engine, Random(1), START)
    before = _origins(engine)
    for learner in range(100, 100 + 2 * MIN_LEARNERS):
        await _commit(bridge, learner, "incomplete")

    assert renew_dictionary(engine, Random(2), START) is None
    assert _origins(engine) == before


async def test_there_is_none_where_nothing_was_committed(bridge: Bridge, engine: Engine) -> None:
    assert renew_dictionary(engine, Random(1), START) is None


async def test_there_is_none_of_few_learners(bridge: Bridge, engine: Engine) -> None:
    await _fill(bridge, MIN_LEARNERS - 1)

    assert renew_dictionary(engine, Random(1), START) is None
