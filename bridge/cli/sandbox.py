"""`scorm-bridge sandbox`: the bridge, an LRS and a sample course at once, to try them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import click
from aiohttp import web
from sqlalchemy import Connection

from bridge import passwords
from bridge.access import new_token
from bridge.app import create_app
from bridge.audit.access.login_throttle import account_subject
from bridge.cli.serve import errors_as_exit_codes, new_loop, run_app
from bridge.clock import system_now
from bridge.operations import accounts
from bridge.operations.audit_context import AuditContext
from bridge.sandbox.lrs import create_lrs
from bridge.sandbox.site import PLAYER, Sandbox, add_sandbox
from bridge.settings import DatabaseSettings, ServerSettings, Settings, TargetSettings
from storage import accounts as stored_accounts
from storage import lms, tokens
from storage.accounts import NewAccount
from storage.engine import open_engine, writing
from storage.migrations import migrate
from storage.process_lock import only_writer

HOST = "127.0.0.1"
LMS_NAME = "sandbox"
ACCOUNT_NAME = "sandbox"
"""The account of the audit pages, with a new password at each start."""


@click.command()
@click.option("--port", default=8080, show_default=True, help="Port of the bridge.")
@click.option("--lrs-port", default=8081, show_default=True, help="Port of the sandbox LRS.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=".run",
    show_default=True,
    help="Directory of the SQLite file.",
)
@click.pass_obj
def sandbox(settings: Settings, port: int, lrs_port: int, directory: Path) -> None:
    """Run the bridge with a sandbox LRS and a sample course. Not for production: the LRS keeps nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    home_page, lrs_url = f"http://{HOST}:{port}", f"http://{HOST}:{lrs_port}/"
    chosen = Settings(
        server=ServerSettings(host=HOST, port=port, public_url=home_page),
        database=DatabaseSettings(url=f"sqlite:///{directory / 'scorm-bridge.db'}"),
        targets=(TargetSettings(name="sandbox-lrs", endpoint=f"{lrs_url}xapi/"),),
        mapping=settings.mapping,
        log=settings.log,
    )
    with errors_as_exit_codes(), only_writer(chosen.database.url):
        token, password = new_token(), secrets.token_urlsafe(12)
        lms_id = _prepare(chosen, home_page, token, password)
        app = create_app(chosen)
        add_sandbox(app, Sandbox(lms_id, lrs_url))
        app.cleanup_ctx.append(_run_lrs(lrs_port))
        click.echo(_welcome(home_page, lrs_url, token, password))
        run_app(app, chosen, new_loop())


def _prepare(settings: Settings, home_page: str, token: str, password: str) -> int:
    engine = open_engine(settings.database.url)
    migrate(engine)
    digest = passwords.hash_password(password)
    with writing(engine) as connection:
        known = lms.by_name(connection, LMS_NAME)
        owner = lms.register(
            connection,
            name=LMS_NAME,
            # the port may differ from last time, learners' accounts must not
            home_page=known.home_page if known else home_page,
            origins=(home_page,),
            now=system_now(),
        )
        tokens.add(connection, owner.id, tokens.digest(token), system_now())
        _prepare_account(connection, digest)
    engine.dispose()
    return owner.id


def _prepare_account(connection: Connection, digest: str) -> None:
    context = AuditContext(ACCOUNT_NAME, "The sandbox was started.", system_now())
    if stored_accounts.by_name(connection, ACCOUNT_NAME) is None:
        accounts.create_account(
            connection, NewAccount(ACCOUNT_NAME, "admin", sees_names=True, password=digest), context
        )
    else:
        accounts.set_password(connection, ACCOUNT_NAME, digest, context, account_subject(ACCOUNT_NAME))


def _run_lrs(port: int) -> Callable[[web.Application], AsyncIterator[None]]:
    async def run(_app: web.Application) -> AsyncIterator[None]:
        runner = web.AppRunner(create_lrs(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, HOST, port).start()
        yield
        await runner.cleanup()

    return run


def _welcome(home_page: str, lrs_url: str, token: str, password: str) -> str:
    course = "play the sample course" if PLAYER.is_dir() else "attempts (the sample course needs node: `make player`)"
    return f"""
  {home_page}/sandbox/   {course}
  {lrs_url}           the sandbox LRS: what has arrived
  {home_page}/audit/     the audit pages: commits, changes, statements; name {ACCOUNT_NAME}, password {password}

  Post a commit yourself:

    curl -s {home_page}/scorm/progress/235/ \\
      -H 'Authorization: Bearer {token}' \\
      -d '{{"learner": {{"id": "u42", "name": "Ada"}}, "scorm_version": "1.2",
           "cmi_data": {{"core": {{"lesson_status": "passed", "score": {{"raw": "85"}}}}}}}}'

  Stop with Ctrl-C.
"""
