"""A database as it is after years: many attempts of many learners, put straight into the tables with SQL.

Attempts are numbered from 0 in the order of their last commit. Each has a session, one commit or two, five statements,
two documents, an event for a webhook, and one in ten the calls of its course; the first one has thousands of commits,
one activity a tenth of the attempts. One in twenty came with an import: all their commits in the same millisecond. A
little of everything waits, is dead or quarantined. As many requests were refused as are kept, and learners erased, for
the newest of whom the target has still to remove something.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Column, Connection, Engine, func, select, text

from benchmarks import journals
from benchmarks.impact import changed
from benchmarks.stored import numbers, uuid_of
from bridge.mapping_library.documents import compile_text, load_mapping
from bridge.recordings.calls import CallMethod, RecordedCall
from storage import search_index
from storage.engine import open_engine, reading, writing
from storage.migrations import migrate
from storage.queries.keyset import encode
from storage.refusals import MAX_KEPT
from storage.search_tables import search_term
from storage.tables import attempt

NOW = int(time.time()) // 60 * 60_000
"""The last commit's time: pages tell of the last hour."""
STEP = 30_000
"""Milliseconds from one attempt's last commit to the next one's."""
ERASURES, REMOVED_LEARNERS, REMOVALS = 2_000, 100, 200
"""Learners that were erased, those of them of whom something is left at the target, and how much of each."""
COMMITS = 2_000
"""Of the first attempt."""
RECORDED = 10
"""One session in so many has recorded calls, `CALLS` of them."""
CALLS = 200
RULES = ("initialized", "scored", "completed", "passed", "terminated")
VERB = "http://adlnet.gov/expapi/verbs/"

SESSION, REGISTRATION, ATTEMPT, STATEMENT, DOCUMENT, ERASURE, EVENT = 1, 2, 3, 4, 5, 6, 7

_PARAMETERS = (
    '{"activityId": "https://lms.example.org/activities/a1", "agent": "{\\"objectType\\": \\"Agent\\", \\"account\\":'
    ' {\\"name\\": \\"u00000001\\", \\"homePage\\": \\"https://lms.example.org\\"}}", "stateId": "attempt-state"}'
)

_EVENT = '{"type": "enrollment.completed", "data": {"learner": {"id": "u00000001"}, "text": "' + "x" * 400 + '"}}'
_CALLS = msgspec.json.encode(
    [
        RecordedCall(number, number * 50, 1, 1, CallMethod.GET_VALUE, ["cmi.core.lesson_location"], "page 9")
        for number in range(1, CALLS + 1)
    ]
)

_COUNTED = (
    "lms", "mapping_version", "enrollment", "attempt", "journal", "delivery", "try", "audit_log", "refusal", "erasure",
    "removal", "alert_notification", "webhook_endpoint", "webhook_delivery", "recording_part",
)  # fmt: skip
"""Tables whose ids PostgreSQL counts in sequences."""


class Texts(NamedTuple):
    """What the service stores for a commit of the workload."""

    body: bytes
    response: str
    statement: str
    attempt: str
    session: str


def fill(engine: Engine, attempts: int) -> None:
    """Fill an empty database whose schema is current."""
    dialect = engine.dialect.name
    raw = engine.raw_connection()
    driver: Any = raw.driver_connection
    # the rows are whole: nothing is to be checked one by one
    if dialect == "postgresql":
        driver.execute("SET session_replication_role = replica")
    else:
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute("BEGIN IMMEDIATE")
    for sql in _inserts(dialect, attempts):
        driver.execute(sql)
    driver.commit()
    if dialect == "postgresql":
        for table in _COUNTED:
            driver.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM \"{table}\"")
        driver.commit()
        driver.autocommit = True
        driver.execute("VACUUM ANALYZE")  # as autovacuum does by itself before long
    else:
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.invalidate()  # with its settings
    raw.close()


def received(attempt: int, attempts: int) -> int:
    """Return when the last commit of an attempt was received."""
    its = imported(attempts)
    return NOW - (attempts - (its.start if attempt in its else attempt)) * STEP


