"""Targets as the settings and the mapping document together say."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bridge.forwarding.targets import Basic, Bearer, ClientCredentials, Credentials, Target
from bridge.settings import SettingsError
from bridge.target_settings import TargetSettings
from mappings.document import CompiledMapping
from storage.outbox import UNASSIGNED


def configured(settings: Sequence[TargetSettings], mapping: CompiledMapping) -> list[Target]:
    """Give the targets.

    Raises:
        SettingsError: one names a document, rule or verb that the mapping document has not.
    """
    return [_target(one, mapping) for one in settings]


def receivers(mapping: CompiledMapping, targets: Sequence[Target]) -> dict[str, tuple[str, ...]]:
    """Give the targets that get each rule's statements, by its name; without targets they wait for the first one."""
    if not targets:
        return {rule.name: (UNASSIGNED,) for rule in mapping.document.rules}
    return {
        rule.name: tuple(target.name for target in targets if rule.name not in target.unwanted_rules)
        for rule in mapping.document.rules
    }


def readers(mapping: CompiledMapping, targets: Sequence[Target]) -> dict[str, tuple[str, ...]]:
    """Give the targets of each document that any gets, by its name."""
    if not targets:
        return {one.name: (UNASSIGNED,) for one in mapping.document.documents if one.send}
    found = {
        one.name: tuple(target.name for target in targets if one.name in target.documents)
        for one in mapping.document.documents
    }
    return {name: wanted_by for name, wanted_by in found.items() if wanted_by}


def unwanted_documents(mapping: CompiledMapping, targets: Sequence[Target]) -> dict[str, frozenset[str]]:
    """Give the names of the documents that each target does not get, by the target's name."""
    known = frozenset(one.name for one in mapping.document.documents)
    return {target.name: known - target.documents for target in targets}


def _target(settings: TargetSettings, mapping: CompiledMapping) -> Target:
    sent = {one.name: one.send for one in mapping.document.documents}
    _check(settings.name, "documents", settings.documents, sent, "document")
    sent |= settings.documents
    return Target(
        settings.name,
        settings.endpoint,
        _credentials(settings),
        settings.version,
        frozenset(name for name, is_sent in sent.items() if is_sent),
        _unwanted_rules(settings, mapping),
        settings.rate,
    )


def _unwanted_rules(settings: TargetSettings, mapping: CompiledMapping) -> frozenset[str]:
    document, only, without = mapping.document, settings.filter.only, settings.filter.without
    called = {rule.name: {rule.name, document.verbs[rule.verb].id} for rule in document.rules}
    known = dict.fromkeys(name for rule in document.rules for name in (rule.name, document.verbs[rule.verb].id))
    _check(settings.name, "filter", (*only, *without), known, "rule or verb")
    return frozenset(name for name, names in called.items() if (only and not names & {*only}) or names & {*without})


def _check(target: str, key: str, told: Collection[str], known: Collection[str], kind: str) -> None:
    unknown = [name for name in told if name not in known]
    if unknown:
        raise SettingsError(
            f"targets.{target}.{key}: {', '.join(unknown)} is no {kind} of the mapping document; there are:"
            f" {', '.join(known) or 'none'}"
        )


def _credentials(settings: TargetSettings) -> Credentials:
    if settings.client_id:
        secret = settings.secret("client_secret")
        return ClientCredentials(settings.token_url, settings.client_id, secret, settings.scope)
    token = settings.secret("token")
    if token:
        return Bearer(token)
    password = settings.secret("password")
    return Basic(settings.username, password) if settings.username or password else None
