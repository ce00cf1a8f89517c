"""Checks of agents and groups, and the identity that an inverse functional identifier gives them.

Source: xAPI Data, sections 2.4.2 (Actor) and 2.4.9 (Authority).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mappings.xapi.validation import shape, syntax

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.xapi.validation.shape import Check

Identity: TypeAlias = tuple[str, ...]
"""Who an agent or identified group is: the identifier's name and its value, comparable and hashable."""


def _check_account(value: object, at: str) -> Iterator[str]:
    properties: dict[str, Check] = {"homePage": syntax.check_iri, "name": shape.check_string}
    yield from shape.check_object(value, at, "an account", properties, ("homePage", "name"))


_IDENTIFIERS: Final[dict[str, Check]] = {
    "mbox": syntax.check_mailto,
    "mbox_sha1sum": syntax.check_sha1,
    "openid": syntax.check_iri,
    "account": _check_account,
}
_AGENT: Final[dict[str, Check]] = {
    "objectType": shape.one_of("Agent"),
    "name": shape.check_string,
    **_IDENTIFIERS,
}


def check_agent(value: object, at: str) -> Iterator[str]:
    """Validate an agent: exactly one inverse functional identifier, and a name or not."""
    yield from shape.check_object(value, at, "an agent", _AGENT)
    if isinstance(value, dict):
        yield from _check_identifiers(value, at, least=1)


def check_group(value: object, at: str) -> Iterator[str]:
    """Validate a group: identified by exactly one identifier, or anonymous with the agents that are its members."""
    properties: dict[str, Check] = {
        **_AGENT,
        "objectType": shape.one_of("Group"),
        "member": shape.array_of(check_agent),
    }
    yield from shape.check_object(value, at, "a group", properties, ("objectType",))
    if isinstance(value, dict):
        yield from _check_identifiers(value, at, least=0)
        if not _identifiers(value) and not value.get("member"):
            yield f"{at}.member: a group without an identifier must list its members"


def check_actor(value: object, at: str) -> Iterator[str]:
    """Validate an agent or a group; without objectType it is an agent."""
    match shape.as_dict(value).get("objectType", "Agent"):
        case "Group":
            yield from check_group(value, at)
        case "Agent":
            yield from check_agent(value, at)
        case other:
            yield shape.must_be("Agent or Group", other, f"{at}.objectType")


def check_authority(value: object, at: str) -> Iterator[str]:
    """Validate an agent, a group with an identifier, or the anonymous group of two that OAuth makes."""
    yield from check_actor(value, at)
    group = shape.as_dict(value)
    members = group.get("member")
    if (
        group.get("objectType") == "Group"
        and not _identifiers(group)
        and isinstance(members, list)
        and len(members) != 2
    ):
        yield f"{at}.member: an anonymous group as authority must have exactly two members"


def _identifiers(value: dict[str, Any]) -> list[str]:
    return [name for name in _IDENTIFIERS if name in value]


def _check_identifiers(value: dict[str, Any], at: str, *, least: int) -> Iterator[str]:
    names = _identifiers(value)
    if len(names) < least:
        yield f"{at}: must have one identifier: mbox, mbox_sha1sum, openid or account"
    if len(names) > 1:
        yield f"{at}: must have one identifier only, not {' and '.join(names)}"


def identity(actor: object) -> Identity | None:
    """Return who a checked agent or group is; None for an anonymous group.

    Two are the same when the same identifier has the same value (xAPI Communication 2.1.3). The domain of an
    mbox and the digits of a hash do not depend on case.
    """
    properties = shape.as_dict(actor)
    match properties:
        case {"mbox": str(mbox)}:
            return "mbox", lower_domain(mbox)
        case {"mbox_sha1sum": str(digest)}:
            return "mbox_sha1sum", digest.lower()
        case {"openid": str(openid)}:
            return "openid", openid
        case {"account": {"homePage": str(home), "name": str(name)}}:
            return "account", home, name
        case _:
            return None


def lower_domain(mbox: str) -> str:
    """Return a mailto IRI with its domain in lower case; the part before the @ is left alone."""
    local, at_sign, domain = mbox.rpartition("@")
    return local + at_sign + domain.lower()
