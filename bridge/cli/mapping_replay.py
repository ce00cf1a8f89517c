"""`scorm-bridge mapping preview`, `impact` and `reissue`: applying a document to other commits than new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from bridge import formats
from bridge.cli.database import open_connection, open_database
from bridge.cli.options import AS_JSON, BY, YES, TimeType, UuidType
from bridge.cli.output import open_console, print_json, print_table
from bridge.clock import system_now
from bridge.mapping_library import activation
from bridge.mapping_library.activation import ACTIVE, LibraryError, find_document
from bridge.mapping_library.explain import explain_commit
from bridge.mapping_library.impact import CPU_COUNT, DEFAULT_DAYS, ImpactInput, measure_impact
from bridge.mapping_library.preview import parse_body, preview_commit
from bridge.mapping_library.reissue import Reissue, validate_span
from bridge.operations.audit_context import AuditContext
from bridge.settings import Settings
from mappings.analysis.explain import Explanation
from mappings.analysis.impact import Impact
from mappings.generation.statements import RuleOutcome
from storage.engine import reading, writing
from storage.journal_replay import JournalSpan

MILLISECONDS_PER_DAY = 86_400_000


@click.command()
@click.argument("document")
@click.argument("commit", type=click.File("rb"), default="-")
@click.option(
    "--format",
    "wire_format",
    type=click.Choice(sorted(formats.BY_NAME)),
    help="Wire format; by default it is detected.",
)
@click.option(
    "--session",
    type=UuidType(),
    help="Apply it as the next commit of this session, instead of the first of a new attempt.",
)
@click.option("--number", type=int, help="Apply this stored commit of --session instead of a file.")
@AS_JSON
@click.pass_obj
def preview(
    settings: Settings,
    document: str,
    commit: BinaryIO,
    wire_format: str | None,
    session: str | None,
    number: int | None,
    *,
    as_json: bool,
) -> None:
    """Show the statements of COMMIT, a file with a body in any wire format (- for standard input), by DOCUMENT."""
    with open_connection(settings) as connection:
        mapping = find_document(connection, document)
        if number is not None:
            if session is None:
                raise click.UsageError("--number needs --session.")
            explained = explain_commit(connection, session, number, mapping=mapping)
            if explained is None:
                raise LibraryError(f"There is no commit {number} of session {session}.")
            explanation = explained.explanation
        else:
            arrival = parse_body(commit.read(), system_now(), wire_format=wire_format)
            explanation = preview_commit(mapping, arrival, connection=connection, session_id=session).explanation
    if as_json:
        print_json(_as_object(explanation))
    else:
        click.echo("\n".join(_as_lines(explanation)))


@click.command()
@click.argument("document")
@click.option("--against", default=ACTIVE, show_default=True, help="The document to compare with.")
@click.option(
    "--days",
    type=click.IntRange(1, 36_500),
    default=DEFAULT_DAYS,
    show_default=True,
    help="Days of commits, up to now.",
)
@click.option("--lms", help="Name of the LMS; by default all LMSs.")
@click.option(
    "--processes",
    type=click.IntRange(0, 64),
    default=min(CPU_COUNT, 64),
    show_default="one for each processor",
    help="Number of processes that share the work.",
)
@AS_JSON
@click.pass_obj
def impact(
    settings: Settings, document: str, against: str, days: int, lms: str | None, processes: int, *, as_json: bool
) -> None:
    """Replay stored commits by DOCUMENT: statements that would be added, dropped or changed, by rule, with examples."""
    with open_database(settings) as engine:
        with reading(engine) as connection:
            lms_id = None if lms is None else activation.find_lms(connection, lms)
            request = ImpactInput(
                find_document(connection, against, lms_id).definition.text,
                find_document(connection, document, lms_id).definition.text,
                JournalSpan(system_now() - days * MILLISECONDS_PER_DAY, lms=lms),
            )
        with _show_progress() as advance:
            result = measure_impact(engine, request, processes=processes, progress=advance)
    if as_json:
        print_json(result)
    else:
        _print_impact(result)


@click.command()
@click.argument("document")
@click.option("--preview", "only_preview", is_flag=True, help="Show what would be done, and change nothing.")
@click.option("--lms", help="Name of the LMS.")
@click.option("--learner", help="Id of the learner.")
@click.option("--activity", help="Id of the activity.")
@click.option("--course", help="Id of the course; empty for activities outside of courses.")
@click.option("--since", type=TimeType(), default=0, help="Commits received at this time or later.")
@click.option("--until", type=TimeType(), help="Commits received before this time.")
@click.option("--reason", help="Reason for the audit log; required without --preview.")
@BY
@YES
@AS_JSON
@click.pass_obj
def reissue(
    settings: Settings,
    /,
    document: str,
    reason: str | None,
    by: str,
    *,
    only_preview: bool,
    yes: bool,
    as_json: bool,
    **selection: Any,
) -> None:
    """Re-issue the statements of stored commits by DOCUMENT, a stored version.

    Statements that it would make differently are voided and made again, those that it would not make are voided, and
    further ones are added. The command can be interrupted and repeated.
    """
    if not only_preview and not reason:
        raise click.UsageError("Give a --reason, or show the changes first with --preview.")
    span = JournalSpan(**selection)
    validate_span(span)
    with open_database(settings) as engine:
        with writing(engine) as connection:
            mapping = find_document(connection, document)
            version_id = activation.store_version(connection, mapping, system_now())
        run = Reissue(engine, version_id, span, settings.targets)
        with _show_progress() as advance:
            result = run.preview(advance)
        if not only_preview and reason:
            if not yes:
                _print_impact(result)
                click.confirm("Void and add these statements?", abort=True, err=True)
            with _show_progress() as advance:
                result = run.run(AuditContext(by, reason, system_now()), system_now, advance)
    if as_json:
        print_json(result)
    else:
        _print_impact(result)


@contextmanager
def _show_progress() -> Iterator[Callable[[int, int], None]]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replaying", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _as_object(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation for JSON output, in which statements are JSON themselves."""
    converted: dict[str, Any] = msgspec.to_builtins(explanation)
    for statement in converted["statements"]:
        statement["body"] = msgspec.json.decode(statement["body"])
    return converted


