"""What all statements that a mapping makes for an LMS have in common: by it a statement is known that nobody stored.

An LRS may have statements of many systems, some of them of the same learners. None of these is to be taken for one of
ours, so everything is asked for together that ours have in any case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from mappings.definition.form_conflicts import hidden_extensions
from mappings.definition.model import Actor, Extension, MappingDefinition, Value
from mappings.definition.placeholders import Placeholder, Template, needs, placeholders
from mappings.definition.statement_context import fill_iri
from mappings.generation.target_forms import TargetForm
from mappings.xapi.iris import sendable_iri
from mappings.xapi.validation.syntax import UUID_PATTERN

_OF_LMS = frozenset({"lms.home_page", "lms.base", "lms.name"})
_ALWAYS_A_NUMBER = frozenset({"attempt.number:number"})
_ATTEMPT = re.compile(rf"[?&]attemptId=({UUID_PATTERN.pattern})", re.ASCII | re.IGNORECASE)


class StatedLms(msgspec.Struct, frozen=True):
    """An LMS as its statements state it."""

    id: int
    name: str
    home_page: str


class StatementMarks(msgspec.Struct, frozen=True):
    """What is in every statement of a mapping and an LMS, as a target gets them.

    Attributes:
        home_pages: of learners' accounts.
        has_mailboxes: learners may be identified by e-mail addresses instead.
        names_learners: accounts have the ids that the LMS knows learners by.
        verbs: one of them is the verb.
        categories: ids of activities that are among the context's.
        extensions: keys that are among the context's.
    """

    lms: StatedLms
    home_pages: frozenset[str]
    has_mailboxes: bool
    names_learners: bool
    verbs: frozenset[str]
    categories: frozenset[str]
    extensions: frozenset[str]


class RecognizedStatement(msgspec.Struct, frozen=True):
    """A statement that only a mapping of ours can have made.

    Attributes:
        learner_id: by which the LMS knows the learner; None where the target does not get it.
        actor: what the learner is called by there.
        attempt: the UUID that the context names as the attempt's, None where it names none.
        uuids: all that the context has, in lower case.
        timestamp: RFC 3339, as the LRS gave it.
    """

    id: str
    lms: StatedLms
    learner_id: str | None
    actor: str
    verb: str
    object_id: str
    registration: str
    attempt: str | None
    uuids: frozenset[str]
    timestamp: str


class _Account(msgspec.Struct, rename="camel"):
    home_page: str
    name: str


class _Agent(msgspec.Struct):
    account: _Account | None = None
    mbox: str | None = None
    mbox_sha1sum: str | None = None


class _Identified(msgspec.Struct):
    id: str


class _StatedActivities(msgspec.Struct):
    category: list[_Identified] | _Identified = []


class _StatedContext(msgspec.Struct, rename="camel"):
    registration: UUID
    context_activities: _StatedActivities = msgspec.field(default_factory=_StatedActivities)
    extensions: dict[str, Any] = {}


class _Statement(msgspec.Struct):
    id: UUID
    actor: _Agent
    verb: _Identified
    object: _Identified
    context: _StatedContext
    timestamp: str


def statement_marks(definition: MappingDefinition, form: TargetForm, lms: StatedLms) -> StatementMarks | None:
    """Return what the statements of a mapping and an LMS have in common in a target's form.

    None where nothing in them says which LMS they are of, so that they could be anybody's.
    """
    base = sendable_iri(lms.home_page).rstrip("/")
    values = {"lms.home_page": sendable_iri(lms.home_page), "lms.base": base, "lms.name": lms.name}
    hidden = frozenset(hidden_extensions(definition, names=form.names, is_pseudonym=form.actor == "pseudonym"))
    keys = [key for key in definition.context.extensions if _is_certain(key, hidden)]
    categories = [definition.activities[name].id for name in definition.context.category]
    home_pages, has_mailboxes = _home_pages(definition.actor, form, base, values), _has_mailboxes(definition, form)
    is_of_lms = any(placeholders(key) for key, _ in keys) or any(placeholders(each) & _OF_LMS for each in categories)
    if not is_of_lms and (has_mailboxes or not home_pages):
        return None
    return StatementMarks(
        lms,
        home_pages,
        has_mailboxes,
        form.actor != "pseudonym" and definition.actor.account == (Placeholder("learner.id"),),
        frozenset(verb.id for verb in definition.verbs.values()),
        frozenset(fill_iri(each, values) for each in categories if placeholders(each) <= _OF_LMS),
        frozenset(fill_iri(key, values) for key, _ in keys),
    )


def recognize(statement: dict[str, Any], marks: list[StatementMarks]) -> RecognizedStatement | None:
    """Return a statement as it was read from an LRS if one of the marks is its; None where it is not ours."""
    try:
        stated = msgspec.convert(statement, _Statement)
    except msgspec.ValidationError:
        return None
    if stated.id.version != 5:
        return None
    return next((_recognized(stated, statement, each) for each in marks if _has_marks(stated, each)), None)


def _has_marks(stated: _Statement, marks: StatementMarks) -> bool:
    actor, context = stated.actor, stated.context
    if actor.account is not None:
        is_learner = actor.account.home_page in marks.home_pages
    else:
        is_learner = marks.has_mailboxes and (actor.mbox is not None or actor.mbox_sha1sum is not None)
    category = context.context_activities.category
    categories = {each.id for each in (category if isinstance(category, list) else [category])}
    return (
        is_learner
        and stated.verb.id in marks.verbs
        and marks.categories <= categories
        and marks.extensions <= context.extensions.keys()
    )


def _recognized(stated: _Statement, statement: dict[str, Any], marks: StatementMarks) -> RecognizedStatement:
    text = msgspec.json.encode(statement["context"]).decode()
    attempt = _ATTEMPT.search(text)
    account = stated.actor.account
    return RecognizedStatement(
        str(stated.id),
        marks.lms,
        account.name if account is not None and marks.names_learners else None,
        account.name if account is not None else stated.actor.mbox or stated.actor.mbox_sha1sum or "",
        stated.verb.id,
        stated.object.id,
        str(stated.context.registration),
        None if attempt is None else attempt[1].lower(),
        frozenset(uuid.lower() for uuid in UUID_PATTERN.findall(text)),
        stated.timestamp,
    )


def _home_pages(actor: Actor, form: TargetForm, base: str, values: dict[str, str]) -> frozenset[str]:
    if form.actor == "pseudonym":
        return frozenset(f"{base}/pseudonyms/{key.id}" for key in form.keys)
    return frozenset({fill_iri(actor.home_page, values)} if placeholders(actor.home_page) <= _OF_LMS else ())


def _has_mailboxes(definition: MappingDefinition, form: TargetForm) -> bool:
    return (form.actor or definition.actor.identifier) in {"mbox", "mbox_sha1sum"}


def _is_certain(extension: Extension, hidden: frozenset[tuple[Template, str | None]]) -> bool:
    """Return whether all statements have an extension, under a key that depends on the LMS alone."""
    key, content = extension
    if not placeholders(key) <= _OF_LMS:
        return False
    members = content.items() if isinstance(content, Mapping) else [(None, content)]
    return any(_is_always_known(value) and (key, member) not in hidden for member, value in members)


def _is_always_known(value: Value) -> bool:
    return not isinstance(value, tuple) or needs(value) <= _ALWAYS_A_NUMBER
