"""Style sheet, scripts and images: a file's address changes with its content, so browsers cache it forever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from bridge.audit.access.auth_middleware import Route

FOLDER = Path(__file__).parents[1] / "static"
CACHE_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A static file; `version` changes with its content."""

    content: bytes
    content_type: str
    version: str


@cache
def assets() -> dict[str, Asset]:
    """Return all files by name."""
    return {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.is_file()}


def asset_path(name: str) -> str:
    """Return the address of a file.

    Raises:
        KeyError: there is none of this name.
    """
    return f"/audit/static/{assets()[name].version}/{name}"


async def _asset(request: web.Request) -> web.StreamResponse:
    asset = assets().get(request.match_info["name"])
    if asset is None or asset.version != request.match_info["version"]:
        raise web.HTTPNotFound
    return web.Response(
        body=asset.content, content_type=asset.content_type, charset="utf-8", headers={"Cache-Control": CACHE_FOREVER}
    )


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    content_type = _TYPES[path.suffix]
    return Asset(content, content_type, hashlib.sha256(content).hexdigest()[:16])


ROUTES = (Route("GET", "/static/{version}/{name}", _asset, None),)
