"""What to do about deliveries in trouble, by what came of the last try: one table of words."""

from __future__ import annotations

from typing import NamedTuple

from storage.states import DeliveryState


class Advice(NamedTuple):
    """What is the matter and what to do about it.

    `retry` tells whether a retry can help once that was done, `reissue` whether sending it under a new id can.
    """

    matter: str
    steps: tuple[str, ...]
    retry: bool = True
    reissue: bool = False


QUARANTINED = Advice(
    "The mapping made something that no LRS would take, so it was never sent.",
    (
        "Read the problem and the statement: it names what is wrong in it, and the rule that made it.",
        "Mend that rule in the mapping, or what the LMS sends; from then on statements are sound.",
        "What is quarantined stays as it is: its bytes are frozen. Discard it once the cause is mended.",
    ),
    retry=False,
)
CONFLICT = Advice(
    "The LRS has another statement of the same id, with a different content.",
    (
        "Look the id up in the LRS: somebody else wrote it, or an earlier installation of the bridge did.",
        "If what the LRS has is right, discard this one.",
        "If it is not, delete it in the LRS, if that can, and retry. Voiding it does not free the id.",
    ),
)
DIVERGED = Advice(
    "The LRS has another statement under this id, which this database does not know: it was restored from an older"
    " backup, or a copy of it sends to the same LRS.",
    (
        "Make sure that one database alone sends to this LRS: a copy of it must have no targets, or others.",
        "If the database was restored, re-issue these: they are sent under new ids. What the LRS has stays there.",
        "If they are of a copy that should not have sent anything, discard them.",
    ),
    retry=False,
    reissue=True,
)
REFUSED = Advice(
    "The LRS takes no such statement. Its own words say why.",
    (
        "Compare them with the statement and with the rule that made it.",
        "If the LRS is set too strictly or lacks a profile, mend the LRS and retry: the same bytes are sent again.",
        "If the mapping is at fault, mend it, so that new statements are taken; these are refused again: discard them.",
    ),
)
TOO_LARGE = Advice(
    "This one statement is larger than the LRS, or a proxy before it, takes in a request.",
    (
        "Raise the limit of the LRS and of the proxies before it (nginx: client_max_body_size), then retry.",
        "Or let the mapping tell less, such as long responses and comments, and discard these.",
    ),
)
UNVERIFIED = Advice(
    "The LRS says that it has a statement of this id, and does not let the bridge read it. It likely is ours.",
    (
        "Let the bridge's credentials read statements at the LRS, then retry: the two are compared.",
        "If the LRS can allow no reading, look the id up there by hand, and discard this one if it is there.",
    ),
)
UNKNOWN = Advice(
    "It was given up, and the last try does not tell why.",
    ("Look at the tries of the example, then retry: what fails again tells its cause anew.",),
)

_BY_OUTCOME = {
    "conflict": CONFLICT,
    "diverged": DIVERGED,
    "refused": REFUSED,
    "too-large": TOO_LARGE,
    "unverified": UNVERIFIED,
}


def advice(state: str, outcome: str | None) -> Advice:
    """Return what to do about deliveries of a state whose last try had this outcome."""
    return QUARANTINED if state == DeliveryState.QUARANTINED else _BY_OUTCOME.get(outcome or "", UNKNOWN)
