"""State diagrams (`stateDiagram-v2` of Mermaid) as tables of transitions: no script, and readable on a phone."""

from __future__ import annotations

import html
import re
from typing import Any

_NAME = re.compile(r'state "(?P<label>[^"]+)" as (?P<name>\w+)')
_TRANSITION = re.compile(r"(?P<before>\[\*\]|\w+) --> (?P<after>\[\*\]|\w+)(?:: (?P<label>.+))?")


def format_states(source: str, *_: Any, **__: Any) -> str:
    """Return the HTML of a state diagram.

    Raises ValueError for a line that is no part of a state diagram.
    """
    names: dict[str, str] = {}
    rows = []
    for line in filter(None, map(str.strip, source.splitlines())):
        if line == "stateDiagram-v2":
            continue
        if name := _NAME.fullmatch(line):
            names[name["name"]] = name["label"]
        elif transition := _TRANSITION.fullmatch(line):
            before, after = transition["before"], transition["after"]
            cells = (
                "(start)" if before == "[*]" else names.get(before, before),
                "(end)" if after == "[*]" else names.get(after, after),
                transition["label"] or "",
            )
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        else:
            raise ValueError(f"not a line of a state diagram: {line!r}")
    head = "<tr><th>from</th><th>to</th><th>when</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
