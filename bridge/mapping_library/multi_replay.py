"""Replays one enrollment by several mapping versions at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bridge.mapping_library.enrollment_history import EnrollmentHistory, decode_commit
from mappings.analysis.replay import Replay, ReplayedCommit
from mappings.definition import CompiledMapping
from mappings.generation.statements import Statement
from storage.journal_replay import JournalSpan


class ReplayedStatement(NamedTuple):
    """A statement, and the commit of a session that it belongs to."""

    statement: Statement
    session_id: str
    number: int


class MultiReplay:
    """The statements of an enrollment's commits within a span.

    Attributes:
        bodies: by the id of each version: statements by their ids.
        statements: those of the version `main_version_id`, by the id of the attempt's row.
        commits: session id and number of the commits within the span.
    """

    def __init__(
        self,
        enrollment: EnrollmentHistory,
        mappings: Mapping[int, CompiledMapping],
        main_version_id: int,
        span: JournalSpan,
    ) -> None:
        self.bodies: dict[int, dict[str, str]] = {version_id: {} for version_id in mappings}
        self.statements: dict[int, list[ReplayedStatement]] = {}
        self.commits: set[tuple[str, int]] = set()
        self._enrollment = enrollment
        self._main_version_id = main_version_id
        until = float("inf") if span.until is None else span.until
        replays = {version_id: Replay(mapping, enrollment.attempts) for version_id, mapping in mappings.items()}
        for row in enrollment.commits:
            if span.since <= row.received_at < until:
                self.commits.add((row.session_id, row.number))
            commit = decode_commit(row)
            for version_id, replay in replays.items():
                self._add(version_id, replay.apply(commit))
        for version_id, replay in replays.items():
            self._add(version_id, replay.finish())

    def attempt_ids(self) -> Sequence[int]:
        """Return the ids of the attempts' rows."""
        return list(dict.fromkeys(self._enrollment.attempt_ids.values()))

    def _add(self, version_id: int, results: Iterable[ReplayedCommit]) -> None:
        for result in results:
            if (result.session_id, result.number) not in self.commits:
                continue
            self.bodies[version_id] |= {statement.id: statement.body for statement in result.statements}
            if version_id == self._main_version_id:
                attempt_id = self._enrollment.attempt_ids[result.session_id]
                self.statements.setdefault(attempt_id, []).extend(
                    ReplayedStatement(statement, result.session_id, result.number) for statement in result.statements
                )
