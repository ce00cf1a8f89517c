"""`scorm-bridge lms`: the LMSs whose commits the bridge accepts."""

from __future__ import annotations

import click
from rich.console import Console
from rich.progress import Progress

from bridge.cli.database import errors_as_messages, open_connection, open_database, open_transaction
from bridge.cli.options import AS_JSON, BY, OPTIONAL_REASON, YES
from bridge.cli.output import print_items, print_table
from bridge.clock import format_timestamp, random_id, system_now
from bridge.operations import lms as operations
from bridge.operations.audit_context import AuditContext
from bridge.operations.lms import LmsChange, LmsError
from bridge.operations.lms_removal import remove_lms_with_data
from bridge.settings import Settings
from storage import lms_contents
from storage.learner_ids import LearnerCase, LearnerIdRules

_ERRORS = (LmsError,)


@click.group()
def lms() -> None:
    """Manage the LMSs. A new one is created with its first token: `tokens create`."""


@lms.command("list")
@AS_JSON
@click.pass_obj
def list_lms(settings: Settings, *, as_json: bool) -> None:
    """List the LMSs by name, with how many valid tokens and enrollments each has."""
    with open_connection(settings) as connection:
        rows = lms_contents.summaries(connection, system_now())
        last_commits = {row.lms.id: lms_contents.last_commit_at(connection, row.lms.id) for row in rows}
    if as_json:
        print_items(
            [
                {
                    "name": row.lms.name,
                    "home_page": row.lms.home_page,
                    "origins": row.lms.origins,
                    "learner_ids": {
                        name: getattr(row.lms.learner_ids, name) for name in LearnerIdRules.__struct_fields__
                    },
                    "tokens": row.tokens,
                    "enrollments": row.enrollments.number,
                    "enrollments_is_lower_bound": row.enrollments.is_lower_bound,
                    "created_at": format_timestamp(row.created_at),
                    "last_request_at": format_timestamp(row.last_request_at),
                    "last_commit_at": format_timestamp(last_commits[row.lms.id]),
                }
                for row in rows
            ]
        )
        return
    if not rows:
        click.echo("There are no LMSs yet: `scorm-bridge tokens create --lms NAME --home-page URL`", err=True)
        return
    print_table(
        ("name", "home page", "origins", "tokens", "enrollments", "last commit"),
        (
            (
                row.lms.name, row.lms.home_page, " ".join(row.lms.origins), row.tokens,
                f"{'at least ' * row.enrollments.is_lower_bound}{row.enrollments.number:,}",
                format_timestamp(last_commits[row.lms.id]),
            )
            for row in rows
        ),
    )  # fmt: skip


@lms.command()
@click.argument("name")
@click.option("--home-page", help="Another home page, as long as the LMS has no learners.")
@click.option("--origin", "added", multiple=True, help="Origin of pages that may post commits (CORS), too.")
@click.option("--remove-origin", "removed", multiple=True, help="Origin of pages that may no longer.")
@click.option(
    "--learner-trim/--no-learner-trim",
    "trim",
    default=None,
    help="Leave out spaces around the learners' ids that its pages say with a browser key.",
)
@click.option(
    "--learner-pattern",
    "pattern",
    help="How its pages write learners' ids: {id} stands for the id, * for any text, such as user-{id}@*. Ids that are"
    " written otherwise are refused. Empty: as they are.",
)
@click.option(
    "--learner-case",
    "case",
    type=click.Choice([case.value for case in LearnerCase]),
    help="What becomes of the letters of these ids.",
)
@click.option("--learner-prefix", "prefix", help="What is put before these ids. Empty: nothing.")
@BY
@OPTIONAL_REASON
@click.pass_obj
def change(  # noqa: PLR0913 -- one for each option
    settings: Settings,
    *,
    name: str,
    home_page: str | None,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    trim: bool | None,
    pattern: str | None,
    case: str | None,
    prefix: str | None,
    by: str,
    reason: str,
) -> None:
    """Change the LMS NAME: its origins, its home page as long as no statement can have it, and its pages' ids.

    Learners' ids that its pages say with a browser key are rewritten: trimmed, taken out of the pattern, changed in
    case, and given a prefix, in this order. Ids that its server says are what they are.
    """
    rules = {"trim": trim, "pattern": pattern, "case": None if case is None else LearnerCase(case), "prefix": prefix}
    given = {name: value for name, value in rules.items() if value is not None}
    with open_transaction(settings, *_ERRORS) as connection:
        context = AuditContext(by, reason, system_now())
        changed = operations.change_lms(connection, name, LmsChange(home_page, added, removed, given), context)
    origins = ", ".join(changed.origins) or "none"
    ids = changed.learner_ids.describe()
    click.echo(
        f"Changed {name}: home page {changed.home_page}, origins {origins}"
        f"{f', ids of learners on its pages {ids}' if ids else ''}.",
        err=True,
    )


@lms.command()
@click.argument("name")
@click.option("--with-data", is_flag=True, help="Delete what is stored of its learners, too, for good.")
@YES
@BY
@OPTIONAL_REASON
@click.pass_obj
def remove(settings: Settings, *, name: str, with_data: bool, yes: bool, by: str, reason: str) -> None:
    """Remove the LMS NAME and its tokens. One that has learners is removed only --with-data.

    What LRSs have of them stays there; `erase` removes a learner there, too. A run that is interrupted goes on when it
    is repeated.
    """
    with errors_as_messages(*_ERRORS), open_connection(settings) as connection:
        contents = lms_contents.count(connection, operations.find_lms(connection, name).id)
    lost = f" with {operations.describe_contents(contents)}" if contents.enrollments else ""
    if lost and not with_data:
        raise click.ClickException(
            f"{name} has {operations.describe_contents(contents)}. All of it would be lost: add --with-data if that is"
            " intended. `tokens revoke` keeps the LMS out and its data here."
        )
    if not yes:
        click.confirm(f"Remove {name} and its tokens{lost}?", abort=True, err=True)
    context = AuditContext(by, reason, system_now())
    if lost:
        _remove_with_data(settings, name, context)
    else:
        with open_transaction(settings, *_ERRORS) as connection:
            operations.remove_lms(connection, name, context)
    click.echo(f"Removed {name}{lost}.", err=True)


def _remove_with_data(settings: Settings, name: str, context: AuditContext) -> None:
    with (
        errors_as_messages(*_ERRORS),
        open_database(settings) as engine,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task("remove", total=None)
        remove_lms_with_data(
            engine,
            name,
            context,
            targets=[target.name for target in settings.targets],
            now=system_now,
            new_id=random_id,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
