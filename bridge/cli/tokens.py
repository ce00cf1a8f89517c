"""`scorm-bridge tokens`."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from bridge.access import new_token
from bridge.cli.stored import database
from bridge.clock import system_now
from bridge.settings import Settings
from mappings.iris import is_iri
from storage import lms
from storage.engine import writing
from storage.lms import HomePageError


@click.group()
def tokens() -> None:
    """Tokens that LMSs post with."""


@tokens.command()
@click.option("--lms", "name", required=True, help="The LMS's name; it is created if it is new.")
@click.option("--home-page", required=True, help="The LMS's home page: learners' accounts are accounts of it.")
@click.option(
    "--origin", "origins", multiple=True, help="Origin of pages that post commits; by default the home page's."
)
@click.pass_obj
def create(settings: Settings, name: str, home_page: str, origins: tuple[str, ...]) -> None:
    """Make a token for an LMS and print it, alone, on standard output. It is shown this once."""
    if not home_page.startswith(("http://", "https://")) or not is_iri(home_page) or not urlsplit(home_page).hostname:
        raise click.BadParameter(
            f"must be a full address such as https://lms.example.org, not {home_page!r}", param_hint="--home-page"
        )
    parts = urlsplit(home_page)
    token = new_token()
    try:
        with database(settings) as engine, writing(engine) as connection:
            lms.add_token(
                connection,
                name=name,
                home_page=home_page,
                origins=origins or (f"{parts.scheme}://{parts.netloc}",),
                token_digest=lms.digest(token),
                now=system_now(),
            )
    except HomePageError as error:
        raise click.ClickException(f"{error}; statements made so far use it, so it cannot be changed here.") from None
    click.echo(token)
