"""Statements in the forms of targets: what a claim takes, and what becomes of it where a release has no forms."""

from __future__ import annotations

from functools import partial

from alembic import command
from sqlalchemy import Engine, select, text

from storage import migrations, outbox, target_statements
from storage.engine import reading, writing
from storage.prepared import write
from storage.states import DeliveryState
from storage.tables import delivery
from storage.target_statements import TargetStatement
from tests.storage.builders import NOW, hold, launched, statements, whole

OWN = '{"own":"ä"}'


def _store(engine: Engine) -> tuple[int, int]:
    """Store two statements for two targets, the second of them in a form of one of these; return its key."""
    with writing(engine) as connection:
        rows = statements(connection, launched(connection), ['{"all":1}', '{"all":2}'])
        key = rows[1].attempt_id, rows[1].position
        forms = [TargetStatement(*key, "research", "pseudonym by key one", OWN)]
        write(connection, outbox.adding(connection, rows, lambda _: ("plain", "research"), forms))
        hold(connection, ["plain", "research"])
    return key


def test_a_claim_has_the_bytes_of_its_own_target(engine: Engine) -> None:
    _store(engine)
    with reading(engine) as connection:
        for target, bodies in (("plain", b'{"all":1},{"all":2}'), ("research", b'{"all":1},' + OWN.encode())):
            batch = outbox.claim(connection, whole(target), now=NOW, limit=10, most_bytes=1_000)
            assert batch.bodies == bodies
            assert sum(claimed.size for claimed in batch.claimed) + 1 == len(bodies)


def test_forms_are_loaded_for_the_statements_that_have_some(engine: Engine) -> None:
    key = _store(engine)
    with reading(engine) as connection:
        loaded = target_statements.load(connection, [key, (key[0], key[1] - 1)])

    assert {place: [(form.target, form.body) for form in forms] for place, forms in loaded.items()} == {
        key: [("research", OWN)]
    }


def test_a_release_without_forms_does_not_send_what_its_target_must_not_get(engine: Engine) -> None:
    _, position = _store(engine)
    migrations._run(engine, partial(command.downgrade, revision="0017"))
    with reading(engine) as connection:
        states = {
            (row.target, row.position): row.state
            for row in connection.execute(select(delivery.c.target, delivery.c.position, delivery.c.state))
        }
        bodies = list(connection.execute(text("SELECT body FROM statement ORDER BY position")).scalars())

    assert states.pop(("research", position)) == DeliveryState.DISCARDED
    assert {*states.values()} == {DeliveryState.WAITING}
    assert bodies == ['{"all":1}', '{"all":2}']