def imported(attempts: int) -> range:
    """Return the attempts whose commits were all received in one millisecond."""
    return range(attempts // 2, attempts // 2 + attempts // 20)


def index(engine: Engine) -> int:
    """Fill the search index as the bridge does; return how many terms it has."""
    after, has_more = 0, True
    while has_more:
        with writing(engine) as connection:
            batch = search_index.load_enrollments(connection, after)
            search_index.store(connection, batch, batch.reached)
        after, has_more = batch.reached, batch.has_more
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(search_term)).scalar_one()


class Some:
    """Something that is there, by chance."""

    def __init__(self, size: int) -> None:
        self._size = size

    def learner(self, chance: Random) -> str:
        """Return a learner's id."""
        return f"u{chance.randrange(max(self._size // 20, 1)):08d}"

    def activity(self, chance: Random) -> str:
        """Return an activity that has few enrollments."""
        return f"b{chance.randrange(2, 16) * 40 + chance.randrange(40)}"

    def day(self, chance: Random) -> dict[str, Any]:
        """Return times a day apart."""
        begins = received(chance.randrange(self._size), self._size)
        return {"since": begins, "until": begins + 86_400_000}

    def cursor(self, chance: Random, *rest: int | str) -> str:
        """Return the cursor of a page anywhere."""
        return encode([received(chance.randrange(self._size), self._size), 10**9, *rest])

    def imported(self) -> dict[str, Any]:
        """Return the millisecond of the import."""
        at = received(imported(self._size).start, self._size)
        return {"since": at, "until": at + 1}

    def in_import(self, chance: Random, *rest: int | str) -> str:
        """Return the cursor of a page in the midst of what came in one millisecond."""
        return encode([self.imported()["since"], chance.choice(imported(self._size)), *rest])

    def row(self, connection: Connection, chance: Random, column: Column[Any]) -> Any:
        """Return the value of a row of any attempt."""
        key = attempt.c.id if column.table is attempt else column.table.c.attempt_id
        query = select(column).where(key == chance.randrange(1, self._size)).limit(1)
        return connection.execute(query).scalar_one()


