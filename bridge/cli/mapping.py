"""`scorm-bridge mapping`: mapping documents, their versions, and which of them is active."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy import Connection, Engine

from bridge.cli.database import open_connection, open_database
from bridge.cli.exit_codes import ExitCode
from bridge.cli.mapping_replay import impact, preview, reissue
from bridge.cli.options import AS_JSON, BY, REASON, YES
from bridge.cli.output import print_items, print_json, print_table
from bridge.clock import format_timestamp, system_now
from bridge.errors import BridgeError
from bridge.mapping_library import activation
from bridge.mapping_library.activation import ACTIVE, ActivationResult, LibraryError, find_document
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.enrollment_history import UnreadableCommitError
from bridge.operations.audit_context import AuditContext
from bridge.settings import Settings
from mappings.analysis.impact import KINDS
from mappings.definition import DefinitionError
from mappings.definition.describe import describe
from mappings.definition.diff import diff_rules, diff_settings
from storage import mapping_versions
from storage.engine import writing

LMS = click.option("--lms", help="Name of the LMS; by default all LMSs that have no version of their own.")


class _MappingGroup(click.Group):
    """A group whose commands end with exit code 1 and a message where documents or versions are wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DefinitionError as error:
            click.echo(str(error), err=True)
            sys.exit(ExitCode.FAILED)
        except (LibraryError, UnreadableCommitError, BridgeError) as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_MappingGroup)
def mapping() -> None:
    """Manage mapping documents, which define the statements that commits become.

    A DOCUMENT is a file (….toml), the name of a shipped one, a stored version by its name or the beginning of its hash,
    or the word `active`.
    """


@mapping.command()
@click.argument("document")
@AS_JSON
def check(document: str, *, as_json: bool) -> None:
    """Check DOCUMENT, a file (….toml) or the name of a shipped one. Lists every fault with its line; exit code 1."""
    try:
        compiled = load_mapping(document)
    except DefinitionError as error:
        if not as_json:
            raise
        print_json({"document": document, "faults": error.faults})
        sys.exit(ExitCode.FAILED)
    checked = compiled.definition
    if as_json:
        print_json({"document": checked.name, "hash": checked.content_hash, "rules": len(checked.rules), "faults": []})
    else:
        click.echo(f"{checked.title}: {len(checked.rules)} rules, no faults.")


@mapping.command("list")
@AS_JSON
@click.pass_obj
def list_versions(settings: Settings, *, as_json: bool) -> None:
    """List the stored versions, newest first, for whom each is active, and when it was activated."""
    with open_connection(settings) as connection:
        versions = _versions_as_objects(connection)
    if as_json:
        print_items(versions)
        return
    if not versions:
        click.echo("No version is stored yet: the first start of the bridge stores one.", err=True)
        return
    print_table(
        ("name", "hash", "stored", "active for", "activated"),
        (
            (
                version["name"], version["hash"][:12], version["created_at"], ", ".join(version["holds_for"]),
                _describe_last(version["activations"]),
            )
            for version in versions
        ),
    )  # fmt: skip


@mapping.command()
@click.argument("document", default=ACTIVE)
@LMS
@click.option("--text", "as_text", is_flag=True, help="Print the document itself.")
@AS_JSON
@click.pass_obj
def show(settings: Settings, document: str, lms: str | None, *, as_text: bool, as_json: bool) -> None:
    """Show DOCUMENT as a table: each rule with its trigger and its statement."""
    with open_connection(settings) as connection:
        shown = find_document(connection, document, _find_lms(connection, lms)).definition
    if as_text:
        click.echo(shown.text, nl=False)
        return
    rules = describe(shown).rules
    if as_json:
        print_json({"name": shown.name, "title": shown.title, "hash": shown.content_hash, "rules": rules})
        return
    click.echo(f"{shown.title} ({shown.name} {shown.content_hash[:12]})")
    print_table(
        ("rule", "when", "then", "about", "with", "how often"),
        (
            (
                rule.name, rule.when + (f", if {rule.only_if}" if rule.only_if else ""), rule.verb, rule.object,
                ", ".join(part.partition(":")[0] for part in (*rule.result, *rule.context)), rule.often,
            )
            for rule in rules
        ),
    )  # fmt: skip


