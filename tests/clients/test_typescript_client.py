"""openapi-typescript makes types of the OpenAPI document that compile, and that an LMS's code compiles against."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import nullcontext as does_not_raise
from pathlib import Path

import pytest

from bridge.http.openapi import description

NODE_MODULES = Path(__file__).with_name("npm") / "node_modules"
CONSUMER = Path(__file__).with_name("consumer.ts")
COMPILER = {
    "files": ["api.ts", "consumer.ts"],
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "target": "es2022",
        "lib": ["es2022", "dom", "dom.iterable"],
        "module": "esnext",
        "moduleResolution": "bundler",
        "types": [],
    },
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated types in `api.ts`, and a file that uses them."""
    directory = tmp_path_factory.mktemp("client")
    (directory / "node_modules").symlink_to(NODE_MODULES)
    (directory / "openapi.json").write_text(json.dumps(description()))
    (directory / "tsconfig.json").write_text(json.dumps(COMPILER))
    shutil.copy(CONSUMER, directory)
    _run(directory, "openapi-typescript", "openapi.json", "--output", "api.ts")
    return directory


def test_what_is_generated_compiles(directory: Path) -> None:
    with does_not_raise():
        _run(directory, "tsc", "--project", "tsconfig.json")


def test_every_operation_is_there(directory: Path) -> None:
    operations = {
        operation["operationId"] for methods in description()["paths"].values() for operation in methods.values()
    }
    _, _, generated = (directory / "api.ts").read_text().partition("export interface operations {\n")
    names = [
        line.removesuffix(": {").strip()
        for line in generated.splitlines()
        if line.startswith("    ") and line[4] != " "
    ]

    assert {name for name in names if name != "};"} == operations


def _run(directory: Path, tool: str, *arguments: str) -> None:
    result = subprocess.run(
        [NODE_MODULES / ".bin" / tool, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
