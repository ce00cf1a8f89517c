"""Code blocks that are read: settings, mappings, bodies, scripts. `test_commands` runs the others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from contextlib import nullcontext as does_not_raise
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tomlkit
import yaml

from bridge.imports.sources.column_map import parse_column_map
from bridge.settings import Settings, load_settings
from mappings.definition import load_definition
from tests.documentation.blocks import ROOT, Block, all_blocks, blocks

SECRET = "the beginning of secrets that are as long as any has to be"


def _place(block: Block) -> str:
    return block.place


@pytest.mark.parametrize("block", all_blocks("json"), ids=_place)
def test_json_is_json(block: Block) -> None:
    """What readers copy must parse, and have no key twice."""
    with does_not_raise():
        json.loads(block.text, object_pairs_hook=_without_duplicates)


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=_place)
def test_yaml_is_yaml(block: Block) -> None:
    """What readers copy must parse, to a mapping."""
    assert isinstance(yaml.safe_load(block.text), dict)


@pytest.mark.parametrize("block", all_blocks("js"), ids=_place)
def test_javascript_is_javascript(block: Block, tmp_path: Path) -> None:
    """What readers copy must parse as a module."""
    node = shutil.which("node")
    assert node is not None
    file = tmp_path / "block.mjs"
    file.write_text(block.text, encoding="utf-8")
    check = subprocess.run([node, "--check", file], capture_output=True, text=True, check=False)

    assert check.returncode == 0, check.stderr


@pytest.mark.parametrize("block", all_blocks("toml"), ids=_place)
def test_toml_is_settings_a_column_map_or_part_of_a_mapping(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = tomllib.loads(block.text)
    load: Callable[[], object]
    if values.keys() <= Settings.model_fields.keys():
        for name in [name for name in os.environ if name.startswith("SCORM_BRIDGE_")]:
            monkeypatch.delenv(name)
        text = tomlkit.dumps(_with_secrets(values, tmp_path, monkeypatch))
        (tmp_path / "settings.toml").write_text(text, encoding="utf-8")
        load = partial(load_settings, tmp_path / "settings.toml")
    elif "columns" in values:
        load = partial(parse_column_map, block.text)
    else:
        earlier = [
            tomllib.loads(other.text)
            for other in blocks(block.page)
            if other.language == "toml" and other.line <= block.line
        ]
        parts = [part for part in earlier if not part.keys() <= Settings.model_fields.keys()]
        load = partial(load_definition, tomlkit.dumps(_with_profile(parts)), block.place)
    with does_not_raise():
        load()


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


def _with_secrets(value: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return settings as they are; the variables and files that secrets are read from are made."""
    if isinstance(value, list):
        return [_with_secrets(entry, folder, monkeypatch) for entry in value]
    if not isinstance(value, dict):
        return value
    changed = {}
    for key, entry in value.items():
        changed[key] = _with_secrets(entry, folder, monkeypatch)
        if key.endswith("_env"):
            monkeypatch.setenv(entry, f"{SECRET}: {entry}")
        elif key.endswith("_file") and isinstance(entry, str):
            file = folder / key
            file.write_text(f"{SECRET}: {file}\n", encoding="utf-8")
            changed[key] = str(file)
    return changed


def _with_profile(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the shipped mapping with parts of another one in it: tables merged, rules added, keys of a rule set."""
    whole = tomllib.loads((ROOT / "mappings/scorm-profile.toml").read_text(encoding="utf-8"))
    for part in parts:
        whole["rules"] += part.pop("rules", [])
        rule = {key: value for key, value in part.items() if key not in whole}
        next(rule for rule in whole["rules"] if rule["when"] == "interaction.answered").update(rule)
        _merge(whole, {key: value for key, value in part.items() if key in whole})
    return whole


def _merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    for key, value in part.items():
        if isinstance(value, dict) and isinstance(whole.get(key), dict):
            _merge(whole[key], value)
        else:
            whole[key] = value
