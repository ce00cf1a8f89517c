"""`scorm-bridge connect`: which LMS a page is of, how to connect it, and the first commit as it arrives."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from bridge.cli.arrival import WaitResult, wait_for_commit
from bridge.cli.database import open_connection, open_database
from bridge.cli.exit_codes import ExitCode
from bridge.cli.options import AS_JSON, DurationType
from bridge.cli.output import open_console, print_json
from bridge.clock import format_timestamp, system_now
from bridge.lms_pages.instructions import GUIDES, Instruction, build_instructions, guide_of
from bridge.lms_pages.notes import describe_page
from bridge.lms_pages.recognition import Certainty, Recognition, recognize
from bridge.lms_pages.visit import PageVisitError, VisitedPage, check_page_url, printable, visit_page
from bridge.settings import Settings
from storage import browser_keys, lms
from storage.browser_keys import BrowserKey
from storage.lms import Lms
from storage.queries.arrivals import ArrivedCommit

MAX_LINE_LENGTH = 2_000
"""Characters of a line that has what a client sent."""


class PageUrlType(click.ParamType[str]):
    """The address of a page."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Validate it."""
        try:
            return check_page_url(value)
        except ValueError as error:
            self.fail(f"{value!r} cannot be visited: {error}.", param, ctx)


@dataclass(frozen=True, slots=True)
class _Finding:
    """A page with all that is said of it."""

    page: VisitedPage
    recognition: Recognition
    instructions: list[Instruction]
    notes: list[str]

    @property
    def name(self) -> str:
        """Return what the LMS is called, with its version."""
        return f"{guide_of(self.recognition.product).name} {self.recognition.version}".rstrip()

    @property
    def guide(self) -> str:
        """Return where more is written."""
        return f"{GUIDES}/{guide_of(self.recognition.product).guide}"


@click.command()
@click.argument("url", type=PageUrlType())
@click.option("--key", help="A browser key of this LMS (`keys create`), for lines that can be pasted as they are.")
@click.option("--lms", "lms_name", help="Name of the LMS whose commit is waited for; by default the key's, or any.")
@click.option(
    "--timeout",
    type=DurationType(),
    default="10m",
    show_default=True,
    help="How long to wait for the first commit; 0s for not at all.",
)
@AS_JSON
@click.pass_obj
def connect(
    settings: Settings, url: str, *, key: str | None, lms_name: str | None, timeout: int, as_json: bool
) -> None:
    """Say which LMS the page at URL seems to be of and how to connect it, then wait and show the first commit arrive.

    The page is loaded once, as somebody sees it who has not signed in; redirects to other hosts are not followed. The
    exit code is 0 if a commit arrived or none was waited for, 1 if none did, and 69 if the page does not answer.
    """
    owner, stored_key = _find_owner(settings, key, lms_name)
    try:
        page = asyncio.run(visit_page(settings.outgoing_guard(), url))
    except PageVisitError as error:
        click.echo(str(error), err=True)
        sys.exit(ExitCode.FAILED if error.is_forbidden else ExitCode.UNAVAILABLE)
    recognition, public_url = recognize(page), settings.server.public_url
    finding = _Finding(
        page,
        recognition,
        build_instructions(recognition.product, page.url, page.origin, key, public_url),
        describe_page(page, recognition, stored_key, public_url, system_now()),
    )
    if not as_json:
        _show(finding)
    result = _wait(settings, owner, timeout) if timeout else None
    if as_json:
        print_json(_as_object(finding, result))
    elif result is not None and result.commit is not None:
        _show_arrival(result.commit, result.verbs, public_url)
    if result is not None and result.commit is None:
        sys.exit(ExitCode.FAILED)


def _find_owner(settings: Settings, key: str | None, lms_name: str | None) -> tuple[Lms | None, BrowserKey | None]:
    """Return the LMS whose commits are waited for, None for any, and the key."""
    if key is None and lms_name is None:
        return None, None
    with open_connection(settings) as connection:
        named = None if lms_name is None else lms.by_name(connection, lms_name)
        stored = next((known for known in browser_keys.of_lms(connection) if known.key == key), None)
    if lms_name is not None and named is None:
        raise click.BadParameter(f"{lms_name}: no such LMS; `lms list` shows them.", param_hint="--lms")
    if key is not None and stored is None:
        raise click.BadParameter("no key of this bridge; `keys list` shows them.", param_hint="--key")
    return named or (None if stored is None else stored.lms), stored


def _wait(settings: Settings, owner: Lms | None, timeout: int) -> WaitResult:
    with open_database(settings) as engine:
        return wait_for_commit(engine, owner, timeout / 1000)


def _show(finding: _Finding) -> None:
    console, page, recognition = open_console(), finding.page, finding.recognition
    is_certain = recognition.certainty is Certainty.CERTAIN
    verb = "is of" if is_certain else "seems to be of"
    title = f" ({page.title})" if page.title else ""
    console.print(Text(f"{page.url}{title} {verb} {finding.name}."), soft_wrap=True)
    for line in recognition.evidence:
        console.print(Text(f"  - {line}"), soft_wrap=True)
    if recognition.others:
        names = ", ".join(guide_of(product).name for product in recognition.others)
        console.print(Text(f"It has marks of others, too: {names}."), soft_wrap=True)
    for note in finding.notes:
        console.print(Text(f"\n{note}"), soft_wrap=True)
    for number, instruction in enumerate(finding.instructions, 1):
        _show_instruction(console, number, instruction)
    console.print(Text(f"\nMore about it: {finding.guide}"), soft_wrap=True)


def _show_instruction(console: Console, number: int, instruction: Instruction) -> None:
    console.print(Text(f"\n{number}. {instruction.text}\n"), soft_wrap=True)
    for line in instruction.lines:
        console.print(Text(f"    {line}"), soft_wrap=True)


def _show_arrival(commit: ArrivedCommit, verbs: Sequence[str], public_url: str) -> None:
    course = f" of course {commit.course_id}" if commit.course_id else ""
    text = (
        f"The first commit arrived at {format_timestamp(commit.received_at)}: learner {commit.learner_id} of"
        f" {commit.lms}, activity {commit.activity_id}{course}, attempt {commit.attempt_number}; {commit.disposition},"
        f" as {commit.wire_format}, from {commit.source}."
    )
    click.echo(printable(text, MAX_LINE_LENGTH))
    for verb in verbs:
        click.echo(f"  - {verb}")
    page = f"/audit/attempts/{commit.attempt_id}"
    click.echo(f"See it at {public_url}{page}" if public_url else f"See it at {page} of this bridge.")


def _as_object(finding: _Finding, result: WaitResult | None) -> dict[str, Any]:
    page, recognition = finding.page, finding.recognition
    commit = None if result is None else result.commit
    return {
        "url": page.url,
        "status": page.status,
        "title": page.title,
        "leads_to": page.leads_to or None,
        "asks_to_sign_in": page.asks_to_sign_in,
        "lms": recognition.product,
        "name": finding.name,
        "version": recognition.version or None,
        "certainty": recognition.certainty,
        "evidence": recognition.evidence,
        "others": recognition.others,
        "notes": finding.notes,
        "instructions": finding.instructions,
        "guide": finding.guide,
        "refusals": [] if result is None else [refusal._asdict() for refusal in result.refusals],
        "commit": None
        if commit is None or result is None
        else commit._asdict() | {"received_at": format_timestamp(commit.received_at), "statements": result.verbs},
    }
