"""A bridge with something of everything: learners with awkward names, and deliveries in each state."""

from __future__ import annotations

from sqlalchemy import update

from storage import deliveries, outbox
from storage.deliveries import DeliveryFilter
from storage.engine import writing
from storage.outbox import Settlement, Try
from storage.tables import delivery, document_delivery, statement
from tests.support.accounts import START
from tests.support.bridge import Bridge

TARGET = "analytics"
SCRIPT = "<script>alert(1)</script>"
NAMES = {
    "u1": f'Ada {SCRIPT} "quoted"',
    "u2": "=HYPERLINK(A1)",
    "u3": "عمر \N{PARTY POPPER} \N{RIGHT-TO-LEFT OVERRIDE}",
    "u4": "N" * 1000,
    "u'5\"<b>": "Bob",
}
COMMENT = "cmi-canary <img src=x onerror=alert(2)>"
"""In the commits' bodies and in statements."""
SECRETS = ("cmi-canary", "Ada", "=HYPERLINK", "N" * 50)
"""What no reader may see."""

ANSWER = f'{{"error": "no such verb {SCRIPT} lrs-canary 17"}}'
_TROUBLES = (
    ("refused", 400, ANSWER, "passed"),
    ("refused", 400, ANSWER.replace("17", "18"), "passed"),
    ("conflict", 409, "conflicting", "passed"),
    ("too-large", 413, "", "scored"),
)


def cmi(score: str = "85") -> dict[str, object]:
    """Make what a learner does: passed, with a comment and an answer."""
    return {
        "core": {"lesson_status": "passed", "score": {"raw": score}},
        "comments": COMMENT,
        "suspend_data": "suspended-canary",
    }


async def fill(bridge: Bridge) -> None:
    """Store five learners' statements and documents; four deliveries are dead for three causes, one is quarantined."""
    for learner, name in NAMES.items():
        await bridge.commit(
            cmi(), learner={"id": learner, "name": name}, activity={"id": "235", "name": f"Safety {SCRIPT}"}
        )
        bridge.clock.advance(60)
    await bridge.let_documents_follow()
    with writing(bridge.engine) as connection:
        connection.execute(update(delivery).values(target=TARGET))
        connection.execute(update(document_delivery).values(target=TARGET))
        for number, (outcome, status, answer, rule) in enumerate(_TROUBLES):
            rows = deliveries.find(connection, DeliveryFilter(rule=rule, learner=list(NAMES)[number]))
            done = Try(TARGET, START + 1000 * number, 7, outcome, status, answer)
            outbox.settle(connection, [Settlement(done, [rows[0].id], "dead", 0, START + 2000)])
        (row,) = deliveries.find(connection, DeliveryFilter(rule="initialized", learner="u1"))
        done = Try(TARGET, START, 7, "delivered", 200, "[]")
        outbox.settle(connection, [Settlement(done, [row.id], "delivered", 0, START + 1000)])
        (row,) = deliveries.find(connection, DeliveryFilter(rule="scored", learner="u3"))
        connection.execute(update(delivery).where(delivery.c.id == row.id).values(state="quarantined"))
        connection.execute(
            update(statement).where(statement.c.id == row.statement_id).values(problem="problem-canary: no IRI")
        )
