"""`scorm-bridge doctor`: is everything as it should be, and what to do where it is not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape

from bridge.cli.checks import CheckResult, Diagnosis, Verdict, diagnose
from bridge.cli.exit_codes import ExitCode
from bridge.cli.options import AS_JSON
from bridge.cli.output import open_console, print_json, print_table
from bridge.settings import Settings, SettingsError

_SIGNS = {Verdict.OK: "[green]ok[/]", Verdict.WARNING: "[yellow]warning[/]", Verdict.ERROR: "[red]error[/]"}


@click.command()
@AS_JSON
@click.option("--settings", "show_settings", is_flag=True, help="Show every setting, and where it comes from.")
@click.pass_context
def doctor(context: click.Context, *, as_json: bool, show_settings: bool) -> None:
    """Check settings, database, clock, disk, mapping, alerts, webhooks and every LRS. Nothing is changed or sent.

    The exit code is 0 if nothing is wrong, 1 if something is, and 78 if the settings cannot be used.
    """
    settings: Settings | SettingsError = context.obj
    if isinstance(settings, SettingsError):
        faults = CheckResult("settings", Verdict.ERROR, str(settings), "Correct them; docs/settings.md has every key.")
        _show(Diagnosis([faults], ()), as_json=as_json, show_settings=False)
        sys.exit(ExitCode.CONFIG)
    config: Path | None = context.find_root().params["config"]
    diagnosis = diagnose(settings, config)
    _show(diagnosis, as_json=as_json, show_settings=show_settings)
    if any(result.verdict is Verdict.ERROR for result in diagnosis.results):
        sys.exit(ExitCode.FAILED)


def _show(diagnosis: Diagnosis, *, as_json: bool, show_settings: bool) -> None:
    if as_json:
        print_json(
            {
                "verdict": _worst(diagnosis.results),
                "checks": diagnosis.results,
                "settings": [setting._asdict() for setting in diagnosis.settings],
            }
        )
        return
    console = open_console(markup=True)
    for result in diagnosis.results:
        console.print(f"{_SIGNS[result.verdict]:<8} {escape(result.check)}: {escape(result.summary)}", soft_wrap=True)
        if result.remedy and result.verdict is not Verdict.OK:
            console.print(f"         {escape(result.remedy)}", soft_wrap=True)
    if show_settings:
        console.print()
        print_table(("setting", "value", "from"), diagnosis.settings)


def _worst(results: Sequence[CheckResult]) -> Verdict:
    order = list(Verdict)
    return max((result.verdict for result in results), key=order.index, default=Verdict.OK)
