"""`scorm-bridge serve`: what keeps it from starting is told, and what it needs is little."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import SCRIPT, Run, Script
from tests.support.server import free_port

CANARY = "canary-7c1e"
FAULTY = """
[mapping]
name = "x"
titel = "a title, misspelt"

[[rules]]
name = 1
when = "never"
"""


@contextmanager
def _serving(**environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the service as a process of its own until the block ends; return it and its first words."""
    process = subprocess.Popen(
        [SCRIPT, "serve"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )
    assert process.stderr is not None
    words = ""
    try:
        for line in process.stderr:
            words += line
            if "listens on" in line:
                break
        yield process, words
    finally:
        process.kill()
        process.communicate(timeout=30)


def test_on_a_database_that_was_not_migrated_it_says_what_to_do(script: Script) -> None:
    result = script("serve")

    assert (result.returncode, result.stdout) == (78, "")
    assert "scorm-bridge migrate" in result.stderr
    assert "Traceback" not in result.stderr


def test_all_faults_of_a_mapping_document_are_told(run: Run, script: Script) -> None:
    run("migrate")
    Path("mine.toml").write_text(FAULTY)
    result = script("serve", SCORM_BRIDGE_MAPPING__DOCUMENT="mine.toml")
    assert (result.returncode, result.stdout) == (78, "")
    lines = result.stderr.splitlines()
    assert lines[0] == "mine.toml is not a usable mapping:"
    for fault in ("mapping.title", "mapping.titel", "rules[0].name", "rules[0].when", "rules[0].verb", "actor", "iris"):
        assert any(f"{fault}: " in line for line in lines[1:]), fault
    assert any("line 4, mapping.titel" in line for line in lines)


@pytest.mark.parametrize("document", ["no-such-document", "no/such/file.toml"])
def test_a_mapping_document_that_is_not_there_is_told_with_those_that_are(run: Run, document: str) -> None:
    run("migrate")
    result = run("serve", SCORM_BRIDGE_MAPPING__DOCUMENT=document)

    assert (result.exit_code, result.stdout) == (78, "")
    assert "scorm-profile" in result.stderr


@pytest.mark.parametrize(
    ("document", "documents_there"),
    [
        ("scorm-profile", "activity-state, attempt-state, adl-suspend-data, activity-profile, agent-profile"),
        ("minimal", "none"),
    ],
)
def test_a_document_that_the_mapping_document_does_not_have_is_told_with_those_that_are(
    run: Run, script: Script, document: str, documents_there: str
) -> None:
    run("migrate")
    documents = {"agent-profil": False, "suspend": True}
    lrs = {"name": "lrs", "endpoint": "http://127.0.0.1:1/", "password": CANARY, "documents": documents}
    result = script("serve", SCORM_BRIDGE_TARGETS=json.dumps([lrs]), SCORM_BRIDGE_MAPPING__DOCUMENT=document)
    assert (result.returncode, result.stdout) == (78, "")
    message = (
        "targets.lrs.documents: agent-profil, suspend is no document of the mapping document; there are: "
        + documents_there
    )
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert CANARY not in result.stderr


def test_a_database_that_does_not_answer_is_told_without_its_password(run: Run) -> None:
    for url in ("sqlite:////no/such/directory/bridge.db", f"postgresql://bridge:{CANARY}@127.0.0.1:1/bridge"):
        result = run("serve", SCORM_BRIDGE_DATABASE__URL=url)
        assert (result.exit_code, result.stdout) == (69, ""), url
        assert "The database does not answer" in result.stderr, url
        assert CANARY not in result.stderr, url


def test_it_serves_until_it_is_told_to_stop_and_leaves_with_0(run: Run) -> None:
    run("migrate")
    port = str(free_port())
    with _serving(SCORM_BRIDGE_SERVER__PORT=port) as (process, words):
        assert f"http://127.0.0.1:{port}" in words
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=30)

    assert (process.returncode, stdout) == (0, "")
    assert "Traceback" not in stderr


def test_its_log_can_be_json_and_holds_no_password(run: Run) -> None:
    """The LRS is one that nobody answers for, so forwarding has something to complain about."""
    run("migrate")
    token = run("tokens", "create", "--lms", "x", "--home-page", "https://lms.example.org").stdout.strip()
    port = str(free_port())
    lrs = {"name": "lrs", "endpoint": "http://127.0.0.1:1/xapi/", "username": "ada", "password": CANARY}
    environment = {
        "SCORM_BRIDGE_SERVER__PORT": port,
        "SCORM_BRIDGE_LOG__FORMAT": "json",
        "SCORM_BRIDGE_LOG__LEVEL": "debug",
        "SCORM_BRIDGE_TARGETS": json.dumps([lrs]),
    }
    body = {"learner": {"id": "u1", "name": CANARY}, "activity": {"id": "235"}, "cmi": {"suspend_data": CANARY}}
    with _serving(**environment) as (process, words):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/commits", json.dumps(body).encode(), {"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
        assert process.stderr is not None
        facts = [json.loads(process.stderr.readline())]
        while facts[-1]["event"] != "target_in_trouble":
            facts.append(json.loads(process.stderr.readline()))
        process.send_signal(signal.SIGTERM)
        stdout, rest = process.communicate(timeout=30)
    facts += [json.loads(line) for line in rest.splitlines()]
    (started,) = [fact for fact in facts if fact["event"] == "started"]

    assert started["address"] == f"http://127.0.0.1:{port}"
    assert (started["mapping"], started["targets"]) == ("scorm-profile", {"lrs": "http://127.0.0.1:1/xapi/"})
    assert started["database"].startswith("sqlite:///")
    for secret in (CANARY, token):
        assert secret not in words + rest + stdout + str(facts)


def test_a_port_that_is_taken_is_told(run: Run, script: Script) -> None:
    run("migrate")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        result = script("serve", SCORM_BRIDGE_SERVER__PORT=str(listener.getsockname()[1]))

    assert result.returncode not in {0, 78}
    assert "in use" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["--version"]])
def test_help_needs_nothing_but_itself(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout
