"""A gradebook that goes on with the cursor it got misses no update, whatever is being written at the moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import Connection, Engine, event, text, update

from storage import attempts, erasing
from storage.engine import open_engine, reading, writing
from storage.erasing import ErasurePlan
from storage.gradebook_tables import update_order
from storage.queries import gradebook
from storage.queries.gradebook import GradebookFilter
from storage.queries.keyset import CursorError
from storage.tables import enrollment
from storage.update_order import adopt_cluster
from tests.storage.builders import NOW, add_attempt, add_enrollment, add_lms, save


class Follower:
    """A gradebook: it has of each enrollment the version that it was given last."""

    def __init__(self, engine: Engine, lms_id: int, **selection: str) -> None:
        self._engine = engine
        self._selection = GradebookFilter(lms_id, **selection)
        self._since: str | None = None
        self.versions: dict[int, int] = {}

    def poll(self, limit: int = 3) -> list[int]:
        """Read until there is no more, and return the ids that came."""
        ids, has_more = [], True
        while has_more:
            with reading(self._engine) as connection:
                page = gradebook.read_updates(connection, self._selection, since=self._since, limit=limit)
            assert len(page.rows) <= limit
            self._since, has_more = page.next, page.has_more
            ids += [row.enrollment.id for row in page.rows]
            self.versions |= {row.enrollment.id: row.enrollment.version for row in page.rows}
        return ids


def _enroll(engine: Engine, count: int) -> tuple[int, list[int]]:
    with writing(engine) as connection:
        lms_id = add_lms(connection)
        return lms_id, [add_enrollment(connection, lms_id, f"u{number}").id for number in range(count)]


def _touch(connection: Connection, *ids: int) -> None:
    attempts.lock(connection, ids, [])
    save(connection, *attempts.load_enrollments(connection, enrollment.c.id.in_(ids), len(ids)))


def test_what_is_updated_again_comes_again_and_nothing_else_does(engine: Engine) -> None:
    lms_id, ids = _enroll(engine, 5)
    follower = Follower(engine, lms_id)
    assert follower.poll() == ids
    assert follower.poll() == []
    with writing(engine) as connection:
        _touch(connection, ids[3])
    with writing(engine) as connection:
        _touch(connection, ids[0])
    assert follower.poll() == [ids[3], ids[0]]
    assert follower.poll() == []


def test_enrollments_of_another_lms_do_not_come(engine: Engine) -> None:
    _, ids = _enroll(engine, 1)
    with writing(engine) as connection:
        other = add_lms(connection, "other")
        own = add_enrollment(connection, other).id
        _touch(connection, *ids)

    assert Follower(engine, other).poll() == [own]


def test_a_row_has_the_status_of_the_latest_attempt_that_had_a_commit(engine: Engine) -> None:
    with writing(engine) as connection:
        lms_id = add_lms(connection)
        add_enrollment(connection, lms_id, "never")
        owner = add_enrollment(connection, lms_id)
        owner.latest_attempt = 2
        for number, status in ((1, "terminated"), (2, "suspended"), (3, "active")):
            add_attempt(connection, owner, number, status=status)
        save(connection, owner)
    with reading(engine) as connection:
        page = gradebook.read_updates(connection, GradebookFilter(lms_id), limit=10)

    assert [(row.enrollment.learner_id, row.status) for row in page.rows] == [("never", None), ("u1", "suspended")]


def test_filters_leave_out_what_is_not_asked_for_and_go_past_it(engine: Engine) -> None:
    with writing(engine) as connection:
        lms_id = add_lms(connection)
        rows = [add_enrollment(connection, lms_id, f"u{number}", f"a{number % 2}") for number in range(6)]
    for row in rows[:3]:
        row.completion_status = "completed"
        with writing(engine) as connection:
            save(connection, row)
    ids = [row.id for row in rows]
    assert Follower(engine, lms_id, activity="a1").poll(2) == [ids[3], ids[5], ids[1]]
    assert Follower(engine, lms_id, completion="completed").poll(2) == ids[:3]
    assert Follower(engine, lms_id, completion="unknown", learner="u4").poll() == [ids[4]]
    assert Follower(engine, lms_id, course="none").poll() == []
    with reading(engine) as connection:
        nothing = gradebook.read_updates(connection, GradebookFilter(lms_id, course="none"), limit=1)
        everything = gradebook.read_updates(connection, GradebookFilter(lms_id), limit=10)
    assert nothing.next == everything.next


def test_a_page_reads_its_share_only_and_those_after_it_the_rest(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An activity with many learners is searched in the order of updates, a part at a time."""
    monkeypatch.setattr(gradebook, "READ", 4)
    monkeypatch.setattr(gradebook, "MAX_SORTED_ROWS", 1)
    with writing(engine) as connection:
        lms_id = add_lms(connection)
        ids = [
            add_enrollment(connection, lms_id, f"u{number}", "rare" if number in {5, 6, 11} else "235").id
            for number in range(12)
        ]
    pages, page = [], None
    while page is None or page.has_more:
        with reading(engine) as connection:
            page = gradebook.read_updates(
                connection,
                GradebookFilter(lms_id, activity="rare"),
                since=None if page is None else page.next,
                limit=10,
            )
        pages.append([row.enrollment.id for row in page.rows])

    assert pages == [[], [ids[5], ids[6]], [ids[11]], []]


