"""Stopped at any moment, it finishes what is under way and leaves with status nought."""

from __future__ import annotations

from tests.chaos.arena import Arena


async def test_stopped_at_any_moment_under_load_it_loses_nothing_and_leaves_with_nought(arena: Arena) -> None:
    await arena.start()
    (server,) = arena.servers
    for _ in range(arena.scale.stops):
        await arena.commits(arena.random.randrange(1, 40))
        assert await server.stop() == 0
        await server.start()
    await arena.finish()
    assert 500 not in arena.ledger.statuses
    arena.tell(stops=arena.scale.stops, statuses=dict(arena.ledger.statuses))