def _texts() -> Texts:
    """Return those of the last commit of a session."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'one.db'}")
        migrate(engine)
        journals.fill(engine, 1, in_frames=False)
        with reading(engine) as connection:
            row = connection.execute(
                text(
                    "SELECT journal.body, journal.response, statement.body, attempt.state, session.state"
                    " FROM journal JOIN session USING (session_id) JOIN attempt ON attempt.id = session.attempt_id"
                    " JOIN statement ON statement.attempt_id = attempt.id"
                    " ORDER BY journal.number DESC, position LIMIT 1"
                )
            ).one()
        engine.dispose()
    return Texts._make(row)


def _inserts(dialect: str, attempts: int) -> list[str]:
    """Return the statements that fill the tables."""
    texts, mapping = _texts(), load_mapping("scorm-profile").definition
    versions = [mapping, compile_text(changed(mapping.text), "changed").definition]
    learners, owners, its_import = max(attempts // 20, 1), attempts * 4 // 5, imported(attempts)

    def uid(salt: int, number: str = "n") -> str:
        return uuid_of(dialect, salt, number)

    def insert(table: str, last: int, columns: dict[str, str]) -> str:
        series = numbers(dialect, 0, str(last))
        return f"{series} INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM series"

    def padded(number: str, width: int) -> str:
        if dialect == "postgresql":
            return f"lpad(CAST({number} AS text), {width}, '0')"
        return f"printf('%0{width}d', {number})"

    def at(number: str) -> str:
        ordinal = f"CASE WHEN {is_imported(number)} THEN {its_import.start} ELSE {number} END"
        return f"{NOW} - CAST({attempts} - ({ordinal}) AS bigint) * {STEP}"

    def earlier(number: str) -> str:
        return f"CASE WHEN {number} % 2 = 0 AND NOT {is_imported(number)} THEN 300000 ELSE 0 END"

    def is_imported(number: str) -> str:
        return f"({number} >= {its_import.start} AND {number} < {its_import.stop})"

    def quoted(words: str) -> str:
        return "'" + words.replace("'", "''") + "'"

    def blob(content: bytes) -> str:
        return f"decode('{content.hex()}', 'hex')" if dialect == "postgresql" else f"x'{content.hex()}'"

    learner, round_ = f"((CAST(n AS bigint) * 7919) % {learners})", f"(n / {learners})"
    its, place = "(n / 5)", "(n % 5)"
    usual_rule = f"CASE {place} " + " ".join(f"WHEN {at} THEN '{rule}'" for at, rule in enumerate(RULES)) + " END"
    rule = f"CASE WHEN {place} = 3 AND {its} % 500 = 0 THEN 'failed' ELSE {usual_rule} END"
    dead, quarantined = f"({place} = 1 AND {its} % 20 = 7)", f"({place} = 2 AND {its} % 200 = 9)"
    newest = attempts - attempts // 100
    state = (
        f"CASE WHEN {quarantined} THEN 'quarantined' WHEN {dead} THEN 'dead'"
        f" WHEN {its} >= {newest} THEN 'waiting' ELSE 'delivered' END"
    )
    count = attempts * 5
    answer = (
        f"'{{\"error\": \"verb ' || (n % 20) || ' of {'x' * 20} is not known in ' || {uid(STATEMENT, 'n * 5 + 1')}"
        f" || '\"}}'"
    )
    document_state = f"CASE WHEN n / 2 >= {newest} THEN 'waiting' WHEN n % 4000 = 3 THEN 'dead' ELSE 'delivered' END"
    return [
        (
            "INSERT INTO lms (id, name, home_page, origins, created_at)"
            " VALUES (1, 'lms', 'https://lms.example.org', '[]', 0)"
        ),
        *(
            "INSERT INTO mapping_version (id, name, content_hash, definition, created_at) VALUES"
            f" ({number}, {quoted(version.name)}, '{version.content_hash}', {quoted(version.text)}, {number})"
            for number, version in enumerate(versions, 1)
        ),
        insert("enrollment", owners - 1, {
            "id": "n + 1", "registration": uid(REGISTRATION), "lms_id": "1",
            "learner_id": f"'u' || {padded(learner, 8)}", "learner_name": f"'Name ' || {padded(learner, 8)}",
            "activity_id": f"CASE WHEN {round_} < 2 THEN 'a' || {round_} ELSE"
            f" 'b' || ({round_} * 40 + {learner} % 40) END",
            "activity_name": "'An activity'", "activity_type": "''",
            "course_id": f"'c' || ({round_} * 10 + {learner} % 10)",
            "course_name": "'A course'", "total_attempts": "1", "total_time": "60000", "created_at": "0",
            "completion_status": "'completed'", "success_status": "'passed'", "best_scaled": "0.8",
        }),
        insert("attempt", attempts - 1, {
            "id": "n + 1", "uuid": uid(ATTEMPT), "enrollment_id": f"(CAST(n AS bigint) * 104729) % {owners} + 1",
            "number": f"1 + n / {owners}", "scorm_version": "'1.2'",
            "status": "CASE WHEN n % 100 < 3 THEN 'abandoned' WHEN n % 100 < 8 THEN 'active'"
            " WHEN n % 100 < 25 THEN 'suspended' ELSE 'terminated' END",
            "completion_status": "CASE n % 4 WHEN 0 THEN 'incomplete' ELSE 'completed' END",
            "success_status": "CASE WHEN n % 1000 = 77 THEN 'failed' WHEN n % 10 < 7 THEN 'passed' END",
            "score_raw": "80", "total_time": "60000", "started_at": f"{at('n')} - 600000",
            "last_commit_at": at("n"), "state": quoted(texts.attempt),
        }),
        (
            "UPDATE enrollment SET last_commit_at = told.at FROM (SELECT enrollment_id, max(last_commit_at) AS at"
            " FROM attempt GROUP BY enrollment_id) AS told WHERE told.enrollment_id = enrollment.id"
        ),
        insert("session", attempts - 1, {
            "session_id": uid(SESSION), "attempt_id": "n + 1", "entry": "'ab-initio'", "commits": "1 + (n + 1) % 2",
            "started_at": f"{at('n')} - 600000", "last_commit_at": at("n"),
            "ended_at": f"CASE WHEN n % 100 NOT BETWEEN 3 AND 7 THEN {at('n')} END",
            "ended": "CASE WHEN n % 100 NOT BETWEEN 3 AND 7 THEN 'terminated' END", "state": quoted(texts.session),
        }),
        *(
            insert("journal", last, {
                "session_id": uid(SESSION, ordinal), "number": number, "received_at": when, "wire_format": "'native'",
                "content_type": "'application/json'", "disposition": "'applied'", "digest": padded("n", 64),
                "response": quoted(texts.response), "body": blob(texts.body), "mapping_version_id": "1",
            })
            for last, ordinal, number, when in (
                (attempts - 1, "n", "1", f"{at('n')} - {earlier('n')}"),
                (attempts // 2 - 1, "(n * 2)", "2", at("n * 2")),
                (COMMITS, "(n * 0)", "n + 3", f"{at('0')} + n * 1000"),
            )
        ),
        insert("statement", count - 1, {
            "attempt_id": f"{its} + 1", "position": place, "id": uid(STATEMENT), "session_id": uid(SESSION, its),
            "commit_number": f"CASE WHEN {place} < 3 OR {its} % 2 = 1 THEN 1 ELSE 2 END", "mapping_version_id": "1",
            "rule": rule, "verb": f"'{VERB}' || {rule}",
            "created_at": f"{at(its)} - CASE WHEN {place} < 3 THEN {earlier(its)} ELSE 0 END",
            "problem": f"CASE WHEN {quarantined} THEN 'its object has no id' END", "body": quoted(texts.statement),
        }),
        insert("delivery", count - 1, {
            "id": "n + 1", "target": "'lrs'", "attempt_id": f"{its} + 1", "position": place,
            "shard": f"({its} + 1) % 4", "state": state, "tries": "1", "not_before": "0",
            "settled_at": f"CASE WHEN {its} < {newest} THEN {at(its)} + 1000 END",
        }),
        *(
            insert("try", attempts - 1, {
                "id": first, "target": "'lrs'", "started_at": at("n"), "duration_ms": "12",
                "outcome": f"'{outcome}'", "status": status, "answer": words,
            })
            for first, outcome, status, words in (
                ("n + 1", "delivered", "200", "'[]'"),
                (f"n + {attempts + 1}", "refused", "400", answer),
            )
        ),
        (
            f"INSERT INTO delivery_try SELECT id, CASE state WHEN 'dead' THEN {attempts} ELSE 0 END + attempt_id FROM"
            " delivery WHERE state IN ('delivered', 'dead')"
        ),
        insert("document", attempts * 2 - 1, {
            "id": uid(DOCUMENT), "name": "CASE n % 2 WHEN 0 THEN 'attempt-state' ELSE 'activity-state' END",
            "resource": "'activities/state'", "parameters": quoted(_PARAMETERS), "content_type": "'application/json'",
            "content": blob(b'{"text": "' + b"x" * 800 + b'"}'),
            "attempt_id": "n / 2 + 1", "session_id": uid(SESSION, "(n / 2)"),
            "commit_number": "1", "mapping_version_id": "1", "changed_at": at("n / 2"),
        }),
        insert("document_delivery", attempts * 2 - 1, {
            "document_id": uid(DOCUMENT), "target": "'lrs'", "state": document_state, "changes": "1",
            "min_interval_ms": "10000", "tries": "1", "not_before": "0", "settled_at": at("n / 2"),
        }),
        insert("audit_log", attempts // 10, {
            "at": at("n * 10"), "by": "'ada'",
            "action": "CASE n % 3 WHEN 0 THEN 'retry' WHEN 1 THEN 'pause' ELSE 'resume' END",
            "subject": "'lrs'", "affected": "1", "reason": "'It moves house.'",
        }),
        insert("refusal", MAX_KEPT - 1, {
            "lms_id": "1", "at": f"{NOW} - CAST({MAX_KEPT} - n AS bigint) * 1000", "status": "400",
            "code": "CASE n % 3 WHEN 0 THEN 'malformed-field' WHEN 1 THEN 'malformed-body' ELSE 'session-unknown' END",
            "detail": "'cmi.core.score.raw is no number.'", "wire_format": "'native'", "method": "'POST'",
            "path": f"'/v1/sessions/' || {uid(SESSION)} || '/commits'",
        }),
        insert("erasure", ERASURES - 1, {
            "id": "n + 1", "uuid": uid(ERASURE), "digest": padded("n", 64), "lms": "'lms'", "later": "'refuse'",
            "began_at": f"{NOW} - CAST({ERASURES} - n AS bigint) * 3600000",
            "finished_at": f"{NOW} - CAST({ERASURES} - n AS bigint) * 3600000 + 900", "by": "'ada'",
            "reason": "'Request 17.'", "counts": """'{"commits": 40, "enrollments": 4, "statements": 100}'""",
        }),
        insert("erasure_target", ERASURES - 1, {
            "erasure_id": "n + 1", "target": "'lrs'", "withdrawn": "2", "kept": "0", "permanent": "0", "voided": "60",
            "deleted": "8",
        }),
        insert("removal", REMOVED_LEARNERS * REMOVALS - 1, {
            "erasure_id": f"{ERASURES} - n / {REMOVALS}", "target": "'lrs'",
            "resource": "CASE n % 10 WHEN 0 THEN 'activities/state' ELSE 'statements' END",
            "body": quoted(_PARAMETERS), "created_at": f"{NOW} - CAST(n AS bigint) * 1000", "tries": "3",
            "not_before": str(NOW), "answer": f"'the LRS answered 403: {'x' * 300}'",
        }),
        (
            "INSERT INTO webhook_endpoint (id, lms_id, name, url, events, secret, created_at, pause_reason, trouble)"
            " VALUES (1, 1, 'gradebook', 'http://127.0.0.1:9/', '[]', 'whsec_AAAA', 0, '', '')"
        ),
        insert("webhook_delivery", attempts - 1, {
            "id": "n + 1", "endpoint_id": "1", "enrollment_id": f"(CAST(n AS bigint) * 104729) % {owners} + 1",
            "message_id": uid(EVENT), "type": "'enrollment.completed'", "body": quoted(_EVENT),
            "created_at": at("n"), "state": f"CASE WHEN n % 20 = 7 THEN 'dead' WHEN n >= {newest} THEN 'waiting'"
            " ELSE 'delivered' END",
            "tries": "1", "refusals": "0", "not_before": f"{NOW} + 2000000000", "tried_at": at("n"), "status": "204",
            "answer": "''", "settled_at": at("n"),
        }),
        insert("recording_part", attempts // RECORDED - 1, {
            "session_id": uid(SESSION, f"(n * {RECORDED})"), "first_number": "1", "last_number": str(CALLS),
            "first_commit": "1", "last_commit": "1", "call_count": str(CALLS), "made": str(CALLS),
            "size": str(len(_CALLS)), "started_at": at(f"(n * {RECORDED})"), "received_at": at(f"(n * {RECORDED})"),
            "calls": blob(_CALLS),
        }),
        insert("alert_notification", 999, {
            "condition": "'target-unreachable'", "subject": "'lrs'", "event": "'began'", "detail": "'statements'",
            "since": f"{NOW} - 1000", "at": f"{NOW} - 1000", "channel": "'mail'", "state": "'sent'", "tries": "1",
            "not_before": "0",
        }),
    ]  # fmt: skip