@pytest.mark.parametrize("cursor", ["x", "", "1", "-1-0", "1-", "1-2-3", "1-9999999999999999999"])
def test_what_is_no_cursor_is_refused(engine: Engine, cursor: str) -> None:
    with reading(engine) as connection, pytest.raises(CursorError):
        gradebook.read_updates(connection, GradebookFilter(1), since=cursor, limit=1)


def test_pages_are_read_along_an_index(engine: Engine) -> None:
    lms_id, ids = _enroll(engine, 40)
    plans: list[str] = []

    def explain(connection: Connection, clause: object, *_: object) -> None:
        if "ORDER BY enrollment.update_number" in str(clause) and not plans:
            query = clause.compile(connection, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
            is_sqlite = connection.dialect.name == "sqlite"
            plans.append("")
            if not is_sqlite:
                connection.execute(text("SET LOCAL enable_seqscan = off"))
                connection.execute(text("SET LOCAL enable_bitmapscan = off"))
            rows = connection.execute(text(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{query}")).all()
            plans.append("\n".join(str(row[-1]) for row in rows))

    event.listen(engine, "before_execute", explain)
    with reading(engine) as connection:
        page = gradebook.read_updates(connection, GradebookFilter(lms_id), since="0-0", limit=2)

    assert [row.enrollment.id for row in page.rows] == ids[:2]
    assert "ix_enrollment_lms_id_update_number_id" in plans[1]
    assert "TEMP B-TREE" not in plans[1]
    assert "Sort" not in plans[1]


def test_a_number_is_not_given_again_when_its_enrollment_was_erased(engine: Engine) -> None:
    lms_id, ids = _enroll(engine, 3)
    follower = Follower(engine, lms_id)
    follower.poll()
    with writing(engine) as connection:
        _touch(connection, ids[2])
    assert follower.poll() == [ids[2]]
    plan = ErasurePlan(0, frozenset(), (), lambda *_: "", "", lambda *_: None)
    with writing(engine) as connection:
        attempts.lock(connection, [ids[2]], [])
        erasing._erase_enrollment(connection, erasing._Part(plan, "", NOW), ids[2])
    with writing(engine) as connection:
        _touch(connection, ids[0])
    assert follower.poll() == [ids[0]]


@contextmanager
def _transaction(url: str) -> Iterator[Connection]:
    """Yield a connection of its own in a transaction, as another process has them."""
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def test_a_reader_does_not_go_past_an_update_that_is_not_committed_yet(postgresql_url: str) -> None:
    """The one that began first commits last: its number is lower than what a reader has seen by then."""
    with ExitStack() as stack:
        engine = open_engine(postgresql_url)
        stack.callback(engine.dispose)
        lms_id, ids = _enroll(engine, 3)
        follower = Follower(engine, lms_id)
        follower.poll()
        first, second = (stack.enter_context(_transaction(postgresql_url)) for _ in range(2))
        _touch(first, ids[0])
        _touch(second, ids[1])
        second.commit()
        with writing(engine) as connection:
            _touch(connection, ids[2])
        assert follower.poll() == []
        first.commit()

        assert follower.poll() == ids


def test_whatever_order_transactions_commit_in_a_reader_ends_with_the_newest_version_of_all(
    postgresql_url: str,
) -> None:
    """Six writers keep transactions open, over each other, commit or give up; a gradebook polls in between."""
    choose = random.Random(16)
    with ExitStack() as stack:
        engine = open_engine(postgresql_url)
        stack.callback(engine.dispose)
        lms_id, ids = _enroll(engine, 24)
        follower = Follower(engine, lms_id)
        idle = [stack.enter_context(_transaction(postgresql_url)) for _ in range(6)]
        busy: dict[Connection, set[int]] = {}
        for _ in range(400):
            action = choose.random()
            free = sorted({*ids} - {held for its in busy.values() for held in its})
            if action < 0.35 and idle:
                writer = idle.pop(choose.randrange(len(idle)))
                busy[writer] = {*choose.sample(free, choose.randint(1, 3))}
                _touch(writer, *sorted(busy[writer]))
            elif action < 0.7 and busy:
                writer = choose.choice([*busy])
                (writer.rollback if choose.random() < 0.2 else writer.commit)()
                del busy[writer]
                idle.append(writer)
            else:
                follower.poll(choose.randint(1, 4))
        for writer in busy:
            writer.commit()
        follower.poll()

        with reading(engine) as connection:
            stored = attempts.load_enrollments(connection, enrollment.c.lms_id == lms_id, len(ids))
        assert follower.versions == {row.id: row.version for row in stored}


def test_in_another_cluster_numbers_go_on_above_all_that_were_given(engine: Engine) -> None:
    """A database that was dumped and restored comes to transactions that may be numbered lower than its own were."""
    lms_id, ids = _enroll(engine, 3)
    with writing(engine) as connection:
        adopt_cluster(connection)
        connection.execute(update(enrollment).values(update_number=enrollment.c.update_number + 10**9))
        if engine.dialect.name == "postgresql":
            connection.execute(update(update_order).values(cluster="another/1"))
            # as if the reader had seen them there
            connection.execute(update(update_order).values(base=10**9 + 1000))
    follower = Follower(engine, lms_id)
    assert follower.poll() == ids
    if engine.dialect.name == "postgresql":
        with writing(engine) as connection:
            connection.execute(update(update_order).values(base=0))
            adopt_cluster(connection)
    with writing(engine) as connection:
        _touch(connection, ids[1])
    assert follower.poll() == [ids[1]]
