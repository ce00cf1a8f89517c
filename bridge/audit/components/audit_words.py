"""Entries of the audit log in words, with links to what they are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from bridge.audit.components.json_view import truncate_text
from bridge.operations.audit_context import AuditAction
from mappings.xapi.timestamps import rfc3339
from storage.audit_log import AuditEntry

MAX_SUBJECT_CHARS = 1000
"""Characters of a subject."""


class EntryWords(NamedTuple):
    """What an entry says: what somebody did, and to what; `href` is empty where that has no page."""

    verb: str
    subject: str
    href: str = ""


class VersionName(NamedTuple):
    """A mapping version by the name and hash that people know it by."""

    name: str
    content_hash: str


def describe_entry(entry: AuditEntry, versions: Mapping[int, VersionName]) -> EntryWords:
    """Return an entry in words; `versions` are the mapping versions by their ids.

    What an older release or another program wrote is shown as it is.
    """
    describe = _WORDS.get(entry.action)
    fields = _fields(entry.subject)
    words = None if describe is None else describe(entry.subject, fields, versions)
    return words or EntryWords(entry.action, truncate_text(entry.subject, MAX_SUBJECT_CHARS))


def _fields(subject: str) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(subject)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _target(verb: str) -> _Describe:
    return lambda subject, _fields, _versions: EntryWords(verb, subject, f"/audit/targets#target-{quote(subject)}")


def _plain(verb: str, href: str = "") -> _Describe:
    return lambda subject, _fields, _versions: EntryWords(verb, truncate_text(subject, MAX_SUBJECT_CHARS), href)


def _deliveries(verb: str) -> _Describe:
    def describe(_subject: str, fields: dict[str, Any], _versions: Mapping[int, VersionName]) -> EntryWords | None:
        if not fields:
            return None
        shown = {name: _shown(name, value) for name, value in fields.items() if value is not None}
        # what was dead then waits now, or is discarded: the state is not looked for
        query = {name: value for name, value in shown.items() if name != "state"}
        return EntryWords(verb, _joined("deliveries", shown), f"/audit/deliveries?{urlencode(query)}")

    return describe


def _version(verb: str) -> _Describe:
    def describe(_subject: str, fields: dict[str, Any], versions: Mapping[int, VersionName]) -> EntryWords | None:
        if not fields.keys() & {"lms", "mapping_version"}:
            return None
        whom = f"for {fields['lms']}" if fields.get("lms") else "for all LMSs without a version of their own"
        number = fields.get("mapping_version")
        if number is None:
            return EntryWords(verb, f"the version of all LMSs, {whom}")
        version = versions.get(number) if isinstance(number, int) else None
        if version is None:
            return EntryWords(verb, f"mapping version {number} {whom}")
        text = f"{version.name} {version.content_hash[:12]} {whom}"
        return EntryWords(verb, text, f"/audit/mappings/{version.content_hash}")

    return describe


def _reissue(subject: str, fields: dict[str, Any], versions: Mapping[int, VersionName]) -> EntryWords | None:
    if "mapping_version" not in fields:
        return _deliveries("sent under new ids")(subject, fields, versions)
    version = versions.get(fields["mapping_version"]) if isinstance(fields["mapping_version"], int) else None
    rest = {name: _shown(name, value) for name, value in fields.items() if name != "mapping_version" and value}
    name = f"statements by {version.name} {version.content_hash[:12]}" if version else "statements"
    href = f"/audit/mappings/{version.content_hash}" if version else ""
    return EntryWords("re-issued", _joined(name, rest), href)


def _export(_subject: str, fields: dict[str, Any], _versions: Mapping[int, VersionName]) -> EntryWords | None:
    if "learner" not in fields:
        return None
    learner, lms = str(fields["learner"]), fields.get("lms")
    text = truncate_text(f"learner {learner}", MAX_SUBJECT_CHARS)
    if not lms:
        return EntryWords("exported all that is held about", f"{text} at all LMSs")
    href = f"/audit/learner?{urlencode({'lms': lms, 'id': learner})}"
    return EntryWords("exported all that is held about", f"{text} at {lms}", href)


def _erase(_subject: str, fields: dict[str, Any], _versions: Mapping[int, VersionName]) -> EntryWords | None:
    if "erasure" not in fields:
        return None
    at = f"at {fields['lms']}" if fields.get("lms") else "at all LMSs"
    rows = fields.get("deleted")
    shown = {str(name): str(number) for name, number in rows.items()} if isinstance(rows, dict) else {}
    href = f"/audit/erasures/{quote(str(fields['erasure']), safe='')}"
    return EntryWords("erased a learner", _joined(f"{at}, receipt {fields['erasure']}", shown), href)


def _draft(subject: str, _fields: dict[str, Any], _versions: Mapping[int, VersionName]) -> EntryWords | None:
    name, _, content_hash = subject.rpartition(" ")
    if len(content_hash) != 64:
        return None
    return EntryWords("saved the mapping", f"{name} {content_hash[:12]}", f"/audit/mappings/{quote(content_hash)}")


def _shown(name: str, value: Any) -> str:
    return rfc3339(value) if name in {"since", "until"} and isinstance(value, int) else str(value)


def _joined(name: str, parts: Mapping[str, str]) -> str:
    if not parts:
        return name
    return truncate_text(f"{name}: {', '.join(f'{key} {value}' for key, value in parts.items())}", MAX_SUBJECT_CHARS)


_Describe = Callable[[str, dict[str, Any], Mapping[int, VersionName]], EntryWords | None]
_WORDS: dict[str, _Describe] = {
    AuditAction.PAUSE: _target("paused the target"),
    AuditAction.RESUME: _target("resumed the target"),
    AuditAction.RETRY: _deliveries("sent again"),
    AuditAction.DISCARD: _deliveries("discarded"),
    AuditAction.REISSUE: _reissue,
    AuditAction.SAVE_DRAFT: _draft,
    AuditAction.ACTIVATE: _version("activated"),
    AuditAction.ROLL_BACK: _version("rolled back to"),
    AuditAction.CREATE_ACCOUNT: _plain("created the account"),
    AuditAction.CHANGE_ROLE: _plain("changed the role of the account"),
    AuditAction.CHANGE_PASSWORD: _plain("set the password of the account"),
    AuditAction.REMOVE_ACCOUNT: _plain("removed the account"),
    AuditAction.EXPORT: _export,
    AuditAction.ERASE: _erase,
    AuditAction.BACKFILL: _target("queued what is older for the target"),
    AuditAction.IMPORT: _plain("imported the history of the LMS", "/audit/lms"),
    AuditAction.CREATE_TOKEN: _plain("issued to the LMS", "/audit/lms"),
    AuditAction.ROTATE_TOKEN: _plain("rotated, of the LMS", "/audit/lms"),
    AuditAction.REVOKE_TOKEN: _plain("revoked, of the LMS", "/audit/lms"),
    AuditAction.CREATE_BROWSER_KEY: _plain("created for pages of the LMS", "/audit/lms"),
    AuditAction.REVOKE_BROWSER_KEY: _plain("revoked, of the LMS", "/audit/lms"),
    AuditAction.CHANGE_LMS: _plain("changed the LMS", "/audit/lms"),
    AuditAction.REMOVE_LMS: _plain("removed the LMS", "/audit/lms"),
}
"""Action -> how an entry of it is described; None where its subject is not as it should be."""
