"""Machines with a network of their own: namespaces of Linux, each with one cable to this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

NETWORK = "10.0.0.0/8"
"""Where all addresses are. Each process has some of its own: one that was killed leaves its machines behind."""
PROGRAMS = ("ip", "nft")
CHAINS = """
flush ruleset
table inet trouble {{
    chain arriving {{
        type filter hook input priority 0;
        {rules}
    }}
    chain leaving {{
        type filter hook output priority 0;
        {rules}
    }}
}}
"""


@dataclass(frozen=True)
class Machine:
    """One machine: `address` is its own, `here` this machine's as it knows it."""

    name: str
    address: str
    here: str

    @property
    def wrapper(self) -> tuple[str, ...]:
        """Return what runs a command there."""
        return ("ip", "netns", "exec", self.name)

    def lose(self, percent: int) -> None:
        """Lose so many packets in a hundred, either way."""
        self._rule(f"numgen random mod 100 < {percent} drop")

    def cut_off(self, ports: tuple[int, ...]) -> None:
        """Lose everything that is from or for ports of this machine."""
        numbers = ", ".join(map(str, ports))
        self._rule(f"tcp dport {{ {numbers} }} drop\n tcp sport {{ {numbers} }} drop")

    def heal(self) -> None:
        """Lose nothing."""
        self._rule("")

    def _rule(self, rules: str) -> None:
        subprocess.run([*self.wrapper, "nft", "-f", "-"], input=CHAINS.format(rules=rules), text=True, check=True)


@contextmanager
def machines(count: int) -> Iterator[list[Machine]]:
    """Have so many machines. Skips the test where nobody may make them: only root can."""
    for program in PROGRAMS:
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.fail(f"The tests need {program}: run `make test-tools`.")
    made: list[Machine] = []
    try:
        for number in range(count):
            name, network = (
                f"bridge-{os.getpid()}-{number}",
                f"10.{os.getpid() % 256}.{os.getpid() // 256 % 64 * 4 + number}",
            )
            if _ip("netns", "add", name):
                pytest.skip("namespaces of the network need root")
            machine = Machine(name, f"{network}.2", f"{network}.1")
            made.append(machine)
            outside, inside = f"v{number}-{os.getpid()}", f"w{number}-{os.getpid()}"
            assert not _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
            assert not _ip("addr", "add", f"{machine.here}/24", "dev", outside)
            assert not _ip("link", "set", outside, "up")
            assert not _ip("-n", name, "addr", "add", f"{machine.address}/24", "dev", inside)
            assert not _ip("-n", name, "link", "set", inside, "up")
            assert not _ip("-n", name, "link", "set", "lo", "up")
        yield made
    finally:
        for machine in made:
            _ip("netns", "delete", machine.name)  # and its cable with it


def _ip(*arguments: str) -> int:
    return subprocess.run(["ip", *arguments], check=False, capture_output=True).returncode
