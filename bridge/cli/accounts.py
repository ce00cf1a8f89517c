"""`scorm-bridge accounts`: who may look at the audit pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from bridge import passwords
from bridge.audit.access.login_throttle import account_subject
from bridge.audit.access.roles import ROLES
from bridge.cli.database import database, looking, user
from bridge.clock import format_timestamp, system_now
from bridge.operations import accounts as kept
from bridge.operations.accounts import AccountError
from bridge.operations.audit_context import AuditContext
from bridge.passwords import PasswordError
from bridge.settings import Settings
from storage import accounts as stored
from storage.accounts import NewAccount
from storage.engine import writing

BY = click.option("--by", default=user, help="Who does this; by default the user's name.")
REASON = click.option("--reason", default="", help="Why, for those who ask later.")
PASSWORD_FILE = click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
    help="A file whose first line is the password, - for standard input; it is asked for otherwise.",
)
SEES_NAMES = click.option("--sees-names", is_flag=True, help="Let a reader see learners' names; others do anyway.")
ROLE = click.Choice(list(ROLES))


@click.group()
def accounts() -> None:
    """People who may look at the audit pages."""


@accounts.command()
@click.argument("name")
@click.option("--role", type=ROLE, default="reader", show_default=True)
@SEES_NAMES
@PASSWORD_FILE
@BY
@REASON
@click.pass_obj
def create(
    settings: Settings, *, name: str, role: str, sees_names: bool, password_file: Path | None, by: str, reason: str
) -> None:
    """Make an account NAME. A reader sees no raw CMI data; an auditor sees everything; an admin changes things, too."""
    with _told():
        kept.validate_name(name)
    digest = _hash(password_file)
    with _changing(settings) as connection:
        kept.create_account(
            connection, NewAccount(name, role, sees_names, digest), AuditContext(by, reason, system_now())
        )
    click.echo(f"{name} may sign in as {role}.", err=True)


@accounts.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_accounts(settings: Settings, *, as_json: bool) -> None:
    """List the accounts."""
    with looking(settings) as connection:
        found = stored.all_of_them(connection)
    if as_json:
        told = [
            {
                "name": one.name,
                "role": one.role,
                "sees_names": one.sees_names or one.role != "reader",
                "signs_in_at": one.issuer,
                "created_at": format_timestamp(one.created_at),
            }
            for one in found
        ]
        click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
        return
    if not found:
        click.echo("There are no accounts yet: `scorm-bridge accounts create NAME --role admin`", err=True)
        return
    table = Table("name", "role", "sees names", "signs in at", "since", box=None)
    for one in found:
        names = "yes" if one.sees_names or one.role != "reader" else "no"
        table.add_row(one.name, one.role, names, one.issuer or "this bridge", format_timestamp(one.created_at))
    Console(emoji=False, markup=False, width=200).print(table)


@accounts.command("set-role")
@click.argument("name")
@click.argument("role", type=ROLE)
@SEES_NAMES
@BY
@REASON
@click.pass_obj
def set_role(settings: Settings, *, name: str, role: str, sees_names: bool, by: str, reason: str) -> None:
    """Let NAME be of another ROLE from the next request on."""
    with _changing(settings) as connection:
        kept.set_role(connection, name, role, AuditContext(by, reason, system_now()), sees_names=sees_names)
    click.echo(f"{name} is of the role {role}.", err=True)


@accounts.command("set-password")
@click.argument("name")
@PASSWORD_FILE
@BY
@REASON
@click.pass_obj
def set_password(settings: Settings, *, name: str, password_file: Path | None, by: str, reason: str) -> None:
    """Give NAME another password, and sign NAME out everywhere."""
    with _told(), looking(settings) as connection:
        kept.find_account(connection, name)
    digest = _hash(password_file)
    with _changing(settings) as connection:
        kept.set_password(connection, name, digest, AuditContext(by, reason, system_now()), account_subject(name))
    click.echo(f"{name} has another password and is signed out everywhere.", err=True)


@accounts.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@BY
@REASON
@click.pass_obj
def remove(settings: Settings, *, name: str, yes: bool, by: str, reason: str) -> None:
    """End the account NAME and sign it out everywhere. What it did stays in the trail."""
    with _told(), looking(settings) as connection:
        kept.find_account(connection, name)
    if not yes:
        click.confirm(f"Remove {name}?", abort=True, err=True)
    with _changing(settings) as connection:
        kept.remove_account(connection, name, AuditContext(by, reason, system_now()))
    click.echo(f"{name} is removed.", err=True)


@contextmanager
def _changing(settings: Settings) -> Iterator[Connection]:
    with _told(), database(settings) as engine, writing(engine) as connection:
        yield connection


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (AccountError, PasswordError) as error:
        raise click.ClickException(str(error)) from None


def _hash(file: Path | None) -> str:
    """Give the hash of the password in a file, or of one that somebody types twice."""
    if file is None:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        with click.open_file(str(file), encoding="utf-8") as opened:
            try:
                password = opened.readline().rstrip("\r\n")
            except UnicodeDecodeError:
                raise click.ClickException(f"{file} cannot be read as text.") from None
    with _told():
        return passwords.hashed(password)
