"""Reading a mapping document from TOML: every fault is found and told with its place, or the document is sound."""

from __future__ import annotations

import hashlib
import re
import tomllib

from mappings.attempt.changes import ABOUT_ITEMS, Trigger
from mappings.attempt.policy import DEFAULT_POLICY, EndsRetold, PassMarks, ResultPolicy, StatusPolicy
from mappings.attempt.state import Ending
from mappings.definition.conditions import Condition, compile_condition
from mappings.definition.errors import DefinitionError, Fault
from mappings.definition.model import (
    CONTEXT_LISTS,
    DEFAULT_SOURCE_EXTENSION,
    DOCUMENT_PARTS,
    ENDINGS,
    IDENTIFIERS,
    PARTS_OF,
    RESOURCES,
    ActivityTemplate,
    Actor,
    Context,
    DocumentDefinition,
    Extension,
    MappingDefinition,
    Objectives,
    Once,
    Overlap,
    ResultPart,
    Rule,
    ScaledScore,
    Value,
    Verb,
)
from mappings.definition.placeholders import OF_COMMITS, OF_ITEMS, Placeholder, Template, placeholders
from mappings.definition.toml_reader import FaultCollector, TomlTable
from mappings.xapi.iris import is_language

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_OF_ATTEMPTS = frozenset({"attempt.id", "attempt.number", "attempt.query"})
_OF_COURSE_IRI = frozenset({"course.iri", "course.base"})


def load_definition(text: str, source: str) -> MappingDefinition:
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
        raise DefinitionError(
            source, [Fault("file", int(line.group(1)) if line else 0, f"is not TOML: {error}")]
        ) from None
    faults = FaultCollector(text)
    definition = _document(TomlTable(data, "", faults), text)
    if faults.found:
        raise DefinitionError(source, sorted(faults.found, key=lambda fault: fault.line))
    return definition


def _document(top: TomlTable, text: str) -> MappingDefinition:
    mapping, iris, status = top.section("mapping"), top.section("iris"), top.section("status")
    activities = {name: _activity(section) for name, section in top.section("activities").sections()}
    verbs = {name: _verb(section) for name, section in top.section("verbs").sections()}
    activity_iri, course_iri = _own_iri(iris, "activity"), _own_iri(iris, "course")
    in_course_iri = _own_iri(iris, "activity_in_course") if iris.has("activity_in_course") else activity_iri
    for key, template in (("activity", activity_iri), ("activity_in_course", in_course_iri)):
        if placeholders(template) & _OF_COURSE_IRI and "activity.iri" in placeholders(course_iri):
            iris.fault(key, "cannot be made of course.iri, which is made of it")
    definition = MappingDefinition(
        name=mapping.text("name", _NAME, "must be lower-case letters, digits, - and _"),
        title=mapping.text("title"),
        language=mapping.language("language"),
        content_hash=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
        activity_iri=activity_iri,
        activity_in_course_iri=in_course_iri,
        course_iri=course_iri,
        cmi_extension=iris.iri("cmi_extension"),
        status=_status(status),
        idle=_idle(status),
        actor=_actor(top.section("actor")),
        activities=activities,
        context=_context(top.section("context"), activities),
        verbs=verbs,
        rules=_rules(top.tables("rules"), activities, verbs),
        documents=_xapi_documents(top.section("documents"), activities) if top.has("documents") else (),
        scaled_score=status.choice("scaled_score", ScaledScore, "a way to scale")
        if status.has("scaled_score")
        else ScaledScore.RANGE,
        source_extension=iris.iri("source_extension") if iris.has("source_extension") else DEFAULT_SOURCE_EXTENSION,
        overlap=status.choice("overlap", Overlap, "one of the policies") if status.has("overlap") else Overlap.IGNORED,
    )
    mapping.end()
    iris.end()
    status.end()
    top.end()
    return definition


def _status(section: TomlTable) -> StatusPolicy:
    default = DEFAULT_POLICY
    return StatusPolicy(
        failed_completes=section.flag("failed_completes"),
        result=section.choice("result", ResultPolicy, "a way to choose a result")
        if section.has("result")
        else default.result,
        marks=section.choice("pass_marks", PassMarks, "a way to use marks")
        if section.has("pass_marks")
        else default.marks,
        ends_retold=section.choice("ends_retold", EndsRetold, "what becomes of an end")
        if section.has("ends_retold")
        else default.ends_retold,
    )


