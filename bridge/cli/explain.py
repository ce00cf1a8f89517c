"""`scorm-bridge explain`: why a statement was made, where it is, and what happens next."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from sqlalchemy import Connection

from bridge.cli.database import looking
from bridge.cli.options import Uuid
from bridge.cli.output import AS_JSON, as_json
from bridge.clock import format_timestamp, system_now
from bridge.operations.delivery_status import next_step
from bridge.settings import Settings
from storage.audit import statements, timeline
from storage.audit.statements import Way


@click.command()
@click.argument("statement_id", type=Uuid())
@click.option("--body", "with_body", is_flag=True, help="Show the statement itself, and its commit as it was received.")
@AS_JSON
@click.pass_obj
def explain(settings: Settings, statement_id: str, *, with_body: bool, as_json_: bool) -> None:
    """Tell why STATEMENT_ID was made, where it is, what each LRS answered, and what happens next."""
    with looking(settings) as connection:
        told = explained(connection, statement_id, system_now(), with_body=with_body)
    if told is None:
        raise click.ClickException(f"No statement has the id {statement_id}.")
    if as_json_:
        as_json(told)
    else:
        click.echo("\n".join(lines(told)))


def explained(connection: Connection, statement_id: str, now: int, *, with_body: bool) -> dict[str, Any] | None:
    """Give all there is to a statement, None where there is none of this id. `now` is in milliseconds.

    `left` is what the commit's answer told of the attempt after it; bodies are given where `with_body` asks for them.
    """
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
            "received_at": format_timestamp(origin.received_at),
            "format": origin.wire_format,
            "content_type": origin.content_type,
            "disposition": origin.disposition,
        },
        "left": None if origin.response is None else msgspec.json.decode(origin.response).get("attempt"),
        "deliveries": [_way(connection, way, now) for way in found.ways],
    }
    if with_body:
        commit = timeline.received(connection, origin.session_id, origin.commit_number)
        told["body"] = msgspec.json.decode(origin.body)
        told["received"] = None if commit is None else commit.body.decode(errors="replace")
    return told


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
    if told["left"]:
        left = told["left"]
        said.append(f"  which left the attempt {left['status']}, {left['completion_status']}, {left['success_status']}")
    if told["problem"]:
        said.append(f"  never sent: {told['problem']}")
    for way in told["deliveries"]:
        said.append(f"to {way['target'] or 'no LRS yet'}: {way['state']}; next: {way['next']}")
        for line in way["tries"]:
            status = line["status"] or "no answer"
            said.append(
                f"  {line['started_at']} {status} {line['outcome']} in {line['duration_ms']} ms: {line['answer']}"
            )
    if "body" in told:
        said.append(msgspec.json.format(msgspec.json.encode(told["body"])).decode())
        said += ["of the commit as it was received:", told["received"] or ""]
    return said


def _way(connection: Connection, way: Way, now: int) -> dict[str, Any]:
    one = way.delivery
    return {
        "number": one.id,
        "target": one.target or None,
        "state": one.state,
        "settled_at": format_timestamp(one.settled_at),
        "next": next_step(connection, one, now).description,
        "tries": [line._asdict() | {"started_at": format_timestamp(line.started_at)} for line in way.tries],
    }
