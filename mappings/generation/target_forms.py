"""The form in which one target gets statements and documents, where it differs from the mapping's own.

A statement's form is made of its frozen bytes: the actor is put in their place, and what the target must not get is
taken out. Everything else stays as it is, byte for byte, unless something was taken out.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import msgspec

from mappings.definition.bound_templates import BoundTemplates, as_uuid
from mappings.definition.compiled import CompiledMapping
from mappings.definition.form_conflicts import hidden_extensions
from mappings.definition.model import DocumentPart
from mappings.definition.statement_context import (
    StatementContext,
    course_registration,
    fill_iri,
    fill_text,
    mbox,
    mbox_sha1sum,
)

TargetActor = Literal["account", "pseudonym", "mbox", "mbox_sha1sum"]
CHOSEN_RESPONSES = frozenset({"true-false", "choice", "sequencing", "matching", "likert", "numeric"})
"""Types of interactions whose responses are chosen or counted; those of all others are written by the learner."""
FREE_TEXT_PARTS: frozenset[DocumentPart] = frozenset({"comments_from_lms", "suspend_data"})
"""Parts of documents that hold what people wrote, or may hold it."""

MAX_SESSIONS = 1_000
"""Sessions whose forms are kept: a learner's pseudonym is made once for many commits."""

_BEFORE_ACTOR = len('{"id":"00000000-0000-0000-0000-000000000000","actor":')
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class PseudonymKey(msgspec.Struct, frozen=True):
    """A key that pseudonyms are made with, for attempts that began at `since` (ms since the epoch) or later."""

    id: str
    secret: bytes
    since: int = 0

    def __repr__(self) -> str:
        """Return it without its secret."""
        return f"PseudonymKey({self.id!r})"

    def pseudonym(self, home_page: str, learner_id: str) -> str:
        """Return the HMAC-SHA-256 of a learner of an LMS, in hexadecimal."""
        return hmac.digest(self.secret, f"{home_page}\n{learner_id}".encode(), "sha256").hex()

    def registration(self, derived: str) -> str:
        """Return a UUID in place of one that is derived from the learner's id and could be guessed by it."""
        return as_uuid(hmac.digest(self.secret, f"registration\n{derived}".encode(), "sha256").hex()[:40])


class TargetForm(msgspec.Struct, frozen=True):
    """What a target gets in another form than the mapping's.

    `actor` is None for the mapping's own. `keys` are those of pseudonyms, the oldest first, which has no `since`.
    """

    actor: TargetActor | None = None
    names: bool = True
    free_text: bool = True
    keys: tuple[PseudonymKey, ...] = ()

    def key_at(self, started_at: int) -> PseudonymKey | None:
        """Return the key of an attempt that began then, None where learners are named otherwise."""
        if self.actor != "pseudonym":
            return None
        return next((key for key in reversed(self.keys) if key.since <= started_at), self.keys[0])

    def describe(self, key: PseudonymKey | None) -> str:
        """Return in words what is different in the form, of attempts with this key."""
        actor = f"pseudonym by key {key.id}" if key is not None else self.actor
        parts = (actor, None if self.names else "no name", None if self.free_text else "no free text")
        return ", ".join(part for part in parts if part)

    @property
    def descriptions(self) -> frozenset[str]:
        """Return what is different, in words, of attempts with any key."""
        keys: tuple[PseudonymKey | None, ...] = self.keys or (None,)
        return frozenset(map(self.describe, keys))


class MappingForm:
    """A target's form of what one mapping generates."""

    def __init__(self, form: TargetForm, mapping: CompiledMapping) -> None:
        self.form = form
        self.mapping = mapping
        self.hidden = hidden_extensions(mapping.definition, names=form.names, is_pseudonym=form.actor == "pseudonym")
        """Keys of extensions that are left out, each with the member of it, None where it is left out whole."""
        self._by_session: dict[str, AttemptForm] = {}

    def of_attempt(self, context: StatementContext, started_at: int) -> AttemptForm:
        """Return the form of an attempt that began then, in milliseconds since the epoch."""
        cached = self._by_session.get(context.session_id)
        if cached is None or cached.context != context or cached.started_at != started_at:
            if len(self._by_session) >= MAX_SESSIONS:
                self._by_session = {}  # replaced, not cleared: another thread may look into it
            cached = self._by_session[context.session_id] = AttemptForm(self, context, started_at)
        return cached


