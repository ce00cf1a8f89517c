"""Reading a mapping document from TOML: every fault is found and told with its place, or the document is sound."""

from __future__ import annotations

import hashlib
import re
import tomllib

from mappings.attempt.changes import TRIGGERS
from mappings.document.errors import DocumentError, Fault
from mappings.document.model import ONCE, RESULT_PARTS, Activity, Actor, Context, Document, Rule, Verb
from mappings.document.sections import Faults, Section
from mappings.document.templates import Template, places

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def load(text: str, source: str) -> Document:
    """Read a mapping document.

    Args:
        text: the file's content.
        source: its name, for messages.

    Raises:
        DocumentError: with all faults, each with its place in the file.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        raise DocumentError(
            source, [Fault("file", int(line.group(1)) if line else 0, f"is not TOML: {error}")]
        ) from None
    faults = Faults(text)
    document = _document(Section(data, "", faults), text)
    if faults.found:
        raise DocumentError(source, sorted(faults.found, key=lambda fault: fault.line))
    return document


def _document(top: Section, text: str) -> Document:
    mapping, iris = top.section("mapping"), top.section("iris")
    activities = {name: _activity(section) for name, section in top.section("activities").sections()}
    verbs = {name: _verb(section) for name, section in top.section("verbs").sections()}
    activity_iri, course_iri = _own(iris, "activity"), _own(iris, "course")
    if "course.iri" in places(activity_iri) and "activity.iri" in places(course_iri):
        iris.fault("activity", "cannot be made of course.iri, which is made of it")
    document = Document(
        name=mapping.text("name", _NAME, "must be lower-case letters, digits, - and _"),
        title=mapping.text("title"),
        language=mapping.language("language"),
        content_hash=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
        activity_iri=activity_iri,
        course_iri=course_iri,
        actor=_actor(top.section("actor")),
        activities=activities,
        context=_context(top.section("context"), activities),
        verbs=verbs,
        rules=_rules(top.tables("rules"), activities, verbs),
    )
    mapping.end()
    iris.end()
    top.end()
    return document


def _own(iris: Section, key: str) -> Template:
    template = iris.iri(key)
    for circular in places(template) & {f"{key}.iri", "attempt.query"}:
        iris.fault(key, f"cannot be made of {circular}, which is made of it")
    return template


def _actor(section: Section) -> Actor:
    actor = Actor(section.iri("home_page"), section.template("account"), section.optional_template("name"))
    section.end()
    return actor


def _activity(section: Section) -> Activity:
    activity = Activity(section.iri("id"), section.iri("type"), section.optional_template("name"))
    section.end()
    return activity


def _verb(section: Section) -> Verb:
    display = section.section("display")
    words = {tag: display.text(tag) for tag in display.keys()}  # noqa: SIM118 -- a Section is no dict
    for tag in words:
        display.check_language(tag)
    if not words:
        display.fault("", "needs at least one language, such as en-US")
    verb = Verb(section.fixed_iri("id"), words)
    section.end()
    return verb


def _context(section: Section, activities: dict[str, Activity]) -> Context:
    extensions: list[tuple[Template, dict[str, Template]]] = []
    if section.has("extensions"):
        for key, values in section.section("extensions").sections():
            name = values.as_iri(key)
            extensions.append((name, {value: values.template(value) for value in values.keys()}))  # noqa: SIM118
    context = Context(
        registration=section.template("registration"),
        grouping=section.words("grouping", activities, "an activity described in [activities]"),
        category=section.words("category", activities, "an activity described in [activities]"),
        extensions=tuple(extensions),
    )
    section.end()
    return context


def _rules(tables: list[Section], activities: dict[str, Activity], verbs: dict[str, Verb]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    names: set[str] = set()
    for table in tables:
        rule = Rule(
            name=table.text("name", _NAME, "must be lower-case letters, digits, - and _"),
            when=table.word("when", TRIGGERS, "a trigger"),
            verb=table.word("verb", verbs, "a verb described in [verbs]"),
            object=table.word("object", activities, "an activity described in [activities]"),
            once=table.word("once", ONCE, "one of the policies"),
            result=table.words("result", RESULT_PARTS, "a part of the result") if table.has("result") else (),
        )
        if rule.name and rule.name in names:
            table.fault("name", f"is the name of an earlier rule too: {rule.name}")
        names.add(rule.name)
        table.end()
        rules.append(rule)
    return tuple(rules)
