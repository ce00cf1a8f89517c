"""`scorm-bridge tokens`: the tokens by which LMSs authenticate."""

from __future__ import annotations

import click

from bridge.cli.database import open_connection, open_transaction
from bridge.cli.options import AS_JSON, BY, OPTIONAL_REASON, REASON, DurationType
from bridge.cli.output import print_items, print_table
from bridge.clock import format_timestamp, system_now
from bridge.operations import tokens as operations
from bridge.operations.audit_context import AuditContext
from bridge.operations.lms import LmsError, LmsRegistration
from bridge.operations.tokens import TokenError
from bridge.settings import Settings
from bridge.token_monitor import TOKEN_INTERVAL
from storage import tokens as stored
from storage.states import TokenScope

NUMBER = click.argument("number", type=click.IntRange(1, 2**63 - 1))
SOON = f"running bridges refuse it within {TOKEN_INTERVAL:g} s"

_ERRORS = (LmsError, TokenError)


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
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in TokenScope]),
    default=[scope.value for scope in stored.DEFAULT_SCOPES],
    show_default=True,
    help="What the token permits; can be repeated.",
)
@click.option("--expires", type=DurationType(), help="How long it is valid, such as 90d; by default without end.")
@BY
@OPTIONAL_REASON
@click.pass_obj
def create(  # noqa: PLR0913 -- one for each option
    settings: Settings,
    *,
    name: str,
    home_page: str,
    origins: tuple[str, ...],
    scopes: tuple[str, ...],
    expires: int | None,
    by: str,
    reason: str,
) -> None:
    """Create a token for an LMS and print it, alone, on standard output. It is shown only once."""
    now = system_now()
    with open_transaction(settings, *_ERRORS) as connection:
        issued = operations.create_token(
            connection,
            LmsRegistration(name, home_page, origins),
            AuditContext(by, reason, now),
            scopes=map(TokenScope, scopes),
            expires_at=None if expires is None else now + expires,
        )
    click.echo(issued.secret)


@tokens.command("list")
@AS_JSON
@click.pass_obj
def list_tokens(settings: Settings, *, as_json: bool) -> None:
    """List the tokens by number, expired and revoked ones too. The tokens themselves are not stored."""
    with open_connection(settings) as connection:
        rows = stored.of_lms(connection)
    now = system_now()
    if as_json:
        print_items(
            [
                {
                    "id": row.id,
                    "lms": row.lms.name,
                    "status": row.status(now),
                    "scopes": row.scopes,
                    "created_at": format_timestamp(row.created_at),
                    "expires_at": format_timestamp(row.expires_at),
                    "last_used_at": format_timestamp(row.last_used_at),
                    "revoked_at": format_timestamp(row.revoked_at),
                    "replaced_by": row.replaced_by,
                }
                for row in rows
            ]
        )
        return
    print_table(
        ("number", "lms", "status", "scopes", "created", "expires", "last used", "replaced by"),
        (
            (
                row.id, row.lms.name, row.status(now).value, " ".join(row.scopes), format_timestamp(row.created_at),
                format_timestamp(row.expires_at), format_timestamp(row.last_used_at), row.replaced_by,
            )
            for row in rows
        ),
    )  # fmt: skip


@tokens.command()
@NUMBER
@click.option(
    "--overlap",
    type=DurationType(),
    default="24h",
    show_default=True,
    help="How long the old token stays valid beside the new one, such as 24h or 0s.",
)
@BY
@OPTIONAL_REASON
@click.pass_obj
def rotate(settings: Settings, *, number: int, overlap: int, by: str, reason: str) -> None:
    """Replace the token with this NUMBER (`tokens list`), and print the new one, alone, on standard output.

    The new token has the same scopes, and a lifetime as long as the old one had. The old one ends after the overlap.
    """
    with open_transaction(settings, *_ERRORS) as connection:
        issued = operations.rotate_token(connection, number, AuditContext(by, reason, system_now()), overlap=overlap)
        old = operations.find_token(connection, number)
    click.echo(
        f"Rotated token {number} of {issued.lms.name} into token {issued.id}; it is valid until"
        f" {format_timestamp(old.expires_at)}.",
        err=True,
    )
    click.echo(issued.secret)


@tokens.command()
@NUMBER
@BY
@REASON
@click.pass_obj
def revoke(settings: Settings, *, number: int, by: str, reason: str) -> None:
    """Revoke the token with this NUMBER (`tokens list`) for good: running bridges refuse it within a second.

    Commit URLs that the LMS received with it stay valid until they expire.
    """
    with open_transaction(settings, *_ERRORS) as connection:
        revoked = operations.revoke_token(connection, number, AuditContext(by, reason, system_now()))
    click.echo(f"Revoked token {number} of {revoked.lms.name}: {SOON}.", err=True)
