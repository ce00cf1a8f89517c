"""Removes an LMS with everything that is stored of its learners. What LRSs have of them stays there.

A run can be killed at any moment: the same command goes on where it was. It works beside live traffic, a short
transaction at a time, each of which holds one enrollment as a commit does.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from functools import partial

from sqlalchemy import Connection, Engine

from bridge.clock import NewId, Now
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.operations.browser_keys import browser_key_subject
from bridge.operations.lms import describe_contents, find_lms
from bridge.operations.tokens import token_subject
from mappings.xapi.voiding import VOIDED
from storage import browser_keys, erasing, erasures, lms_contents, tokens
from storage.engine import Transact, reading, transactions
from storage.erasing import ErasurePlan
from storage.erasures import Later, NewErasure
from storage.lms import Lms
from storage.lms_contents import LmsContents
from storage.tables import enrollment

BATCH_SIZE = 100
"""Enrollments that are looked up at once."""
EVERYBODY = ""
"""Stands for all learners of an LMS where erasures name one; no learner has this id."""


def remove_lms_with_data(
    engine: Engine,
    name: str,
    context: AuditContext,
    *,
    targets: Collection[str],
    now: Now,
    new_id: NewId,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> LmsContents:
    """Remove an LMS with its tokens, its learners and all that is stored of them; return how much that was.

    Its tokens are revoked first, so that nothing new comes. What waits for a target is not sent any more. `progress` is
    called with the number of enrollments that are done, and of all.

    Raises:
        LmsError: there is no such LMS.
    """
    transact = transactions(engine)
    owner, erasure_id, contents = transact(partial(_begin, name=name, context=context, now=now, new_id=new_id))
    # every target keeps what it has, so nothing is voided
    plan = ErasurePlan(
        erasure_id, frozenset(targets), tuple(targets), lambda _statement_id, _home_page: "", VOIDED, _tell_nobody
    )
    done = 0
    while not transact(partial(_finish, owner=owner, erasure_id=erasure_id, contents=contents, context=context)):
        for enrollment_id in _enrollment_ids(engine, owner.id):
            _erase(transact, plan, enrollment_id, now)
            done += 1
            progress(done, max(done, contents.enrollments))
    erasing.empty_log(engine)
    return contents


def _tell_nobody(_connection: Connection, _lms_id: int, _learner_id: str) -> None:
    """Tell no LMS of its learners' erasure: it is the one that goes."""


def _begin(
    connection: Connection, *, name: str, context: AuditContext, now: Now, new_id: NewId
) -> tuple[Lms, int, LmsContents]:
    """Revoke the tokens, begin an erasure or go on with one, and return it with the LMS and what it has."""
    owner = find_lms(connection, name)
    valid = [token.id for token in tokens.of_lms(connection, owner.id) if token.revoked_at is None]
    tokens.revoke(connection, valid, context.at)
    for token_id in valid:
        record(connection, context, AuditAction.REVOKE_TOKEN, token_subject(owner, token_id), detail="LMS removed")
    pages = [key.id for key in browser_keys.of_lms(connection, owner.id) if key.revoked_at is None]
    browser_keys.revoke(connection, pages, context.at)
    for key_id in pages:
        subject = browser_key_subject(owner, key_id)
        record(connection, context, AuditAction.REVOKE_BROWSER_KEY, subject, detail="LMS removed")
    key = erasures.ensure_digest_key(connection, secrets.token_bytes(32))
    digest = erasures.learner_digest(key, owner.id, EVERYBODY)
    erasure_id = erasures.unfinished(connection, digest)
    if erasure_id is None:
        new = NewErasure(new_id(), digest, name, Later.ACCEPT, now(), context.by, context.reason)
        erasure_id = erasures.begin(connection, new)
    return owner, erasure_id, lms_contents.count(connection, owner.id)


def _enrollment_ids(engine: Engine, lms_id: int) -> list[int]:
    with reading(engine) as connection:
        return erasing.enrollment_ids(connection, [enrollment.c.lms_id == lms_id], BATCH_SIZE)


def _erase(transact: Transact, plan: ErasurePlan, enrollment_id: int, now: Now) -> None:
    def erase_part(connection: Connection) -> bool:
        return erasing.erase_part(connection, plan, enrollment_id, now())

    while transact(erase_part):
        pass


def _finish(
    connection: Connection, *, owner: Lms, erasure_id: int, contents: LmsContents, context: AuditContext
) -> bool:
    """Remove the LMS itself, unless something of its learners is left; return whether it is gone."""
    if erasing.enrollment_ids(connection, [enrollment.c.lms_id == owner.id], 1):
        return False
    erasures.finish(connection, erasure_id, context.at)
    lms_contents.delete_empty(connection, owner.id)
    detail = f"home page {owner.home_page}, with {describe_contents(contents)}"
    record(connection, context, AuditAction.REMOVE_LMS, owner.name, detail=detail)
    return True
