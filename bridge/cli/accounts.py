"""`scorm-bridge accounts`: people who may sign in to the audit pages."""

from __future__ import annotations

from pathlib import Path

import click

from bridge import passwords
from bridge.audit.access.login_throttle import account_subject
from bridge.audit.access.roles import ROLES
from bridge.cli.database import errors_as_messages, open_connection, open_transaction
from bridge.cli.options import AS_JSON, BY, OPTIONAL_REASON, YES
from bridge.cli.output import print_items, print_table
from bridge.clock import format_timestamp, system_now
from bridge.operations import accounts as operations
from bridge.operations.accounts import AccountError
from bridge.operations.audit_context import AuditContext
from bridge.passwords import PasswordError
from bridge.settings import Settings
from storage import accounts as stored_accounts
from storage.accounts import NewAccount, StoredAccount

PASSWORD_FILE = click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
    help="File whose first line is the password, - for standard input; by default it is prompted for.",
)
SEES_NAMES = click.option(
    "--sees-names", is_flag=True, help="Let a reader see learners' names; auditors and admins always do."
)
ROLE = click.Choice(list(ROLES))

_ERRORS = (AccountError, PasswordError)


@click.group()
def accounts() -> None:
    """Manage the accounts of the audit pages."""


@accounts.command()
@click.argument("name")
@click.option("--role", type=ROLE, default="reader", show_default=True, help="What the account may do.")
@SEES_NAMES
@PASSWORD_FILE
@BY
@OPTIONAL_REASON
@click.pass_obj
def create(
    settings: Settings, *, name: str, role: str, sees_names: bool, password_file: Path | None, by: str, reason: str
) -> None:
    """Create the account NAME.

    A reader sees no raw CMI data, an auditor sees everything, an admin may also change things.
    """
    with errors_as_messages(*_ERRORS):
        operations.validate_name(name)
    digest = _hash_password(password_file)
    with open_transaction(settings, *_ERRORS) as connection:
        context = AuditContext(by, reason, system_now())
        operations.create_account(connection, NewAccount(name, role, sees_names, digest), context)
    click.echo(f"Created {name} with the role {role}.", err=True)


@accounts.command("list")
@AS_JSON
@click.pass_obj
def list_accounts(settings: Settings, *, as_json: bool) -> None:
    """List the accounts."""
    with open_connection(settings) as connection:
        rows = stored_accounts.all_of_them(connection)
    if as_json:
        print_items(
            [
                {
                    "name": account.name,
                    "role": account.role,
                    "sees_names": _sees_names(account),
                    "signs_in_at": account.issuer,
                    "created_at": format_timestamp(account.created_at),
                }
                for account in rows
            ]
        )
        return
    if not rows:
        click.echo("There are no accounts yet: `scorm-bridge accounts create NAME --role admin`", err=True)
        return
    print_table(
        ("name", "role", "sees names", "signs in at", "created"),
        (
            (
                account.name, account.role, "yes" if _sees_names(account) else "no", account.issuer or "this bridge",
                format_timestamp(account.created_at),
            )
            for account in rows
        ),
    )  # fmt: skip


@accounts.command("set-role")
@click.argument("name")
@click.argument("role", type=ROLE)
@SEES_NAMES
@BY
@OPTIONAL_REASON
@click.pass_obj
def set_role(settings: Settings, *, name: str, role: str, sees_names: bool, by: str, reason: str) -> None:
    """Change the ROLE of the account NAME, from its next request on."""
    with open_transaction(settings, *_ERRORS) as connection:
        context = AuditContext(by, reason, system_now())
        operations.set_role(connection, name, role, context, sees_names=sees_names)
    click.echo(f"Changed the role of {name} to {role}.", err=True)


@accounts.command("set-password")
@click.argument("name")
@PASSWORD_FILE
@BY
@OPTIONAL_REASON
@click.pass_obj
def set_password(settings: Settings, *, name: str, password_file: Path | None, by: str, reason: str) -> None:
    """Change the password of the account NAME, and sign it out everywhere."""
    _check_exists(settings, name)
    digest = _hash_password(password_file)
    with open_transaction(settings, *_ERRORS) as connection:
        context = AuditContext(by, reason, system_now())
        operations.set_password(connection, name, digest, context, account_subject(name))
    click.echo(f"Changed the password of {name} and signed it out everywhere.", err=True)


@accounts.command()
@click.argument("name")
@YES
@BY
@OPTIONAL_REASON
@click.pass_obj
def remove(settings: Settings, *, name: str, yes: bool, by: str, reason: str) -> None:
    """Remove the account NAME and sign it out everywhere. Its entries stay in the audit log."""
    _check_exists(settings, name)
    if not yes:
        click.confirm(f"Remove {name}?", abort=True, err=True)
    with open_transaction(settings, *_ERRORS) as connection:
        operations.remove_account(connection, name, AuditContext(by, reason, system_now()))
    click.echo(f"Removed {name}.", err=True)


def _sees_names(account: StoredAccount) -> bool:
    return account.sees_names or account.role != "reader"


def _check_exists(settings: Settings, name: str) -> None:
    with errors_as_messages(*_ERRORS), open_connection(settings) as connection:
        operations.find_account(connection, name)


def _hash_password(file: Path | None) -> str:
    """Return the hash of the password in a file, or of one that is typed twice."""
    if file is None:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        with click.open_file(str(file), encoding="utf-8") as opened:
            try:
                password = opened.readline().rstrip("\r\n")
            except UnicodeDecodeError:
                raise click.ClickException(f"{file} cannot be read as text.") from None
    with errors_as_messages(*_ERRORS):
        return passwords.hash_password(password)
