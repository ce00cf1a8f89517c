"""Mapping documents read: the shipped one is sound, and every fault is found, named and placed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator

import msgspec
import pytest

from mappings.attempt.changes import Trigger
from mappings.attempt.policy import EndsRetold, PassMarks, ResultPolicy
from mappings.attempt.state import Ending
from mappings.definition import DefinitionError, Fault, compile_definition, load_definition
from mappings.definition.model import (
    CONTEXT_LISTS,
    DOCUMENT_PARTS,
    ENDINGS,
    RESOURCES,
    Once,
    Overlap,
    ResultPart,
    ScaledScore,
)
from mappings.definition.placeholders import OF_ITEMS, OPTIONAL, VARIABLES, VERBATIM, Placeholder, needs, parse
from mappings.described_enum import DescribedEnum
from tests.mappings.statement_builders import DOCUMENTS, SHIPPED, TOLD

SMALL = """\
[mapping]
name = "small"
title = "A small one"
language = "en"

[iris]
activity = "{lms.base}/a/{activity.id}"
course = "{lms.base}/c/{course.id}"
cmi_extension = "{lms.base}/cmi"

[status]
failed_completes = false
idle = "abandoned"

[actor]
home_page = "{lms.home_page}"
account = "{learner.id}"

[activities.sco]
id = "{activity.iri}"
type = "http://adlnet.gov/expapi/activities/lesson"

[context]
registration = "{registration}"
grouping = []
category = []

[verbs.completed]
id = "http://adlnet.gov/expapi/verbs/completed"
display = { en = "completed" }

[[rules]]
name = "completed"
when = "completion.completed"
verb = "completed"
object = "sco"
once = "attempt"
"""


def faults(text: str) -> tuple[Fault, ...]:
    """Return what is wrong with a document."""
    with pytest.raises(DefinitionError) as caught:
        load_definition(text, "test.toml")
    return caught.value.faults


def line_of(text: str, words: str) -> int:
    """Return the number of the one line that begins so."""
    (number,) = [at for at, line in enumerate(text.splitlines(), 1) if line.startswith(words)]
    return number


def changed(old: str, new: str, text: str = SMALL) -> str:
    """Return a document with one place changed."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


@pytest.mark.parametrize("text", [*DOCUMENTS.values(), SMALL], ids=[*DOCUMENTS, "small"])
def test_a_sound_document_loads_and_compiles(text: str) -> None:
    compiled = compile_definition(load_definition(text, "test.toml"), "test.toml")

    all_rules = [rule for rules in compiled.rules.values() for rule in rules]

    assert sorted(rule.name for rule in all_rules) == sorted(rule.name for rule in compiled.definition.rules)
    for rules in compiled.rules.values():
        assert rules == [rule for rule in compiled.definition.rules if rule in rules]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_shipped_document_is_named_as_its_file(name: str) -> None:
    assert load_definition(DOCUMENTS[name], name).name == name


def test_the_scorm_profile_has_a_rule_for_every_trigger_but_the_learners_place() -> None:
    compiled = compile_definition(load_definition(SHIPPED, "scorm-profile.toml"), "scorm-profile.toml")

    assert list(compiled.rules) == TOLD
    assert (compiled.definition.name, compiled.definition.language) == ("scorm-profile", "en-US")


def test_a_document_is_known_by_the_hash_of_its_text() -> None:
    document = load_definition(SHIPPED, "scorm-profile.toml")

    assert document.text == SHIPPED
    assert document.content_hash == hashlib.sha256(SHIPPED.encode()).hexdigest()


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = SMALL
    for old, new in [
        ('name = "small"', 'name = "Small One"'),
        ('language = "en"', 'language = "english please"'),
        ('home_page = "{lms.home_page}"', 'home_page = "{lms.page}"'),
        ('account = "{learner.id}"', 'account = "{learner.name}"'),
        ("category = []", 'category = ["profile"]'),
        ('id = "http://adlnet.gov/expapi/verbs/completed"', 'id = "completed"'),
        ('when = "completion.completed"', 'when = "completed"'),
        ('once = "attempt"', 'once = "ever"\nresult = ["score", "score", "grade"]\ncolour = "red"'),
    ]:
        text = changed(old, new, text)
    problems = faults(text)

    assert [(fault.place, fault.line) for fault in problems] == [
        ("mapping.name", 2),
        ("mapping.language", 4),
        ("actor.home_page", 16),
        ("actor.account", 17),
        ("context.category", 26),
        ("verbs.completed.id", 29),
        ("rules[0].when", 34),
        ("rules[0].once", 37),
        ("rules[0].result", 38),
        ("rules[0].result", 38),
        ("rules[0].colour", 39),
    ]


