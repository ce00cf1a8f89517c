"""`scorm-bridge verify`: what is stored and what was sent for one learner and activity."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree
from sqlalchemy import Connection

from bridge.cli.database import looking
from bridge.clock import format_timestamp
from bridge.commit_model.responses import attempt_summary, enrollment_summary, resume_values, shown_version
from bridge.commit_model.state_codec import decode_attempt_state
from bridge.settings import Settings
from mappings.cmi.render import render
from mappings.generation.documents import JSON
from storage import lookups
from storage.lookups import AttemptReport, DeliveryLine, DocumentLine


@click.command()
@click.argument("learner")
@click.argument("activity")
@click.option("--course", help="Id of the course, where the activity is in several; empty for none.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def verify(settings: Settings, learner: str, activity: str, course: str | None, *, as_json: bool) -> None:
    """Show what is stored and what was sent for LEARNER and ACTIVITY. Exit status 1 when nothing is stored."""
    with looking(settings) as connection:
        found = enrollments(connection, learner, activity, course)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    elif found:
        # a pipe gets whole lines whatever the terminal's width is
        console = Console(emoji=False) if sys.stdout.isatty() else Console(width=10_000, emoji=False)
        for one in found:
            console.print(_tree(one))
    if not found:
        where = f" in course {course!r}" if course else ""
        click.echo(f"Nothing is stored for learner {learner!r} and activity {activity!r}{where}.", err=True)
        sys.exit(1)


def enrollments(connection: Connection, learner: str, activity: str, course: str | None = None) -> list[dict[str, Any]]:
    """Return the enrollments of a learner in an activity, of every LMS and course, with all that belongs to them."""
    return [
        msgspec.to_builtins(enrollment_summary(owner))
        | {"lms": owner.lms_name, "attempts": [_attempt(report) for report in lookups.reports(connection, owner)]}
        for owner in lookups.enrollments(connection, learner_id=learner, activity_id=activity, course_id=course)
    ]


def _attempt(report: AttemptReport) -> dict[str, Any]:
    row = report.attempt
    state = decode_attempt_state(row.state)
    summary: dict[str, Any] = msgspec.to_builtins(attempt_summary(row))
    return summary | {
        "cmi": render(state.snapshot, shown_version(row, state), resume_values(row, state)),
        "sessions": [
            {
                "session_id": one.session_id,
                "entry": one.entry,
                "started_at": format_timestamp(one.started_at),
                "ended_at": format_timestamp(one.ended_at),
                "ended": one.ended,
                "commits": [
                    {
                        "number": commit.number,
                        "received_at": format_timestamp(commit.received_at),
                        "format": commit.wire_format,
                        "disposition": commit.disposition,
                    }
                    for commit in report.commits
                    if commit.session_id == one.session_id
                ],
            }
            for one in report.sessions
        ],
        "statements": [
            {
                "id": one.id,
                "rule": one.rule,
                "verb": one.verb,
                "session_id": one.session_id,
                "commit": one.commit_number,
                "problem": one.problem,
                "deliveries": _deliveries(one.deliveries),
            }
            for one in report.statements
        ],
        "documents": [
            {
                "name": one.name,
                "resource": one.resource,
                "parameters": msgspec.json.decode(one.parameters),
                "content_type": one.content_type,
                "content": _content(one),
                "session_id": one.session_id,
                "commit": one.commit_number,
                "changed_at": format_timestamp(one.changed_at),
                "deliveries": _deliveries(one.deliveries),
            }
            for one in report.documents
        ],
    }


def _deliveries(lines: Sequence[DeliveryLine]) -> list[dict[str, Any]]:
    return [
        {
            "target": way.target or None,
            "state": way.state,
            "tries": way.tries,
            "settled_at": format_timestamp(way.settled_at),
            "last_status": way.last_status,
            "last_answer": way.last_answer if way.state != "delivered" else None,
        }
        for way in lines
    ]


def _content(one: DocumentLine) -> Any:
    return msgspec.json.decode(one.content) if one.content_type == JSON else one.content.decode()


def _tree(found: dict[str, Any]) -> Tree:
    learner, activity = found["learner"], found["activity"]
    course = f" of course [bold]{escape(found['course']['id'])}[/]" if found["course"]["id"] else ""
    tree = Tree(
        f"[bold]{escape(learner['id'])}[/] in [bold]{escape(activity['id'])}[/]{course} of {escape(found['lms'])}:"
        f" {found['total_attempts']} attempts, {found['completion_status']}, {found['success_status']},"
        f" best score {_score(found['best_score'])}, {found['total_time']}"
        f"\n[dim]registration {found['registration']}[/]"
    )
    for attempt in found["attempts"]:
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
                for one in attempt["statements"]:
                    if (one["session_id"], one["commit"]) == here:
                        line.add(f"[green]{one['rule']}[/] {one['id']} {_ways(one, one['problem'])}")
                for one in attempt["documents"]:
                    if (one["session_id"], one["commit"]) == here:
                        line.add(f"[cyan]{one['name']}[/] {one['resource']} {_ways(one)}")
    return tree


def _score(score: dict[str, Any] | None) -> str:
    return "none" if score is None else ", ".join(f"{name} {value:g}" for name, value in score.items())


def _ways(one: dict[str, Any], problem: str | None = None) -> str:
    ways = [problem] if problem else []
    for way in one["deliveries"]:
        answer = f" ({way['last_status'] or 'no answer'}: {way['last_answer']})" if way["last_answer"] else ""
        ways.append(f"{way['target'] or 'no LRS yet'}: {way['state']}{answer}")
    return escape("; ".join(ways))