def _idle(section: TomlTable) -> Ending:
    word = section.word("idle", ENDINGS, "an ending")
    return Ending(word) if word in ENDINGS else Ending.ABANDONED  # what is no ending was noted


def _own_iri(iris: TomlTable, key: str) -> Template:
    template = iris.iri(key)
    own = {"course.iri", "course.base"} if key == "course" else {"activity.iri"}
    for circular in placeholders(template) & (own | {"attempt.query"}):
        iris.fault(key, f"cannot be made of {circular}, which is made of it")
    return template


def _actor(section: TomlTable) -> Actor:
    actor = Actor(
        section.iri("home_page"),
        section.template("account"),
        section.optional_template("name"),
        section.word("identifier", IDENTIFIERS, "an identifier") if section.has("identifier") else "account",
    )
    section.end()
    return actor


def _activity(section: TomlTable) -> ActivityTemplate:
    also = OF_ITEMS | OF_COMMITS
    activity = ActivityTemplate(
        section.iri("id", also=also),
        section.iri("type", also=also),
        section.optional_template("name", also=also),
        section.optional_template("description", also=also),
        section.flag("interaction") if section.has("interaction") else False,
        section.flag("keep_iri") if section.has("keep_iri") else False,
    )
    if activity.keep_iri and "item.id" not in placeholders(activity.id):
        section.fault("keep_iri", "cannot be: the activity's id is not made of {item.id}")
    section.end()
    return activity


def _verb(section: TomlTable) -> Verb:
    display = section.section("display")
    words = {tag: display.text(tag) for tag in display.keys()}  # noqa: SIM118 -- a Section is no dict
    for tag in words:
        display.check_language(tag)
    if not words:
        display.fault("", "needs at least one language, such as en-US")
    verb = Verb(section.fixed_iri("id"), words)
    section.end()
    return verb


def _context(section: TomlTable, activities: dict[str, ActivityTemplate]) -> Context:
    context = Context(
        registration=section.template("registration"),
        grouping=section.words("grouping", activities, "an activity described in [activities]"),
        category=section.words("category", activities, "an activity described in [activities]"),
        extensions=_extensions(section),
        platform=section.optional_template("platform", also=OF_COMMITS),
        language=_language(section),
        session_source=section.flag("session_source") if section.has("session_source") else True,
    )
    for place, listed in (("grouping", context.grouping), ("category", context.category)):
        for activity in listed:
            if activity in activities and _of_items(activities[activity]):
                section.fault(
                    place, f"cannot hold {activity}, which is made of {{item.…}}: only some rules have an item"
                )
    section.end()
    return context


def _language(section: TomlTable) -> Template | None:
    template = section.optional_template("language", also=OF_COMMITS)
    if template:
        (part, *rest) = template
        tag = part.fallback if isinstance(part, Placeholder) else part
        fits = not rest and (part if isinstance(part, str) else part.variable) in {tag, "learner.language"}
        if not fits or (tag is not None and not is_language(tag)):
            section.fault(
                "language", "must be a language tag such as en-US, {learner.language} or {learner.language|en-US}"
            )
    return template


def _extensions(section: TomlTable) -> tuple[Extension, ...]:
    if not section.has("extensions"):
        return ()
    table = section.section("extensions")
    return tuple((table.key_as_iri(key), _extension(table, key)) for key in table.keys())  # noqa: SIM118 -- a Section is no dict


def _extension(table: TomlTable, key: str) -> Value | dict[str, Value]:
    if table.is_table(key):
        values = table.section(key)
        return {name: values.value(name) for name in values.keys()}  # noqa: SIM118 -- a Section is no dict
    return table.value(key)


def _of_items(activity: ActivityTemplate) -> bool:
    templates = (activity.id, activity.type, activity.name or (), activity.description or ())
    return activity.interaction or any(placeholders(template) & OF_ITEMS for template in templates)


def _of_commits(activity: ActivityTemplate) -> bool:
    return any(placeholders(template) & OF_COMMITS for template in (activity.id, activity.type))


def _condition(table: TomlTable) -> Condition | None:
    try:
        return compile_condition(table.text("if"))
    except ValueError as error:
        table.fault("if", str(error))
        return None