def _as_lines(explanation: Explanation) -> list[str]:
    original = "" if explanation.duplicate_of is None else f" of commit {explanation.duplicate_of}"
    lines = [f"{explanation.disposition}{original}"]
    for change in explanation.changes:
        about = "" if change.about is None else f" ({change.about['kind']} {change.about.get('id', '')})"
        before, after = (msgspec.json.encode(value).decode() for value in (change.before, change.after))
        values = "" if before == after else f": {before} -> {after}"
        lines.append(f"  changed: {change.trigger}{about}{values}")
    lines += [f"  warning: {warning.element}: {warning.message}" for warning in explanation.warnings]
    for rule in explanation.rules:
        result = f"fired, made {rule.statement}" if rule.reason == RuleOutcome.FIRED else f"silent, {rule.why}"
        lines.append(f"  rule {rule.rule}: {result}")
        if rule.reason == RuleOutcome.CONDITION and rule.variables is not None:
            lines.append(f"    evaluated with {msgspec.json.encode(rule.variables).decode()}")
    for statement in explanation.statements:
        body = msgspec.json.format(statement.body.encode()).decode()
        problem = f": {statement.problem}" if statement.problem else ""
        lines += [f"{statement.rule}, {statement.verb}{problem}", body]
    return lines


def _print_impact(result: Impact) -> None:
    console = open_console()
    console.print(f"{result.commits:,} commits of {result.enrollments:,} enrollments were replayed.")
    if result.skipped:
        console.print(f"{result.skipped:,} could not be read, or were removed by [retention], and were left out.")
    print_table(
        ("rule", "added", "dropped", "changed", "same"),
        (
            (rule, *(f"{number:,}" for number in (counts.added, counts.dropped, counts.changed, counts.same)))
            for rule, counts in sorted(result.rules.items())
        ),
    )
    for example in result.examples:
        console.print(f"{example.kind} by {example.rule}, commit {example.number} of session {example.session_id}")
        for sign, body in (("-", example.before), ("+", example.after)):
            if body is not None:
                console.print(f"  {sign} {body}")
