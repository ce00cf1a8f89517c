"""Routing: which target receives which statements and documents, by the settings and the mapping versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import aiohttp

from bridge.forwarding.targets import Basic, Bearer, ClientCredentials, Credentials, Proxy, Target
from bridge.settings import SettingsError, TargetSettings
from mappings.definition import CompiledMapping
from storage.outbox import UNASSIGNED


def build_targets(settings: Sequence[TargetSettings], mappings: Sequence[CompiledMapping]) -> list[Target]:
    """Return the targets. `mappings` are the document of the settings and all active versions.

    Raises:
        SettingsError: a target names a document, rule or verb that none of them has.
    """
    faults = [fault for target in settings for fault in _unknown_names(target, mappings)]
    if faults:
        raise SettingsError("\n".join(faults))
    return [_build_target(target, mappings) for target in settings]


def targets_by_rule(mapping: CompiledMapping, settings: Sequence[TargetSettings]) -> dict[str, tuple[str, ...]]:
    """Return the targets that receive each rule's statements; without targets they wait for the first one."""
    if not settings:
        return {rule.name: (UNASSIGNED,) for rule in mapping.definition.rules}
    unwanted = {target.name: _unwanted_rules(target, mapping) for target in settings}
    return {
        rule.name: tuple(target.name for target in settings if rule.name not in unwanted[target.name])
        for rule in mapping.definition.rules
    }


def targets_by_document(mapping: CompiledMapping, settings: Sequence[TargetSettings]) -> dict[str, tuple[str, ...]]:
    """Return the targets that receive each document, by its name; documents that none receives are left out."""
    if not settings:
        return {document.name: (UNASSIGNED,) for document in mapping.definition.documents if document.send}
    by_document = {
        document.name: tuple(target.name for target in settings if target.documents.get(document.name, document.send))
        for document in mapping.definition.documents
    }
    return {name: targets for name, targets in by_document.items() if targets}


def unwanted_documents(mappings: Sequence[CompiledMapping], targets: Sequence[Target]) -> dict[str, frozenset[str]]:
    """Return the names of the documents that a target receives by none of the mappings, by the target's name."""
    known = frozenset(document.name for mapping in mappings for document in mapping.definition.documents)
    return {target.name: known - target.documents for target in targets}


def unknown_names(mapping: CompiledMapping, settings: Sequence[TargetSettings]) -> list[str]:
    """Return a warning for each target whose filter or documents have names that a mapping does not have."""
    return [fault for target in settings for fault in _unknown_names(target, [mapping])]


def _build_target(settings: TargetSettings, mappings: Sequence[CompiledMapping]) -> Target:
    documents = [document for mapping in mappings for document in mapping.definition.documents]
    return Target(
        settings.name,
        settings.endpoint,
        _credentials(settings),
        settings.version,
        frozenset(document.name for document in documents if settings.documents.get(document.name, document.send)),
        frozenset(name for mapping in mappings for name in _unwanted_rules(settings, mapping)),
        settings.rate,
        settings.tls(),
        _proxy(settings),
    )


def _unwanted_rules(settings: TargetSettings, mapping: CompiledMapping) -> frozenset[str]:
    document, only, without = mapping.definition, settings.filter.only, settings.filter.without
    called = {rule.name: {rule.name, document.verbs[rule.verb].id} for rule in document.rules}
    return frozenset(name for name, names in called.items() if (only and not names & {*only}) or names & {*without})


def _unknown_names(settings: TargetSettings, mappings: Sequence[CompiledMapping]) -> Iterator[str]:
    documents = dict.fromkeys(document.name for mapping in mappings for document in mapping.definition.documents)
    called = dict.fromkeys(
        name
        for mapping in mappings
        for rule in mapping.definition.rules
        for name in (rule.name, mapping.definition.verbs[rule.verb].id)
    )
    filtered = (*settings.filter.only, *settings.filter.without)
    for key, configured, known, kind in (
        ("documents", settings.documents, documents, "document"),
        ("filter", filtered, called, "rule or verb"),
    ):
        unknown = [name for name in configured if name not in known]
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
