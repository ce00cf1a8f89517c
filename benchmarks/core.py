"""What a typical commit costs in the pure core, beside bare decoding and beside Open edX event-routing-backends.

Run with `make bench` or `python -m benchmarks.core`. The commits of a session are applied one after another: each moves
location, time and progress on, which makes a statement, and every fifth brings another score, which makes one more.
Bodies are decoded as the service decodes them; what that takes more or less than bare decoding counts as the commit's.
Rounds of everything compared are interleaved, and the medians of one run are set against each other, as the machine may
be busy with other things.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from rich.console import Console
from rich.table import Table

import mappings
from benchmarks.mapping import CONTEXT, NOW
from bridge.formats.lenient_json import decode
from mappings.apply import Transition, apply_commit
from mappings.attempt import AttemptState, Commit, ReceivedCommit, SessionState
from mappings.attempt.ordering import needs_duplicate_lookup
from mappings.cmi import parse_cmi
from mappings.definition import CompiledMapping, compile_definition, load_definition

RIVAL = Path(__file__).parents[1] / ".bench/bin/python"
ROUNDS, COMMITS = 25, 100
INTERACTIONS = 200
TARGET = 80
"""Microseconds that a typical commit may cost."""
TIMES_THE_RIVAL = 12
"""Commits for one event of the rival's."""


def main() -> None:
    """Measure and print."""
    text = (Path(mappings.__file__).parent / "scorm-profile.toml").read_text(encoding="utf-8")
    mapping = compile_definition(load_definition(text, "scorm-profile"), "scorm-profile")
    session = [msgspec.json.encode({"cmi": _page(number)}) for number in range(COMMITS + 1)]
    first, many = _answers(1), _answers(INTERACTIONS)
    states = {1: _state(mapping, first[0]), INTERACTIONS: _state(mapping, many[0])}
    work: dict[str, Callable[[], float]] = {
        "decoding": lambda: _decode_bare(session[1:]),
        "commit": lambda: _fold(mapping, session)[0],
        "decoding 1": lambda: _decode_bare(first[1:] * COMMITS),
        "commit 1": lambda: _fold_again(mapping, first),
        f"decoding {INTERACTIONS}": lambda: _decode_bare(many[1:] * COMMITS),
        "service decoding 1": lambda: _decode(first[1:] * COMMITS),
        f"service decoding {INTERACTIONS}": lambda: _decode(many[1:] * COMMITS),
        f"commit {INTERACTIONS}": lambda: _fold_again(mapping, many),
        "state 1": lambda: _store(states[1]),
        f"state {INTERACTIONS}": lambda: _store(states[INTERACTIONS]),
    }
    with Rival() as rival:
        if rival.runs:
            work["rival"] = rival.round
        costs = _interleaved(work)
    statements = _fold(mapping, session)[1] / COMMITS
    console = Console()
    _print_typical(console, costs, len(session[-1]), statements)
    _print_interactions(console, costs, first, many)


