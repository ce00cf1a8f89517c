"""`scorm-bridge mapping`: mapping documents, their versions, and which of them holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection, Engine

from bridge.cli.database import database, looking, user
from bridge.cli.mapping_replay import impact, preview, reissue
from bridge.clock import format_timestamp, system_now
from bridge.errors import BridgeError
from bridge.mapping_documents import load_mapping
from bridge.mapping_library import activation, describe
from bridge.mapping_library.activation import ActivationResult, LibraryError
from bridge.mapping_library.documents import find_document
from bridge.mapping_library.enrollment_history import UnreadableError
from bridge.operations.audit_context import AuditContext
from bridge.settings import Settings
from mappings.definition import DefinitionError
from storage import mapping_versions
from storage.engine import writing

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
LMS = click.option("--lms", help="Name of the LMS; without it, all that have no version of their own.")
BY = click.option("--by", default=user, help="Who does this; by default the user's name.")
REASON = click.option("--reason", required=True, help="Why: others will want to know.")
YES = click.option("--yes", is_flag=True, help="Do not ask.")


class _Group(click.Group):
    """Tells in words, with exit status 1, what is wrong with documents and versions."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DefinitionError as error:
            click.echo(str(error), err=True)
            sys.exit(1)
        except (LibraryError, UnreadableError, BridgeError) as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Group)
def mapping() -> None:
    """Mapping documents: what SCORM commits become.

    A DOCUMENT is a file (….toml), the name of a shipped one, a stored version by its name or the beginning of its hash,
    or the word `active`.
    """


@mapping.command()
@click.argument("document")
@AS_JSON
def check(document: str, *, as_json: bool) -> None:
    """Check DOCUMENT, a file (….toml) or the name of a shipped one. Lists every fault with its line; exit status 1."""
    try:
        compiled = load_mapping(document)
    except DefinitionError as error:
        if not as_json:
            raise
        _print({"document": document, "faults": error.faults})
        sys.exit(1)
    one = compiled.definition
    if as_json:
        _print({"document": one.name, "hash": one.content_hash, "rules": len(one.rules), "faults": []})
    else:
        click.echo(f"{one.title}: {len(one.rules)} rules, no faults.")


@mapping.command("list")
@AS_JSON
@click.pass_obj
def list_versions(settings: Settings, *, as_json: bool) -> None:
    """List the versions that are stored, the newest first, for whom each holds, and every activation there was."""
    with looking(settings) as connection:
        found = listed(connection)
    if as_json:
        _print(found)
        return
    if not found:
        click.echo("No version is stored yet: the first start of the bridge stores one.", err=True)
        return
    table = Table("name", "hash", "stored", "holds for", "activated", box=None)
    for one in found:
        last = one["activations"][-1] if one["activations"] else None
        acts = "never: a draft" if last is None else f"{last['at']} by {last['by']}: {last['reason']}"
        table.add_row(one["name"], one["hash"][:12], one["created_at"], ", ".join(one["holds_for"]), escape(acts))
    _console().print(table)


@mapping.command()
@click.argument("document", default="active")
@LMS
@click.option("--text", "as_text", is_flag=True, help="Print the document itself.")
@AS_JSON
@click.pass_obj
def show(settings: Settings, document: str, lms: str | None, *, as_text: bool, as_json: bool) -> None:
    """Show DOCUMENT as a table: when what happens, which statement with which parts."""
    with looking(settings) as connection:
        one = find_document(connection, document, _lms(connection, lms)).definition
    if as_text:
        click.echo(one.text, nl=False)
        return
    rows = describe.lines(one)
    if as_json:
        _print({"name": one.name, "title": one.title, "hash": one.content_hash, "rules": rows})
        return
    table = Table("rule", "when", "then", "about", "with", "how often", box=None)
    for row in rows:
        when = row.meaning + (f", if {row.condition}" if row.condition else "")
        table.add_row(row.rule, escape(when), escape(row.verb), row.about, ", ".join(row.parts), row.once)
    console = _console()
    console.print(escape(f"{one.title} ({one.name} {one.content_hash[:12]})"))
    console.print(table)


