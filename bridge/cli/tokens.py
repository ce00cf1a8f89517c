"""`scorm-bridge tokens`: the tokens by which LMSs authenticate."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from bridge.access import new_token
from bridge.cli.database import open_connection, open_database
from bridge.cli.options import AS_JSON, BY, REASON
from bridge.cli.output import print_items, print_table
from bridge.clock import format_timestamp, system_now
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.settings import Settings
from mappings.xapi.iris import is_iri
from storage import lms
from storage.engine import writing
from storage.lms import HomePageError


@click.group()
def tokens() -> None:
    """Manage LMS tokens."""


@tokens.command()
@click.option("--lms", "name", required=True, help="Name of the LMS; a new one is created.")
@click.option(
    "--home-page", required=True, help="Home page of the LMS: `homePage` of learners' accounts in statements."
)
@click.option(
    "--origin", "origins", multiple=True, help="Origin of pages that post commits (CORS); by default the home page's."
)
@click.pass_obj
def create(settings: Settings, name: str, home_page: str, origins: tuple[str, ...]) -> None:
    """Create a token for an LMS and print it, alone, on standard output. It is shown only once."""
    if not home_page.startswith(("http://", "https://")) or not is_iri(home_page) or not urlsplit(home_page).hostname:
        raise click.BadParameter(
            f"must be a full address such as https://lms.example.org, not {home_page!r}", param_hint="--home-page"
        )
    parts = urlsplit(home_page)
    token = new_token()
    try:
        with open_database(settings) as engine, writing(engine) as connection:
            lms.add_token(
                connection,
                name=name,
                home_page=home_page,
                origins=origins or (f"{parts.scheme}://{parts.netloc}",),
                token_digest=lms.digest(token),
                now=system_now(),
            )
    except HomePageError as error:
        raise click.ClickException(f"{error}; earlier statements use it, so it cannot be changed here.") from None
    click.echo(token)


@tokens.command("list")
@AS_JSON
@click.pass_obj
def list_tokens(settings: Settings, *, as_json: bool) -> None:
    """List the tokens by number, revoked ones too. The tokens themselves are not stored."""
    with open_connection(settings) as connection:
        rows = lms.tokens(connection)
    if as_json:
        print_items(
            [
                row._asdict()
                | {"created_at": format_timestamp(row.created_at), "revoked_at": format_timestamp(row.revoked_at)}
                for row in rows
            ]
        )
    else:
        print_table(
            ("number", "lms", "created", "revoked"),
            ((row.id, row.lms, format_timestamp(row.created_at), format_timestamp(row.revoked_at)) for row in rows),
        )


@tokens.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@BY
@REASON
@click.pass_obj
def revoke(settings: Settings, *, number: int, by: str, reason: str) -> None:
    """Revoke the token with this NUMBER (`tokens list`) for good: running bridges refuse it within half a minute.

    Commit URLs that the LMS received with it stay valid until they expire.
    """
    now = system_now()
    with open_database(settings) as engine, writing(engine) as connection:
        revoked = lms.revoke_token(connection, number, now)
        if revoked is None:
            raise click.ClickException(f"There is no token {number} that could be revoked; `tokens list` shows them.")
        context = AuditContext(by, reason, now)
        record(connection, context, AuditAction.REVOKE_TOKEN, f"{revoked.lms}, token {number}")
    click.echo(f"Revoked token {number} of {revoked.lms}: running bridges refuse it within half a minute.", err=True)
