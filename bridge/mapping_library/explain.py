"""What a stored commit became, and why; or what it would become by another mapping."""

from __future__ import annotations

from contextlib import closing

import msgspec
from sqlalchemy import Connection

from bridge.commit_model.state_codec import decode_session_state
from bridge.commit_model.statement_context import statement_context
from bridge.mapping_library.activation import compile_stored
from bridge.mapping_library.enrollment_history import enrollment_histories, received
from mappings.analysis.explain import Explanation
from mappings.analysis.replay import Replay, Told
from mappings.definition import CompiledMapping
from mappings.definition.statement_context import StatementContext
from storage import journal_replay
from storage.queries import lookups


class ExplainedCommit(msgspec.Struct, frozen=True):
    """A commit of a session. `closing` explains what was made of closing the session, where this was its last commit.

    `version_id` is the version that told it, None where another mapping was asked.
    """

    session_id: str
    number: int
    version_id: int | None
    context: StatementContext
    explanation: Explanation
    closing: Explanation | None


def explained_commit(
    connection: Connection, session_id: str, number: int, *, mapping: CompiledMapping | None = None
) -> ExplainedCommit | None:
    """Explain a commit as it was told, each commit before it by the version of its time; or all of them by a mapping.

    None where there is no such commit. One that repeats another is said to be a duplicate, and nothing else.

    Raises:
        UnreadableError: this release cannot read it, or one before it.
        DocumentError: a version has faults: another release of the bridge made it.
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

    shown = None if mapping is not None else line.mapping_version_id
    facts = statement_context(session.attempt, session_id, decode_session_state(session.state).launch.registration)
    if line.duplicate_of is not None:
        return ExplainedCommit(session_id, number, shown, facts, _repeats(line.duplicate_of), None)
    found: list[Told] = []
    with closing(enrollment_histories(connection, [session.attempt.enrollment.id])) as told:
        for story in told:
            replay = Replay(mapping or version(line.mapping_version_id), story.attempts, (session_id, number))
            for row in story.commits:
                replay.mapping = mapping or version(row.mapping_version_id)
                found += replay.tell(received(row))
            found += replay.end()
    own = {one.closing: one for one in found if (one.session_id, one.number) == (session_id, number)}
    commit, closed = own[False], own.get(True)
    return ExplainedCommit(
        session_id,
        number,
        shown,
        commit.context,
        commit.explanation or _repeats(commit.transition.duplicate_of),
        None if closed is None else closed.explanation,
    )


def _repeats(duplicate_of: int | None) -> Explanation:
    """Explain a commit that repeats another one: it did nothing."""
    return Explanation("duplicate", duplicate_of, (), (), (), ())