@mapping.command()
@click.argument("old")
@click.argument("new", default="active")
@AS_JSON
@click.pass_obj
def diff(settings: Settings, old: str, new: str, *, as_json: bool) -> None:
    """Show what differs from document OLD to document NEW."""
    with looking(settings) as connection:
        before, after = find_document(connection, old), find_document(connection, new)
    found = describe.differences(before.definition, after.definition)
    if as_json:
        _print(found)
        return
    for word, rules in (("added", found.added), ("dropped", found.dropped), ("changed", found.changed)):
        if rules:
            click.echo(f"{word}: {', '.join(rules)}")
    for line in found.text:
        click.secho(line, fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
    if not found.text:
        click.echo("Nothing differs.", err=True)


@mapping.command()
@click.argument("document")
@LMS
@REASON
@BY
@YES
@click.pass_obj
def activate(settings: Settings, document: str, lms: str | None, reason: str, by: str, *, yes: bool) -> None:
    """Let DOCUMENT hold from now on: every bridge on this database follows within a second. History stays as it is."""
    with _library(settings) as engine:
        with writing(engine) as connection:
            lms_id = _lms(connection, lms)
            compiled = find_document(connection, document, lms_id)
            version_id = activation.store_version(connection, compiled, system_now())
        one = compiled.definition
        if not yes:
            click.confirm(f"Activate {one.name} {one.content_hash[:12]} for {lms or 'all'}?", abort=True, err=True)
        with writing(engine) as connection:
            context = AuditContext(by, reason, system_now())
            done = activation.activate_version(
                connection, version_id, lms_id, targets=settings.targets, context=context
            )
    _done(done, f"{one.name} {one.content_hash[:12]} holds for {lms or 'all'}.")


@mapping.command()
@LMS
@REASON
@BY
@click.pass_obj
def rollback(settings: Settings, lms: str | None, reason: str, by: str) -> None:
    """Let the version hold again that held before the active one."""
    with _library(settings) as engine, writing(engine) as connection:
        context = AuditContext(by, reason, system_now())
        done = activation.roll_back(connection, _lms(connection, lms), targets=settings.targets, context=context)
        names = {one.id: f"{one.name} {one.content_hash[:12]}" for one in mapping_versions.versions(connection)}
    if done.version_id is None:
        _done(done, f"{lms} has no version of its own any more: the one for all holds.")
    else:
        _done(done, f"{names[done.version_id]} holds for {lms or 'all'} again.")


for command in (preview, impact, reissue):
    mapping.add_command(command)


def listed(connection: Connection) -> list[dict[str, Any]]:
    """Give all versions, the newest first, with for whom they hold and when they were activated."""
    names = mapping_versions.lms_names(connection)
    holding = mapping_versions.active(connection)
    acts = mapping_versions.activations(connection)
    return [
        {
            "name": one.name,
            "hash": one.content_hash,
            "created_at": format_timestamp(one.created_at),
            "holds_for": [
                "all" if own is None else names[own] for own, version in holding.items() if version == one.id
            ],
            "activations": [
                {
                    "at": format_timestamp(act.at),
                    "lms": None if act.lms_id is None else names[act.lms_id],
                    "by": act.by,
                    "reason": act.reason,
                }
                for act in acts
                if act.mapping_version_id == one.id
            ],
        }
        for one in mapping_versions.versions(connection)
    ]


@contextmanager
def _library(settings: Settings) -> Iterator[Engine]:
    """Give the database, in which what the settings name is active where nothing else was activated since."""
    with database(settings) as engine:
        compiled = load_mapping(settings.mapping.document)
        with writing(engine) as connection:
            activation.activate_configured(connection, compiled, system_now())
        yield engine


def _lms(connection: Connection, name: str | None) -> int | None:
    return None if name is None else activation.find_lms(connection, name)


def _done(done: ActivationResult, words: str) -> None:
    for told in done.warnings:
        click.echo(f"Warning: {told}", err=True)
    click.echo(words, err=True)


def _print(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def _console() -> Console:
    return Console(emoji=False) if sys.stdout.isatty() else Console(width=10_000, emoji=False)
