"""`scorm-bridge wrap` and `unwrap`: course packages that record for themselves, in any LMS."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from bridge.cli.exit_codes import ExitCode
from bridge.cli.options import AS_JSON
from bridge.cli.output import print_json, print_table
from bridge.packages import PackageError
from bridge.packages.proof import ScoProof, prove
from bridge.packages.wrapping import FileReport, WrapOptions, unwrap, wrap
from bridge.sandbox.site import PLAYER
from bridge.settings import Settings
from bridge.tap.script import load_script

_PACKAGE = click.Path(path_type=Path)
_OUTPUT = click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="What to create; by default beside PACKAGE."
)


@click.command("wrap")
@click.argument("package", type=_PACKAGE)
@click.option("--key", required=True, help="A browser key, which `keys create` prints.")
@_OUTPUT
@click.option("--bridge", help="Address that learners' browsers reach the bridge at; by default server.public_url.")
@click.option("--course-id", help="Id of the course; by default the identifier of the manifest.")
@click.option("--activity-id", help="Id of the activity of a package with one SCO; by default that of the SCO's item.")
@click.option("--prove", "proves", is_flag=True, help="Play both packages in Chromium and compare what an LMS hears.")
@AS_JSON
@click.pass_obj
def wrap_package(  # noqa: PLR0913 -- one for each option
    settings: Settings,
    package: Path,
    *,
    key: str,
    output: Path | None,
    bridge: str | None,
    course_id: str | None,
    activity_id: str | None,
    proves: bool,
    as_json: bool,
) -> None:
    """Wrap PACKAGE, a SCORM course as a zip or a folder, so that it records what learners do, in any LMS.

    The recording script goes into the package, and a line that loads it into each SCO's page. Sequencing, mastery
    scores and all else stay as they are, and `unwrap` gives the original back.
    """
    address = bridge or settings.server.public_url
    if not address.startswith(("http://", "https://")):
        raise click.UsageError("--bridge is needed: the address that learners' browsers reach the bridge at.")
    output = output or package.with_name(f"{package.stem}-wrapped{package.suffix}")
    options = WrapOptions(key, address.rstrip("/"), load_script().body, course_id, activity_id)
    try:
        reports = wrap(package, output, options)
        proofs = asyncio.run(prove(package, output, PLAYER)) if proves else []
    except PackageError as error:
        raise click.ClickException(f"{package}: {error}") from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or output}: {error.strerror}") from None
    if as_json:
        print_json({
            "output": str(output),
            "files": [report._asdict() for report in reports],
            "proof": [_as_object(proof) for proof in proofs] if proves else None,
        })  # fmt: skip
    else:
        _show(output, reports, proofs)
    if any(proof.difference for proof in proofs):
        raise SystemExit(ExitCode.FAILED)


@click.command("unwrap")
@click.argument("package", type=_PACKAGE)
@_OUTPUT
def unwrap_package(package: Path, output: Path | None) -> None:
    """Create the package that PACKAGE was made of by `wrap`: a zip byte for byte, of a folder every file."""
    output = output or package.with_name(f"{package.stem}-original{package.suffix}")
    try:
        unwrap(package, output)
    except PackageError as error:
        raise click.ClickException(f"{package}: {error}") from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or output}: {error.strerror}") from None
    click.echo(f"Created {output}.", err=True)


def _show(output: Path, reports: list[FileReport], proofs: list[ScoProof]) -> None:
    print_table(("file", "what was done"), reports)
    for proof in proofs:
        click.echo(f"{proof.path}: {_verdict(proof)}", err=True)
    click.echo(f"Created {output}. Import it into the LMS in place of the original.", err=True)


def _verdict(proof: ScoProof) -> str:
    if proof.difference:
        return f"the LMS hears another course: {proof.difference}"
    reads = f"; the script asks it {proof.reads} times who is there" if proof.reads else ""
    return f"the LMS hears the same {len(proof.original)} calls{reads}."


def _as_object(proof: ScoProof) -> dict[str, object]:
    return {
        "path": proof.path,
        "calls": len(proof.original),
        "reads": proof.reads,
        "difference": proof.difference or None,
    }
