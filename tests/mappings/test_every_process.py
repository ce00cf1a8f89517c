"""The same input gives the same bytes in every process, whatever Python's hashes are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mappings.statement_builders import DOCUMENTS, compiled, everything
from tests.mappings.test_session_properties import SentCommit, statements_of

ROOT = Path(__file__).parents[2]
SEEDS = range(10)
JOURNAL: list[list[SentCommit]] = [
    [
        (
            {
                "core.lesson_status": "incomplete",
                "core.score.raw": "40",
                "comments": "Dull",
                "interactions": {
                    f"{number}": {"id": name, "type": "choice", "student_response": "a,b", "result": "wrong"}
                    for number, name in enumerate("QWERTY")
                },
                "objectives": {
                    f"{number}": {"id": name, "status": "incomplete", "score": {"raw": f"{number}"}}
                    for number, name in enumerate("ASDF")
                },
            },
            None,
            False,
            1,
        ),
        ({"core.score.raw": "60", "objectives": {"2": {"status": "passed"}}, "core.exit": "suspend"}, True, True, 2),
    ],
    [({"core.lesson_status": "passed", "core.score.raw": "85.5", "progress_measure": "1"}, True, True, 1)],
]
"""The commits of two sessions, as `statements_of` takes them."""


def bodies() -> str:
    """Return each statement of the golden changes, and those of a journal in each mapping document."""
    journals = [
        "\n".join(statement.body for statement in statements_of(JOURNAL, compiled(DOCUMENTS[name])))
        for name in sorted(DOCUMENTS)
    ]
    return "\n".join([everything(), *journals])


@pytest.mark.slow
def test_the_same_journal_gives_the_same_bytes_in_every_process() -> None:
    script = (
        "import sys; from tests.mappings.test_every_process import bodies; sys.stdout.buffer.write(bodies().encode())"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
        )
        for seed in SEEDS
    ]
    printed = [process.communicate(timeout=120)[0].decode() for process in running]

    assert bodies().count("\n") > 30
    assert set(printed) == {bodies()}
