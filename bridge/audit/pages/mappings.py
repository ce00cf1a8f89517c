"""Mapping documents: every version as a table that an admin reads, itself, and what differs between two."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.roles import Role
from bridge.audit.parts import AUDIT_PARTS
from bridge.audit.render import page
from bridge.audit.route import Route
from bridge.audit.vocabulary import read
from mappings.document.differences import other_differences, rule_differences, side_by_side
from mappings.document.errors import DocumentError
from mappings.document.in_words import in_words
from storage.audit import mappings
from storage.audit.mappings import Version


async def _mappings(request: web.Request) -> web.StreamResponse:
    parts = request.app[AUDIT_PARTS]
    found = await parts.database.read(mappings.versions)
    return page(
        request,
        "mappings.html",
        versions=[one._replace(document="") for one in found],
        titles={one.id: _title(one) for one in found},
        in_use=parts.mapping_hash,
    )


async def _mapping(request: web.Request) -> web.StreamResponse:
    parts = request.app[AUDIT_PARTS]

    def look(connection: Connection) -> tuple[Version, list[Version]]:
        return _known(connection, request.match_info["hash"]), mappings.versions(connection)

    version, others = await parts.database.read(look)
    document = read(version.document, version.name)
    words = None if isinstance(document, DocumentError) else in_words(document)
    return page(
        request,
        "mapping.html",
        version=version,
        title=_title(version),
        words=words,
        rules=None if words is None else words.rules,
        faults=document.faults if isinstance(document, DocumentError) else (),
        lines=version.document.splitlines(),
        in_use=parts.mapping_hash,
        others=[one._replace(document="") for one in others if one.id != version.id],
    )


async def _diff(request: web.Request) -> web.StreamResponse:
    told = [request.query.get(name, "") for name in ("from", "to")]

    def look(connection: Connection) -> list[Version]:
        return [_known(connection, one) for one in told]

    before, after = await request.app[AUDIT_PARTS].database.read(look)
    old, new = (read(one.document, one.name) for one in (before, after))
    rules, others, is_sound = [], [], False
    if not isinstance(old, DocumentError) and not isinstance(new, DocumentError):
        rules, others, is_sound = rule_differences(old, new), other_differences(old, new), True
    return page(
        request,
        "mapping_diff.html",
        before=before,
        after=after,
        is_sound=is_sound,
        rules=rules,
        others=others,
        rows=side_by_side(before.document, after.document),
    )


def _known(connection: Connection, content_hash: str) -> Version:
    found = mappings.find(connection, content_hash)
    if found is None:
        raise web.HTTPNotFound(text="No version of a mapping document has this hash.")
    return found


def _title(version: Version) -> str:
    document = read(version.document, version.name)
    return "" if isinstance(document, DocumentError) else document.title


ROUTES = (
    Route("GET", "/mappings", _mappings, Role.READER),
    Route("GET", "/mappings/diff", _diff, Role.READER),
    Route("GET", "/mappings/{hash}", _mapping, Role.READER),
)
