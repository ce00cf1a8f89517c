"""The statement validator: no statement passes that an LRS would refuse under either edition of xAPI.

What a rule makes differs from one time to the next only in id, time and result, in ids and names, which can be any
text where they stand, and in activities where it is about an interaction or objective. So the whole is judged once, and
after that only what differs and matters.
"""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from mappings.xapi.fast_checks import is_sound_activity, is_sound_result
from mappings.xapi.validation import Edition, check_activity, check_result, check_statement

MAX_VERDICTS = 10_000
"""Verdicts that are kept; when there are more, they are forgotten all at once."""
MAX_REMEMBERED_BYTES = 1_500
"""Bytes of an activity, or of all of a context, whose verdict is kept."""

_decode = msgspec.json.Decoder().decode


class _Context(msgspec.Struct):
    activities: msgspec.Raw = msgspec.field(name="contextActivities", default=msgspec.Raw(b"{}"))


class _Activities(msgspec.Struct):
    """The activities of a statement, still as JSON."""

    object: msgspec.Raw
    context: _Context


_decode_activities = msgspec.json.Decoder(_Activities).decode
_decode_groups = msgspec.json.Decoder(dict[str, list[msgspec.Raw]]).decode


class StatementValidator:
    """Judges statements, remembering which parts it has seen to be sound."""

    def __init__(self) -> None:
        self._sound: set[Hashable] = set()

    def problem(self, body: bytes, result: bytes, constant: Hashable, *, item: bool) -> str | None:
        """Return what is wrong with a statement, None when nothing is.

        Args:
            body: the statement.
            result: its result, empty where it has none.
            constant: what the rest of it is made of.
            item: whether its activities differ too.
        """
        if constant in self._sound:
            sound = not result or is_sound_result(result)
            if sound and not item:
                return None
            faults = [] if sound else list(check_result(_decode(result), "result"))
            if item:
                faults += self._faults_of_activities(body)
        else:
            statement = _decode(body)
            faults = [fault for edition in Edition for fault in check_statement(statement, "statement", edition)]
            if not faults:
                self._remember(constant)
        return "; ".join(dict.fromkeys(faults)) or None

    def _faults_of_activities(self, body: bytes) -> list[str]:
        parsed = _decode_activities(body)
        faults: list[str] = []
        if not is_sound_activity(parsed.object):
            faults += check_activity(_decode(parsed.object), "statement.object")
        context = bytes(parsed.context.activities)
        return faults if context in self._sound else faults + self._faults_of_context(context)

    def _faults_of_context(self, context: bytes) -> list[str]:
        """Return what is wrong with the activities of a context, which are the same for many of its items."""
        faults: list[str] = []
        for group, activities in _decode_groups(context).items():
            for activity in map(bytes, activities):
                if activity not in self._sound:
                    activity_faults = list(
                        check_activity(_decode(activity), f"statement.context.contextActivities.{group}")
                    )
                    faults += activity_faults
                    if not activity_faults and len(activity) <= MAX_REMEMBERED_BYTES:
                        self._remember(activity)
        if not faults and len(context) <= MAX_REMEMBERED_BYTES:
            self._remember(context)
        return faults

    def _remember(self, sound: Hashable) -> None:
        if len(self._sound) >= MAX_VERDICTS:
            self._sound.clear()
        self._sound.add(sound)
