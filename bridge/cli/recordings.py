"""`scorm-bridge recordings`: API calls that pages have recorded, as a file, and played again in the sandbox."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from bridge.cli.database import errors_as_messages, open_connection
from bridge.cli.options import AS_JSON, UuidType
from bridge.cli.output import print_json, print_table
from bridge.clock import random_id
from bridge.recordings.download import Recording, RecordingError, read_recording, write_recording
from bridge.recordings.player import PlayedSession, play
from bridge.recordings.replay import commits_of, differences
from bridge.sandbox.credentials import load_credentials
from bridge.settings import Settings
from storage.new_file import NewFileError, new_file


@click.group()
def recordings() -> None:
    """Read and replay recordings: every API call of a session, where the tap has data-record="calls"."""


@recordings.command("show")
@click.argument("session_id", type=UuidType())
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to create; by default standard output.")
@click.pass_obj
def show_recording(settings: Settings, session_id: str, output: Path | None) -> None:
    """Show the recording of SESSION_ID as NDJSON: whose session it is, then a line for each call."""
    with open_connection(settings) as connection:
        content = write_recording(connection, session_id)
    if content is None:
        raise click.ClickException(f"Nothing was recorded of session {session_id}.")
    if output is None:
        click.echo(content, nl=False)
    else:
        with errors_as_messages(NewFileError), new_file(output) as partial:
            partial.write_bytes(content)


@recordings.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="Address of the sandbox.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=".run",
    show_default=True,
    help="Directory of the sandbox, which has its token.",
)
@click.option("--learner", help="Id of the learner to play as; by default a new one, so that it is a first attempt.")
@click.option("--commits", "only_commits", is_flag=True, help="Print the commits, one a line, and send nothing.")
@AS_JSON
def replay_recording(
    file: Path, url: str, directory: Path, learner: str | None, *, only_commits: bool, as_json: bool
) -> None:
    """Replay FILE, a recording, in a running sandbox: the same calls make the same commits and the same statements."""
    with errors_as_messages(RecordingError, OSError), file.open("rb") as stream:
        recording = read_recording(stream)
    if only_commits:
        click.echo(msgspec.json.Encoder().encode_lines(commits_of(recording)), nl=False)
        return
    token = load_credentials(directory / "sandbox.json")
    if token is None:
        raise click.ClickException(f"{directory / 'sandbox.json'} has no token: start `scorm-bridge sandbox` first.")
    with errors_as_messages(RecordingError):
        played = asyncio.run(play(recording, url.rstrip("/"), token.token, learner or f"replay-{random_id()}"))
    if as_json:
        print_json({"differences": differences(recording), "session": played})
    else:
        _print_played(recording, played, url.rstrip("/"))


def _print_played(recording: Recording, played: PlayedSession, url: str) -> None:
    print_table(
        ("commit", "committed", "rule", "verb", "statement"),
        (
            (commit.sequence, commit.committed_at, statement["rule"], statement["verb"], statement["id"])
            for commit in played.commits
            for statement in commit.statements or [dict.fromkeys(("rule", "verb", "id"))]
        ),
    )
    for sentence in differences(recording):
        click.echo(f"May differ: {sentence}", err=True)
    click.echo(f"Played as {played.learner}: {url}/audit/attempts/{played.attempt}", err=True)
