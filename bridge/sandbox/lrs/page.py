"""The page of the sandbox LRS: the newest statements, for people who try the bridge."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from bridge.audit.components.json_view import view_of
from bridge.audit.components.statement_view import summarize
from bridge.sandbox.lrs import gate
from bridge.sandbox.lrs.ledger import LEDGER, Arrival
from bridge.sandbox.lrs.store import STATEMENTS, LrsStatement, StatementStore
from mappings.xapi.validation import syntax

_NEWEST: Final = 50
_STYLE: Final = Path(__file__).with_name("page.css")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def routes() -> list[web.RouteDef]:
    """Return the routes of the page and its style."""
    return [web.get("/", _get_page), web.get("/page.css", _get_style)]


async def _get_style(_: web.Request) -> web.FileResponse:
    return web.FileResponse(_STYLE)


async def _get_page(request: web.Request) -> web.Response:
    store = request.app[STATEMENTS]
    refused = [one for one in request.app[LEDGER].arrivals() if _went_wrong(one)]
    newest = store.in_order()[: -_NEWEST - 1 : -1]
    body = _table(store, newest) if newest else _empty(f"{request.url.origin()}{gate.PREFIX}/")
    text = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox LRS, not for production</title>
<link rel="stylesheet" href="/page.css">
</head>
<body>
<header>
<h1>Sandbox LRS, not for production</h1>
<p>{_summary(store, len(newest), len(refused))}</p>
</header>
<main>
{body}
</main>
</body>
</html>
"""
    return web.Response(text=text, content_type="text/html", headers=_HEADERS)


def _went_wrong(arrival: Arrival) -> bool:
    return arrival.outcome == "cut" or (arrival.status is not None and arrival.status >= 400)


def _summary(store: StatementStore, shown: int, refused: int) -> str:
    stored = f"{_counted(len(store), 'statement')} in memory"
    if shown < len(store):
        stored += f", the newest {shown} shown"
    spoilt = f"{_counted(refused, 'request')} refused or cut" if refused else "no request refused or cut"
    return f'{stored}; {spoilt} (<a href="/control/ledger">ledger</a>). Reload to see new ones.'


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _empty(endpoint: str) -> str:
    return f"""<section class="empty">
<h2>No statement has arrived yet</h2>
<p>Give the bridge a target with this endpoint:</p>
<p><code>{escape(endpoint)}</code></p>
<p>Then play a course or post a commit, and reload this page.</p>
</section>"""


def _table(store: StatementStore, newest: Sequence[LrsStatement]) -> str:
    bodies = "\n".join(_body(stored, voided=store.is_voided(stored)) for stored in newest)
    return f"""<table>
<caption>Newest statements first</caption>
<thead><tr><th scope="col">Time (UTC)</th><th scope="col">Actor</th><th scope="col">Verb</th>
<th scope="col">Object</th><th scope="col">Result</th></tr></thead>
{bodies}
</table>"""


def _body(stored: LrsStatement, *, voided: bool) -> str:
    statement = stored.statement
    body = msgspec.json.encode(statement)
    summary, json = summarize(body, sees_names=True, sees_cmi=False), view_of(body).text
    at = syntax.instant(statement["timestamp"])
    mark = ' <span class="mark">voided</span>' if voided else ""
    return f"""<tbody>
<tr>
<td data-label="Time (UTC)"><time datetime="{syntax.timestamp(at)}">{at:%Y-%m-%d %H:%M:%S}</time></td>
<td data-label="Actor">{escape(summary.actor)}</td>
<td data-label="Verb" title="{escape(statement["verb"]["id"])}">{escape(summary.verb)}{mark}</td>
<td data-label="Object">{escape(summary.object)}</td>
<td data-label="Result">{escape(", ".join(summary.results) or "none")}</td>
</tr>
<tr class="whole"><td colspan="5"><details><summary>JSON</summary><pre>{escape(json)}</pre></details></td></tr>
</tbody>"""
