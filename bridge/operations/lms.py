"""Registering, changing and removing LMSs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Connection

from bridge.operations.audit_context import AuditAction, AuditContext, record
from mappings.xapi.iris import is_iri
from storage import lms, lms_contents
from storage.learner_ids import LearnerIdRuleError, check_rules
from storage.lms import HomePageError, Lms
from storage.lms_contents import LmsContents

MAX_LMS_NAME_LENGTH = 200
ANY_ORIGIN = "*"
DEFAULT_PORTS = {"http": 80, "https": 443}


class LmsError(ValueError):
    """An operation on LMSs that is refused; the text says why."""


class LmsNotEmptyError(LmsError):
    """An LMS that has data was to be removed without it."""


@dataclass(frozen=True, slots=True)
class LmsRegistration:
    """An LMS as it is registered: its name, home page, and the origins of its pages; none: that of the home page."""

    name: str
    home_page: str
    origins: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LmsChange:
    """What is to change of an LMS: another home page, further origins, and origins that are permitted no longer.

    `learner_ids` are fields of the rules for the ids that its pages say, by their names (`storage/learner_ids.py`).
    """

    home_page: str | None = None
    add_origins: Sequence[str] = ()
    remove_origins: Sequence[str] = ()
    learner_ids: Mapping[str, Any] = field(default_factory=dict)


def register_lms(connection: Connection, registration: LmsRegistration, context: AuditContext) -> Lms:
    """Return the LMS of a name: created if it is new, with the origins that it did not have.

    Raises:
        LmsError: name, home page or an origin is not valid, or it is known with another home page.
    """
    name, home_page = registration.name, parse_home_page(registration.home_page)
    if not name or name != name.strip() or len(name) > MAX_LMS_NAME_LENGTH or not name.isprintable():
        raise LmsError(
            f"A name of an LMS has 1 to {MAX_LMS_NAME_LENGTH} printable characters, and no space at its beginning or"
            " end."
        )
    origins = [parse_origin(origin) for origin in registration.origins] or [origin_of(home_page)]
    before = lms.by_name(connection, name)
    try:
        return lms.register(connection, name=name, home_page=home_page, origins=origins, now=context.at)
    except HomePageError as error:
        raise LmsError(
            f"{error}; earlier statements use it, so it cannot be changed here."
            + (" `lms change` can, as long as it has no learners." if before is not None else "")
        ) from None


def change_lms(connection: Connection, name: str, change: LmsChange, context: AuditContext) -> Lms:
    """Change an LMS, and return it as it is then.

    Raises:
        LmsError: there is no such LMS or origin, something is not valid, nothing would change, or the LMS has learners
            and their accounts would become those of other people.
    """
    before = find_lms(connection, name)
    changed = before
    if change.home_page is not None and change.home_page != before.home_page:
        if lms_contents.count(connection, before.id).enrollments:
            raise LmsError(
                f"{name} has learners, and their accounts in statements are of the home page {before.home_page}: with"
                " another one they would become other people. Keep it, wherever the LMS moves to; `--origin` permits"
                " its new pages."
            )
        changed = replace(changed, home_page=parse_home_page(change.home_page))
    removed = {parse_origin(origin) for origin in change.remove_origins}
    if unknown := removed - set(before.origins):
        raise LmsError(f"{name} does not have the origin {', '.join(sorted(unknown))}.")
    added = {parse_origin(origin) for origin in change.add_origins}
    changed = replace(changed, origins=tuple(sorted({*before.origins, *added} - removed)))
    rules = msgspec.structs.replace(before.learner_ids, **change.learner_ids)
    try:
        check_rules(rules)
    except LearnerIdRuleError as error:
        raise LmsError(str(error)) from None
    changed = replace(changed, learner_ids=rules)
    if changed == before:
        raise LmsError(f"That changes nothing: {name} is so already.")
    lms.change(connection, changed)
    details = [f"home page {before.home_page} -> {changed.home_page}"] * (changed.home_page != before.home_page)
    details += [f"added {origin}" for origin in changed.origins if origin not in before.origins]
    details += [f"removed {origin}" for origin in before.origins if origin not in changed.origins]
    if changed.learner_ids != before.learner_ids:
        details.append(f"learners' ids of its pages: {changed.learner_ids.describe() or 'as they are'}")
    record(connection, context, AuditAction.CHANGE_LMS, name, detail=", ".join(details))
    return changed


def remove_lms(connection: Connection, name: str, context: AuditContext) -> None:
    """Remove an LMS that has no data, with its tokens. Its entries stay in the audit log.

    Raises:
        LmsNotEmptyError: it has data; the text says how much.
        LmsError: there is no such LMS.
    """
    stored = find_lms(connection, name)
    contents = lms_contents.count(connection, stored.id)
    if contents.enrollments:
        raise LmsNotEmptyError(f"{name} has {describe_contents(contents)}.")
    lms_contents.delete_empty(connection, stored.id)
    record(connection, context, AuditAction.REMOVE_LMS, name, detail=f"home page {stored.home_page}")


def describe_contents(contents: LmsContents) -> str:
    """Return how much is stored of an LMS, in words."""
    return ", ".join(f"{number:,} {noun}" for noun, number in contents._asdict().items())


def find_lms(connection: Connection, name: str) -> Lms:
    """Return the LMS of a name.

    Raises:
        LmsError: there is none.
    """
    stored = lms.by_name(connection, name)
    if stored is None:
        raise LmsError(f"There is no LMS {name}; `lms list` shows them.")
    return stored


def parse_home_page(text: str) -> str:
    """Return a home page, an IRI that learners' accounts in statements have.

    Raises:
        LmsError: it is not valid.
    """
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        has_host = False
    if not text.startswith(("http://", "https://")) or not is_iri(text) or not has_host:
        raise LmsError(f"A home page is a full address such as https://lms.example.org, not {text!r}.")
    return text


def parse_origin(text: str) -> str:
    """Return an origin as browsers send it: scheme, host and port, where it is not the scheme's own.

    Raises:
        LmsError: it is not valid.
    """
    if text == ANY_ORIGIN:
        return text
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
        plain = host is not None and host.isascii() and host.replace("-", "").replace(".", "").isalnum()
        is_valid = parts.scheme in DEFAULT_PORTS and (plain or (host is not None and ":" in host))
    except ValueError:
        is_valid = False
    if not is_valid or parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise LmsError(
            "An origin is a scheme and a host, with a port if it has one, such as https://lms.example.org, not"
            f" {text!r}."
        )
    return _origin(parts.scheme, host or "", port)


def origin_of(url: str) -> str:
    """Return the origin of an address."""
    parts = urlsplit(url)
    return _origin(parts.scheme, parts.hostname or "", parts.port)


def _origin(scheme: str, host: str, port: int | None) -> str:
    suffix = "" if port is None or port == DEFAULT_PORTS.get(scheme) else f":{port}"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{suffix}"