def test_an_error_lists_every_fault_with_its_line_and_place() -> None:
    with pytest.raises(DefinitionError, match=r"broken.toml is not a usable .*:\n  line 2, mapping\.name: "):
        load_definition(changed('name = "small"', 'name = ""'), "broken.toml")

    assert str(Fault("rules[0]", 0, "makes no statement")) == "rules[0]: makes no statement"


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ('name = "small"', 'name = "Small"', "mapping.name", "must be lower-case letters, digits, - and _"),
        ('title = "A small one"', 'title = "  "', "mapping.title", "must not be empty"),
        ('language = "en"', 'language = "en_US"', "mapping.language", "'en_US' is not a language tag such as en-US"),
        ('"{lms.base}/a/{activity.id}"', '"{activity.id}"', "iris.activity", "does not become a full IRI (scheme:…"),
        ('"{lms.base}/a/{activity.id}"', '"x:{lms.nome}"', "iris.activity", "{lms.nome} is not known; known are lms."),
        ('"{lms.base}/c/{course.id}"', '"{lms.base}/{"', "iris.course", "a brace stands alone; write {variable} or"),
        ('"{lms.base}/c/{course.id}"', '"{lms.base}/c c"', "iris.course", "does not become a full IRI (scheme:…"),
        ('"{lms.base}/cmi"', '"cmi"', "iris.cmi_extension", "does not become a full IRI (scheme:…"),
        ("failed_completes = false", "failed_completes = 0", "status.failed_completes", "must be true or false, not 0"),
        ("failed_completes = false", "", "status.failed_completes", "is missing: true or false is needed"),
        (
            'idle = "abandoned"',
            'idle = "x"',
            "status.idle",
            "'x' is not an ending; there are: suspended, terminated, a",
        ),
        (
            'idle = "abandoned"',
            'idle = "abandoned"\nx = 1',
            "status.x",
            "is not known here; known are ends_retold, failed_completes,",
        ),
        ('"{learner.id}"', '"{learner.name}"', "actor.account", "cannot do without learner.name, which an LMS may"),
        ('"{activity.iri}"', '"{activity.name|x}"', "activities.sco.id", "does not become a full IRI (scheme:…"),
        (
            '"http://adlnet.gov/expapi/activities/lesson"',
            '"{activity.type|lesson}"',
            "activities.sco.type",
            "does not b",
        ),
        ('"http://adlnet.gov/expapi/activities/lesson"', '"{activity.type}"', "activities.sco.type", "cannot do with"),
        ("grouping = []", 'grouping = ["sco", "sco"]', "context.grouping", "names one of its words twice"),
        ("grouping = []", 'grouping = ["course"]', "context.grouping", "'course' is not an activity described in [ac"),
        ("grouping = []", "grouping = [1]", "context.grouping", "must hold text only, not 1"),
        ("grouping = []", "grouping = [[1]]", "context.grouping", "must hold text only, not [1]"),
        ("grouping = []", "grouping = true", "context.grouping", "must be a list of text, not True"),
        ("category = []", "category = []\nteam = 1", "context.team", "is not known here; known are category, "),
        ("/verbs/completed", "/verbs/{learner.id}", "verbs.completed.id", "must be a full IRI such as http://adlnet."),
        ('{ en = "completed" }', "{}", "verbs.completed.display", "needs at least one language, such as en-US"),
        ('{ en = "completed" }', '{ e_n = "completed" }', "verbs.completed.display.e_n", "'e_n' is not a language tag"),
        ('{ en = "completed" }', '{ en = "" }', "verbs.completed.display.en", "must not be empty"),
        ('when = "completion.completed"', 'when = "done"', "rules[0].when", "'done' is not a trigger; there are: att"),
        ('verb = "completed"', 'verb = "passed"', "rules[0].verb", "'passed' is not a verb described in [verbs]; ther"),
        ('object = "sco"', 'object = "scos"', "rules[0].object", "'scos' is not an activity described in [activities]"),
        ('once = "attempt"', 'once = "day"', "rules[0].once", "'day' is not one of the policies; there are: enrollme"),
        ('once = "attempt"', "once = 2026-01-31", "rules[0].once", "must be text, not datetime.date(2026, 1, 31)"),
    ],
)
def test_a_fault_says_where_and_what(old: str, new: str, place: str, message: str) -> None:
    (fault,) = faults(changed(old, new))

    assert fault.place == place
    assert fault.message.startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ('once = "attempt"', 'once = "attempt"\nreslt = ["score"]', "result"),
        ('account = "{learner.id}"', 'account = "{learner.id}"\nnmae = "{learner.name}"', "name"),
        ("category = []", "category = []\nextension = {}", "extensions"),
    ],
)
def test_an_unknown_key_is_told_with_all_that_could_be_meant(old: str, new: str, meant: str) -> None:
    """Optional ones too: a misspelt key is most often one that is not there under its right name."""
    (fault,) = faults(changed(old, new))

    assert meant in re.split(r"[ ,]+", fault.message)


