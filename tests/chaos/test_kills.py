"""Killed again and again while it takes commits and the LRS fails, it loses nothing and sends nothing twice."""

from __future__ import annotations

from tests.chaos.arena import Arena


async def test_nothing_is_lost_doubled_or_put_out_of_order_by_kills_and_a_failing_lrs(arena: Arena) -> None:
    await arena.start(servers=1 if arena.database_url.startswith("sqlite") else 2)
    for _ in range(arena.scale.kills):
        await arena.commits(arena.random.randrange(5, 60))
        server = arena.random.choice(arena.servers)
        await server.kill()
        await server.start()
    await arena.trouble("none", "cut", "kept-cut", "kept-500", "503", "429", "again")
    await arena.finish()
    assert arena.ledger.unknown
    assert arena.ledger.repeated
    arena.tell(kills=arena.scale.kills, left_open=len(arena.ledger.unknown), faults=dict(arena.lrs.dice.count()))
