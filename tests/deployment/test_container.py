"""Dockerfile and compose file: what they name exists, each step runs, and what they start is healthy and no root.

No container engine is needed: steps run by the shell, in directories of the test instead of the image's.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from bridge.cli import main
from bridge.settings import ServerSettings, load_settings
from tests.deployment.conftest import DEADLINE, ROOT
from tests.support.server import Server

ENVIRONMENT = "/opt/scorm-bridge"
"""Where the image has the bridge."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction of the Dockerfile, with the number of the stage it is of."""

    stage: int
    name: str
    text: str


def _instructions() -> list[Instruction]:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    stage, instructions = -1, []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        stage += name == "FROM"
        instructions.append(Instruction(stage, name, rest.strip()))
    return instructions


INSTRUCTIONS = _instructions()
LAST = max(instruction.stage for instruction in INSTRUCTIONS)


def _texts(name: str, stage: int = LAST) -> list[str]:
    return [one.text for one in INSTRUCTIONS if (one.stage, one.name) == (stage, name)]


def _healthcheck() -> list[str]:
    (text,) = _texts("HEALTHCHECK")
    command: list[str] = json.loads(text.partition("CMD ")[2])
    return command


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what `.dockerignore` lets into the build."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    folder = tmp_path_factory.mktemp("context")
    never = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
    for name in (rule.removeprefix("!") for rule in rules if rule.startswith("!")):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*never))
        else:
            shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def image(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the steps of the stage that builds; return the directory of what the image gets."""
    environment = tmp_path_factory.mktemp("image") / "scorm-bridge"
    player = "bridge/sandbox/player/node_modules/scorm-again"
    shutil.copytree(ROOT / player, context / player)
    for step in _texts("RUN", LAST - 1):
        command = step.replace(ENVIRONMENT, str(environment)).replace("python3", sys.executable)
        process = subprocess.run(
            command, shell=True, cwd=context, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
        assert process.returncode == 0, f"{step}: {process.stderr}"
    return environment


def test_what_is_copied_into_the_image_exists(context: Path) -> None:
    for instruction in INSTRUCTIONS:
        if instruction.name == "COPY" and not instruction.text.startswith("--from="):
            *sources, _ = shlex.split(instruction.text)
            for source in sources:
                assert (context / source).exists(), instruction.text


def test_nothing_but_the_service_is_in_the_build(context: Path) -> None:
    assert {path.name for path in context.iterdir()} & {"tests", ".git", ".venv", ".run", "docs"} == set()
    assert not [path for path in context.rglob("*") if fnmatch(path.name, "*.db*") or path.name == "__pycache__"]


def test_the_player_is_installed_as_everywhere() -> None:
    (step,) = _texts("RUN", 0)
    hook = (ROOT / "hatch_build.py").read_text(encoding="utf-8")
    (arguments,) = re.findall(r"^INSTALL = (\(.*\))$", hook, re.MULTILINE)

    assert shlex.split(step) == ["npm", *ast.literal_eval(arguments)]


def test_the_image_runs_the_command_as_a_user_who_is_not_root() -> None:
    (user,) = _texts("USER")

    assert all(int(number) >= 10_000 for number in user.split(":"))
    assert [one.name for one in INSTRUCTIONS if one.stage == LAST].index("USER") > max(
        index for index, one in enumerate(one for one in INSTRUCTIONS if one.stage == LAST) if one.name == "RUN"
    )
    assert json.loads(_texts("ENTRYPOINT")[0]) == ["scorm-bridge"]
    assert json.loads(_texts("CMD")[0]) == ["serve"]
    assert _texts("STOPSIGNAL") == ["SIGTERM"]


def test_the_image_says_what_it_is() -> None:
    labels = dict(part.split("=", 1) for part in shlex.split(_texts("LABEL")[0]))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'description = "{labels["org.opencontainers.image.description"]}"' in project
    assert f'license = "{labels["org.opencontainers.image.licenses"]}"' in project
    (version,) = [text for text in _texts("ARG") if text.startswith("VERSION=")]
    assert f'version = "{version.removeprefix("VERSION=")}"' in project


def test_the_image_s_variables_are_settings_and_its_port_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = _texts("ENV")
    variables = dict(part.split("=", 1) for part in shlex.split(text))
    for name, value in variables.items():
        if name.startswith("SCORM_BRIDGE_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("SCORM_BRIDGE_SERVER__PUBLIC_URL", "https://bridge.example.org")
    settings = load_settings(None)
    (volume,) = _texts("VOLUME")

    assert settings.database.url.startswith(f"sqlite:///{volume}/")
    assert _texts("EXPOSE") == [str(ServerSettings().port)] == [str(settings.server.port)]
    assert (settings.server.host, variables["PATH"].partition(":")[0]) == ("0.0.0.0", f"{ENVIRONMENT}/bin")


async def test_the_health_check_passes_while_the_bridge_runs_and_fails_otherwise(
    image: Path, tmp_path: Path, sqlite_url: str
) -> None:
    server = Server(tmp_path, sqlite_url)
    await server.start()
    alive = await _check(image, server.port)
    await server.stop()

    assert (alive, await _check(image, server.port)) == (0, 1)


async def _check(image: Path, port: int) -> int | None:
    environment = {"PATH": f"{image}/bin", "SCORM_BRIDGE_SERVER__PORT": str(port)}
    process = await asyncio.create_subprocess_exec(*_healthcheck(), env=environment, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


def test_what_the_image_gets_runs_and_has_no_installer(image: Path, tmp_path: Path) -> None:
    assert not (image / "bin" / "pip").exists()
    url = f"sqlite:///{tmp_path / 'bridge.db'}"
    for command in (["migrate"], ["--version"]):
        subprocess.run(
            [image / "bin" / "scorm-bridge", *command],
            env={"PATH": "", "SCORM_BRIDGE_DATABASE__URL": url},
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
    (player,) = image.glob("lib/python3*/site-packages/bridge/sandbox/player/node_modules/scorm-again/dist/*.min.js")
    assert player.stat().st_size > 100_000


def test_the_compose_file_starts_the_image_as_the_image_wants_to_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    for name in ("migrate", "bridge"):
        service = services[name]
        assert (service["build"], service["read_only"], service["cap_drop"]) == (".", True, ["ALL"]), name
        assert service["tmpfs"] == ["/tmp"], name
    assert services["bridge"]["ports"] == ["127.0.0.1:8080:8080"]
    assert services["bridge"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["depends_on"]["database"]["condition"] == "service_healthy"
    named = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert named == compose["volumes"].keys()

    for variable, value in services["bridge"]["environment"].items():
        if variable.startswith("SCORM_BRIDGE_"):
            monkeypatch.setenv(variable, re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value))
    monkeypatch.setenv("SCORM_BRIDGE_SERVER__HOST", "0.0.0.0")
    user = services["database"]["environment"]["POSTGRES_USER"]
    assert load_settings(None).database.url == f"postgresql://{user}@database/{user}"


@pytest.mark.parametrize("name", ["migrate", "bridge"])
def test_the_compose_file_s_commands_are_commands(name: str) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    command = compose["services"][name]["command"]

    assert CliRunner().invoke(main, [*command, "--help"]).exit_code == 0
