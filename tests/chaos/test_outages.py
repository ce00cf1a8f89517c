"""An LRS that is away for long: the outbox grows, nothing is lost, and it drains by itself."""

from __future__ import annotations

from tests.chaos.arena import Arena


async def test_an_outage_under_load_loses_nothing_and_costs_a_probe_now_and_then(arena: Arena) -> None:
    arena.lrs.dice.down = True
    await arena.start(clients=16)
    await arena.commits(arena.scale.queued)
    # the circuit breaker: what is tried does not grow with what waits
    assert arena.lrs.dice.requests < 60
    assert not arena.lrs.kept
    await arena.finish()
    assert arena.ledger.statuses.keys() == {200}
    assert arena.lrs.dice.met["down"]
    arena.tell(requests_while_down=arena.lrs.dice.met["down"])


async def test_what_the_lrs_refuses_becomes_dead_alone_and_everything_else_arrives(arena: Arena) -> None:
    arena.lrs.dice.down = True
    await arena.start()
    await arena.commits(300)
    promised = [ids[-1] for ids in arena.ledger.acked.values() if ids]
    arena.lrs.dice.poison = set(arena.random.sample(promised, 10))
    arena.lrs.dice.well = True
    await arena.finish()
    assert not arena.lrs.dice.poison & arena.lrs.kept.keys()
    assert arena.lrs.dice.met["400"] >= 10
    # each of the ten is found by halving a batch of at most fifty: 7 refusals at most
    assert arena.lrs.dice.met["400"] <= 10 * 7
    arena.tell(refusals=arena.lrs.dice.met["400"])
