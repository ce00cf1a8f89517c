"""The audit log: what people changed."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.audit_words import VersionName, describe_entry
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import parse_day, text_param
from bridge.audit.components.time_zone import zone_of
from bridge.audit.dependencies import DEPENDENCIES
from storage import audit_log, mapping_versions
from storage.audit_log import AuditFilter, NumberedEntry
from storage.queries.keyset import ResultPage, encode


async def _audit_log(request: web.Request) -> web.StreamResponse:
    params = request.query
    criteria = AuditFilter(
        text_param(request, "by") or "",
        text_param(request, "action") or "",
        text_param(request, "subject") or "",
        parse_day(params.get("since", ""), zone=zone_of(request)),
        parse_day(params.get("until", ""), after=True, zone=zone_of(request)),
    )

    def query(connection: Connection) -> tuple[ResultPage[NumberedEntry], list[str], dict[int, VersionName]]:
        entries = audit_log.search(connection, criteria, after=params.get("after"))
        versions = {
            version.id: VersionName(version.name, version.content_hash)
            for version in mapping_versions.versions(connection)
        }
        return entries, audit_log.actions(connection), versions

    entries, actions, versions = await request.app[DEPENDENCIES].database.read(query)
    return render_page(
        request,
        "audit_log.html",
        page=entries,
        words={id_: describe_entry(entry, versions) for id_, entry in entries.rows},
        criteria=criteria,
        actions=actions,
        is_filtered=criteria != AuditFilter() or "after" in params,
        cursor_before=lambda number: encode((number + 1,)),
    )


ROUTES = (Route("GET", "/log", _audit_log, Role.AUDITOR),)
