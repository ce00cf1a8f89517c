"""Which fields of an overtaken commit are news all the same.

Requests race when a page is left: the last value may be sent before the terminate, and arrive after it. A snapshot that
came after tells everything, so an older one has no news. A delta tells some fields: of the others, an older delta can
be the last to have spoken.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from mappings.attempt.commit import Commit
from mappings.attempt.state import SessionState
from mappings.cmi.parser import ParsedCmi
from mappings.cmi.snapshot import EMPTY, SCORE_FIELDS, Snapshot

REORDER_WINDOW = 30_000
"""Milliseconds within which a commit that knows less, or comes after the end, is one that was overtaken on its way;
after that, its client has started anew (a page loaded again), and what it sends is news."""

_FIELDS = Snapshot.__struct_fields__


class SplitCommit(msgspec.Struct, frozen=True, gc=False):
    """What a commit says, in two parts: what is the newest word of its field, and what is older than one known."""

    newest: Snapshot
    older: Snapshot
    cleared: frozenset[str]


def split_commit(
    session: SessionState, commit: Commit, parsed_cmi: ParsedCmi, received_at: int, *, newer: bool, newest_session: bool
) -> SplitCommit:
    """Return what of a commit is news. A session that another one has followed has none once it is overtaken."""
    incoming, cleared = parsed_cmi.snapshot, parsed_cmi.cleared
    if newer:
        return SplitCommit(incoming, EMPTY, cleared)
    if commit.full or commit.echoes or not newest_session:
        return SplitCommit(EMPTY, incoming, frozenset())
    names = [name for name in _FIELDS if name in cleared or getattr(incoming, name) is not None]
    if commit.sequence is not None:
        news = {name for name in names if commit.sequence > session.last_sequence_by_field.get(name, -1)}
    elif (
        session.ended is not None
        and not session.last_sequence_by_field
        and received_at - session.applied_at <= REORDER_WINDOW
    ):
        news = {name for name in names if name not in session.end_commit_fields}
    else:
        news = set()
    if "lesson_status" in names and "lesson_status" not in news:
        news -= {"completion_status", "success_status"}  # which are derived from it
    if "success_status" in names:
        # a result is a pair: the score is as new as the status that it came with
        scores = set(SCORE_FIELDS) & set(names)
        news = news | scores if "success_status" in news else news - scores
    if not news:
        return SplitCommit(EMPTY, incoming, frozenset())
    return SplitCommit(
        replace(incoming, **{name: None for name in names if name not in news}),
        replace(incoming, **dict.fromkeys(news)),
        cleared & news,
    )


def record_fields(session: SessionState, commit: Commit, parsed_cmi: ParsedCmi) -> SessionState:
    """Return the session with what must be known of a delta, once another one is overtaken by it.

    It has a sequence, or it ends its session; of others, nothing is known.
    """
    incoming = parsed_cmi.snapshot
    names = [name for name in _FIELDS if name in parsed_cmi.cleared or getattr(incoming, name) is not None]
    if commit.sequence is None:
        return replace(session, end_commit_fields=tuple(names))
    number = commit.sequence
    return replace(session, last_sequence_by_field=_latest(session.last_sequence_by_field, names, number))


def _latest(numbers: dict[str, int], names: Iterable[str], number: int) -> dict[str, int]:
    return {**numbers, **{name: max(number, numbers.get(name, 0)) for name in names}}
