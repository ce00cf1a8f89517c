"""Statement templates filled in as far as an activity and a session tell what stands in them.

Most of a statement is the same for all who learn with an activity: that is filled in once. What differs from session to
session waits for the statement that needs it, as most sessions make few.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from functools import cached_property
from operator import attrgetter
from threading import Lock
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from mappings.definition.model import MappingDefinition, Rule
from mappings.definition.placeholders import OF_COMMITS, OF_ITEMS, VERBATIM, as_kind, placeholders
from mappings.definition.statement_context import (
    OF_ACTIVITY,
    DocumentAddress,
    Slots,
    StatementContext,
    Values,
    fill_iri,
    fill_text,
    mbox,
    mbox_sha1sum,
    of_activity,
    of_session,
)
from mappings.definition.statement_templates import (
    ITEM_IRI,
    MBOX,
    OBJECTIVES,
    StatementFormat,
    StatementTemplate,
    StatementTemplates,
    TemplateParts,
    fill_known_slots,
)
from mappings.xapi.fast_checks import is_sound_iri

MAX_ACTIVITIES = 1_000
"""Activities whose statements are kept filled in: some kilobytes each."""
MAX_SESSIONS = 1_000

_encode = msgspec.json.Encoder().encode
_Key = TypeVar("_Key", bound=Hashable)
_Made = TypeVar("_Made")


class ActivityTemplates:
    """The statements and activities of all who learn with one activity, each filled in when it is first needed.

    `values` are what is filled in. `sound` tells that what is made of these and any other facts is as sound as what
    facts of the usual kind make.
    """

    def __init__(self, templates: StatementTemplates, values: Values) -> None:
        self.values = values
        self.sound = templates.takes_any_context and all(
            is_sound_iri(value) for name in VERBATIM if (value := values.get(name))
        )
        self._templates = templates
        self._slots = Slots(values)
        self._absent = frozenset(name for name in OF_ACTIVITY if not values.get(name, name))
        self._rules: dict[tuple[str, frozenset[str]], tuple[StatementFormat, StatementTemplate]] = {}
        self._activities: dict[tuple[str, frozenset[str]], TemplateParts] = {}

    def statement_format(self, rule: Rule, absent: frozenset[str]) -> tuple[StatementFormat, StatementTemplate]:
        """Return a rule's statement format, and the template that it is of. `absent`: what else is empty."""
        cached = self._rules.get((rule.name, absent))
        if cached is None:
            rule_template = self._templates.of_rule(rule, self._absent | absent)
            cached = self._rules[rule.name, absent] = (rule_template.fill(self._slots), rule_template)
        return cached

    def activity(self, name: str, absent: frozenset[str]) -> TemplateParts:
        """Return an activity of the document, as JSON. `absent`: what else is empty."""
        cached = self._activities.get((name, absent))
        if cached is None:
            parts = self._templates.of_activity(name, self._absent | absent)
            cached = self._activities[name, absent] = fill_known_slots(parts, self._slots)
        return cached


class BoundTemplates:
    """What the facts of one session tell of its statements.

    `values` are all that the context tells, `slots` fill them into templates; `addresses` are those of the documents
    that were asked for, by name; `objective_activities` are those that interactions named, by the activity's name in
    the definition, the objective's id and its description.
    """

    def __init__(
        self,
        definition: MappingDefinition,
        activity: ActivityTemplates,
        context: StatementContext,
        may_be_absent: frozenset[str],
    ) -> None:
        self.context = context
        self.values = of_session(context, activity.values)
        self.slots = Slots(self.values)
        if definition.actor.identifier != "account":
            of_mbox = definition.actor.identifier == "mbox"
            self.values[MBOX] = mbox(context).removeprefix("mailto:") if of_mbox else mbox_sha1sum(context)
        # what stays the same; the rest is known as of a commit or an item
        self._absent = frozenset(
            name for name in (*may_be_absent, MBOX) if is_absent(name, self.values) and not name.startswith(_LATER)
        )
        self._absences: dict[Hashable, frozenset[str]] = {}
        self.addresses: dict[str, DocumentAddress] = {}
        self.objective_activities: dict[tuple[str, str, str], bytes] = {}
        self._document = definition
        self._activity = activity
        self._namespace = hashlib.sha1(
            bytes.fromhex(context.attempt_id.replace("-", "")) + f"{context.lms}\n".encode(), usedforsecurity=False
        )

    def statement_format(
        self, rule: Rule, *, described: bool, with_objectives: bool, own_iri: bool, unknown: frozenset[str]
    ) -> tuple[StatementFormat, Hashable]:
        """Return a rule's statement format, which the session's slots and an item's fill, and what to validate it as.

        `described`: the item has a description; `with_objectives`: it names some; `own_iri`: its id is an IRI;
        `unknown`: what is not known as of the commit. Where facts are of the usual kind, what is made of them is as
        sound as what any others of that kind make: it is judged as the rule's.
        """
        absent = self._absent_with(
            described=described, with_objectives=with_objectives, own_iri=own_iri, unknown=unknown
        )
        statement_format, statement_template = self._activity.statement_format(rule, absent)
        return statement_format, statement_template if self._activity.sound else (statement_template, self.context)

    def activity(self, name: str, *, described: bool, own_iri: bool, unknown: frozenset[str]) -> TemplateParts:
        """Return an activity of the document, as JSON in which the session's and an item's slots are left."""
        absent = self._absent_with(described=described, with_objectives=False, own_iri=own_iri, unknown=unknown)
        return self._activity.activity(name, absent)

    def _absent_with(
        self, *, described: bool, with_objectives: bool, own_iri: bool, unknown: frozenset[str]
    ) -> frozenset[str]:
        key = described, with_objectives, own_iri, unknown
        cached = self._absences.get(key)
        if cached is None:
            flags = (("item.description", described), (OBJECTIVES, with_objectives), (ITEM_IRI, own_iri))
            cached = self._absences[key] = self._absent | unknown | {name for name, there in flags if not there}
        return cached

    def statement_id(self, name: str) -> str:
        """Return the UUID (version 5) of a name within the attempt and its LMS."""
        # as uuid.uuid5 makes it, but with the namespace hashed once
        digest = self._namespace.copy()
        digest.update(name.encode())
        return as_uuid(digest.hexdigest())

    @cached_property
    def cmi_extension(self) -> str:
        """Return the key of the result part `cmi`."""
        return fill_iri(self._document.cmi_extension, self.values)

    @cached_property
    def agent(self) -> str:
        """Return the learner as documents name them: an agent in JSON, without a name."""
        actor = self._document.actor
        mailbox = self.values.get(MBOX)
        if mailbox:
            address = f"mailto:{mailbox}" if actor.identifier == "mbox" else mailbox
            return _encode({actor.identifier: address, "objectType": "Agent"}).decode()
        account = {"homePage": fill_iri(actor.home_page, self.values), "name": fill_text(actor.account, self.values)}
        return _encode({"account": account, "objectType": "Agent"}).decode()


