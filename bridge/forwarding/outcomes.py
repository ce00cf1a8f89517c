"""What an LRS's answer means: one pure table.

Trouble with the way or the LRS is never held against a statement (it is tried for ever); trouble with the statement
is never tried again. xAPI Communication 3.2 says which status means what, and that a refused batch stores nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum

import msgspec


class Outcome(Enum):
    """What came of a try."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """The LRS, or the way to it, is in trouble: wait and send the same again."""
    BROKE = "broke"
    """The LRS broke on it (500): it is in trouble, or one of the statements is more than it can bear."""
    NOT_ALLOWED = "not-allowed"
    """The LRS does not let the bridge in: wait, and somebody must look."""
    REFUSED = "refused"
    """The LRS takes no such statement: split the batch, or give up the single one."""
    CONFLICT = "conflict"
    """The LRS has a statement of one of these ids: split the batch, or look which."""
    DIVERGED = "diverged"
    """The LRS has one of another history of this database under the id: only people can send it under another."""
    TOO_LARGE = "too-large"
    """More than the LRS takes at once: split the batch, or give up the single one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from an LRS. `status` is None where no answer came; `text` then says what happened instead."""

    status: int | None
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


_BY_STATUS: Mapping[int, Outcome] = {
    204: Outcome.DELIVERED,
    400: Outcome.REFUSED,
    401: Outcome.NOT_ALLOWED,
    403: Outcome.NOT_ALLOWED,
    409: Outcome.CONFLICT,
    413: Outcome.TOO_LARGE,
    422: Outcome.REFUSED,
    500: Outcome.BROKE,
}
_BY_STATUS_OF_DOCUMENTS = {
    **_BY_STATUS,
    200: Outcome.DELIVERED,
    412: Outcome.CONFLICT,
    414: Outcome.TOO_LARGE,  # its place is in the address
    500: Outcome.RETRY,
}


def classify(reply: Reply, sent: Sequence[str]) -> Outcome:
    """Tell what a reply to a POST of statements with these ids means.

    A 200 counts only with a list of ids that were sent (some LRSs leave out those they knew): a login page, a proxy's
    greeting or an empty list is no delivery. Redirects, 404 and everything else that is not about the statements
    themselves is trouble with the way.
    """
    if reply.status is None:
        return Outcome.RETRY
    if reply.status == 200:
        return Outcome.DELIVERED if _are_ids(reply.text, sent) else Outcome.RETRY
    return _BY_STATUS.get(reply.status, Outcome.RETRY)


def classify_document(reply: Reply) -> Outcome:
    """Tell what a reply to the reading or writing of a document means. A conflict: somebody else wrote it meanwhile."""
    if reply.status is None:
        return Outcome.RETRY
    return _BY_STATUS_OF_DOCUMENTS.get(reply.status, Outcome.RETRY)


def retry_after(reply: Reply, now: int) -> float | None:
    """Give the seconds that the LRS asks to wait (RFC 9110, 10.2.3: seconds or a date), None where it does not.

    `now` is in milliseconds since the epoch.
    """
    told = next((value for name, value in reply.headers.items() if name.lower() == "retry-after"), "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        date = parsedate_to_datetime(told)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now / 1000)
    except (ValueError, TypeError, OverflowError):
        return None


def _are_ids(text: str, sent: Sequence[str]) -> bool:
    if text == '["' + '","'.join(sent) + '"]':  # as most LRSs answer: nothing needs to be read then
        return bool(sent)
    try:
        told = msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError:
        return False
    return bool(told) and {one.lower() for one in told} <= {one.lower() for one in sent}
