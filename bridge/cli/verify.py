"""`scorm-bridge verify`: what is stored and what was sent for one learner and activity."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.markup import escape
from rich.tree import Tree
from sqlalchemy import Connection

from bridge.cli.database import open_connection
from bridge.cli.exit_codes import ExitCode
from bridge.cli.options import AS_JSON
from bridge.cli.output import open_console, print_items
from bridge.clock import format_timestamp
from bridge.commit_model.responses import attempt_summary, enrollment_summary, resume_values, shown_version
from bridge.commit_model.state_codec import decode_attempt_state
from bridge.settings import Settings
from mappings.cmi.render import render
from mappings.generation.documents import JSON
from storage.queries import lookups
from storage.queries.lookups import AttemptReport, DeliveryLine, DocumentLine
from storage.states import DeliveryState


@click.command()
@click.argument("learner")
@click.argument("activity")
@click.option("--course", help="Id of the course, where the activity is in several; empty for none.")
@AS_JSON
@click.pass_obj
def verify(settings: Settings, learner: str, activity: str, course: str | None, *, as_json: bool) -> None:
    """Show what is stored and was sent for LEARNER and ACTIVITY. The exit code is 1 when nothing is stored."""
    with open_connection(settings) as connection:
        enrollments = find_enrollments(connection, learner, activity, course)
    if as_json:
        print_items(enrollments)
    elif enrollments:
        console = open_console(markup=True)
        for enrollment in enrollments:
            console.print(_tree(enrollment))
    if not enrollments:
        where = f" in course {course!r}" if course else ""
        click.echo(f"Nothing is stored for learner {learner!r} and activity {activity!r}{where}.", err=True)
        sys.exit(ExitCode.FAILED)


def find_enrollments(
    connection: Connection, learner: str, activity: str, course: str | None = None
) -> list[dict[str, Any]]:
    """Return the enrollments of a learner in an activity, of every LMS and course, with all that belongs to them."""
    return [
        msgspec.to_builtins(enrollment_summary(owner))
        | {"lms": owner.lms_name, "attempts": [_as_object(report) for report in lookups.reports(connection, owner)]}
        for owner in lookups.enrollments(connection, learner_id=learner, activity_id=activity, course_id=course)
    ]


def _as_object(report: AttemptReport) -> dict[str, Any]:
    row = report.attempt
    state = decode_attempt_state(row.state)
    summary: dict[str, Any] = msgspec.to_builtins(attempt_summary(row))
    return summary | {
        "cmi": render(state.snapshot, shown_version(row, state), resume_values(row, state)),
        "sessions": [
            {
                "session_id": session.session_id,
                "entry": session.entry,
                "started_at": format_timestamp(session.started_at),
                "ended_at": format_timestamp(session.ended_at),
                "ended": session.ended,
                "commits": [
                    {
                        "number": commit.number,
                        "received_at": format_timestamp(commit.received_at),
                        "format": commit.wire_format,
                        "disposition": commit.disposition,
                    }
                    for commit in report.commits
                    if commit.session_id == session.session_id
                ],
            }
            for session in report.sessions
        ],
        "statements": [
            {
                "id": statement.id,
                "rule": statement.rule,
                "verb": statement.verb,
                "session_id": statement.session_id,
                "commit": statement.commit_number,
                "problem": statement.problem,
                "deliveries": _deliveries(statement.deliveries),
            }
            for statement in report.statements
        ],
        "documents": [
            {
                "name": document.name,
                "form": document.form,
                "resource": document.resource,
                "parameters": msgspec.json.decode(document.parameters),
                "content_type": document.content_type,
                "content": _content(document),
                "session_id": document.session_id,
                "commit": document.commit_number,
                "changed_at": format_timestamp(document.changed_at),
                "deliveries": _deliveries(document.deliveries),
            }
            for document in report.documents
        ],
    }


def _deliveries(lines: Sequence[DeliveryLine]) -> list[dict[str, Any]]:
    return [
        {
            "target": line.target or None,
            "state": line.state,
            "tries": line.tries,
            "settled_at": format_timestamp(line.settled_at),
            "last_status": line.last_status,
            "last_answer": line.last_answer if line.state != DeliveryState.DELIVERED else None,
        }
        for line in lines
    ]


def _content(document: DocumentLine) -> Any:
    return msgspec.json.decode(document.content) if document.content_type == JSON else document.content.decode()


def _tree(enrollment: dict[str, Any]) -> Tree:
    learner, activity = enrollment["learner"], enrollment["activity"]
    course = f" of course [bold]{escape(enrollment['course']['id'])}[/]" if enrollment["course"]["id"] else ""
    count = enrollment["total_attempts"]
    tree = Tree(
        f"[bold]{escape(learner['id'])}[/] in [bold]{escape(activity['id'])}[/]{course} of {escape(enrollment['lms'])}:"
        f" {count} {'attempt' if count == 1 else 'attempts'},"
        f" {enrollment['completion_status']}, {enrollment['success_status']},"
        f" best score {_score(enrollment['best_score'])}, {enrollment['total_time']}"
        f"\n[dim]registration {enrollment['registration']}[/]"
    )
    for attempt in enrollment["attempts"]:
        branch = tree.add(
            f"[bold]attempt {attempt['number']}[/] {attempt['status']}: {attempt['completion_status']},"
            f" {attempt['success_status']}, score {_score(attempt['score'])}, {attempt['total_time']}"
        )
        for session in attempt["sessions"]:
            ended = f"{session['ended']} {session['ended_at']}" if session["ended"] else "open"
            below = branch.add(
                f"session {session['session_id']} {session['entry']}, from {session['started_at']}, {ended}"
            )
            for commit in session["commits"]:
                line = below.add(
                    f"commit {commit['number']} {commit['disposition']} {commit['received_at']} {commit['format']}"
                )
                here = session["session_id"], commit["number"]
                for statement in attempt["statements"]:
                    if (statement["session_id"], statement["commit"]) == here:
                        states = _describe_deliveries(statement, statement["problem"])
                        line.add(f"[green]{statement['rule']}[/] {statement['id']} {states}")
                for document in attempt["documents"]:
                    if (document["session_id"], document["commit"]) == here:
                        line.add(f"[cyan]{document['name']}[/] {document['resource']} {_describe_deliveries(document)}")
    return tree


def _score(score: dict[str, Any] | None) -> str:
    return "none" if score is None else ", ".join(f"{name} {value:g}" for name, value in score.items())


def _describe_deliveries(delivered: dict[str, Any], problem: str | None = None) -> str:
    states = [problem] if problem else []
    for line in delivered["deliveries"]:
        answer = f" ({line['last_status'] or 'no answer'}: {line['last_answer']})" if line["last_answer"] else ""
        states.append(f"{line['target'] or 'no LRS yet'}: {line['state']}{answer}")
    return escape("; ".join(states))
