"""Ralph's own server, keeping statements in a file: `ralph_server.py USERNAME PASSWORD` lets one user in.

Run by the Python of Ralph's environment. Settings are environment variables: Ralph's own, and `PORT`. Ralph's command
`runserver` will not do: as it comes, the file backend creates its file at each request, and answers 500 to all but the
first.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bcrypt
import uvicorn
from ralph.backends.data.base import BaseOperationType
from ralph.backends.lrs.fs import FSLRSBackend


def let_in(username: str, password: str) -> None:
    """Write the one user into Ralph's file of users."""
    user = {
        "agent": {"mbox": "mailto:tester@example.org"},
        "scopes": ["all"],
        "username": username,
        "hash": bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode(),
    }
    Path(os.environ["RALPH_AUTH_FILE"]).write_text(json.dumps([user]), encoding="utf-8")


if __name__ == "__main__":
    let_in(*sys.argv[1:])
    FSLRSBackend.default_operation_type = BaseOperationType.APPEND
    # named, not imported: the application makes its backend as it is imported, which has to be after the line above
    uvicorn.run("ralph.api:app", host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
