"""The style sheet, scripts and pictures: a file's address changes with its content, so browsers keep it for good."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from bridge.audit.access.auth_middleware import Route

FOLDER = Path(__file__).parents[1] / "static"
FOR_GOOD = "public, max-age=31536000, immutable"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A file; `version` is of its content."""

    content: bytes
    content_type: str
    version: str


@cache
def assets() -> dict[str, Asset]:
    """Return name -> file, for all there are."""
    return {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.is_file()}


def asset_path(name: str) -> str:
    """Return the address of a file.

    Raises:
        KeyError: there is none of this name.
    """
    return f"/audit/static/{assets()[name].version}/{name}"


async def _asset(request: web.Request) -> web.StreamResponse:
    found = assets().get(request.match_info["name"])
    if found is None or found.version != request.match_info["version"]:
        raise web.HTTPNotFound
    return web.Response(
        body=found.content, content_type=found.content_type, charset="utf-8", headers={"Cache-Control": FOR_GOOD}
    )


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    content_type = _TYPES[path.suffix]
    return Asset(content, content_type, hashlib.sha256(content).hexdigest()[:16])


ROUTES = (Route("GET", "/static/{version}/{name}", _asset, None),)
