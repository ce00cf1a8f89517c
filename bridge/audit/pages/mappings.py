"""Mapping versions: all of them, each as a table and as TOML, and the diff of two."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.filter_options import load_document
from bridge.audit.components.render import render_page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.mapping_library.impact import DEFAULT_DAYS
from mappings.definition.describe import describe
from mappings.definition.diff import diff_lines, diff_rules, diff_settings
from mappings.definition.errors import DefinitionError
from storage import mapping_versions
from storage.mapping_versions import Activation, WholeVersion


class _VersionUse(NamedTuple):
    """For whom a version is active, and its activations, the newest last."""

    names: list[str]
    activations: list[tuple[Activation, str]]


class _MappingsView(NamedTuple):
    versions: list[WholeVersion]
    uses: dict[int, _VersionUse]
    lms: list[str]


def _mappings_view(connection: Connection) -> _MappingsView:
    names = mapping_versions.lms_names(connection)
    uses: dict[int, _VersionUse] = {}
    for lms_id, version_id in mapping_versions.active(connection).items():
        uses.setdefault(version_id, _VersionUse([], [])).names.append(_lms_label(names, lms_id))
    for activation in mapping_versions.activations(connection):
        if activation.mapping_version_id is not None:
            use = uses.setdefault(activation.mapping_version_id, _VersionUse([], []))
            use.activations.append((activation, _lms_label(names, activation.lms_id)))
    return _MappingsView(mapping_versions.newest(connection), uses, list(names.values()))


def _lms_label(names: dict[int, str], lms_id: int | None) -> str:
    return "all LMSs" if lms_id is None else names[lms_id]


async def _mappings(request: web.Request) -> web.StreamResponse:
    view = await request.app[DEPENDENCIES].database.read(_mappings_view)
    return render_page(
        request,
        "mappings.html",
        versions=[version._replace(definition="") for version in view.versions],
        titles={version.id: _title(version) for version in view.versions},
        uses=view.uses,
        lms=view.lms,
    )


async def _mapping(request: web.Request) -> web.StreamResponse:
    def query(connection: Connection) -> tuple[WholeVersion, _MappingsView]:
        return find_version(connection, request.match_info["hash"]), _mappings_view(connection)

    version, view = await request.app[DEPENDENCIES].database.read(query)
    document = load_document(version.definition, version.name)
    description = None if isinstance(document, DefinitionError) else describe(document)
    return render_page(
        request,
        "mapping.html",
        version=version,
        title=_title(version),
        description=description,
        rules=None if description is None else description.rules,
        faults=document.faults if isinstance(document, DefinitionError) else (),
        lines=version.definition.splitlines(),
        use=view.uses.get(version.id, _VersionUse([], [])),
        lms=view.lms,
        days=DEFAULT_DAYS,
        others=[other._replace(definition="") for other in view.versions if other.id != version.id],
    )


async def _diff(request: web.Request) -> web.StreamResponse:
    hashes = [request.query.get(name, "") for name in ("from", "to")]

    def query(connection: Connection) -> list[WholeVersion]:
        return [find_version(connection, content_hash) for content_hash in hashes]

    before, after = await request.app[DEPENDENCIES].database.read(query)
    old, new = (load_document(version.definition, version.name) for version in (before, after))
    rules, others, is_readable = [], [], False
    if not isinstance(old, DefinitionError) and not isinstance(new, DefinitionError):
        rules, others, is_readable = diff_rules(old, new), diff_settings(old, new), True
    return render_page(
        request,
        "mapping_diff.html",
        before=before,
        after=after,
        is_readable=is_readable,
        rules=rules,
        others=others,
        rows=diff_lines(before.definition, after.definition),
    )


def find_version(connection: Connection, content_hash: str) -> WholeVersion:
    """Return the version with this hash.

    Raises:
        web.HTTPNotFound: there is none.
    """
    version = mapping_versions.find(connection, content_hash)
    if version is None:
        raise web.HTTPNotFound(text="There is no mapping version with this hash.")
    return version


def active_for(connection: Connection, version_id: int) -> list[str]:
    """Return the LMSs for which a version is active, in words."""
    names = mapping_versions.lms_names(connection)
    return [
        _lms_label(names, lms_id)
        for lms_id, active in mapping_versions.active(connection).items()
        if active == version_id
    ]


def _title(version: WholeVersion) -> str:
    document = load_document(version.definition, version.name)
    return "" if isinstance(document, DefinitionError) else document.title


ROUTES = (
    Route("GET", "/mappings", _mappings, Role.READER),
    Route("GET", "/mappings/diff", _diff, Role.READER),
    Route("GET", "/mappings/{hash}", _mapping, Role.READER),
)
