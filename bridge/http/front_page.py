"""`GET /`: what this is and where to go from here, as a page for people and as JSON for programs.

Anybody may ask, so it says nothing of LMSs, targets, learners or releases.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib import metadata

import msgspec
from aiohttp import hdrs, web

from bridge.http.responses import ServiceLink, ServiceResponse

LINKS: web.AppKey[list[ServiceLink]] = web.AppKey("front_page_links")
"""What the page links to; who adds pages to the application adds theirs."""
API_LINKS = (
    ServiceLink("API", "/openapi.json", "the description of the API, for programs (OpenAPI)"),
    ServiceLink("Alive", "/healthz", "whether the process responds"),
    ServiceLink("Ready", "/readyz", "whether commits can be stored, and what waits for which LRS"),
)
NAME = "scorm-xapi-bridge"

_STYLE = """
:root { color-scheme: light dark; background: #fbfaf7; color: #1e2524; --accent: #0b5d57; }
a { color: var(--accent); }
body { margin: 3rem auto; max-width: 40rem; padding: 0 1.25rem; font: 1.0625rem/1.55 system-ui, sans-serif; }
h1 { margin: 0 0 0.5rem; font-size: 1.6rem; line-height: 1.2; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.4rem 1.5rem; margin: 1.5rem 0 0; }
dd { margin: 0; }
@media (prefers-color-scheme: dark) { :root { background: #141918; color: #e7ecea; --accent: #86d3c8; } }
@media (max-width: 30rem) {
  body { margin: 1.5rem auto; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dt { margin-top: 1rem; }
}
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    f" img-src data:; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    hdrs.VARY: hdrs.ACCEPT,
}


async def get_front_page(request: web.Request) -> web.Response:
    """Answer with HTML where it is asked for by name, as browsers do, and otherwise with JSON."""
    described = ServiceResponse(NAME, metadata.metadata(NAME)["Summary"], request.app[LINKS])
    if "text/html" not in request.headers.get(hdrs.ACCEPT, ""):
        body = msgspec.json.encode(described)
        return web.Response(body=body, content_type="application/json", headers={hdrs.VARY: hdrs.ACCEPT})
    return web.Response(text=_page(described.description, described.links), content_type="text/html", headers=_HEADERS)


def _page(description: str, links: Sequence[ServiceLink]) -> str:
    entries = "\n".join(
        f'<dt><a href="{escape(link.href)}">{escape(link.title)}</a></dt><dd>{escape(link.description)}</dd>'
        for link in links
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SCORM bridge</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>SCORM bridge</h1>
<p>{escape(description)}</p>
<dl>
{entries}
</dl>
</main>
</body>
</html>
"""
