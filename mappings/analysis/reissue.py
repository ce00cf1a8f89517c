"""Telling the past anew: which statements that were made are voided, and which take their place or are added.

A statement that was made is never made again under its id: an LRS would refuse another content, and never forget the
old. What takes its place is known by that id and the hash of the version it is made by, so that doing the same twice
does nothing twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from mappings.definition.diff import DifferenceKind
from mappings.generation.statements import Statement
from mappings.xapi.voiding import VOIDED, void, voiding_id

RULE = "voided"
"""What stands in place of a rule's name where a statement voids another one."""

_BEFORE_ID, _AFTER_ID = len('{"id":"'), len('{"id":"') + 36


class StoredStatement(msgspec.Struct, frozen=True):
    """A statement of an attempt as it is stored. Those with a `problem` were never sent."""

    id: str
    position: int
    rule: str
    version_id: int
    problem: str | None
    body: str


class ReissueStep(msgspec.Struct, frozen=True):
    """What is done about one statement: unless it stays the `same`, what is stored is voided, and what is made added.

    `of` is what the version would have made; `replacement` is that under the id it gets.
    """

    kind: DifferenceKind
    of: Statement | None
    stored: StoredStatement | None
    replacement: Statement | None


def plan_reissue(
    stored: Sequence[StoredStatement],
    generated: Sequence[Statement],
    *,
    current_bodies: Mapping[int, Mapping[str, str]],
    content_hash: str,
    hashes: Collection[str],
) -> Iterator[ReissueStep]:
    """Return what is to be done about an attempt's statements: first about those that are made, in their order.

    Args:
        stored: what was made, all of it, those that void and those that took a place among them.
        generated: what the version would have made, under the ids it would have given.
        current_bodies: version id -> id -> body, as stored ones would be made now; names may have changed.
        content_hash: of the version.
        hashes: of all versions that anything may have been told anew by.
    """
    # ends that a later commit made untrue were voided by the mapping itself, and are not made once more
    voiding_ids = {statement.id for statement in generated if statement.verb == VOIDED}
    generated = [
        statement for statement in generated if statement.verb != VOIDED and voiding_id(statement.id) not in voiding_ids
    ]
    ids = {statement.id for statement in stored}
    voiding = {voiding_id(statement.id) for statement in stored}
    standing = {
        statement.id: statement
        for statement in stored
        if statement.id not in voiding and voiding_id(statement.id) not in ids
    }
    for statement in generated:
        names = [statement.id, *(name for content_hash in hashes for name in _names(statement.id, content_hash, ids))]
        candidates = [standing.pop(name) for name in names if name in standing]
        if not candidates:
            yield ReissueStep(DifferenceKind.ADDED, statement, None, _renamed(statement, content_hash, ids))
            continue
        newest = max(candidates, key=lambda earlier: earlier.position)
        before = current_bodies.get(newest.version_id, {}).get(statement.id, newest.body)
        if _rest(statement.body) in (_rest(newest.body), _rest(before)):
            yield ReissueStep(DifferenceKind.SAME, statement, newest, None)
        else:
            yield ReissueStep(DifferenceKind.CHANGED, statement, newest, _renamed(statement, content_hash, ids))
    for earlier in standing.values():
        if earlier.problem is None:
            yield ReissueStep(DifferenceKind.DROPPED, None, earlier, None)


def voiding(stored: StoredStatement, at: int) -> Statement:
    """Build the statement that voids one, with its actor and context, dated in milliseconds since the epoch."""
    statement = void(stored.id, stored.body, at)
    return Statement(statement.id, 0, RULE, VOIDED, statement.body, statement.problem)


def _names(statement_id: str, content_hash: str, used_ids: Collection[str]) -> Iterator[str]:
    """Return the ids that a statement was told anew under, by one version."""
    turn = 0
    while (name := _name(statement_id, content_hash, turn)) in used_ids:
        yield name
        turn += 1


def _name(statement_id: str, content_hash: str, turn: int) -> str:
    again = f"\n{turn}" if turn else ""
    return str(uuid.uuid5(uuid.UUID(statement_id), content_hash + again))


class ReissueIds:
    """The ids that statements of an attempt were told anew under, and the next ones.

    Args:
        ids: of all statements of the attempt.
        hashes: of all versions that anything may have been told anew by.
    """

    def __init__(self, ids: Collection[str], hashes: Collection[str]) -> None:
        self._ids = set(ids)
        self._originals = {
            name: statement_id
            for statement_id in ids
            for content_hash in hashes
            for name in _names(statement_id, content_hash, self._ids)
        }

    def next_id(self, statement_id: str, content_hash: str) -> str:
        """Return the first free id by which a version tells a statement anew, which may itself be told anew."""
        original = self._originals.get(statement_id, statement_id)
        turn = sum(1 for _ in _names(original, content_hash, self._ids))
        name = _name(original, content_hash, turn)
        self._ids.add(name)
        return name


def with_id(body: str, statement_id: str) -> str:
    """Return a statement's JSON, which begins with its id, under another id."""
    return f"{body[:_BEFORE_ID]}{statement_id}{body[_AFTER_ID:]}"


def _renamed(statement: Statement, content_hash: str, used_ids: Collection[str]) -> Statement:
    """Return a statement under the first id of a version that is free."""
    turn = sum(1 for _ in _names(statement.id, content_hash, used_ids))
    new_id = _name(statement.id, content_hash, turn)
    return msgspec.structs.replace(statement, id=new_id, body=with_id(statement.body, new_id))


def _rest(body: str) -> str:
    """Return all of a statement but its id, which it begins with."""
    return body[_AFTER_ID:]
