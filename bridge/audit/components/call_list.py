"""Recorded calls as pages show them: before which commit each is, and without values for who may not see them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.roles import may_see_cmi
from bridge.audit.components.json_view import truncate_text
from bridge.recordings.calls import CallManner, CallValue, CutValue, RecordedCall, error_after, in_order, text_of
from storage.queries import recordings
from storage.queries.recordings import RecordedPart
from storage.queries.timeline import TimelineCommit

MAX_OPEN_CALLS = 5
"""Calls before a commit that are shown at once; more are folded away."""
MAX_CALLS = 600
"""Calls of a page of commits."""
MIN_CALLS = 10
"""Calls before one commit that are shown, however many commits there are."""
MAX_ERROR_LENGTH = 10
"""Characters of an error code; what is longer, or no number, is anything that an LMS has answered."""


class CallView(NamedTuple):
    """A call; `arguments` and `answer` are empty where they may not be seen. `at` is in ms since the epoch."""

    number: int
    at: int
    elapsed: str
    duration_ms: int
    method: str
    arguments: str
    answer: str
    error: str
    manner: CallManner


class CallGroup(NamedTuple):
    """The calls between two commits: the first ones of `total`, from number `first` on."""

    calls: list[CallView]
    total: int
    first: int

    @property
    def is_open(self) -> bool:
        """Return whether the calls are few."""
        return self.total <= MAX_OPEN_CALLS


class TimelineCalls(NamedTuple):
    """Calls of a page of commits: before each, by session and number, and behind the last one of a session."""

    before: Mapping[tuple[str, int], CallGroup]
    behind: Mapping[str, CallGroup]
    is_partial: bool


def timeline_calls(
    request: web.Request, connection: Connection, commits: Sequence[TimelineCommit], *, begins: bool
) -> TimelineCalls:
    """Return the calls before the commits of a page; `begins` says whether it is the first one of its attempt."""
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for commit in commits:
        if commit.sequence is not None and commit.duplicate_of is None:
            places[commit.session_id].append((commit.sequence, commit.number))
    last = recordings.last_sequences(connection, [*places])
    spans: dict[str, tuple[int, int | None]] = {}
    for session_id, its in places.items():
        its.sort()
        opens = begins or any(commit.session_id == session_id and commit.number == 1 for commit in commits)
        highest = its[-1][0]
        spans[session_id] = (1 if opens else its[0][0], None if highest >= last.get(session_id, 0) else highest)
    parts, is_partial = recordings.parts_of_commits(connection, spans)
    by_session: dict[str, list[RecordedPart]] = defaultdict(list)
    for part in parts:
        by_session[part.session_id].append(part)
    before: dict[tuple[str, int], list[CallView]] = {}
    behind: dict[str, list[CallView]] = {}
    for session_id, its_parts in by_session.items():
        lowest, highest_span = spans[session_id]
        for view, commit_sequence in _views(request, its_parts):
            if commit_sequence < lowest or (highest_span is not None and commit_sequence > highest_span):
                continue
            number = next((number for sequence, number in places[session_id] if sequence >= commit_sequence), None)
            if number is None:
                behind.setdefault(session_id, []).append(view)
            else:
                before.setdefault((session_id, number), []).append(view)
    limit = max(MIN_CALLS, MAX_CALLS // max(1, len(before) + len(behind)))
    return TimelineCalls(
        {key: _group(views, limit) for key, views in before.items()},
        {key: _group(views, limit) for key, views in behind.items()},
        is_partial,
    )


def calls_after(
    request: web.Request, connection: Connection, session_id: str, after: int, limit: int
) -> tuple[list[CallView], int | None]:
    """Return up to `limit` calls of a session behind a number, and the number that the rest is behind."""
    views: list[CallView] = []
    for view, _ in _views(request, recordings.parts(connection, session_id, after=after)):
        if view.number > after:
            views.append(view)
        if len(views) > limit:
            return views[:limit], views[limit - 1].number
    return views, None


def _group(views: list[CallView], limit: int) -> CallGroup:
    return CallGroup(views[:limit], len(views), views[0].number)


def _views(request: web.Request, parts: Iterable[RecordedPart]) -> Iterable[tuple[CallView, int]]:
    sees_cmi = may_see_cmi(request)
    started_at = 0

    def bodies() -> Iterable[bytes]:
        nonlocal started_at
        for part in parts:
            started_at = started_at or part.started_at
            yield part.calls

    calls = iter(in_order(iter(bodies())))
    call = next(calls, None)
    while call is not None:
        following = next(calls, None)
        yield _view(call, following, started_at, sees_cmi=sees_cmi), call.commit
        call = following


def _view(call: RecordedCall, following: RecordedCall | None, started_at: int, *, sees_cmi: bool) -> CallView:
    error = error_after(call, following) or ""
    if not (error.isascii() and error.isdigit() and len(error) <= MAX_ERROR_LENGTH):
        error = error if sees_cmi else ""
    return CallView(
        call.number,
        started_at + call.at,
        f"{call.at / 1000:,.3f} s",
        call.duration_ms,
        call.method.value,
        ", ".join(_shown(value) for value in call.arguments) if sees_cmi else "",
        _shown(call.answer) if sees_cmi else "",
        truncate_text(error),
        call.manner,
    )


def _shown(value: CallValue) -> str:
    if isinstance(value, CutValue):
        beginning = f"{truncate_text(value.start)} " if value.start else ""
        return f"{beginning}({value.length:,} characters)"
    text = truncate_text(text_of(value)).replace("\0", "\u2400")
    return f'"{text}"' if isinstance(value, str) else text