class AttemptForm:
    """A target's form of one session's statements and documents."""

    def __init__(self, mapping_form: MappingForm, context: StatementContext, started_at: int) -> None:
        self._own = mapping_form
        self._form = form = mapping_form.form
        self._mapping = mapping_form.mapping
        self.context = context
        self.started_at = started_at
        self._key = form.key_at(started_at)
        self._actor: tuple[str, str] | None = None

    @cached_property
    def description(self) -> str:
        """Return what is different in the form, in words."""
        return self._form.describe(self._key)

    def statement(self, body: str) -> str:
        """Return a statement in this form; `body` is its frozen JSON, which begins with id and actor."""
        actor = self._actor
        if actor is None or not body.startswith(actor[0], _BEFORE_ACTOR):
            actor = self._actor = self._replace_actor(body)
        formed = f"{body[:_BEFORE_ACTOR]}{actor[1]}{body[_BEFORE_ACTOR + len(actor[0]) :]}"
        if self._registrations is not None:
            formed = formed.replace(*self._registrations)
        if self._hidden or (not self._form.free_text and '"response"' in formed):
            return self._without_texts(formed)
        return formed

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Return the property that the learner is identified by in this form."""
        context, form, bound = self.context, self._form, self._bound
        if self._key is not None:
            name = self._key.pseudonym(context.home_page, context.learner_id)
            return {"account": {"homePage": f"{bound.values['lms.base']}/pseudonyms/{self._key.id}", "name": name}}
        if form.actor == "mbox" and mbox(context):
            return {"mbox": mbox(context)}
        if form.actor == "mbox_sha1sum" and mbox_sha1sum(context):
            return {"mbox_sha1sum": mbox_sha1sum(context)}
        if form.actor is None:
            agent: dict[str, Any] = _decode(bound.agent)
            return {name: value for name, value in agent.items() if name != "objectType"}
        actor = self._mapping.definition.actor
        return {
            "account": {
                "homePage": fill_iri(actor.home_page, bound.values),
                "name": fill_text(actor.account, bound.values),
            }
        }

    @property
    def agent(self) -> str:
        """Return the learner as documents name them in this form: an agent in JSON, without a name."""
        return _encode(self.identity | {"objectType": "Agent"}).decode()

    def document_parts(self, parts: Sequence[DocumentPart]) -> tuple[DocumentPart, ...]:
        """Return those parts of a document that the target gets."""
        form = self._form
        hidden = FREE_TEXT_PARTS if not form.free_text else frozenset[DocumentPart]()
        if not form.names:
            hidden |= {"learner_name"}
        if form.actor in {"mbox", "mbox_sha1sum"} and "account" not in self.identity:
            hidden |= {"learner_id"}
        return tuple(part for part in parts if part not in hidden)

    @property
    def learner_id(self) -> str:
        """Return what stands for the learner's id in documents."""
        return self.context.learner_id if self._key is None else str(self.identity["account"]["name"])

    @cached_property
    def _bound(self) -> BoundTemplates:
        return self._mapping.bind(self.context)

    @cached_property
    def _registrations(self) -> tuple[str, str] | None:
        """Return a registration that can be guessed by the learner's id, and what stands in its place."""
        derived = course_registration(self.context)
        registration = self.context.course_registration or derived
        return None if self._key is None or registration != derived else (derived, self._key.registration(derived))

    @cached_property
    def _hidden(self) -> list[tuple[str, str | None]]:
        """Return keys of extensions that tell of the learner what the target must not get, and their members."""
        return [(fill_iri(key, self._bound.values), member) for key, member in self._own.hidden]

    def _replace_actor(self, body: str) -> tuple[str, str]:
        before = bytes(_decode_actor(body).actor).decode()
        agent: dict[str, Any] = _decode(before)
        name_property = {"name": agent["name"]} if self._form.names and "name" in agent else {}
        return before, _encode({**name_property, "objectType": "Agent", **self.identity}).decode()

    def _without_texts(self, body: str) -> str:
        statement: dict[str, Any] = _decode(body)
        changed = False
        context = statement.get("context", {})
        extensions = context.get("extensions", {})
        for key, member in self._hidden:
            inside = extensions.get(key, {}) if member is not None else extensions
            changed |= inside.pop(key if member is None else member, None) is not None
            if member is not None and extensions.get(key) == {}:
                del extensions[key]
        if not extensions:
            context.pop("extensions", None)
        result = statement.get("result", {})
        kind = statement["object"].get("definition", {}).get("interactionType")
        if not self._form.free_text and "response" in result and kind not in CHOSEN_RESPONSES:
            del result["response"]
            changed = True
        if not result:
            statement.pop("result", None)
        return _encode(statement).decode() if changed else body


class _Actor(msgspec.Struct):
    actor: msgspec.Raw


_decode_actor = msgspec.json.Decoder(_Actor).decode
