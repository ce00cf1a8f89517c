"""Why a statement was made, where it is, and what happens next: as data and as lines for people."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection

from bridge.commits.replies import time_text
from bridge.delivery_waits import next_of
from storage.audit import statements
from storage.audit.statements import Way


def explained(connection: Connection, statement_id: str, now: int, *, with_body: bool) -> dict[str, Any] | None:
    """Give all there is to a statement, None where there is none of this id. `now` is in milliseconds."""
    found = statements.lineage(connection, statement_id)
    if found is None:
        return None
    origin = found.origin
    told = {
        "statement": statement_id,
        "rule": origin.rule,
        "verb": origin.verb,
        "mapping": origin.mapping,
        "mapping_hash": origin.mapping_hash,
        "problem": origin.problem,
        "lms": origin.lms,
        "learner": origin.learner_id,
        "activity": origin.activity_id,
        "attempt": {"id": origin.attempt_id, "number": origin.attempt_number},
        "session": origin.session_id,
        "commit": {
            "number": origin.commit_number,
            "received_at": time_text(origin.received_at),
            "format": origin.wire_format,
            "disposition": origin.disposition,
        },
        "deliveries": [_way(connection, way, now) for way in found.ways],
    }
    return told | {"body": msgspec.json.decode(origin.body)} if with_body else told


def lines(told: dict[str, Any]) -> list[str]:
    """Give what `explained` gave as lines for people."""
    commit, attempt = told["commit"], told["attempt"]
    said = [
        f"statement {told['statement']}",
        f"  made by rule {told['rule']} of {told['mapping']} {told['mapping_hash'][:12]}, verb {told['verb']}",
        f"  of commit {commit['number']} ({commit['format']}, {commit['disposition']}, {commit['received_at']})",
        f"  of session {told['session']}, attempt {attempt['number']} ({attempt['id']})",
        f"  of learner {told['learner']} in activity {told['activity']} of {told['lms']}",
    ]
    for way in told["deliveries"]:
        said.append(f"to {way['target'] or 'no LRS yet'}: {way['state']}; next: {way['next']}")
        for line in way["tries"]:
            status = line["status"] or "no answer"
            said.append(f"  {line['started_at']} {status} {line['outcome']} in {line['took']} ms: {line['answer']}")
    if "body" in told:
        said.append(msgspec.json.format(msgspec.json.encode(told["body"])).decode())
    return said


def _way(connection: Connection, way: Way, now: int) -> dict[str, Any]:
    one = way.delivery
    return {
        "number": one.id,
        "target": one.target or None,
        "state": one.state,
        "settled_at": time_text(one.settled_at),
        "next": next_of(connection, one, now).words,
        "tries": [line._asdict() | {"started_at": time_text(line.started_at)} for line in way.tries],
    }
