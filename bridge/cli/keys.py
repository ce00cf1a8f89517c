"""`scorm-bridge keys`: the keys by which pages of an LMS open sessions."""

from __future__ import annotations

import click

from bridge.cli.database import open_connection, open_transaction
from bridge.cli.options import AS_JSON, BY, OPTIONAL_REASON, REASON, DurationType
from bridge.cli.output import print_items, print_table
from bridge.clock import format_timestamp, system_now
from bridge.operations import browser_keys as operations
from bridge.operations.audit_context import AuditContext
from bridge.operations.browser_keys import BrowserKeyError, NewBrowserKey
from bridge.operations.lms import LmsError
from bridge.settings import Settings
from bridge.token_monitor import TOKEN_INTERVAL
from storage import browser_keys as stored

_ERRORS = (LmsError, BrowserKeyError)


@click.group()
def keys() -> None:
    """Manage browser keys: with one, pages of an LMS record what learners do, without a server of the LMS's."""


@keys.command()
@click.option("--lms", "name", required=True, help="Name of the LMS; a new one is created.")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    required=True,
    help="Origin of the pages that use the key, such as https://lms.example.org; can be repeated.",
)
@click.option(
    "--activity",
    "activities",
    multiple=True,
    help="Id of an activity that sessions may be of, or how ids begin with * behind it; can be repeated. By default"
    " all.",
)
@click.option("--expires", type=DurationType(), help="How long it is valid, such as 90d; by default without end.")
@click.option(
    "--home-page",
    help="Home page of the LMS, where it is new: that of learners' accounts. By default the first origin.",
)
@BY
@OPTIONAL_REASON
@click.pass_obj
def create(  # noqa: PLR0913 -- one for each option
    settings: Settings,
    *,
    name: str,
    origins: tuple[str, ...],
    activities: tuple[str, ...],
    expires: int | None,
    home_page: str | None,
    by: str,
    reason: str,
) -> None:
    """Create a browser key and print it, alone, on standard output; before it, for people, the line for the pages.

    The key is no secret: it stands in pages, where everybody can read it. It permits sending what learners do, as
    whoever the page says, and reading nothing.
    """
    now = system_now()
    new = NewBrowserKey(name, origins, activities, None if expires is None else now + expires, home_page)
    with open_transaction(settings, *_ERRORS) as connection:
        created = operations.create_browser_key(connection, new, AuditContext(by, reason, now))
    click.echo(f"Created key {created.id} of {name}. Put this line into the <head> of its pages:", err=True)
    click.echo(f"\n  {operations.script_tag(settings.server.public_url, created.key)}\n", err=True)
    if not settings.server.public_url:
        click.echo(
            f"In place of {operations.PLACEHOLDER_URL} goes the address of this bridge; [server] public_url sets it.",
            err=True,
        )
    click.echo(created.key)


@keys.command("list")
@AS_JSON
@click.pass_obj
def list_keys(settings: Settings, *, as_json: bool) -> None:
    """List the browser keys by number, expired and revoked ones too, with when each was last used."""
    with open_connection(settings) as connection:
        rows = stored.of_lms(connection)
    now = system_now()
    if as_json:
        print_items(
            [
                {
                    "id": row.id,
                    "key": row.key,
                    "lms": row.lms.name,
                    "status": row.status(now),
                    "origins": row.origins,
                    "activities": row.activities,
                    "created_at": format_timestamp(row.created_at),
                    "expires_at": format_timestamp(row.expires_at),
                    "last_used_at": format_timestamp(row.last_used_at),
                    "revoked_at": format_timestamp(row.revoked_at),
                }
                for row in rows
            ]
        )
        return
    print_table(
        ("number", "lms", "status", "origins", "activities", "created", "expires", "last used", "key"),
        (
            (
                row.id, row.lms.name, row.status(now).value, " ".join(row.origins), " ".join(row.activities) or "all",
                format_timestamp(row.created_at), format_timestamp(row.expires_at),
                format_timestamp(row.last_used_at), row.key,
            )
            for row in rows
        ),
    )  # fmt: skip


@keys.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@BY
@REASON
@click.pass_obj
def revoke(settings: Settings, *, number: int, by: str, reason: str) -> None:
    """Revoke the browser key with this NUMBER (`keys list`) for good, with the commit URLs that pages got with it."""
    with open_transaction(settings, *_ERRORS) as connection:
        revoked = operations.revoke_browser_key(connection, number, AuditContext(by, reason, system_now()))
    click.echo(
        f"Revoked key {number} of {revoked.lms.name}: running bridges refuse it within {TOKEN_INTERVAL:g} s.", err=True
    )