_LATER = tuple(OF_COMMITS | OF_ITEMS)


def is_absent(name: str, values: Values) -> bool:
    """Return whether a variable is empty, or, of one with `:number` or `:boolean`, whether its text is none."""
    variable, _, kind = name.partition(":")
    value = values.get(variable)
    return not value or (kind != "" and as_kind(value, kind) is None)


def as_uuid(digest: str) -> str:
    """Build the UUID (version 5) of a SHA-1 in hexadecimal, as uuid.uuid5 does at three times the cost."""
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}"


_VARIANTS = {digit: f"{int(digit, 16) & 0x3 | 0x8:x}" for digit in "0123456789abcdef"}


class BoundTemplateCache:
    """The bound templates of the sessions that were asked for last, and of their activities."""

    def __init__(self, definition: MappingDefinition, templates: StatementTemplates) -> None:
        self._document = definition
        self._templates = templates
        made_of = (
            placeholders(definition.activity_iri)
            | placeholders(definition.activity_in_course_iri)
            | placeholders(definition.course_iri)
        )
        self._shared = made_of <= OF_ACTIVITY
        self._by_activity: dict[Hashable, ActivityTemplates] = {}
        self._by_session: dict[str, BoundTemplates] = {}
        self._adding = Lock()

    def of(self, context: StatementContext) -> BoundTemplates:
        """Return the templates bound to a context; they are bound anew where that of a session changed."""
        cached = self._by_session.get(context.session_id)
        if cached is not None and (cached.context == context or _tells_the_same(cached, context)):
            return cached
        bound = BoundTemplates(self._document, self._activity(context), context, self._templates.may_be_absent)
        with self._adding:
            self._by_session.pop(context.session_id, None)
            _remember(self._by_session, context.session_id, bound, MAX_SESSIONS)
        return bound

    def _activity(self, context: StatementContext) -> ActivityTemplates:
        key = _CONTEXT_OF_ACTIVITY(context) if self._shared else context
        cached = self._by_activity.get(key)
        if cached is None:
            definition = self._document
            values = of_activity(
                context, definition.activity_iri, definition.course_iri, definition.activity_in_course_iri
            )
            cached = ActivityTemplates(self._templates, values)
            with self._adding:
                _remember(self._by_activity, key, cached, MAX_ACTIVITIES)
        return cached


_CONTEXT_OF_ACTIVITY = attrgetter(
    "home_page",
    "lms_name",
    "activity_id",
    "activity_name",
    "activity_description",
    "activity_type",
    "course_id",
    "course_name",
    "course_description",
)


def _tells_the_same(bound_templates: BoundTemplates, context: StatementContext) -> bool:
    """Return whether a context differs in nothing that stands in statements, and let it be the templates' then."""
    known = replace(
        bound_templates.context,
        enrollment_completed=context.enrollment_completed,
        enrollment_passed=context.enrollment_passed,
    )
    if known != context:
        return False
    bound_templates.context = context
    return True


def _remember(cache: dict[_Key, _Made], key: _Key, value: _Made, limit: int) -> None:
    """Store one more and remove the oldest where there are too many."""
    cache[key] = value
    if len(cache) > limit:
        del cache[next(iter(cache))]
