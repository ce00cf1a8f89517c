"""Mapping documents: every version as a table that an admin reads, itself, and what differs between two."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.filter_options import read
from bridge.audit.components.render import page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.mapping_library.impact import DEFAULT_DAYS
from mappings.definition.describe import describe
from mappings.definition.diff import diff_lines, diff_rules, diff_settings
from mappings.definition.errors import DefinitionError
from storage import mapping_versions
from storage.mapping_versions import Activation, WholeVersion


class _Holding(NamedTuple):
    """For whom a version holds, and when it was activated: the newest act at the end."""

    names: list[str]
    acts: list[tuple[Activation, str]]


class _VersionList(NamedTuple):
    versions: list[WholeVersion]
    holding: dict[int, _Holding]
    lms: list[str]


def _look(connection: Connection) -> _VersionList:
    names = mapping_versions.lms_names(connection)
    found: dict[int, _Holding] = {}
    for lms_id, version_id in mapping_versions.active(connection).items():
        found.setdefault(version_id, _Holding([], [])).names.append(_whom(names, lms_id))
    for act in mapping_versions.activations(connection):
        if act.mapping_version_id is not None:
            one = found.setdefault(act.mapping_version_id, _Holding([], []))
            one.acts.append((act, _whom(names, act.lms_id)))
    return _VersionList(mapping_versions.newest(connection), found, list(names.values()))


def _whom(names: dict[int, str], lms_id: int | None) -> str:
    return "all LMSs" if lms_id is None else names[lms_id]


async def _mappings(request: web.Request) -> web.StreamResponse:
    found = await request.app[DEPENDENCIES].database.read(_look)
    return page(
        request,
        "mappings.html",
        versions=[one._replace(definition="") for one in found.versions],
        titles={one.id: _title(one) for one in found.versions},
        holding=found.holding,
        lms=found.lms,
    )


async def _mapping(request: web.Request) -> web.StreamResponse:
    def look(connection: Connection) -> tuple[WholeVersion, _VersionList]:
        return known(connection, request.match_info["hash"]), _look(connection)

    version, found = await request.app[DEPENDENCIES].database.read(look)
    document = read(version.definition, version.name)
    words = None if isinstance(document, DefinitionError) else describe(document)
    return page(
        request,
        "mapping.html",
        version=version,
        title=_title(version),
        words=words,
        rules=None if words is None else words.rules,
        faults=document.faults if isinstance(document, DefinitionError) else (),
        lines=version.definition.splitlines(),
        holding=found.holding.get(version.id, _Holding([], [])),
        lms=found.lms,
        days=DEFAULT_DAYS,
        others=[one._replace(definition="") for one in found.versions if one.id != version.id],
    )


async def _diff(request: web.Request) -> web.StreamResponse:
    told = [request.query.get(name, "") for name in ("from", "to")]

    def look(connection: Connection) -> list[WholeVersion]:
        return [known(connection, one) for one in told]

    before, after = await request.app[DEPENDENCIES].database.read(look)
    old, new = (read(one.definition, one.name) for one in (before, after))
    rules, others, is_sound = [], [], False
    if not isinstance(old, DefinitionError) and not isinstance(new, DefinitionError):
        rules, others, is_sound = diff_rules(old, new), diff_settings(old, new), True
    return page(
        request,
        "mapping_diff.html",
        before=before,
        after=after,
        is_sound=is_sound,
        rules=rules,
        others=others,
        rows=diff_lines(before.definition, after.definition),
    )


def known(connection: Connection, content_hash: str) -> WholeVersion:
    """Return the version of this hash.

    Raises:
        web.HTTPNotFound: there is none.
    """
    found = mapping_versions.find(connection, content_hash)
    if found is None:
        raise web.HTTPNotFound(text="No version of a mapping document has this hash.")
    return found


def whom_it_holds_for(connection: Connection, version_id: int) -> list[str]:
    """Return for whom a version is active, in words."""
    names = mapping_versions.lms_names(connection)
    return [_whom(names, lms_id) for lms_id, own in mapping_versions.active(connection).items() if own == version_id]


def _title(version: WholeVersion) -> str:
    document = read(version.definition, version.name)
    return "" if isinstance(document, DefinitionError) else document.title


ROUTES = (
    Route("GET", "/mappings", _mappings, Role.READER),
    Route("GET", "/mappings/diff", _diff, Role.READER),
    Route("GET", "/mappings/{hash}", _mapping, Role.READER),
)