def test_two_rules_of_one_name_are_a_fault() -> None:
    rule = SMALL[SMALL.index("[[rules]]") :]
    (fault,) = faults(SMALL + rule)

    assert (fault.place, fault.line) == ("rules[1].name", 39)
    assert fault.message == "is the name of an earlier rule too: completed"


def test_rules_without_names_are_not_told_to_share_one() -> None:
    rule = SMALL[SMALL.index("[[rules]]") :].replace('name = "completed"\n', "")
    problems = faults(SMALL[: SMALL.index("[[rules]]")] + rule + rule)

    assert [(fault.place, fault.message[:10]) for fault in problems] == [
        ("rules[0].name", "is missing"),
        ("rules[1].name", "is missing"),
    ]


@pytest.mark.parametrize(
    ("rules", "place", "message"),
    [
        ("rules = []", "rules", "needs at least one table"),
        ("rules = [1]", "rules[0]", "must be a table"),
        ("rules = 1", "rules", "must be an array of tables, not 1"),
        ("", "rules", "is missing: an array of tables is needed"),
    ],
)
def test_a_document_without_rules_is_a_fault(rules: str, place: str, message: str) -> None:
    (fault,) = faults(rules + "\n" + SMALL[: SMALL.index("[[rules]]")])

    assert (fault.place, fault.message) == (place, message)


def test_an_empty_document_lists_every_table_that_is_missing() -> None:
    places = {fault.place for fault in faults("")}

    assert places >= {"mapping", "iris", "status", "actor", "activities", "context", "verbs", "rules"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[mapping]\nname = small\n", 2),
        ("[mapping\n", 1),
        ('[mapping]\nname = "a"\nname = "b"\n', 3),
        ("[mapping]\n\n[mapping]\n", 3),
        (SHIPPED.replace('once = "session"\n', "once = session\n", 1), line_of(SHIPPED, 'name = "resumed"') + 4),
    ],
)
def test_a_syntax_error_tells_its_line(text: str, line: int) -> None:
    (fault,) = faults(text)

    assert (fault.place, fault.line) == ("file", line)
    assert fault.message.startswith("is not TOML: ")


def test_a_syntax_error_at_the_end_of_the_file_says_so() -> None:
    (fault,) = faults('[mapping]\nname = "small')

    assert (fault.place, fault.line) == ("file", 0)
    assert "at end of document" in fault.message


@pytest.mark.parametrize("value", ["[" * 5_000, "9" * 5_000], ids=["nesting", "digits"])
def test_what_no_toml_reader_takes_is_a_fault_too(value: str) -> None:
    (fault,) = faults(f"[mapping]\nname = {value}\n")

    assert fault.place == "file"


def _pairs(text: str) -> Iterator[tuple[int, str, int]]:
    """Return line number, path and header's line of every `key = value` of a document."""
    table, header, count, rule = "", 0, 0, re.compile(r"\[+([^\]]*)\]+")
    for at, line in enumerate(text.splitlines(), 1):
        if line.startswith("["):
            match = rule.match(line)
            assert match is not None, line
            table, header = match[1].replace('"', ""), at
            if line.startswith("[["):
                table, count = f"{table}[{count}]", count + 1
        elif " = " in line and not line.startswith("#"):
            yield at, f"{table}.{line.split(' = ')[0]}".replace('"', ""), header


