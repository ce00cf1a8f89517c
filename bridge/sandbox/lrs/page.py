"""The page of the sandbox LRS: the newest statements, for people who try the bridge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from bridge.sandbox.lrs import gate
from bridge.sandbox.lrs.ledger import LEDGER, Arrival
from bridge.sandbox.lrs.store import STATEMENTS, StatementStore, Stored
from mappings.xapi.validation import shape, syntax

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
    return f'{stored}; {spoilt} (<a href="/control/ledger">ledger</a>). Reload to see what came since.'


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _empty(endpoint: str) -> str:
    return f"""<section class="empty">
<h2>No statement has arrived yet</h2>
<p>Give the bridge a target with this endpoint:</p>
<p><code>{escape(endpoint)}</code></p>
<p>Then play a course or post a commit, and reload this page.</p>
</section>"""


def _table(store: StatementStore, newest: Sequence[Stored]) -> str:
    bodies = "\n".join(_body(stored, voided=store.is_voided(stored)) for stored in newest)
    return f"""<table>
<caption>Newest statements first</caption>
<thead><tr><th scope="col">Time (UTC)</th><th scope="col">Actor</th><th scope="col">Verb</th>
<th scope="col">Object</th><th scope="col">Result</th></tr></thead>
{bodies}
</table>"""


def _body(stored: Stored, *, voided: bool) -> str:
    statement = stored.statement
    whole = msgspec.json.format(msgspec.json.encode(statement), indent=2).decode()
    at = syntax.instant(statement["timestamp"])
    mark = ' <span class="mark">voided</span>' if voided else ""
    return f"""<tbody>
<tr>
<td data-label="Time (UTC)"><time datetime="{syntax.timestamp(at)}">{at:%Y-%m-%d %H:%M:%S}</time></td>
<td data-label="Actor">{escape(_actor(statement["actor"]))}</td>
<td data-label="Verb" title="{escape(statement["verb"]["id"])}">{escape(_verb(statement["verb"]))}{mark}</td>
<td data-label="Object">{escape(_object(statement["object"]))}</td>
<td data-label="Result">{escape(_result(statement.get("result", {})))}</td>
</tr>
<tr class="whole"><td colspan="5"><details><summary>JSON</summary><pre>{escape(whole)}</pre></details></td></tr>
</tbody>"""


def _language(texts: dict[str, str]) -> str:
    """Choose one text: an English one if there is any, else the first."""
    english = [text for tag, text in texts.items() if tag.lower().partition("-")[0] == "en"]
    return next(iter(english or texts.values()), "")


def _verb(verb: dict[str, Any]) -> str:
    iri: str = verb["id"]
    return _language(verb.get("display", {})) or re.split(r"[/#:]", iri)[-1] or iri


def _actor(actor: dict[str, Any]) -> str:
    account = actor.get("account", {})
    for name in (actor.get("name"), account.get("name"), actor.get("mbox"), actor.get("openid")):
        if name:
            return str(name).removeprefix("mailto:")
    return str(actor.get("mbox_sha1sum") or f"a group of {len(actor.get('member', []))}")


def _object(target: dict[str, Any]) -> str:
    match target.get("objectType", "Activity"):
        case "Activity":
            return _language(shape.as_dict(target.get("definition")).get("name", {})) or str(target["id"])
        case "StatementRef":
            return f"statement {target['id']}"
        case "SubStatement":
            inner = (_actor(target["actor"]), _verb(target["verb"]), _object(target["object"]))
            return " ".join(inner)
        case _:
            return _actor(target)


def _result(result: dict[str, Any]) -> str:
    score = result.get("score", {})
    parts = []
    if "scaled" in score:
        parts.append(f"score {score['scaled']}")
    if "raw" in score:
        parts.append(f"raw {score['raw']}" + (f" of {score['max']}" if "max" in score else ""))
    for name, yes, no in (("success", "passed", "failed"), ("completion", "complete", "incomplete")):
        if name in result:
            parts.append(yes if result[name] else no)
    return ", ".join(parts) or "none"
