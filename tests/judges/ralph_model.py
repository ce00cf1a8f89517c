"""Ralph's model of a statement as a filter: a statement a line in, a verdict a line out.

A verdict is a JSON array of what is wrong with the statement, empty when nothing is. Run by the Python of the judges'
own environment, whose packages the project does not share.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import ValidationError
from ralph.models.xapi.base.statements import BaseXapiStatement


def verdict(line: str) -> list[str]:
    """Return what is wrong with the statement of a line."""
    try:
        BaseXapiStatement.model_validate_json(line)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        # each kind of actor or object complains of not being meant; the one that was meant complains deepest inside
        deepest = max(len(fault["loc"]) for fault in faults)
        return [_described(fault) for fault in faults if len(fault["loc"]) == deepest]
    except Exception as error:  # noqa: BLE001 -- the model refuses some values by failing over them
        return [f"{type(error).__name__}: {error}"]
    return []


def _described(fault: Any) -> str:
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']} {fault['input']!r}"


if __name__ == "__main__":
    for statement in sys.stdin:
        sys.stdout.write(json.dumps(verdict(statement)) + "\n")
