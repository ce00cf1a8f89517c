"""What the documentation shows as output, compared with what is printed: `…` stands for anything."""

from __future__ import annotations

import re
from typing import Any

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?"


def json_difference(shown: Any, actual: Any, place: str = "the response") -> str | None:
    """Return where JSON is not as shown, or None. Ids and times stand for other ones; `…` as a key for other keys."""
    if isinstance(shown, dict) and isinstance(actual, dict):
        missing = sorted(shown.keys() - actual.keys() - {"…"})
        more = [] if "…" in shown else sorted(actual.keys() - shown.keys())
        if missing or more:
            return f"{place} has no {missing}" if missing else f"{place} has {more}, too"
        found = (json_difference(value, actual[key], f"{place}.{key}") for key, value in shown.items() if key != "…")
        return next(filter(None, found), None)
    if isinstance(shown, list) and isinstance(actual, list):
        items = [item for item in shown if item != "…"]
        if len(actual) < len(items) or ("…" not in shown and len(actual) != len(items)):
            return f"{place} has {len(actual)} items"
        found = (json_difference(item, actual[index], f"{place}[{index}]") for index, item in enumerate(items))
        return next(filter(None, found), None)
    if isinstance(shown, str) and isinstance(actual, str):
        return None if re.fullmatch(_pattern(shown), actual) else f"{place} is {actual!r}"
    return None if shown == actual else f"{place} is {actual!r}"


def line_difference(shown: str, printed: str) -> str | None:
    """Return the first line that was not printed after those before it, or None; how wide spaces are is no matter."""
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    for line in filter(None, (" ".join(line.split()) for line in shown.splitlines())):
        if not any(re.fullmatch(_pattern(line), candidate) for candidate in lines):
            return f"{line!r} is not in\n{printed}"
    return None


def _pattern(shown: str) -> str:
    parts = re.split(f"(…|{UUID}|{TIME})", shown)
    return "".join(
        (".*" if part == "…" else UUID if re.fullmatch(UUID, part) else TIME) if index % 2 else re.escape(part)
        for index, part in enumerate(parts)
    )
