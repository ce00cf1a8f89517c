"""Classifies the answers of LRSs: one pure table.

Trouble with the network or the LRS never makes a statement dead (it is sent again for ever); a refusal of the statement
always does. xAPI Communication 3.2 says which status means what, and that a refused batch stores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from storage.states import TryOutcome

MAX_LOCATION_LENGTH = 500
"""Characters of a redirect's Location that are shown."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from an LRS.

    Attributes:
        status: None where no answer came that could be read whole; `text` then says what happened instead.
        is_truncated: the answer was too large to be read whole.
        is_cut: the request was sent, and its answer lost on the way.
        is_from_lrs: whether the LRS answered, not the token endpoint.
        is_preliminary: the answer to a request before the actual one: for a token, or the version.
        took: seconds from the request to this.
    """

    status: int | None
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    is_truncated: bool = False
    is_cut: bool = False
    is_from_lrs: bool = True
    is_preliminary: bool = False
    took: float = 0.0

    @property
    def redirects_to(self) -> str:
        """Return where a redirect points to, empty where it is none."""
        if self.status is None or not 300 <= self.status < 400:
            return ""
        location = next((value for name, value in self.headers.items() if name.lower() == "location"), "")
        return location[:MAX_LOCATION_LENGTH].encode(errors="replace").decode()


_BY_STATUS: Mapping[int, TryOutcome] = {
    204: TryOutcome.DELIVERED,
    400: TryOutcome.REFUSED,
    401: TryOutcome.NOT_ALLOWED,
    403: TryOutcome.NOT_ALLOWED,
    409: TryOutcome.CONFLICT,
    413: TryOutcome.TOO_LARGE,
    422: TryOutcome.REFUSED,
    500: TryOutcome.BROKE,
}
_BY_STATUS_OF_DOCUMENTS = {
    **_BY_STATUS,
    200: TryOutcome.DELIVERED,
    201: TryOutcome.DELIVERED,
    412: TryOutcome.CONFLICT,
    414: TryOutcome.TOO_LARGE,  # its id is in the URL
    500: TryOutcome.RETRY,
}


def classify(reply: Reply, sent: Sequence[str]) -> TryOutcome:
    """Return what a reply to a POST of statements with these ids means.

    A 200 counts only with a list of ids that were sent (some LRSs leave out those they knew): a login page, a proxy's
    greeting or an empty list is no delivery. Redirects, 404 and everything else that is not about the statements
    themselves is trouble with the network or the LRS.
    """
    if reply.status is None:
        return TryOutcome.RETRY
    if reply.status == 200:
        return TryOutcome.DELIVERED if _are_ids(reply.text, sent) else TryOutcome.RETRY
    return _BY_STATUS.get(reply.status, TryOutcome.RETRY)


_OF_THE_NETWORK = {401, 404, 429, 503}
_DUPLICATE = re.compile(r"duplicate|already (?:exist|stored|been)|conflict|unique|exists", re.IGNORECASE)


def may_be_of_one(reply: Reply, outcome: TryOutcome) -> bool:
    """Return whether a failure may be about one statement or document, though it looks like trouble with the LRS.

    Firewalls and LRSs answer 403, 406, 412, 500, 502, 504, a page instead of ids, or nothing, to a single one that they
    block or fail on. What is plainly about the network (401, 404, 429, 503, a redirect, no connection) is not.
    """
    if outcome not in {TryOutcome.RETRY, TryOutcome.BROKE, TryOutcome.NOT_ALLOWED} or reply.is_preliminary:
        return False
    if reply.status is None:
        return reply.is_cut or reply.is_truncated
    return reply.status not in _OF_THE_NETWORK and not 300 <= reply.status < 400


def speaks_of_duplicate(reply: Reply) -> bool:
    """Return whether a refusal says that the LRS has such a statement: some answer 400 or 500 instead of 409."""
    return reply.status in {400, 500} and _DUPLICATE.search(reply.text) is not None


def classify_document(reply: Reply) -> TryOutcome:
    """Return what a reply to a request for a document means. A conflict: somebody else wrote it meanwhile."""
    if reply.status is None:
        return TryOutcome.RETRY
    return _BY_STATUS_OF_DOCUMENTS.get(reply.status, TryOutcome.RETRY)


def find_statement(answer: str, statement_id: str) -> dict[str, Any] | None:
    """Return a statement of an LRS's answer to a request for its id.

    Some LRSs answer with a list, as they do to other questions, and an empty one where xAPI asks for 404. None where
    the statement is not in it, as in a page that somebody put in front of the LRS.
    """
    try:
        content = msgspec.json.decode(answer)
    except (msgspec.MsgspecError, RecursionError):
        return None
    listed = content.get("statements") if isinstance(content, dict) else None
    for candidate in listed if isinstance(listed, list) else [content]:
        if isinstance(candidate, dict) and str(candidate.get("id", "")).lower() == statement_id.lower():
            return candidate
    return None


def retry_after(reply: Reply, now: int) -> float | None:
    """Return the seconds that the LRS asks to wait (RFC 9110, 10.2.3), None where it does not.

    `now` is in milliseconds since the epoch.
    """
    value = next((text for name, text in reply.headers.items() if name.lower() == "retry-after"), "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now / 1000)
    except (ValueError, TypeError, OverflowError):
        return None


def _are_ids(text: str, sent: Sequence[str]) -> bool:
    if text == '["' + '","'.join(sent) + '"]':  # as most LRSs answer: nothing needs to be read then
        return bool(sent)
    try:
        ids = msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError:
        return False
    return bool(ids) and {statement_id.lower() for statement_id in ids} <= {expected.lower() for expected in sent}