@mapping.command()
@click.argument("old")
@click.argument("new", default=ACTIVE)
@AS_JSON
@click.pass_obj
def diff(settings: Settings, old: str, new: str, *, as_json: bool) -> None:
    """Show the differences from document OLD to document NEW."""
    with open_connection(settings) as connection:
        before, after = find_document(connection, old).definition, find_document(connection, new).definition
    rules = diff_rules(before, after)
    names: dict[str, list[str]] = {kind: [rule.name for rule in rules if rule.kind == kind] for kind in KINDS}
    others = [field.name for field in diff_settings(before, after)]
    text = list(
        difflib.unified_diff(
            before.text.splitlines(),
            after.text.splitlines(),
            f"{before.name} {before.content_hash[:12]}",
            f"{after.name} {after.content_hash[:12]}",
            lineterm="",
        )
    )
    if as_json:
        print_json({**names, "others": others, "text": text})
        return
    for kind, changed in (*names.items(), ("others", others)):
        if changed:
            click.echo(f"{kind}: {', '.join(changed)}")
    for line in text:
        click.secho(line, fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
    if not text:
        click.echo("There are no differences.", err=True)


@mapping.command()
@click.argument("document")
@LMS
@REASON
@BY
@YES
@click.pass_obj
def activate(settings: Settings, document: str, lms: str | None, reason: str, by: str, *, yes: bool) -> None:
    """Activate DOCUMENT: every bridge on this database follows within a second. History stays as it is."""
    with _open_library(settings) as engine:
        with writing(engine) as connection:
            lms_id = _find_lms(connection, lms)
            compiled = find_document(connection, document, lms_id)
            version_id = activation.store_version(connection, compiled, system_now())
        name = f"{compiled.definition.name} {compiled.definition.content_hash[:12]}"
        if not yes:
            click.confirm(f"Activate {name} for {lms or 'all'}?", abort=True, err=True)
        with writing(engine) as connection:
            context = AuditContext(by, reason, system_now())
            result = activation.activate_version(
                connection, version_id, lms_id, targets=settings.targets, context=context
            )
    _print_result(result, f"{name} is active for {lms or 'all'}.")


@mapping.command()
@LMS
@REASON
@BY
@click.pass_obj
def rollback(settings: Settings, lms: str | None, reason: str, by: str) -> None:
    """Activate the version again that was active before."""
    with _open_library(settings) as engine, writing(engine) as connection:
        context = AuditContext(by, reason, system_now())
        lms_id = _find_lms(connection, lms)
        result = activation.roll_back(connection, lms_id, targets=settings.targets, context=context)
        names = {
            version.id: f"{version.name} {version.content_hash[:12]}"
            for version in mapping_versions.versions(connection)
        }
    if result.version_id is None:
        _print_result(result, f"{lms} has no version of its own any more: the one for all is active.")
    else:
        _print_result(result, f"{names[result.version_id]} is active for {lms or 'all'} again.")


for command in (preview, impact, reissue):
    mapping.add_command(command)


def _versions_as_objects(connection: Connection) -> list[dict[str, Any]]:
    names = mapping_versions.lms_names(connection)
    active = mapping_versions.active(connection)
    activations = mapping_versions.activations(connection)
    return [
        {
            "name": version.name,
            "hash": version.content_hash,
            "created_at": format_timestamp(version.created_at),
            "holds_for": [
                "all" if lms_id is None else names[lms_id]
                for lms_id, version_id in active.items()
                if version_id == version.id
            ],
            "activations": [
                {
                    "at": format_timestamp(entry.at),
                    "lms": None if entry.lms_id is None else names[entry.lms_id],
                    "by": entry.by,
                    "reason": entry.reason,
                }
                for entry in activations
                if entry.mapping_version_id == version.id
            ],
        }
        for version in mapping_versions.versions(connection)
    ]


def _describe_last(activations: list[dict[str, Any]]) -> str:
    if not activations:
        return "never: a draft"
    last = activations[-1]
    return f"{last['at']} by {last['by']}: {last['reason']}"


@contextmanager
def _open_library(settings: Settings) -> Iterator[Engine]:
    """Yield the database, in which the document of the settings is active where nothing else was activated since."""
    with open_database(settings) as engine:
        compiled = load_mapping(settings.mapping.document)
        with writing(engine) as connection:
            activation.activate_configured(connection, compiled, system_now())
        yield engine


def _find_lms(connection: Connection, name: str | None) -> int | None:
    return None if name is None else activation.find_lms(connection, name)


def _print_result(result: ActivationResult, text: str) -> None:
    for warning in result.warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(text, err=True)
