"""The group of all commands: reads the settings, and reports their errors."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bridge import logs
from bridge.cli.accounts import accounts
from bridge.cli.alerts import alerts
from bridge.cli.backfill import backfill
from bridge.cli.connect import connect
from bridge.cli.database import backup, migrate
from bridge.cli.deliveries import deliveries
from bridge.cli.doctor import doctor
from bridge.cli.erase import erase, erasures
from bridge.cli.examples import add_examples
from bridge.cli.exit_codes import ExitCode
from bridge.cli.explain import explain
from bridge.cli.export import export
from bridge.cli.imports import import_history
from bridge.cli.keys import keys
from bridge.cli.lms import lms
from bridge.cli.mapping import mapping
from bridge.cli.packages import unwrap_package, wrap_package
from bridge.cli.reconcile import reconcile
from bridge.cli.recordings import recordings
from bridge.cli.report import report
from bridge.cli.sandbox import sandbox
from bridge.cli.serve import serve
from bridge.cli.sessions import sessions
from bridge.cli.statements import statements
from bridge.cli.targets import targets
from bridge.cli.tokens import tokens
from bridge.cli.verify import verify
from bridge.cli.webhooks import webhooks
from bridge.settings import SettingsError, load_settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file; by default scorm-bridge.toml in the working directory, if it exists.",
)
@click.version_option(package_name="scorm-xapi-bridge")
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Receive SCORM commits from LMSs and forward them as xAPI statements to Learning Record Stores."""
    try:
        context.obj = load_settings(config)
    except SettingsError as error:
        if context.invoked_subcommand == doctor.name:
            context.obj = error  # it says what is wrong itself
            return
        click.echo(f"The settings cannot be used:\n{error}", err=True)
        sys.exit(ExitCode.CONFIG)
    logs.configure(context.obj.log)


for command in (
    serve, migrate, backup, lms, tokens, keys, webhooks, accounts, targets, alerts, sessions, recordings, statements,
    deliveries, backfill, reconcile, explain, verify, doctor, report, export, erase, erasures, import_history,
    wrap_package, unwrap_package, connect, mapping, sandbox,
):  # fmt: skip
    main.add_command(command)
add_examples(main)
