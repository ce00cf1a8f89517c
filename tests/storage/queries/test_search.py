"""Finding learners, courses and activities by parts of names and ids, and the index that this is done by."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from storage import search_index
from storage.engine import reading, writing
from storage.queries import search
from storage.queries.keyset import CursorError, encode
from storage.queries.search import SearchHit, UuidHit
from storage.search_index import SearchSubject
from storage.search_tables import search_entry, search_rename, search_term
from storage.states import SearchKind
from storage.tables import enrollment, lms
from tests.storage.builders import uid

_numbers = count(1)


@pytest.fixture(autouse=True)
def _lms(engine: Engine) -> None:
    with writing(engine) as connection:
        rows = [
            {"id": number, "name": name, "home_page": "https://lms.example.org", "origins": "[]", "created_at": 0}
            for number, name in ((1, "moodle"), (2, "other"))
        ]
        connection.execute(insert(lms), rows)


def enroll(engine: Engine, *people: tuple[str, str], lms_id: int = 1, course: tuple[str, str] = ("", "")) -> list[int]:
    """Store enrollments of learners, (id, name) each, in an activity, and return their ids."""
    ids = []
    with writing(engine) as connection:
        for learner_id, name in people:
            row = {
                "registration": uid("registration", next(_numbers)), "lms_id": lms_id, "learner_id": learner_id,
                "learner_name": name, "activity_id": "https://example.org/act/235", "activity_name": "Fire safety",
                "activity_type": "", "course_id": course[0], "course_name": course[1], "total_attempts": 0,
                "total_time": 0, "created_at": 1000,
            }  # fmt: skip
            ids.append(connection.execute(insert(enrollment).values(row).returning(enrollment.c.id)).scalar_one())
    return ids


def index(engine: Engine) -> None:
    """Index everything, as the bridge does."""
    after, has_more = 0, True
    while has_more:
        with writing(engine) as connection:
            batch = search_index.load_enrollments(connection, after)
            assert search_index.store(connection, batch, batch.reached)
        after, has_more = batch.reached, batch.has_more


def found(engine: Engine, text: str, kind: SearchKind = SearchKind.LEARNER, *, sees_names: bool = True) -> list[str]:
    """Return the ids of all that a search finds, page after page of three."""
    ids: list[str] = []
    after: str | None = None
    with reading(engine) as connection:
        while True:
            page = search.search(connection, kind, text, sees_names=sees_names, after=after, limit=3)
            ids += [hit.subject_id for hit in page.rows]
            after = page.after
            if after is None:
                return ids


PEOPLE = (
    ("u1", "Grace Hopper"), ("u2", "Ümit Özgür"), ("u3", "Ada Lovelace"), ("u4", "王小明"),
    ("grace@example.org", ""), ("u-77", "O'Shaughnessy-Hopkins, Anna"), ("u6", "Banana Anan"),
)  # fmt: skip


FINDS: tuple[tuple[str, list[str]], ...] = (
    ("hop", ["u-77", "u1"]),
    ("HOPPER", ["u1"]),
    ("hopper grace", ["u1"]),
    ("ppe", ["u1"]),
    ("ra ho", ["u1"]),
    ("umit ozg", ["u2"]),
    ("ÜMİT", ["u2"]),
    ("小明", ["u4"]),
    ("shaugh", ["u-77"]),
    ("an", ["u6", "u-77"]),
    ("grace", ["u1", "grace@example.org"]),
    ("grace@example.org", ["grace@example.org"]),
    ("example", ["grace@example.org"]),
    ("u3", ["u3"]),
    ("lovelace u3", ["u3"]),
    ("77", ["u-77"]),
    ("lovelace hopper", []),
    ("xample", []),
    ("", []),
    ("!", []),
)
"""What is typed -> the ids of those who are found."""


def test_a_learner_is_found_by_any_part_of_the_name_in_any_case_and_by_the_id(engine: Engine) -> None:
    enroll(engine, *PEOPLE)
    index(engine)

    for text, ids in FINDS:
        assert (text, found(engine, text)) == (text, ids)


def test_who_may_not_see_names_finds_nobody_by_them_and_gets_none(engine: Engine) -> None:
    enroll(engine, *PEOPLE)
    index(engine)
    for text in ("hop", "lovelace", "ra ho", "lovelace u3", "ada"):
        assert found(engine, text, sees_names=False) == []
    assert found(engine, "grace", sees_names=False) == ["grace@example.org"]
    with reading(engine) as connection:
        page = search.search(connection, SearchKind.LEARNER, "u3", sees_names=False)
    assert page.rows == [SearchHit("learner", "moodle", "u3", "")]


def test_courses_and_activities_are_found_by_name_and_id_and_everyone_sees_their_names(engine: Engine) -> None:
    enroll(engine, ("u1", "Ada"), course=("c-9", "First aid at work"))
    index(engine)

    for sees_names in (True, False):
        for text in ("aid", "work", "c-9", "9"):
            assert found(engine, text, SearchKind.COURSE, sees_names=sees_names) == ["c-9"]
        for text in ("safety", "235", "https://example.org/act/235", "fire 235", "saf"):
            assert found(engine, text, SearchKind.ACTIVITY, sees_names=sees_names) == ["https://example.org/act/235"]
    assert found(engine, "aid", SearchKind.ACTIVITY) == []


def test_the_same_id_at_two_lmss_is_two_learners_and_what_has_exactly_the_id_comes_first(engine: Engine) -> None:
    enroll(engine, ("u1", "Ada"), ("a-u1", "Bob"))
    enroll(engine, ("u1", "Carla"), lms_id=2)
    index(engine)
    with reading(engine) as connection:
        rows = search.search(connection, SearchKind.LEARNER, "u1", sees_names=True).rows

    assert [(row.lms, row.subject_id, row.name) for row in rows] == [
        ("moodle", "u1", "Ada"), ("other", "u1", "Carla"), ("moodle", "a-u1", "Bob"),
    ]  # fmt: skip


def test_a_new_name_is_found_and_the_old_one_is_not(engine: Engine) -> None:
    (key,) = enroll(engine, ("u1", "Grace Hopper"))
    index(engine)
    with writing(engine) as connection:
        connection.execute(update(enrollment).values(learner_name="Grace Murray"))
        connection.execute(insert(search_rename).values(enrollment_id=key))
        assert search_index.store(connection, search_index.load_renames(connection))
    assert (found(engine, "murr"), found(engine, "hopper"), found(engine, "grace")) == (["u1"], [], ["u1"])
    with reading(engine) as connection:
        assert not search_index.load_renames(connection).has_more
        assert _terms(connection) == {
            (field.value, term) for field, term in search_index.terms("learner", "Grace Murray", "u1")
        }


def test_who_is_forgotten_leaves_no_term_and_is_not_indexed_again_by_what_was_read_before(engine: Engine) -> None:
    enroll(engine, ("u1", "Grace Hopper"))
    with reading(engine) as connection:
        stale = search_index.load_enrollments(connection, 0)
    index(engine)
    with writing(engine) as connection:
        connection.execute(delete(enrollment))
        assert search_index.forget(connection, SearchSubject("learner", 1, "u1"))
        assert not search_index.forget(connection, SearchSubject("learner", 1, "u1"))
        assert search_index.store(connection, stale)
        assert _terms(connection) == set()

    assert found(engine, "u1") == []


def test_a_name_of_any_length_has_a_bounded_number_of_terms(engine: Engine) -> None:
    enroll(engine, ("u" * 5000, "N" * 50_000), ("u2", "word " * 5000))
    index(engine)
    with reading(engine) as connection:
        number = connection.execute(select(func.count()).select_from(search_term)).scalar_one()
        assert number < 3 * (search_index.MAX_TERMS + 2 * search_index.MAX_WORDS)

    assert found(engine, "n" * 30) == ["u" * 5000]


def test_enrollments_are_indexed_a_few_at_a_time_and_those_that_are_young_not_for_good(engine: Engine) -> None:
    ids = enroll(engine, *((f"u{number}", f"Name {number}") for number in range(search_index.BATCH_SIZE + 30)))
    with writing(engine) as connection:
        connection.execute(update(enrollment).where(enrollment.c.id > ids[4]).values(created_at=2000))
        old = search_index.load_enrollments(connection, 0, created_before=2000)
        assert (old.reached, old.has_more) == (ids[4], False)
        first = search_index.load_enrollments(connection, 0)
        assert first.has_more
        assert len(first.entries) <= search_index.BATCH_SIZE + 2
        assert search_index.store(connection, first, first.reached)
        assert search_index.progress(connection) == first.reached
    index(engine)
    with reading(engine) as connection:
        number = select(func.count()).where(search_entry.c.kind == "learner")
        assert connection.execute(number).scalar_one() == len(ids)


def test_whether_all_is_indexed_is_known(engine: Engine) -> None:
    with reading(engine) as connection:
        assert search.is_complete(connection, 5000)
    enroll(engine, ("u1", "Ada"))
    with reading(engine) as connection:
        assert not search.is_complete(connection, 5000)
        assert search.is_complete(connection, 1000)
    index(engine)
    with reading(engine) as connection:
        assert search.is_complete(connection, 5000)


def test_a_registration_is_found_by_its_beginning(engine: Engine) -> None:
    enroll(engine, ("u1", "Ada"))
    with reading(engine) as connection:
        registration = str(connection.execute(select(enrollment.c.registration)).scalar_one())
        for text in (registration, registration.upper(), f" {registration[:13]} ", registration.replace("-", "")[:20]):
            assert search.find_uuid(connection, text) == [UuidHit("enrollment", registration)]
        for text in (registration[:7], "zzzzzzzz", registration + "0"):
            assert search.find_uuid(connection, text) == []


@pytest.mark.parametrize("cursor", ["x", encode(["a"]), encode([7, "a", 1]), encode([0, "a\0", 1]), encode([0, 1, 1])])
def test_a_cursor_of_something_else_is_refused(engine: Engine, cursor: str) -> None:
    with reading(engine) as connection, pytest.raises(CursorError):
        search.search(connection, SearchKind.LEARNER, "a", sees_names=True, after=cursor)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.text("abB é-王", min_size=1, max_size=9), min_size=1, max_size=8),
    text=st.text("abB é王", max_size=4),
)
def test_a_search_finds_exactly_those_that_have_all_words_in_their_names(
    engine: Engine, names: list[str], text: str
) -> None:
    _empty(engine)
    enroll(engine, *((f"9{number}", name) for number, name in enumerate(names)))
    index(engine)
    wanted = search_index.words(text)
    expected = {
        f"9{number}"
        for number, name in enumerate(names)
        if wanted and all(any(word in part for part in search_index.words(name)) for word in wanted)
    }
    ids = found(engine, text)

    assert (set(ids), len(ids)) == (expected, len(expected))


def _terms(connection: Connection) -> set[tuple[str, str]]:
    query = select(search_term.c.field, search_term.c.term).where(search_term.c.field.startswith("learner"))
    return {(row[0], row[1]) for row in connection.execute(query)}


def _empty(engine: Engine) -> None:
    with writing(engine) as connection:
        for table in (search_term, search_entry, enrollment):
            connection.execute(delete(table))
