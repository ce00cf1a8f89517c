"""Targets as the settings and the versions of mapping documents that hold together say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import aiohttp

from bridge.forwarding.targets import Basic, Bearer, ClientCredentials, Credentials, Proxy, Target
from bridge.settings import SettingsError, TargetSettings
from mappings.definition import CompiledMapping
from storage.outbox import UNASSIGNED


def configured(settings: Sequence[TargetSettings], mappings: Sequence[CompiledMapping]) -> list[Target]:
    """Return the targets. `mappings` are the document that the settings name and all versions that hold.

    Raises:
        SettingsError: one names a document, rule or verb that none of them has.
    """
    faults = [told for one in settings for told in _unknown(one, mappings)]
    if faults:
        raise SettingsError("\n".join(faults))
    return [_target(one, mappings) for one in settings]


def receivers(mapping: CompiledMapping, settings: Sequence[TargetSettings]) -> dict[str, tuple[str, ...]]:
    """Return the targets that get each rule's statements, by its name; without targets they wait for the first one."""
    if not settings:
        return {rule.name: (UNASSIGNED,) for rule in mapping.definition.rules}
    unwanted = {one.name: _unwanted_rules(one, mapping) for one in settings}
    return {
        rule.name: tuple(one.name for one in settings if rule.name not in unwanted[one.name])
        for rule in mapping.definition.rules
    }


def readers(mapping: CompiledMapping, settings: Sequence[TargetSettings]) -> dict[str, tuple[str, ...]]:
    """Return the targets of each document that any gets, by its name."""
    if not settings:
        return {one.name: (UNASSIGNED,) for one in mapping.definition.documents if one.send}
    found = {
        one.name: tuple(target.name for target in settings if target.documents.get(one.name, one.send))
        for one in mapping.definition.documents
    }
    return {name: wanted_by for name, wanted_by in found.items() if wanted_by}


def unwanted_documents(mappings: Sequence[CompiledMapping], targets: Sequence[Target]) -> dict[str, frozenset[str]]:
    """Return the names of the documents that each target gets by none of the mappings, by the target's name."""
    known = frozenset(one.name for mapping in mappings for one in mapping.definition.documents)
    return {target.name: known - target.documents for target in targets}


def warnings(mapping: CompiledMapping, settings: Sequence[TargetSettings]) -> list[str]:
    """Return warnings of what targets name and a mapping has not: filters and switches without effect."""
    return [told for one in settings for told in _unknown(one, [mapping])]


def _target(settings: TargetSettings, mappings: Sequence[CompiledMapping]) -> Target:
    documents = [one for mapping in mappings for one in mapping.definition.documents]
    return Target(
        settings.name,
        settings.endpoint,
        _credentials(settings),
        settings.version,
        frozenset(one.name for one in documents if settings.documents.get(one.name, one.send)),
        frozenset(name for mapping in mappings for name in _unwanted_rules(settings, mapping)),
        settings.rate,
        settings.tls(),
        _proxy(settings),
    )


def _unwanted_rules(settings: TargetSettings, mapping: CompiledMapping) -> frozenset[str]:
    document, only, without = mapping.definition, settings.filter.only, settings.filter.without
    called = {rule.name: {rule.name, document.verbs[rule.verb].id} for rule in document.rules}
    return frozenset(name for name, names in called.items() if (only and not names & {*only}) or names & {*without})


def _unknown(settings: TargetSettings, mappings: Sequence[CompiledMapping]) -> Iterator[str]:
    documents = dict.fromkeys(one.name for mapping in mappings for one in mapping.definition.documents)
    called = dict.fromkeys(
        name
        for mapping in mappings
        for rule in mapping.definition.rules
        for name in (rule.name, mapping.definition.verbs[rule.verb].id)
    )
    filtered = (*settings.filter.only, *settings.filter.without)
    for key, told, known, kind in (
        ("documents", settings.documents, documents, "document"),
        ("filter", filtered, called, "rule or verb"),
    ):
        unknown = [name for name in told if name not in known]
        if unknown:
            yield (
                f"targets.{settings.name}.{key}: {', '.join(unknown)} is no {kind} of the mapping document; there are:"
                f" {', '.join(known) or 'none'}"
            )


def _credentials(settings: TargetSettings) -> Credentials:
    if settings.client_id:
        secret = settings.secret("client_secret")
        return ClientCredentials(
            settings.token_url,
            settings.client_id,
            secret,
            settings.scope,
            settings.audience,
            settings.client_secret_post,
        )
    token = settings.secret("token")
    if token:
        return Bearer(token)
    password = settings.secret("password")
    return Basic(settings.username, password) if settings.username or password else None


def _proxy(settings: TargetSettings) -> Proxy | None:
    if not settings.proxy:
        return None
    headers = {}
    if settings.proxy_username:
        password = settings.secret("proxy_password")
        headers["Proxy-Authorization"] = aiohttp.encode_basic_auth(settings.proxy_username, password, "utf-8")
    return Proxy(settings.proxy, headers)
