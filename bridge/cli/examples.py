"""An example of each command, which its `--help` and the reference of commands show."""

from __future__ import annotations

from collections.abc import Iterator

import click

NAME = "scorm-bridge"

STATEMENT = "5f0c1b52-6a3e-4c7e-9d7e-3f8b1f0a2c11"
"""A statement's id in examples."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "serve": ("--config /etc/scorm-bridge.toml serve", "serve --workers 4"),
    "migrate": ("migrate --plan", "migrate"),
    "backfill": ("backfill archive --since 2024-01-01 --dry-run",),
    "reconcile": ("reconcile archive --since 2026-01-01", "reconcile archive --report archive.ndjson --repair"),
    "wrap": ("wrap course.zip --key pk_… -o course-wrapped.zip", "wrap course.zip --key pk_… --prove"),
    "unwrap": ("unwrap course-wrapped.zip -o course.zip",),
    "connect": (
        "connect https://lms.example.org",
        "connect https://lms.example.org/mod/scorm/view.php?id=7 --key pk_…",
    ),
    "backup": ("backup /var/backups/scorm-bridge.db",),
    "tokens create": ("tokens create --lms campus --home-page https://lms.example.org",),
    "tokens list": ("tokens list", "tokens list --json"),
    "tokens revoke": ('tokens revoke 3 --reason "was in a public repository"',),
    "tokens rotate": ("tokens rotate 3 --overlap 7d",),
    "keys create": ("keys create --lms campus --origin https://lms.example.org --expires 365d",),
    "keys list": ("keys list", "keys list --json"),
    "keys revoke": ('keys revoke 3 --reason "the pages are gone"',),
    "lms list": ("lms list",),
    "lms change": (
        "lms change campus --origin https://learn.example.org",
        "lms change campus --learner-pattern 'user-{id}' --learner-case lower",
    ),
    "lms remove": ("lms remove trial --reason 'the trial is over'",),
    "webhooks list": ("webhooks list", "webhooks list --json"),
    "webhooks add": ("webhooks add gradebook --lms campus --url https://lms.example.org/hooks/scorm",),
    "webhooks change": (
        "webhooks change gradebook --url https://lms.example.org/hooks/v2",
        "webhooks change gradebook --pause --reason 'maintenance on Sunday'",
    ),
    "webhooks rotate": ("webhooks rotate gradebook --overlap 7d",),
    "webhooks remove": ("webhooks remove gradebook --reason 'the gradebook was replaced'",),
    "webhooks test": ("webhooks test gradebook",),
    "webhooks deliveries": ("webhooks deliveries gradebook --state dead", "webhooks deliveries --json"),
    "webhooks retry": ("webhooks retry gradebook",),
    "webhooks discard": ("webhooks discard gradebook --reason 'entered by hand'",),
    "accounts create": ("accounts create ada --role admin --sees-names",),
    "accounts list": ("accounts list",),
    "accounts set-role": ("accounts set-role ada auditor --reason 'changed teams'",),
    "accounts set-password": ("accounts set-password ada --password-file new-password.txt",),
    "accounts remove": ("accounts remove ada --reason 'left'",),
    "import": ("import moodle exports/ --lms campus --dry-run",),
    "targets list": ("targets list", "targets list --json"),
    "targets pause": ("targets pause analytics --reason 'maintenance on Sunday'",),
    "targets resume": ("targets resume analytics",),
    "alerts list": ("alerts list", "alerts list --json"),
    "alerts test": ("alerts test", "alerts test operations"),
    "doctor": ("doctor", "doctor --settings", "doctor --json"),
    "sessions list": ("sessions list --learner u42 --since 2026-01-31", "sessions list --open --json"),
    "recordings show": ("recordings show 0d2c6d0e-8f0a-4f0e-9d55-5a3b7d1e6c42 -o session.ndjson",),
    "recordings replay": ("recordings replay session.ndjson", "recordings replay session.ndjson --commits"),
    "statements list": ("statements list --learner u42 --activity 235",),
    "deliveries list": ("deliveries list --state dead --target analytics",),
    "deliveries retry": ("deliveries retry --target analytics --state dead --since 2026-01-31",),
    "deliveries reissue": (f"deliveries reissue --statement {STATEMENT} --reason 'the LRS lost it'",),
    "deliveries discard": (f"deliveries discard --statement {STATEMENT} --reason 'test learner'",),
    "explain": (f"explain {STATEMENT}", f"explain {STATEMENT} --body"),
    "verify": ("verify u42 235", "verify u42 235 --course c7 --json"),
    "report": (
        "report attempts --format parquet --month 2026-01 --output reports/",
        "report enrollments --format csv --course c7 --names --output c7.csv",
    ),
    "export": ("export u42 --lms campus --output u42.zip",),
    "erase": ("erase u42 --lms campus", 'erase u42 --lms campus --reason "request 2026-17" --yes'),
    "erasures list": ("erasures list", "erasures list --json"),
    "mapping check": ("mapping check mine.toml",),
    "mapping list": ("mapping list",),
    "mapping show": ("mapping show cmi5", "mapping show --lms campus --text"),
    "mapping diff": ("mapping diff scorm-profile mine.toml",),
    "mapping activate": ("mapping activate mine.toml --reason 'adds the verb experienced'",),
    "mapping rollback": ("mapping rollback --reason 'reports miss scores'",),
    "mapping preview": ("mapping preview mine.toml commit.json",),
    "mapping impact": ("mapping impact mine.toml --days 90",),
    "mapping reissue": ("mapping reissue mine.toml --learner u42 --preview",),
    "sandbox": ("sandbox", "sandbox --port 9000 --lrs-port 9001"),
}
"""Arguments behind `scorm-bridge`, by the path of the command."""


def add_examples(group: click.Group) -> None:
    """Add to the help of each command below a group what `EXAMPLES` has for it."""
    for path, command in leaf_commands(group).items():
        if examples := EXAMPLES.get(path):
            lines = "\n".join(f"  {NAME} {arguments}" for arguments in examples)
            command.epilog = f"\b\n{'Example' if len(examples) == 1 else 'Examples'}:\n{lines}"


def leaf_commands(group: click.Group) -> dict[str, click.Command]:
    """Return the commands that do something by the words that call them; one with two names by the shorter one."""
    paths: dict[click.Command, str] = {}
    for path, command in sorted(_leaf_paths(group), key=lambda item: len(item[0])):
        paths.setdefault(command, path)
    return {path: command for command, path in paths.items()}


def _leaf_paths(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        path = f"{above} {name}".lstrip()
        if isinstance(command, click.Group):
            yield from _leaf_paths(command, path)
        else:
            yield path, command
