"""`scorm-bridge explain`: why a statement was made, where it is, and what happens next."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from sqlalchemy import Connection

from bridge.cli.database import open_connection
from bridge.cli.options import AS_JSON, UuidType
from bridge.cli.output import print_json
from bridge.clock import format_timestamp, system_now
from bridge.operations.delivery_status import next_step
from bridge.settings import Settings
from storage.queries import statements, timeline
from storage.queries.statements import DeliveryLineage


@click.command()
@click.argument("statement_id", type=UuidType())
@click.option("--body", "with_body", is_flag=True, help="Show the statement itself, and its commit as it was received.")
@AS_JSON
@click.pass_obj
def explain(settings: Settings, statement_id: str, *, with_body: bool, as_json: bool) -> None:
    """Explain why STATEMENT_ID was made, where it is, what each LRS answered, and what happens next."""
    with open_connection(settings) as connection:
        explanation = explain_statement(connection, statement_id, system_now(), with_body=with_body)
    if explanation is None:
        raise click.ClickException(f"No statement has the id {statement_id}.")
    if as_json:
        print_json(explanation)
    else:
        click.echo("\n".join(_as_lines(explanation)))


def explain_statement(connection: Connection, statement_id: str, now: int, *, with_body: bool) -> dict[str, Any] | None:
    """Return all there is to a statement, None where there is none of this id; `now` is in ms since the epoch.

    `left` is the attempt as the response to the commit reported it; bodies are included with `with_body`.
    """
    lineage = statements.lineage(connection, statement_id)
    if lineage is None:
        return None
    origin = lineage.origin
    explanation = {
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
        "deliveries": [_explain_delivery(connection, way, now, with_body=with_body) for way in lineage.ways],
    }
    if with_body:
        commit = timeline.received(connection, origin.session_id, origin.commit_number)
        explanation["body"] = msgspec.json.decode(origin.body)
        body = None if commit is None else commit.body
        explanation["received"] = None if body is None else body.decode(errors="replace")
    return explanation


def _as_lines(explanation: dict[str, Any]) -> list[str]:
    commit, attempt, states = explanation["commit"], explanation["attempt"], explanation["left"]
    mapping = f"{explanation['mapping']} {explanation['mapping_hash'][:12]}"
    lines = [
        f"statement {explanation['statement']}",
        f"  made by rule {explanation['rule']} of {mapping}, verb {explanation['verb']}",
        f"  of commit {commit['number']} ({commit['format']}, {commit['disposition']}, {commit['received_at']})",
        f"  of session {explanation['session']}, attempt {attempt['number']} ({attempt['id']})",
        f"  of learner {explanation['learner']} in activity {explanation['activity']} of {explanation['lms']}",
    ]
    if states:
        lines.append(
            f"  which left the attempt {states['status']}, {states['completion_status']}, {states['success_status']}"
        )
    if explanation["problem"]:
        lines.append(f"  never sent: {explanation['problem']}")
    for delivery in explanation["deliveries"]:
        lines.append(f"to {delivery['target'] or 'no LRS yet'}: {delivery['state']}; next: {delivery['next']}")
        if delivery["form"]:
            lines.append(f"  in another form: {delivery['form']}")
        lines += [
            f"  {line['started_at']} {line['status'] or 'no answer'} {line['outcome']} in {line['duration_ms']} ms:"
            f" {line['answer']}"
            for line in delivery["tries"]
        ]
        if "body" in delivery:
            lines += [f"  what {delivery['target']} gets:", _indented(delivery["body"])]
    if "body" in explanation:
        lines.append(_indented(explanation["body"]))
        lines += ["of the commit as it was received:", explanation["received"] or ""]
    return lines


def _indented(statement: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(statement)).decode()


def _explain_delivery(connection: Connection, way: DeliveryLineage, now: int, *, with_body: bool) -> dict[str, Any]:
    delivery, form = way.delivery, way.form
    explanation = {
        "number": delivery.id,
        "target": delivery.target or None,
        "state": delivery.state,
        "settled_at": format_timestamp(delivery.settled_at),
        "form": None if form is None else form.form,
        "next": next_step(connection, delivery, now).description,
        "tries": [line._asdict() | {"started_at": format_timestamp(line.started_at)} for line in way.tries],
    }
    if with_body and form is not None:
        explanation["body"] = msgspec.json.decode(form.body)
    return explanation
