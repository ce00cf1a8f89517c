"""`scorm-bridge mapping preview`, `impact` and `reissue`: what a document would do, and doing it to the past."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bridge import formats
from bridge.cli.database import database, looking, user
from bridge.cli.options import Time, Uuid
from bridge.clock import system_now
from bridge.mapping_library import activation
from bridge.mapping_library.activation import LibraryError
from bridge.mapping_library.documents import find_document
from bridge.mapping_library.explain import explained_commit
from bridge.mapping_library.impact import ALL_PROCESSORS, DAYS
from bridge.mapping_library.impact import impact as compare
from bridge.mapping_library.preview import arrival_of, previewed
from bridge.mapping_library.reissue import Reissue, check_span
from bridge.operations.audit_context import AuditContext
from bridge.settings import Settings
from mappings.analysis.explain import Explanation
from mappings.analysis.impact import Impact
from storage.engine import reading, writing
from storage.histories import Span

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
DAY = 86_400_000
"""Milliseconds."""


@click.command()
@click.argument("document")
@click.argument("commit", type=click.File("rb"), default="-")
@click.option("--format", "wire_format", type=click.Choice(sorted(formats.BY_NAME)), help="By default recognised.")
@click.option("--session", type=Uuid(), help="As the next commit of this session, instead of a new attempt's first.")
@click.option("--number", type=int, help="Take this commit of --session, as it was stored, instead of a file.")
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
    """Show what COMMIT, a file with a body in any wire format (- for standard input), would become by DOCUMENT."""
    with looking(settings) as connection:
        mapping = find_document(connection, document)
        if number is not None:
            if session is None:
                raise click.UsageError("--number needs --session.")
            found = explained_commit(connection, session, number, mapping=mapping)
            if found is None:
                raise LibraryError(f"There is no commit {number} of session {session}.")
            told = found.explanation
        else:
            arrival = arrival_of(commit.read(), system_now(), wire_format=wire_format)
            told = previewed(mapping, arrival, connection=connection, session_id=session).explanation
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(as_object(told))).decode())
    else:
        click.echo("\n".join(lines(told)))


@click.command()
@click.argument("document")
@click.option("--against", default="active", show_default=True, help="The document to compare with.")
@click.option(
    "--days", type=click.IntRange(1, 36_500), default=DAYS, show_default=True, help="Commits of so many days."
)
@click.option("--lms", help="Name of the LMS; by default all of them.")
@click.option(
    "--processes",
    type=click.IntRange(0, 64),
    default=min(ALL_PROCESSORS, 64),
    show_default="one for each processor",
    help="That share the work.",
)
@AS_JSON
@click.pass_obj
def impact(
    settings: Settings, document: str, against: str, days: int, lms: str | None, processes: int, *, as_json: bool
) -> None:
    """Replay the journal by DOCUMENT: statements that would be added, dropped or changed, by rule and with examples."""
    with database(settings) as engine:
        with reading(engine) as connection:
            lms_id = None if lms is None else activation.find_lms(connection, lms)
            texts = tuple(find_document(connection, told, lms_id).definition.text for told in (against, document))
        with _progress() as advance:
            found = compare(
                engine,
                (texts[0], texts[1]),
                Span(system_now() - days * DAY, lms=lms),
                processes=processes,
                progress=advance,
            )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        _print_impact(found)


@click.command()
@click.argument("document")
@click.option("--preview", "only_preview", is_flag=True, help="Tell what would be done, and do nothing.")
@click.option("--lms", help="Name of the LMS.")
@click.option("--learner", help="Id of the learner.")
@click.option("--activity", help="Id of the activity.")
@click.option("--course", help="Id of the course; empty for activities without one.")
@click.option("--since", type=Time(), default=0, help="Of commits received at this time or later.")
@click.option("--until", type=Time(), help="Of commits received before this time.")
@click.option("--reason", help="Why: others will want to know.")
@click.option("--by", default=user, help="Who does this; by default the user's name.")
@click.option("--yes", is_flag=True, help="Do not ask.")
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
    **which: Any,
) -> None:
    """Tell the past anew by DOCUMENT, a stored version: what it tells otherwise is voided and told anew.

    What it does not tell is voided, what it tells besides is added. This can be broken off and begun again.
    """
    if not only_preview and not reason:
        raise click.UsageError("Give a --reason, or look first with --preview.")
    span = Span(**which)
    check_span(span)
    with database(settings) as engine:
        with writing(engine) as connection:
            mapping = find_document(connection, document)
            version_id = activation.store_version(connection, mapping, system_now())
        work = Reissue(engine, version_id, span, settings.targets)
        with _progress() as advance:
            found = work.preview(advance)
        if not only_preview and reason:
            if not yes:
                _print_impact(found)
                click.confirm("Void and add these statements?", abort=True, err=True)
            with _progress() as advance:
                found = work.run(AuditContext(by, reason, system_now()), system_now, advance)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        _print_impact(found)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replaying", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def as_object(told: Explanation) -> dict[str, Any]:
    """Give an explanation for programs: statements are JSON themselves."""
    found: dict[str, Any] = msgspec.to_builtins(told)
    for one in found["statements"]:
        one["body"] = msgspec.json.decode(one["body"])
    return found


def lines(told: Explanation) -> list[str]:
    """Give an explanation as lines for people."""
    again = "" if told.duplicate_of is None else f" of commit {told.duplicate_of}"
    said = [f"{told.disposition}{again}"]
    for change in told.changes:
        about = "" if change.about is None else f" ({change.about['kind']} {change.about.get('id', '')})"
        before, after = (msgspec.json.encode(value).decode() for value in (change.before, change.after))
        values = "" if before == after else f": {before} -> {after}"
        said.append(f"  changed: {change.trigger}{about}{values}")
    said += [f"  warning: {one.element}: {one.message}" for one in told.warnings]
    for rule in told.rules:
        mark = f"fired, made {rule.statement}" if rule.reason == "fired" else f"silent, {rule.why}"
        said.append(f"  rule {rule.rule}: {mark}")
        if rule.reason == "condition" and rule.variables is not None:
            said.append(f"    asked with {msgspec.json.encode(rule.variables).decode()}")
    for one in told.statements:
        body = msgspec.json.format(one.body.encode()).decode()
        said += [f"{one.rule}, {one.verb}{': ' + one.problem if one.problem else ''}", body]
    return said


def _print_impact(found: Impact) -> None:
    console = Console(emoji=False, markup=False, width=None if sys.stdout.isatty() else 10_000)
    console.print(f"{found.commits:,} commits of {found.enrollments:,} enrollments were replayed.")
    if found.skipped:
        console.print(f"{found.skipped:,} could not be read and were left out.")
    table = Table("rule", "added", "dropped", "changed", "same", box=None)
    for rule, one in sorted(found.rules.items()):
        table.add_row(rule, f"{one.added:,}", f"{one.dropped:,}", f"{one.changed:,}", f"{one.same:,}")
    console.print(table)
    for example in found.examples:
        console.print(f"{example.kind} by {example.rule}, commit {example.number} of session {example.session_id}")
        for sign, body in (("-", example.before), ("+", example.after)):
            if body is not None:
                console.print(f"  {sign} {body}")
