"""Explains what a stored commit became and why, or what it would become by another mapping."""

from __future__ import annotations

from contextlib import closing

import msgspec
from sqlalchemy import Connection

from bridge.commit_model.state_codec import decode_session_state
from bridge.commit_model.statement_context import statement_context
from bridge.mapping_library.activation import compile_stored
from bridge.mapping_library.enrollment_history import decode_commit, enrollment_histories
from mappings.analysis.explain import Explanation
from mappings.analysis.replay import Replay, ReplayedCommit
from mappings.attempt.commit import Disposition
from mappings.definition import CompiledMapping
from mappings.definition.statement_context import StatementContext
from storage import journal_replay
from storage.queries import lookups


class ExplainedCommit(msgspec.Struct, frozen=True):
    """A commit of a session, explained; `closing` explains the end of the session, where this was its last commit.

    `version_id` is the version that applied to it, None where another mapping was asked for.
    """

    session_id: str
    number: int
    version_id: int | None
    context: StatementContext
    explanation: Explanation
    closing: Explanation | None


def explain_commit(
    connection: Connection, session_id: str, number: int, *, mapping: CompiledMapping | None = None
) -> ExplainedCommit | None:
    """Explain a commit, replaying each commit before it by the version of its time, or all of them by a mapping.

    Return None where there is no such commit. One that repeats another is explained as a duplicate only.

    Raises:
        UnreadableCommitError: this release cannot read it, or one before it.
        DefinitionError: a version has faults: another release of the bridge stored it.
    """
    session = lookups.find_session(connection, session_id)
    line = journal_replay.commit_line(connection, session_id, number)
    if session is None or line is None:
        return None
    versions: dict[int, CompiledMapping] = {}

    def version(version_id: int) -> CompiledMapping:
        if version_id not in versions:
            versions[version_id] = compile_stored(connection, version_id)
        return versions[version_id]

    version_id = None if mapping is not None else line.mapping_version_id
    context = statement_context(session.attempt, session_id, decode_session_state(session.state).launch.registration)
    if line.duplicate_of is not None:
        return ExplainedCommit(session_id, number, version_id, context, _duplicate(line.duplicate_of), None)
    results: list[ReplayedCommit] = []
    with closing(enrollment_histories(connection, [session.attempt.enrollment.id])) as enrollments:
        for enrollment in enrollments:
            replay = Replay(mapping or version(line.mapping_version_id), enrollment.attempts, (session_id, number))
            for row in enrollment.commits:
                replay.mapping = mapping or version(row.mapping_version_id)
                results += replay.apply(decode_commit(row))
            results += replay.finish()
    by_closing = {
        result.closing: result for result in results if (result.session_id, result.number) == (session_id, number)
    }
    commit, finish = by_closing[False], by_closing.get(True)
    return ExplainedCommit(
        session_id,
        number,
        version_id,
        commit.context,
        commit.explanation or _duplicate(commit.transition.duplicate_of),
        None if finish is None else finish.explanation,
    )


def _duplicate(duplicate_of: int | None) -> Explanation:
    """Return the explanation of a commit that repeats another one: it did nothing."""
    return Explanation(Disposition.DUPLICATE, duplicate_of, (), (), (), ())
