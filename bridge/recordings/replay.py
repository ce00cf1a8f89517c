"""A recording as the commits that its page made of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec

from bridge.clock import format_timestamp
from bridge.recordings.calls import CallManner, CallMethod, CallValue, CutValue, text_of
from bridge.recordings.download import CallLine, Recording

SUSPEND_DATA = "cmi.suspend_data"
_ENTRY = {"cmi.core.entry", "cmi.entry"}
_TOTAL_TIME = {"cmi.core.total_time", "cmi.total_time"}
_LAUNCH = {"cmi.core.lesson_mode": "mode", "cmi.mode": "mode", "cmi.core.credit": "credit", "cmi.credit": "credit"}
_WORDS = {"mode": {"normal", "browse", "review"}, "credit": {"credit", "no-credit"}}


class PageCommit(msgspec.Struct, frozen=True, gc=False):
    """A commit in the bridge's own format."""

    cmi: dict[str, str]
    sequence: int
    terminated: bool
    committed_at: str | None
    scorm_version: str | None


def commits_of(recording: Recording) -> list[PageCommit]:
    """Return the commits of a recording as the tap sent them: what was set and accepted, between one and the next."""
    commits = []
    for sequence, group in groupby(sorted(recording.calls, key=_order), key=lambda call: call.commit):
        calls = list(group)
        cmi = {
            text_of(call.arguments[0]): text_of(call.arguments[1])
            for call in calls
            if call.method is CallMethod.SET_VALUE and _is_accepted(call) and _is_whole(call)
        }
        if sequence == 1:
            cmi = _read_by_tap(calls) | cmi
        terminated = any(
            call.method is CallMethod.TERMINATE and _is_accepted(call) and call.manner is not CallManner.INNER
            for call in calls
        )
        if cmi or terminated or sequence == 1:
            at = recording.header.started_at + calls[-1].at_ms + calls[-1].duration_ms
            version = recording.header.scorm_version
            commits.append(PageCommit(cmi, sequence, terminated, format_timestamp(at), version))
    return commits


def launch_of(recording: Recording) -> dict[str, str]:
    """Return mode and credit, as far as the LMS said them when the course started."""
    launch = {}
    for call in recording.calls:
        name = _LAUNCH.get(text_of(call.arguments[0])) if call.manner is CallManner.TAP and call.arguments else None
        if name is not None and (value := text_of(call.answer)) in _WORDS[name]:
            launch[name] = value
    return launch


def differences(recording: Recording) -> list[str]:
    """Return why statements of a replay can differ from those of the session, as sentences."""
    reasons = []
    lost = recording.header.made - len(recording.calls)
    if lost > 0:
        reasons.append(f"{lost:,} calls were not kept.")
    if recording.header.entry == "resume":
        reasons.append(
            "The session went on with an attempt; the replay begins one, so what was known before is missing."
        )
    cut = sum(_is_cut(value) for call in recording.calls for value in call.arguments[1:2])
    if cut:
        reasons.append(f"{cut:,} values are longer than what is recorded, and set to how they begin.")
    return reasons


def _order(call: CallLine) -> tuple[int, int]:
    return call.commit, call.number


def _is_accepted(call: CallLine) -> bool:
    return call.manner is not CallManner.THREW and (call.answer is None or text_of(call.answer) == "true")


def _is_whole(call: CallLine) -> bool:
    return len(call.arguments) > 1 and not (
        isinstance(call.arguments[1], CutValue) and text_of(call.arguments[0]) == SUSPEND_DATA
    )


def _is_cut(value: CallValue) -> bool:
    return isinstance(value, CutValue) and bool(value.start)


def _read_by_tap(calls: Sequence[CallLine]) -> dict[str, str]:
    read = {
        text_of(call.arguments[0]): text_of(call.answer)
        for call in calls
        if call.manner is CallManner.TAP and call.arguments and call.answer is not None
    }
    entry = {name: value for name, value in read.items() if name in _ENTRY and value}
    if "resume" in entry.values():
        entry |= {name: value for name, value in read.items() if name in _TOTAL_TIME and value}
    return entry
