"""Small disks: memory mounted as a file system, which needs root."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Mount memory as a disk of so much (`16m`) while the block runs; the test is skipped where that is not allowed."""
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a disk needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, *, leave: int = 0) -> Path:
    """Fill a disk with a file but for `leave` bytes; return the file."""
    path = place / "fill"
    with path.open("wb", buffering=0) as file:
        try:
            while shutil.disk_usage(place).free > leave:
                file.write(b"x" * min(65_536, max(shutil.disk_usage(place).free - leave, 1)))
        except OSError:
            pass
    return path
