"""The bill of materials: valid, and with everything that a release brings along."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deployment.conftest import ROOT, run


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The document, as `make sbom` writes it."""
    output = tmp_path_factory.mktemp("sbom") / "sbom.json"
    run(sys.executable, ROOT / ".ci/sbom", Path(sys.executable).with_name("cyclonedx-py"), output)
    return output.read_text(encoding="utf-8")


def test_the_document_is_valid_cyclonedx(document: str) -> None:
    version = SchemaVersion.from_version(json.loads(document)["specVersion"])

    assert JsonStrictValidator(version).validate_str(document) is None


def test_it_names_what_the_locks_name_with_hashes(document: str) -> None:
    components: list[dict[str, Any]] = json.loads(document)["components"]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = [Requirement(line.rstrip(" \\")) for line in re.findall(r"^[A-Za-z0-9].*$", lock, re.MULTILINE)]
    expected = {(canonicalize_name(pin.name), str(pin.specifier).removeprefix("==")) for pin in pinned}
    named = {(canonicalize_name(component["name"]), component["version"]) for component in components}

    assert named - expected == {("scorm-again", _player_version())}
    assert expected <= named
    assert [component["name"] for component in components if "content" not in json.dumps(_hashes(component))] == []


def test_it_says_what_the_bridge_itself_depends_on(document: str) -> None:
    decoded = json.loads(document)
    (root,) = [entry for entry in decoded["dependencies"] if entry["ref"] == "root-component"]
    names = {component["bom-ref"]: component["name"] for component in decoded["components"]}

    assert {names[ref] for ref in root["dependsOn"]} >= {"aiohttp", "sqlalchemy", "scorm-again"}
    assert len(root["dependsOn"]) < len(names)


def _hashes(component: dict[str, Any]) -> list[Any]:
    files = [component, *component.get("externalReferences", ())]
    return [file["hashes"] for file in files if "hashes" in file]


def _player_version() -> str:
    lock = json.loads((ROOT / "bridge/sandbox/player/package-lock.json").read_text(encoding="utf-8"))
    version: str = lock["packages"]["node_modules/scorm-again"]["version"]
    return version
