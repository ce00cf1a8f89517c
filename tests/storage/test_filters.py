"""Which targets a statement waits for."""

from __future__ import annotations

from sqlalchemy import Engine

from storage import outbox, unassigned
from storage.engine import writing
from tests.storage.builders import add, by_rule, hold, launched, statements, whole

SCORED = "scored"


def test_a_statement_waits_for_the_targets_of_its_rule_alone(engine: Engine) -> None:
    with writing(engine) as connection:
        hold(connection, ["lrs"])
        rows = statements(connection, launched(connection), ["{}"] * 3)
        rows[1] = rows[1]._replace(rule=SCORED)
        add(connection, rows, by_rule({"completed": ("lrs", "other"), SCORED: ("other",)}))
        assert outbox.waiting(connection) == {"lrs": 2, "other": 3}
        claimed = outbox.claim(connection, whole(), now=0, limit=9, most_bytes=999).claimed
        assert [row.position for row in claimed] == [0, 2]


def test_a_statement_that_no_target_wants_is_kept_and_waits_for_none(engine: Engine) -> None:
    with writing(engine) as connection:
        rows = statements(connection, launched(connection), ["{}"])
        add(connection, rows, by_rule({"completed": ()}))
        assert outbox.waiting(connection) == {}


def test_what_waited_for_no_target_goes_to_one_that_wants_it_and_the_rest_holds_nothing_back(engine: Engine) -> None:
    with writing(engine) as connection:
        hold(connection, ["lrs"])
        rows = statements(connection, launched(connection), ["{}"] * 3)
        rows[0] = rows[0]._replace(rule=SCORED)
        add(connection, rows, by_rule({"completed": (outbox.UNASSIGNED,), SCORED: (outbox.UNASSIGNED,)}))
        assert unassigned.assign_waiting(connection, "lrs", [SCORED]) == 2
        assert outbox.waiting(connection) == {"lrs": 2}
        claimed = outbox.claim(connection, whole(), now=0, limit=9, most_bytes=999).claimed
        assert [row.position for row in claimed] == [1, 2]