_OPTIONAL_KEYS = re.compile(
    r"actor\.(name|identifier)|activities\.\w+\.(name|description|interaction|keep_iri)|context\.extensions\..*"
    r"|iris\.activity_in_course|status\.(scaled_score|overlap)|context\.(platform|language)"
    r"|rules\[\d+\]\.(result|parent|category|objectives|extensions|if)"
)


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.slow
def test_every_wrong_value_is_told_with_its_line(name: str) -> None:
    misplaced = []
    for at, place, _ in _pairs(DOCUMENTS[name]):
        lines = DOCUMENTS[name].splitlines()
        wrong = "[7.5]" if place.startswith("context.extensions.") else "7.5"
        lines[at - 1] = lines[at - 1].split(" = ")[0] + f" = {wrong}"
        places = [(fault.place, fault.line) for fault in faults("\n".join(lines))]
        if (place, at) not in places:
            misplaced.append((place, at, places))

    assert misplaced == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_missing_key_is_told_with_the_line_of_its_table(name: str) -> None:
    misplaced = []
    for at, place, header in _pairs(DOCUMENTS[name]):
        if _OPTIONAL_KEYS.fullmatch(place) is None:
            lines = DOCUMENTS[name].splitlines()
            lines[at - 1] = ""
            places = [(fault.place, fault.line) for fault in faults("\n".join(lines))]
            if (place, header) not in places:
                misplaced.append((place, header, places))

    assert misplaced == []


@pytest.mark.parametrize("header", ["[[rules]]  # the first one", "[[ rules ]]", '[["rules"]]'])
def test_a_header_in_another_spelling_keeps_the_lines_right(header: str) -> None:
    rule = SMALL[SMALL.index("[[rules]]") :]
    text = changed("[[rules]]", header) + rule.replace('"completed"\n', '"again"\n', 1).replace('"sco"', "7")

    assert [(fault.place, fault.line) for fault in faults(text)] == [("rules[1].object", 42)]


@pytest.mark.parametrize("name", VARIABLES)
def test_every_place_can_be_used(name: str) -> None:
    assert parse(f"a{{{name}}}b{{ {name} |c}}") == ("a", Placeholder(name), "b", Placeholder(name, "c"))


def test_places_that_may_be_empty_or_verbatim_are_places() -> None:
    assert set(VARIABLES) >= OPTIONAL | VERBATIM | OF_ITEMS


@pytest.mark.parametrize(
    ("text", "optional"),
    [
        ("{learner.name}", {"learner.name"}),
        ("{learner.name|x} {course.name}", {"course.name"}),
        ("{learner.name|}", set()),
        ("{learner.id}", set()),
        ("", set()),
    ],
)
def test_a_text_needs_the_optional_places_that_have_no_fallback(text: str, optional: set[str]) -> None:
    assert needs(parse(text)) == optional


@pytest.mark.parametrize("text", ["{", "}", "{}", "{lms}", "{lms.name", "lms.name}", "{{lms.name}}", "{a|b|c}", "{|x}"])
def test_a_text_with_braces_that_mean_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"brace stands alone|is not known"):
        parse(text)


@pytest.mark.parametrize("words", [CONTEXT_LISTS, DOCUMENT_PARTS, ENDINGS, RESOURCES, VARIABLES])
def test_every_word_of_a_document_is_explained(words: dict[Ending | str, str]) -> None:
    assert all(text.strip() for text in words.values())


@pytest.mark.parametrize(
    "words", [EndsRetold, Once, Overlap, PassMarks, ResultPart, ResultPolicy, ScaledScore, Trigger]
)
def test_every_member_is_its_word_and_explained(words: type[DescribedEnum]) -> None:
    assert all(word.meaning.strip() for word in words)
    by_value: Callable[[str], DescribedEnum] = words
    assert [by_value(str(word)) for word in words] == list(words)
    assert [msgspec.json.decode(msgspec.json.encode(word), type=words) for word in words] == list(words)
