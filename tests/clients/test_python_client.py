"""openapi-python-client makes a client of the OpenAPI document that has every operation and talks to a bridge."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bridge.http.openapi import description
from tests.support.bridge import Bridge

ENVIRONMENT = Path(__file__).parents[2] / ".clients"
CONVERSATION = Path(__file__).with_name("conversation.py")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated package `bridge_client`; the generator has nothing to remark on."""
    directory = tmp_path_factory.mktemp("client")
    document, config = directory / "openapi.json", directory / "config.json"
    document.write_text(json.dumps(description()))
    config.write_text(json.dumps({"post_hooks": []}))  # to format it would take longer than to generate it
    command: list[str | Path] = [ENVIRONMENT / "bin/openapi-python-client", "generate", "--meta", "none"]
    result = subprocess.run(
        [*command, "--config", config, "--path", document, "--output-path", directory / "bridge_client"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "WARNING" not in result.stdout
    assert "Unable" not in result.stdout
    assert result.stderr == ""
    return directory


def test_every_operation_has_its_function(directory: Path) -> None:
    operations = [
        (operation["tags"][0], operation["operationId"])
        for methods in description()["paths"].values()
        for operation in methods.values()
    ]
    modules = {f"{path.parent.name}/{path.stem}" for path in directory.glob("bridge_client/api/*/[!_]*.py")}

    assert modules == {f"{tag}/{_snake_case(name)}" for tag, name in operations}
    assert len(modules) == len(operations)


async def test_a_generated_client_opens_a_session_stores_commits_and_reads_the_attempt(
    bridge: Bridge, directory: Path
) -> None:
    result = await _converse(directory, bridge)

    assert result["entry"] == "ab-initio"
    assert result["stored"]["disposition"] == "applied"
    assert result["commit_url"].startswith(str(bridge.client.make_url("/v1/sessions/")))
    assert result["attempt"]["attempt"]["completion_status"] == "completed"
    assert [commit["disposition"] for commit in result["attempt"]["commits"]] == ["applied"]
    assert result["session"]["attempt"] == result["attempt"]["attempt"]
    assert result["attempt"] == _as_read(await bridge.get(f"/v1/attempts/{result['attempt']['attempt']['id']}"))
    assert result["launched"]["attempt"]["score"] == {"scaled": 0.85, "raw": 85}
    assert result["progress"]["enrollment"]["activity"]["id"] == "237"
    assert result["enrolled"] == ["u2"]
    assert result["unchanged"] == [0, False]
    assert result["unknown"]["code"] == "session-unknown"
    assert (result["alive"], result["ready"], result["title"]) == ("alive", "ready", "scorm-xapi-bridge")


async def _converse(directory: Path, bridge: Bridge) -> dict[str, Any]:
    url = str(bridge.client.make_url("")).rstrip("/")
    process = await asyncio.create_subprocess_exec(
        *(ENVIRONMENT / "bin/python", CONVERSATION, directory, url, bridge.token), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    result: dict[str, Any] = json.loads(printed)
    return result


def _as_read(response: tuple[int, Any]) -> Any:
    """Return JSON with its times as Python's standard library writes them."""
    return json.loads(re.sub(r'(?<=\d)Z"', '+00:00"', re.sub(r"\.000Z", "Z", json.dumps(response[1]))))


def _snake_case(name: str) -> str:
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
