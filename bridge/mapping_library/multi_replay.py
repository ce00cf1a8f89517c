"""One enrollment told by several versions at once: what each makes of the commits of a span."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bridge.mapping_library.enrollment_history import EnrollmentHistory, received
from mappings.analysis.replay import Replay, Told
from mappings.definition import CompiledMapping
from mappings.generation.statements import Statement
from storage.journal_replay import JournalSpan


class Made(NamedTuple):
    """A statement, and the commit of a session that it is of."""

    statement: Statement
    session_id: str
    number: int


class MultiReplay:
    """What is made of an enrollment's commits that a span has.

    `bodies` has what each version makes, by its id and the statement's; `made` what one of them makes of each attempt,
    by its row's id; `within` are the commits, by session id and number.
    """

    def __init__(
        self, story: EnrollmentHistory, mappings: Mapping[int, CompiledMapping], of: int, span: JournalSpan
    ) -> None:
        self.bodies: dict[int, dict[str, str]] = {one: {} for one in mappings}
        self.made: dict[int, list[Made]] = {}
        self.within: set[tuple[str, int]] = set()
        self._story = story
        self._of = of
        until = float("inf") if span.until is None else span.until
        replays = {one: Replay(mapping, story.attempts) for one, mapping in mappings.items()}
        for row in story.commits:
            if span.since <= row.received_at < until:
                self.within.add((row.session_id, row.number))
            one = received(row)
            for version_id, replay in replays.items():
                self._note(version_id, replay.tell(one))
        for version_id, replay in replays.items():
            self._note(version_id, replay.end())

    def attempt_ids(self) -> Sequence[int]:
        """Give the ids of the attempts' rows."""
        return list(dict.fromkeys(self._story.attempt_ids.values()))

    def _note(self, version_id: int, found: Iterable[Told]) -> None:
        for one in found:
            if (one.session_id, one.number) in self.within:
                self.bodies[version_id] |= {statement.id: statement.body for statement in one.statements}
                if version_id == self._of:
                    its = self.made.setdefault(self._story.attempt_ids[one.session_id], [])
                    its += [Made(statement, one.session_id, one.number) for statement in one.statements]