def _objectives(section: TomlTable, activities: dict[str, ActivityTemplate]) -> Objectives:
    objectives = Objectives(
        section.word("as", activities, "an activity described in [activities]"),
        section.word("in", CONTEXT_LISTS, "a list of contextActivities"),
    )
    activity = activities.get(objectives.activity)
    if activity is not None and (activity.interaction or "item.id" not in placeholders(activity.id)):
        section.fault(
            "as",
            f"cannot be {objectives.activity}: an objective's activity is made of {{item.id}} and is no interaction",
        )
    section.end()
    return objectives


def _rules(
    tables: list[TomlTable], activities: dict[str, ActivityTemplate], verbs: dict[str, Verb]
) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    names: set[str] = set()
    for table in tables:
        rule = Rule(
            name=table.text("name", _NAME, "must be lower-case letters, digits, - and _"),
            when=table.choice("when", Trigger, "a trigger"),
            verb=table.word("verb", verbs, "a verb described in [verbs]"),
            object=table.word("object", activities, "an activity described in [activities]"),
            once=table.choice("once", Once, "one of the policies"),
            result=table.choices("result", ResultPart, "a part of the result") if table.has("result") else (),
            parent=table.words("parent", activities, "an activity described in [activities]")
            if table.has("parent")
            else (),
            category=table.words("category", activities, "an activity described in [activities]")
            if table.has("category")
            else (),
            objectives=_objectives(table.section("objectives"), activities) if table.has("objectives") else None,
            condition=_condition(table) if table.has("if") else None,
            extensions=_extensions(table),
        )
        for key, name in (
            ("object", rule.object),
            *(("parent", name) for name in rule.parent),
            *(("category", name) for name in rule.category),
        ):
            if name in activities and _of_items(activities[name]) and rule.when not in ABOUT_ITEMS:
                table.fault(key, f"cannot be {name}, which is made of {{item.…}}: {str(rule.when)!r} has no item")
            elif name in activities and activities[name].interaction and rule.when != Trigger.INTERACTION_ANSWERED:
                table.fault(key, f"cannot be {name}, which is an interaction: {str(rule.when)!r} has none")
        if rule.objectives is not None and rule.when != Trigger.INTERACTION_ANSWERED:
            table.fault("objectives", f"are named by interactions only: {str(rule.when)!r} has none")
        if rule.name and rule.name in names:
            table.fault("name", f"is the name of an earlier rule too: {rule.name}")
        names.add(rule.name)
        table.end()
        rules.append(rule)
    return tuple(rules)


def _xapi_documents(table: TomlTable, activities: dict[str, ActivityTemplate]) -> tuple[DocumentDefinition, ...]:
    fixed = [name for name, document in activities.items() if not _of_items(document) and not _of_commits(document)]
    kind = "an activity described in [activities] that is not made of {item.…} or of what commits change"
    documents: list[DocumentDefinition] = []
    for name, section in table.sections():
        if _NAME.fullmatch(name) is None:
            section.fault("", "must be named with lower-case letters, digits, - and _")
        resource = section.word("resource", RESOURCES, "a document resource")
        content = section.words("content", DOCUMENT_PARTS, "a part of a document", some=True)
        of_activity = resource != "agents/profile" if resource in RESOURCES else section.has("activity")
        documents.append(
            DocumentDefinition(
                name,
                resource,
                section.fixed_iri("id"),
                section.word("activity", fixed, kind) if of_activity else None,
                content,
                section.word("attempts", fixed, kind) if "attempts" in content else None,
                section.seconds("every"),
                section.flag("send"),
            )
        )
        for part in ("attempts", "suspend_data"):
            if part in content and len(content) > 1:
                section.fault(
                    "content", f"cannot hold {part} together with other parts: it must be a document of its own"
                )
        for part in content:
            if part in DOCUMENT_PARTS and resource in RESOURCES and part not in PARTS_OF[resource]:
                section.fault("content", f"cannot hold {part}: {resource} is {RESOURCES[resource]}")
        section.end()
        listed = documents[-1].attempts
        if listed in fixed and not placeholders(activities[listed].id) & _OF_ATTEMPTS:
            section.fault("attempts", f"cannot be {listed}, which is the same in all attempts")
    earlier: set[tuple[str, Template, str]] = set()
    for document in documents:
        activity = activities.get(document.activity or "")
        place = document.resource, () if activity is None else activity.id, document.id
        if place in earlier:
            table.fault(document.name, "has the resource, activity and id of an earlier document")
        elif document.id and (activity is not None or document.resource == "agents/profile"):
            earlier.add(place)
    return tuple(documents)
