"""A database as it is after years: many attempts of many learners, put straight into the tables with SQL.

Attempts are numbered from 0 in the order of their last commit. Each has a session, one commit or two, five statements,
two documents; the first one has thousands of commits, one activity a tenth of the attempts. A little of everything
waits, is dead or quarantined.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from benchmarks.stored import numbers, uuid_of

NOW = 1_767_225_600_000
STEP = 30_000
"""Milliseconds from one attempt's last commit to the next one's."""
COMMITS = 2_000
"""Of the first attempt."""
RULES = ("initialized", "scored", "completed", "passed", "terminated")
VERB = "http://adlnet.gov/expapi/verbs/"

SESSION, REGISTRATION, ATTEMPT, STATEMENT, DOCUMENT = 1, 2, 3, 4, 5


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
        driver.autocommit = True
        driver.execute("VACUUM ANALYZE")  # as autovacuum does by itself before long
    else:
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.invalidate()  # with its settings
    raw.close()


def received(attempt: int, attempts: int) -> int:
    """Give when the last commit of an attempt was received."""
    return NOW - (attempts - attempt) * STEP


def _inserts(dialect: str, attempts: int) -> list[str]:
    """Give the statements that fill the tables."""
    learners, owners = max(attempts // 20, 1), attempts * 4 // 5

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
        return f"{NOW} - CAST({attempts} - ({number}) AS bigint) * {STEP}"

    def size(characters: int) -> str:
        return f"'{'x' * characters}'"

    blob = "CAST(%s AS bytea)" if dialect == "postgresql" else "CAST(%s AS blob)"
    learner, round_ = f"((CAST(n AS bigint) * 7919) % {learners})", f"(n / {learners})"
    its, place = "(n / 5)", "(n % 5)"
    made = f"CASE {place} " + " ".join(f"WHEN {at} THEN '{rule}'" for at, rule in enumerate(RULES)) + " END"
    rule = f"CASE WHEN {place} = 3 AND {its} % 500 = 0 THEN 'failed' ELSE {made} END"
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
        "INSERT INTO lms (id, name, home_page, origins, created_at) VALUES (1, 'lms', 'https://x.example', '', 0)",
        "INSERT INTO mapping_version (id, name, content_hash, document, created_at) VALUES (1, 'm', 'abc', '', 0)",
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
            "last_commit_at": at("n"), "state": size(2_000),
        }),
        (
            "UPDATE enrollment SET last_commit_at = told.at FROM (SELECT enrollment_id, max(last_commit_at) AS at"
            " FROM attempt GROUP BY enrollment_id) AS told WHERE told.enrollment_id = enrollment.id"
        ),
        insert("session", attempts - 1, {
            "session_id": uid(SESSION), "attempt_id": "n + 1", "entry": "'ab-initio'", "commits": "1 + (n + 1) % 2",
            "started_at": f"{at('n')} - 600000", "last_commit_at": at("n"),
            "ended_at": f"CASE WHEN n % 100 NOT BETWEEN 3 AND 7 THEN {at('n')} END",
            "ended": "CASE WHEN n % 100 NOT BETWEEN 3 AND 7 THEN 'terminated' END", "state": size(300),
        }),
        *(
            insert("journal", last, {
                "session_id": uid(SESSION, own), "number": number, "received_at": when, "wire_format": "'scorm-again'",
                "content_type": "'application/json'", "disposition": "'applied'", "digest": padded("n", 64),
                "reply": size(900), "body": blob % size(1_200), "mapping_version_id": "1",
            })
            for last, own, number, when in (
                (attempts - 1, "n", "1", f"{at('n')} - CASE n % 2 WHEN 0 THEN 300000 ELSE 0 END"),
                (attempts // 2 - 1, "(n * 2)", "2", at("n * 2")),
                (COMMITS, "(n * 0)", "n + 3", f"{at('0')} + n * 1000"),
            )
        ),
        insert("statement", count - 1, {
            "attempt_id": f"{its} + 1", "position": place, "id": uid(STATEMENT), "session_id": uid(SESSION, its),
            "commit_number": f"CASE WHEN {place} < 3 OR {its} % 2 = 1 THEN 1 ELSE 2 END", "mapping_version_id": "1",
            "rule": rule, "verb": f"'{VERB}' || {rule}",
            "made_at": f"{at(its)} - CASE WHEN {place} < 3 AND {its} % 2 = 0 THEN 300000 ELSE 0 END",
            "problem": f"CASE WHEN {quarantined} THEN 'its object has no id' END", "body": size(1_200),
        }),
        insert("delivery", count - 1, {
            "id": "n + 1", "target": "'lrs'", "attempt_id": f"{its} + 1", "position": place,
            "shard": f"({its} + 1) % 4", "state": state, "tries": "1", "not_before": "0",
            "settled_at": f"CASE WHEN {its} < {newest} THEN {at(its)} + 1000 END",
        }),
        *(
            insert("try", attempts - 1, {
                "id": first, "target": "'lrs'", "started_at": at("n"), "took": "12",
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
            "resource": "'activities/state'", "parameters": size(200), "content_type": "'application/json'",
            "content": blob % size(800), "attempt_id": "n / 2 + 1", "session_id": uid(SESSION, "(n / 2)"),
            "commit_number": "1", "mapping_version_id": "1", "changed_at": at("n / 2"),
        }),
        insert("document_delivery", attempts * 2 - 1, {
            "document_id": uid(DOCUMENT), "target": "'lrs'", "state": document_state, "changes": "1",
            "every": "10000", "tries": "1", "not_before": "0", "settled_at": at("n / 2"),
        }),
    ]  # fmt: skip
