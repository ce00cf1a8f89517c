"""Creating and revoking browser keys, and what an LMS's pages need to use one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bridge.browser_keys import new_key
from bridge.clock import format_timestamp
from bridge.commit_model.launch import MAX_ID_BYTES
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.operations.lms import ANY_ORIGIN, LmsRegistration, parse_origin, register_lms
from bridge.tap.script import load_script
from storage import browser_keys, lms
from storage.browser_keys import ANY_SUFFIX, BrowserKey
from storage.lms import Lms

MAX_ORIGINS = 50
MAX_ACTIVITIES = 500
PLACEHOLDER_URL = "https://bridge.example.org"
"""Stands for the bridge's own address where the settings do not say it."""


class BrowserKeyError(ValueError):
    """An operation on browser keys that is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class NewBrowserKey:
    """A key to create: for pages of these origins, and sessions of these activities (none: all).

    `home_page` is that of the LMS where it is new; the first origin, where none is given.
    """

    lms: str
    origins: Sequence[str]
    activities: Sequence[str] = ()
    expires_at: int | None = None
    home_page: str | None = None


def create_browser_key(connection: Connection, new: NewBrowserKey, context: AuditContext) -> BrowserKey:
    """Create a key for an LMS, which is registered if it is new.

    Raises:
        LmsError: the LMS cannot be registered so, or an origin is not valid.
        BrowserKeyError: no origin is given, or any; an activity's id is not valid; it would have expired already.
    """
    origins = _parse_origins(new.origins)
    activities = _parse_activities(new.activities)
    if new.expires_at is not None and new.expires_at <= context.at:
        raise BrowserKeyError(f"A key that expires at {format_timestamp(new.expires_at)} would have expired already.")
    owner = _owner(connection, new, origins, context)
    key_id = browser_keys.add(
        connection,
        owner.id,
        new_key(),
        context.at,
        origins=origins,
        activities=activities,
        expires_at=new.expires_at,
    )
    created = find_browser_key(connection, key_id)
    expiry = "" if new.expires_at is None else f", expires at {format_timestamp(new.expires_at)}"
    detail = (
        f"for {' '.join(created.origins)}" + (f", activities {' '.join(activities)}" if activities else "") + expiry
    )
    record(connection, context, AuditAction.CREATE_BROWSER_KEY, browser_key_subject(owner, key_id), detail=detail)
    return created


def revoke_browser_key(connection: Connection, key_id: int, context: AuditContext) -> BrowserKey:
    """Revoke a key for good, and return it as it was; commit URLs that pages got with it end with it.

    Raises:
        BrowserKeyError: there is no such key, or it was revoked already.
    """
    key = find_browser_key(connection, key_id)
    if key.revoked_at is not None:
        raise BrowserKeyError(f"Key {key_id} was revoked already, at {format_timestamp(key.revoked_at)}.")
    browser_keys.revoke(connection, [key_id], context.at)
    record(connection, context, AuditAction.REVOKE_BROWSER_KEY, browser_key_subject(key.lms, key_id))
    return key


def find_browser_key(connection: Connection, key_id: int) -> BrowserKey:
    """Return the key of a number.

    Raises:
        BrowserKeyError: there is none.
    """
    key = browser_keys.by_id(connection, key_id)
    if key is None:
        raise BrowserKeyError(f"There is no key {key_id}; `keys list` shows them.")
    return key


def browser_key_subject(owner: Lms, key_id: int) -> str:
    """Return what the audit log calls a key."""
    return f"{owner.name}, key {key_id}"


def script_tag(public_url: str, key: str) -> str:
    """Return the line of HTML that an LMS's pages need.

    `public_url` is the bridge's address without a slash at its end, empty where it is not known.
    """
    return load_script().element(public_url or PLACEHOLDER_URL, key)


def _owner(connection: Connection, new: NewBrowserKey, origins: Sequence[str], context: AuditContext) -> Lms:
    stored = lms.by_name(connection, new.lms)
    if stored is not None and new.home_page in {None, stored.home_page}:
        # its own origins stay as they are: they are for pages that have its players' commit URLs
        return stored
    return register_lms(connection, LmsRegistration(new.lms, new.home_page or origins[0]), context)


def _parse_origins(origins: Iterable[str]) -> list[str]:
    parsed = sorted({parse_origin(origin) for origin in origins})
    if not parsed:
        raise BrowserKeyError("A key needs the origin of the pages that use it, such as https://lms.example.org.")
    if ANY_ORIGIN in parsed:
        raise BrowserKeyError("A key is for pages of origins that are named: pages anywhere could use one for *.")
    if len(parsed) > MAX_ORIGINS:
        raise BrowserKeyError(f"A key is for at most {MAX_ORIGINS} origins, not {len(parsed)}.")
    return parsed


def _parse_activities(activities: Iterable[str]) -> list[str]:
    parsed = sorted({*activities})
    for activity in parsed:
        if not activity.strip() or not activity.isprintable() or len(activity.encode()) > MAX_ID_BYTES:
            raise BrowserKeyError(
                f"An activity is its id at the LMS, of at most {MAX_ID_BYTES} bytes, or how such ids begin with"
                f" {ANY_SUFFIX} behind it; {activity[:60]!r} is not."
            )
    if len(parsed) > MAX_ACTIVITIES:
        raise BrowserKeyError(f"A key is for at most {MAX_ACTIVITIES} activities, not {len(parsed)}.")
    return parsed
