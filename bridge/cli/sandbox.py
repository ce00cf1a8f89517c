"""`scorm-bridge sandbox`: the bridge, an LRS and a sample course at once, to try them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import click
from aiohttp import web

from bridge.app import create_app
from bridge.cli.serve import errors_as_exit_codes, new_loop, run_app
from bridge.sandbox.credentials import ACCOUNT_NAME, SandboxCredentials, prepare
from bridge.sandbox.lrs import LINKS, create_lrs
from bridge.sandbox.site import PLAYER, Sandbox, add_sandbox
from bridge.settings import DatabaseSettings, ServerSettings, Settings, TargetSettings
from storage.engine import open_engine, writing
from storage.migrations import migrate
from storage.process_lock import only_writer

LOOPBACK = "127.0.0.1"
SHUTDOWN_TIMEOUT = 1
"""Seconds that requests to the LRS have to finish."""


@click.command()
@click.option("--port", default=8080, show_default=True, help="Port of the bridge.")
@click.option("--lrs-port", default=8081, show_default=True, help="Port of the sandbox LRS.")
@click.option(
    "--host",
    default=LOOPBACK,
    show_default=True,
    help="Address to listen on: 0.0.0.0 in a container, whose ports are published to this machine alone.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=".run",
    show_default=True,
    help="Directory of the SQLite file, the token and the password.",
)
@click.pass_obj
def sandbox(settings: Settings, port: int, lrs_port: int, host: str, directory: Path) -> None:
    """Run the bridge with a sandbox LRS and a sample course. Not for production: the LRS keeps nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    home_page, lrs_url = f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{lrs_port}/"
    chosen = Settings(
        server=ServerSettings(host=host, port=port, public_url=home_page),
        database=DatabaseSettings(url=f"sqlite:///{directory / 'scorm-bridge.db'}"),
        targets=(TargetSettings(name="sandbox-lrs", endpoint=f"{lrs_url}xapi/"),),
        mapping=settings.mapping,
        log=settings.log,
    )
    with errors_as_exit_codes(), only_writer(chosen.database.url):
        engine = open_engine(chosen.database.url)
        migrate(engine)
        with writing(engine) as connection:
            credentials, lms_id = prepare(connection, directory / "sandbox.json", home_page)
        engine.dispose()
        app = create_app(chosen)
        add_sandbox(app, Sandbox(lms_id, lrs_url, f"{home_page}/audit/"))
        app.cleanup_ctx.append(_run_lrs(host, lrs_port, home_page))
        run_app(
            app,
            chosen,
            new_loop(),
            on_listening=lambda: click.echo(_welcome(home_page, lrs_url, credentials, directory)),
        )


def _run_lrs(host: str, port: int, home_page: str) -> Callable[[web.Application], AsyncIterator[None]]:
    links = (("Sample course", f"{home_page}/sandbox/"), ("Audit pages", f"{home_page}/audit/"))

    async def run(_app: web.Application) -> AsyncIterator[None]:
        lrs = create_lrs()
        lrs[LINKS] = links
        runner = web.AppRunner(lrs, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        yield
        await runner.cleanup()

    return run


def _welcome(home_page: str, lrs_url: str, credentials: SandboxCredentials, directory: Path) -> str:
    course = "play the sample course" if PLAYER.is_dir() else "attempts (the sample course needs node: `make player`)"
    audit = f"the audit pages; name {ACCOUNT_NAME}, password {credentials.password}"
    pages = {
        f"{home_page}/sandbox/": course,
        lrs_url: "the sandbox LRS: what has arrived",
        f"{home_page}/audit/": audit,
    }
    width = max(map(len, pages))
    addresses = "\n".join(f"  {address:{width}}  {what}" for address, what in pages.items())
    return f"""
  Post a commit yourself:

    curl -s {home_page}/scorm/progress/235/ \\
      -H 'Authorization: Bearer {credentials.token}' \\
      -d '{{"learner": {{"id": "u42", "name": "Ada"}}, "scorm_version": "1.2",
           "cmi_data": {{"core": {{"lesson_status": "passed", "score": {{"raw": "85"}}}}}}}}'

  The token, the password and all commits are kept in {directory}/. Stop with Ctrl-C.

{addresses}
"""