class Rival(AbstractContextManager["Rival"]):
    """event-routing-backends in a process of its own, asked for one round at a time."""

    def __init__(self) -> None:
        self.runs = RIVAL.exists()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if self.runs:
            self._process = subprocess.Popen(
                [RIVAL, Path(__file__).with_name("rival.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.communicate()

    def round(self) -> float:
        """Return what an event took on average, in microseconds."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("event-routing-backends is not running; install it with `make bench-tools`")
        print(file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


def _page(number: int) -> dict[str, Any]:
    """Return what a learner's commit says some pages on: 20 elements, 500 characters of suspend data."""
    raw = number // 5 % 100
    return {
        "learner_id": "u42",
        "learner_name": "Lovelace, Ada",
        "location": f"page-{number}",
        "suspend_data": f"{number:0500}",
        "launch_data": "",
        "completion_status": "incomplete",
        "success_status": "unknown",
        "completion_threshold": "1.0",
        "progress_measure": f"{number / (COMMITS + 1):.3f}",
        "scaled_passing_score": "0.8",
        "score": {"scaled": f"{raw / 100}", "raw": f"{raw}", "min": "0", "max": "100"},
        "session_time": f"PT{number // 6}M{number % 6}0S",
        "credit": "credit",
        "mode": "normal",
        "entry": "ab-initio",
        "exit": "",
        "max_time_allowed": "",
    }


def _answers(count: int) -> tuple[bytes, bytes]:
    """Return the body before the last of so many answers, and the body with it."""
    cmi = _page(0)
    cmi["interactions"] = {
        str(index): {
            "id": f"question-{index}",
            "type": "choice",
            "learner_response": "a[,]c",
            "result": "correct",
            "weighting": "1",
            "latency": "PT12.5S",
            "timestamp": "2026-01-01T00:00:00Z",
            "correct_responses": {"0": {"pattern": "a[,]c"}},
            "objectives": {"0": {"id": "obj-1"}},
        }
        for index in range(count)
    }
    after = msgspec.json.encode({"cmi": cmi})
    del cmi["interactions"][str(count - 1)]
    return msgspec.json.encode({"cmi": cmi}), after


def _interleaved(work: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Return the median of what each costs, round by round in turn."""
    rounds: dict[str, list[float]] = {name: [] for name in work}
    for number in range(ROUNDS + 2):
        for name, measured in work.items():
            cost = measured()
            if number > 1:  # the first rounds warm up
                rounds[name].append(cost)
    return {name: statistics.median(costs) for name, costs in rounds.items()}


def _decode_bare(bodies: Any) -> float:
    start = time.perf_counter()
    for body in bodies:
        msgspec.json.decode(body)
    return (time.perf_counter() - start) / len(bodies) * 1e6


def _decode(bodies: Any) -> float:
    start = time.perf_counter()
    for body in bodies:
        decode(body)
    return (time.perf_counter() - start) / len(bodies) * 1e6


def _commit(
    mapping: CompiledMapping, attempt: AttemptState, session: SessionState, body: bytes, number: int
) -> tuple[float, Transition]:
    """Return the cost of decoding, reading, finding changes and mapping, and the outcome."""
    start = time.perf_counter()
    tree = decode(body)
    commit = Commit(wire_format="native", tree=tree)
    arrival = ReceivedCommit(
        commit=commit, parsed_cmi=parse_cmi(tree), digest=f"{number:064}", received_at=NOW + number * 10_000
    )
    if needs_duplicate_lookup(session, arrival):
        raise RuntimeError("a commit of the measured session would make the service read its journal")
    transition = apply_commit(mapping, CONTEXT, attempt, session, arrival)
    return time.perf_counter() - start, transition


def _fold(mapping: CompiledMapping, bodies: list[bytes]) -> tuple[float, int]:
    """Apply a session's commits one after another: the cost of one after the first, and the statements of those."""
    _, transition = _commit(mapping, AttemptState(sessions=1), SessionState(number=1), bodies[0], 0)
    cost, statements = 0.0, 0
    for number, body in enumerate(bodies[1:], 1):
        duration, transition = _commit(mapping, transition.attempt, transition.session, body, number)
        cost += duration
        statements += len(transition.statements)
    return cost / (len(bodies) - 1) * 1e6, statements


def _state(mapping: CompiledMapping, body: bytes) -> bytes:
    """Return the attempt's state after a commit as it is stored."""
    _, transition = _commit(mapping, AttemptState(sessions=1), SessionState(number=1), body, 0)
    return msgspec.json.encode(transition.attempt)


def _store(state: bytes) -> float:
    """Return the cost of decoding a stored state and encoding it again, as every batch does."""
    start = time.perf_counter()
    for _ in range(COMMITS):
        msgspec.json.encode(msgspec.json.decode(state, type=AttemptState))
    return (time.perf_counter() - start) / COMMITS * 1e6


def _fold_again(mapping: CompiledMapping, bodies: tuple[bytes, bytes]) -> float:
    """Return the cost of the commit with one answer more, each time on the same attempt."""
    _, before = _commit(mapping, AttemptState(sessions=1), SessionState(number=1), bodies[0], 0)
    cost = 0.0
    for _ in range(COMMITS):
        # the attempt's state is decoded anew, as the service does, so that no item is known by its identity
        attempt = msgspec.json.decode(msgspec.json.encode(before.attempt), type=AttemptState)
        duration, transition = _commit(mapping, attempt, before.session, bodies[1], 1)
        cost += duration
        if len(transition.statements) != 1:
            raise RuntimeError(f"one answer must make one statement, not {len(transition.statements)}")
    return cost / COMMITS * 1e6


def _print_typical(console: Console, costs: dict[str, float], size: int, statements: float) -> None:
    table = Table(title=f"A typical commit of {size} bytes in a session of {COMMITS}, {statements:.1f} statements")
    table.add_column("step")
    table.add_column("µs", justify="right")
    table.add_column("of bare decoding", justify="right")
    table.add_row("decoding JSON with msgspec (baseline)", f"{costs['decoding']:.1f}", "1.0")
    commit = costs["commit"] - costs["decoding"]
    ratio = commit / costs["decoding"]
    table.add_row(f"reading + changes + mapping (at most {TARGET})", f"{commit:.1f}", f"{ratio:.1f}")
    if "rival" in costs:
        ratio = costs["rival"] / costs["decoding"]
        table.add_row("event-routing-backends: transform + to_json", f"{costs['rival']:.1f}", f"{ratio:.1f}")
    console.print(table)
    if "rival" in costs:
        console.print(
            f"That is {1e6 / commit:,.0f} commits a second beside {1e6 / costs['rival']:,.0f} events a second,"
            f" {costs['rival'] / commit:.1f} times as many (at least {TIMES_THE_RIVAL})."
        )
    else:
        console.print("event-routing-backends was not measured: install it with `make bench-tools`.")


def _print_interactions(console: Console, costs: dict[str, float], first: tuple[bytes, bytes], many: Any) -> None:
    table = Table(title=f"A commit with one new interaction: the only one, or one of {INTERACTIONS}; in µs")
    for heading in ("interactions", "bytes", "bare decoding", "service's decoding", "whole commit", "stored state"):
        table.add_column(heading, justify="right")
    for count, (_, body) in ((1, first), (INTERACTIONS, many)):
        parts = ("decoding", "service decoding", "commit", "state")
        table.add_row(f"{count}", f"{len(body):,}", *(f"{costs[f'{part} {count}']:.1f}" for part in parts))
    console.print(table)
    for decoding, words in (("decoding", "bare decoding"), ("service decoding", "the service's own decoding")):
        only, one_of_many = (costs[f"commit {count}"] - costs[f"{decoding} {count}"] for count in (1, INTERACTIONS))
        console.print(
            f"Beyond {words}: {only:.0f} µs for the only one, {one_of_many:.0f} µs for one new of {INTERACTIONS},"
            f" {one_of_many / only:.2f} times as much."
        )


if __name__ == "__main__":
    main()
