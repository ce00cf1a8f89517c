"""`scorm-bridge mapping`."""

from __future__ import annotations

import sys

import click

from bridge.mapping_documents import load_mapping
from mappings.document import DocumentError


@click.group()
def mapping() -> None:
    """Mapping documents: what SCORM commits become."""


@mapping.command()
@click.argument("document")
def check(document: str) -> None:
    """Check DOCUMENT, a file (….toml) or the name of a shipped one. Lists every fault with its line; exit status 1."""
    try:
        compiled = load_mapping(document)
    except DocumentError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    rules = compiled.document.rules
    click.echo(f"{compiled.document.title}: {len(rules)} rules, no faults.")
