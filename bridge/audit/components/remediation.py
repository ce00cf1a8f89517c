"""What to do about deliveries in trouble, by the outcome of the last try: one table of words."""

from __future__ import annotations

from typing import NamedTuple

from storage.states import DeliveryState, TryOutcome


class Remediation(NamedTuple):
    """A problem, and the steps that solve it; afterwards a retry can help, or sending under a new id."""

    problem: str
    steps: tuple[str, ...]
    can_retry: bool = True
    can_reissue: bool = False


QUARANTINED = Remediation(
    "The mapping made an invalid statement, so it was not sent.",
    (
        "Read the problem and the statement: they name what is wrong, and the rule that made it.",
        "Correct that rule in the mapping, or what the LMS sends. New statements will then be valid.",
        "A quarantined statement never changes. Discard it once the cause is corrected.",
    ),
    can_retry=False,
)
CONFLICT = Remediation(
    "The LRS has a different statement with the same id.",
    (
        "Look up the id in the LRS: another system wrote it, or an earlier installation of the bridge.",
        "If the statement in the LRS is right, discard this one.",
        "If not, delete it in the LRS, where that is possible, and retry. Voiding it does not free the id.",
    ),
)
DIVERGED = Remediation(
    "The LRS has a statement under this id that this database does not know: the database was restored from an older"
    " backup, or a copy of it sends to the same LRS.",
    (
        "Make sure that only one database sends to this LRS. A copy must have no targets, or other ones.",
        "If the database was restored, re-issue these under new ids. What the LRS has stays there.",
        "If they come from a copy that should not have sent anything, discard them.",
    ),
    can_retry=False,
    can_reissue=True,
)
REFUSED = Remediation(
    "The LRS refuses such statements. Its answer says why.",
    (
        "Compare the answer with the statement and with the rule that made it.",
        "If the LRS is too strict or lacks a profile, correct the LRS and retry: the same bytes are sent again.",
        "If the mapping is wrong, correct it for new statements. These would be refused again: discard them.",
    ),
)
TOO_LARGE = Remediation(
    "This statement alone is larger than the LRS, or a proxy in between, accepts.",
    (
        "Raise the limit of the LRS and of the proxies before it (nginx: client_max_body_size), then retry.",
        "Or let the mapping send less, such as no long responses and comments, and discard these.",
    ),
)
UNVERIFIED = Remediation(
    "The LRS reports that it has a statement with this id, and does not let the bridge read it. It is probably ours.",
    (
        "Allow the bridge's credentials to read statements at the LRS, then retry: the two are compared.",
        "If that is not possible, look up the id there, and discard this one if the LRS has it.",
    ),
)
UNKNOWN = Remediation(
    "It was given up, and the last try does not say why.",
    ("Look at the tries of the example, then retry: the next failure will show its cause.",),
)

_BY_OUTCOME: dict[str, Remediation] = {
    TryOutcome.CONFLICT: CONFLICT,
    TryOutcome.DIVERGED: DIVERGED,
    TryOutcome.REFUSED: REFUSED,
    TryOutcome.TOO_LARGE: TOO_LARGE,
    TryOutcome.UNVERIFIED: UNVERIFIED,
}


def remediation_for(state: str, outcome: str | None) -> Remediation:
    """Return what to do about deliveries in this state whose last try had this outcome."""
    return QUARANTINED if state == DeliveryState.QUARANTINED else _BY_OUTCOME.get(outcome or "", UNKNOWN)
