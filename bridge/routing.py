"""Routing: which target receives which statements and documents, by the settings and the mapping versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import aiohttp

from bridge.forwarding.targets import Basic, Bearer, ClientCredentials, Credentials, Proxy, Target
from bridge.settings import SettingsError, TargetSettings
from mappings.definition import CompiledMapping
from mappings.definition.form_conflicts import find_conflicts
from mappings.definition.model import Identifier
from mappings.generation.target_forms import MappingForm, PseudonymKey, TargetForm
from storage.outbox import UNASSIGNED


def build_targets(settings: Sequence[TargetSettings], mappings: Sequence[CompiledMapping]) -> list[Target]:
    """Return the targets. `mappings` are the document of the settings and all active versions.

    Raises:
        SettingsError: a target names a document, rule or verb that none of them has, or must not get what one of them
            tells of learners.
    """
    faults = [fault for target in settings for fault in _unknown_names(target, mappings)]
    faults += [fault for mapping in mappings for fault in form_conflicts(mapping, settings)]
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
    names = frozenset(document.name for mapping in mappings for document in mapping.definition.documents)
    return {target.name: names - target.documents for target in targets}


def build_forms(settings: Sequence[TargetSettings]) -> dict[str, TargetForm]:
    """Return the forms of those targets that get statements and documents in another form than the mapping's."""
    forms = {
        target.name: TargetForm(
            target.actor,
            target.has_names,
            target.free_text,
            tuple(PseudonymKey(key.id, key.secret("key").encode(), key.since_ms) for key in target.pseudonym_keys),
        )
        for target in settings
    }
    return {name: form for name, form in forms.items() if form != TargetForm()}


def mapping_forms(
    mapping: CompiledMapping, settings: Sequence[TargetSettings]
) -> tuple[tuple[MappingForm, frozenset[str]], ...]:
    """Return the forms in which targets get what a mapping generates, each with the names of its targets."""
    targets: dict[TargetForm, set[str]] = {}
    for name, form in build_forms(settings).items():
        targets.setdefault(form, set()).add(name)
    return tuple((MappingForm(form, mapping), frozenset(names)) for form, names in targets.items())


def needed_identifier(mapping: CompiledMapping, settings: Sequence[TargetSettings]) -> Identifier:
    """Return what must be known of learners' e-mail addresses for a mapping and the targets."""
    identifiers = {mapping.definition.actor.identifier, *(target.actor for target in settings)}
    return "mbox" if "mbox" in identifiers else "mbox_sha1sum" if "mbox_sha1sum" in identifiers else "account"


def form_conflicts(mapping: CompiledMapping, settings: Sequence[TargetSettings]) -> list[str]:
    """Return what a mapping and each target that must not get all of it contradict each other in."""
    return [fault for target in settings for fault in _form_conflicts(mapping, target)]


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
    for key, configured, known_names, kind in (
        ("documents", settings.documents, documents, "document"),
        ("filter", filtered, called, "rule or verb"),
    ):
        unknown = [name for name in configured if name not in known_names]
        if unknown:
            yield (
                f"targets.{settings.name}.{key}: {', '.join(unknown)} is no {kind} of the mapping document; there are:"
                f" {', '.join(known_names) or 'none'}"
            )


def _form_conflicts(mapping: CompiledMapping, settings: TargetSettings) -> Iterator[str]:
    definition = mapping.definition
    places = find_conflicts(
        definition,
        names=settings.has_names,
        is_pseudonym=settings.actor == "pseudonym",
        has_account=settings.actor != "pseudonym",
    )
    if places:
        yield (
            f"targets.{settings.name}: the mapping {definition.name!r} tells who a learner is in"
            f" {', '.join(dict.fromkeys(places))}, which cannot be left out for this target; change the mapping"
        )
    texts = [document.name for document in definition.documents if "suspend_data" in document.content]
    wanted = [name for name in texts if settings.documents.get(name)]
    if wanted and not settings.free_text:
        yield (
            f"targets.{settings.name}: free_text = false and the document {', '.join(wanted)} contradict each other:"
            " what content stores can hold what learners wrote"
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
