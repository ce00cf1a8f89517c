r"""Views that reports and dashboards read: enrollments, attempts, interactions and statements.

Each is the same on SQLite and PostgreSQL but for the types of its values: a time is a `timestamptz` on PostgreSQL and
RFC 3339 text on SQLite, true and false are 1 and 0 on SQLite, JSON is `jsonb` or text.

Interactions are in the attempt's state, as the content sent them. SCORM 1.2 says `student_response` and `wrong`, and
`HHHH:MM:SS.SS` for a latency, SCORM 2004 `learner_response`, `incorrect` and an ISO 8601 duration; content sends either
under either version. What is not written as SCORM writes it is null, and never an error: one attempt must not take the
view from all others. For that reason, too, `\u0000` is taken out first, which `jsonb` refuses.
"""

# ruff: noqa: S608 -- all of it is made of constants

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

VIEWS = ("report_enrollment", "report_attempt", "report_interaction", "report_statement")
TYPES = (
    "'true-false', 'choice', 'fill-in', 'long-fill-in', 'matching', 'performance', 'sequencing', 'likert', 'numeric'"
)
MAX_SECONDS = 366 * 86_400

OWNER = """
    FROM enrollment e
    JOIN lms ON lms.id = e.lms_id
    LEFT JOIN course_registration r ON r.lms_id = e.lms_id AND r.learner_id = e.learner_id
      AND r.course_id = CASE WHEN e.course_id = '' THEN e.activity_id ELSE e.course_id END"""
WHOSE = """
      coalesce(r.registration, e.registration) AS registration,
      lms.name AS lms,
      e.learner_id,
      e.activity_id,
      e.activity_name,
      e.course_id,
      e.course_name,"""
STATUSES = """
      coalesce({0}.completion_status, 'unknown') AS completion_status,
      coalesce({0}.success_status, 'unknown') AS success_status,
      coalesce({0}.completion_status = 'completed', {false}) AS completed,
      CASE {0}.success_status WHEN 'passed' THEN {true} WHEN 'failed' THEN {false} END AS passed,"""


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _postgresql() if is_postgresql else _sqlite():
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    for view in reversed(VIEWS):
        op.execute(f"DROP VIEW {view}")


def _enrollment(time: str, true: str, false: str) -> str:
    return f"""
    CREATE VIEW report_enrollment AS
    SELECT
      e.id AS enrollment_key,{WHOSE}
      e.total_attempts,{STATUSES.format("e", true=true, false=false)}
      e.best_scaled AS best_score_scaled,
      e.best_raw AS best_score_raw,
      e.best_min AS best_score_min,
      e.best_max AS best_score_max,
      CAST(e.total_time AS double precision) / 100 AS total_time_seconds,
      {time.format("e.created_at")} AS created_at,
      {time.format("e.first_commit_at")} AS first_commit_at,
      {time.format("e.last_commit_at")} AS last_commit_at{OWNER}"""


def _attempt(time: str, true: str, false: str) -> str:
    return f"""
    CREATE VIEW report_attempt AS
    SELECT
      a.id AS attempt_key,
      a.enrollment_id AS enrollment_key,
      a.uuid AS attempt_id,{WHOSE}
      a.number AS attempt_number,
      a.scorm_version,
      a.status,{STATUSES.format("a", true=true, false=false)}
      a.score_scaled,
      a.score_raw,
      a.score_min,
      a.score_max,
      a.progress_measure,
      CAST(a.total_time AS double precision) / 100 AS total_time_seconds,
      {time.format("a.started_at")} AS started_at,
      {time.format("a.last_commit_at")} AS last_commit_at{OWNER}
    JOIN attempt a ON a.enrollment_id = e.id"""


INTERACTION = """
    CREATE VIEW report_interaction AS
    SELECT
      i.attempt_key,
      i.interaction_index,
      i.attempt_id,
      i.registration,
      i.lms,
      i.learner_id,
      i.activity_id,
      i.activity_name,
      i.course_id,
      i.course_name,
      i.attempt_number,
      i.scorm_version,
      i.interaction_id,
      CASE WHEN i.type_word IN ({types}) THEN i.type_word ELSE 'other' END AS type,
      i.description,
      i.response AS learner_response,
      i.correct_responses,
      CASE WHEN i.response IS NULL THEN NULL WHEN i.result_word = 'wrong' THEN 'incorrect' ELSE i.result_word END
        AS result,
      CASE WHEN i.response IS NULL THEN NULL WHEN i.result_word = 'correct' THEN {true}
        WHEN i.result_word IN ('incorrect', 'wrong') THEN {false} END AS success,
      CASE WHEN i.response IS NOT NULL THEN {result} END AS result_score,
      {weighting} AS weighting,
      {latency} AS latency_seconds,
      {timestamp} AS timestamp,
      i.objectives,
      {started_at} AS attempt_started_at
    FROM ({items}) i
    WHERE i.interaction_id IS NOT NULL"""


# PostgreSQL

PG_TIME = "to_timestamp({0} / 1000.0)"
PG_STATE = r"""(CASE WHEN position('\u0000' IN {0}) > 0
        THEN regexp_replace({0}, '(?<!\\)((?:\\\\)*)\\u0000', '\1', 'g') ELSE {0} END)::jsonb"""
PG_NUMBER = r"""CASE WHEN length({0}) <= 30 AND {0} ~ '^-?(0|[1-9]\d*)(\.\d+)?$' THEN {0}::double precision END"""
PG_TEXT = r"nullif(btrim(item.value ->> '{0}', E' \t\r\n'), '')"
PG_STRING = "CASE jsonb_typeof(item.value -> '{0}') WHEN 'string' THEN nullif(item.value ->> '{0}', '') END"
PG_DURATION = "coalesce(substring({0} FROM '([0-9.]+){1}')::double precision, 0) * {2}"
PG_PATTERN = r"^P(\d{1,9}Y)?(\d{1,9}M)?(\d{1,9}D)?(T(\d{1,9}H)?(\d{1,9}M)?(\d{1,9}(\.\d{1,9})?S)?)?$"


def _postgresql_seconds(text: str) -> str:
    """Return an expression for the seconds of a SCORM timespan or duration."""
    date, time = "split_part(text, 'T', 1)", "split_part(text, 'T', 2)"
    units = [
        *((date, unit, days * 86_400) for unit, days in (("Y", 365), ("M", 30), ("D", 1))),
        *((time, unit, seconds) for unit, seconds in (("H", 3_600), ("M", 60), ("S", 1))),
    ]
    return rf"""(SELECT CASE WHEN seconds <= {MAX_SECONDS} THEN seconds END FROM (SELECT CASE
        WHEN text ~ '^\d{{1,4}}:\d\d:\d\d(\.\d{{1,9}})?$' THEN split_part(text, ':', 1)::double precision * 3600
          + split_part(text, ':', 2)::double precision * 60 + split_part(text, ':', 3)::double precision
        WHEN text ~ '{PG_PATTERN}' THEN {" + ".join(PG_DURATION.format(*unit) for unit in units)} END AS seconds
      FROM (SELECT {text} AS text OFFSET 0) sent OFFSET 0) total)"""


def _postgresql_timestamp(text: str) -> str:
    """Return an expression for the time that a text says, null where it says none; in UTC unless it names a zone."""
    return rf"""CASE WHEN {text} ~ ('^[12]\d{{3}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d'
        || '(\.\d{{1,6}})?(Z|[+-](0\d|1[0-3]):[0-5]\d)?$')
      THEN CASE WHEN substr({text}, 9, 2)::int
        <= extract(day FROM (substr({text}, 1, 7) || '-01')::date + interval '1 month' - interval '1 day')
      THEN ({text} || CASE WHEN {text} ~ '(Z|[+-]\d\d:\d\d)$' THEN '' ELSE 'Z' END)::timestamptz END END"""


def _postgresql_list(collection: str, element: str) -> str:
    """Return an expression for what the entries of a numbered collection have for an element, in their order."""
    return rf"""(SELECT jsonb_agg(entry.value ->> '{element}' ORDER BY entry.key::int)
          FROM jsonb_each(CASE jsonb_typeof(item.value -> '{collection}') WHEN 'object'
            THEN item.value -> '{collection}' END) entry
          WHERE entry.value ->> '{element}' <> '')"""


def _postgresql() -> list[str]:
    values = {"true": "true", "false": "false"}
    items = rf"""
      SELECT
        a.id AS attempt_key,
        item.key::int AS interaction_index,
        a.uuid AS attempt_id,{WHOSE}
        a.number AS attempt_number,
        a.scorm_version,
        a.started_at,
        {PG_STRING.format("id")} AS interaction_id,
        translate(lower({PG_TEXT.format("type")}), '_ ', '--') AS type_word,
        {PG_STRING.format("description")} AS description,
        coalesce({PG_STRING.format("learner_response")}, {PG_STRING.format("student_response")}) AS response,
        {_postgresql_list("correct_responses", "pattern")} AS correct_responses,
        lower({PG_TEXT.format("result")}) AS result_word,
        {PG_TEXT.format("weighting")} AS weighting,
        {PG_TEXT.format("latency")} AS latency,
        coalesce({PG_TEXT.format("timestamp")}, {PG_TEXT.format("time")}) AS time_text,
        {_postgresql_list("objectives", "id")} AS objectives{OWNER}
      JOIN attempt a ON a.enrollment_id = e.id
      CROSS JOIN LATERAL jsonb_each({PG_STATE.format("a.state")} #> '{{snapshot,interactions}}') item"""
    interaction = INTERACTION.format(
        **values,
        types=TYPES,
        items=items,
        result=PG_NUMBER.format("i.result_word"),
        weighting=PG_NUMBER.format("i.weighting"),
        latency=_postgresql_seconds("i.latency"),
        timestamp=_postgresql_timestamp("i.time_text"),
        started_at=PG_TIME.format("i.started_at"),
    )
    # OFFSET keeps the statement from being parsed once for each of its columns
    statement = f"""
    CREATE VIEW report_statement AS
    SELECT
      s.attempt_id AS attempt_key,
      s.position,
      s.id AS statement_id,
      a.uuid AS attempt_id,{WHOSE}
      s.session_id,
      s.commit_number,
      s.rule,
      s.verb AS verb_id,
      b.body #>> '{{object,id}}' AS object_id,
      b.body #>> '{{object,definition,type}}' AS object_type,
      (b.body #>> '{{result,completion}}')::boolean AS result_completion,
      (b.body #>> '{{result,success}}')::boolean AS result_success,
      (b.body #>> '{{result,score,scaled}}')::double precision AS result_score_scaled,
      (b.body #>> '{{result,score,raw}}')::double precision AS result_score_raw,
      (b.body #>> '{{result,score,min}}')::double precision AS result_score_min,
      (b.body #>> '{{result,score,max}}')::double precision AS result_score_max,
      {_postgresql_seconds("(b.body #>> '{result,duration}')")} AS result_duration_seconds,
      (b.body ->> 'timestamp')::timestamptz AS timestamp,
      {PG_TIME.format("s.created_at")} AS created_at,
      s.problem IS NOT NULL AS quarantined{OWNER}
    JOIN attempt a ON a.enrollment_id = e.id
    JOIN statement s ON s.attempt_id = a.id
    CROSS JOIN LATERAL (SELECT {PG_STATE.format("s.body")} AS body OFFSET 0) b"""
    return [_enrollment(PG_TIME, **values), _attempt(PG_TIME, **values), interaction, statement]


# SQLite

SQLITE_TIME = "strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000, 'unixepoch') || printf('.%03dZ', {0} % 1000)"
SQLITE_NUMBER = """CASE WHEN length({0}) <= 30 AND {0} NOT GLOB '*[^0-9.-]*' AND json_valid({0})
        THEN CAST({0} AS REAL) END"""
SQLITE_TEXT = "nullif(trim(json_extract(item.value, '$.{0}'), ' ' || char(9, 13, 10)), '')"
SQLITE_STRING = """CASE json_type(item.value, '$.{0}') WHEN 'text'
          THEN nullif(json_extract(item.value, '$.{0}'), '') END"""


def _sqlite_unit(text: str, unit: str, seconds: int) -> tuple[str, str]:
    """Return the seconds of the unit that a text begins with, if it does, and the condition of being written so."""
    position, digits = f"instr({text}, '{unit}')", "0-9." if unit == "S" else "0-9"
    part = f"substr({text}, 1, {position} - 1)"
    condition = (
        f"({position} = 0 OR {part} GLOB '[0-9]*' AND {part} NOT GLOB '*[^{digits}]*' AND {part} NOT GLOB '*.*.*'"
        f" AND {part} NOT GLOB '*.' AND {position} < 20)"
    )
    return f"CASE WHEN {position} THEN CAST({text} AS REAL) * {seconds} ELSE 0 END", condition


def _sqlite_seconds(text: str) -> str:
    """Return an expression for the seconds of a SCORM timespan or duration.

    Each LIMIT keeps SQLite from writing an expression out wherever the next level names it: of a duration's six parts
    each begins where the one before it ends.
    """
    units = [
        _sqlite_unit(*unit)
        for unit in (
            ("date1", "Y", 365 * 86_400), ("date2", "M", 30 * 86_400), ("date3", "D", 86_400),
            ("time1", "H", 3_600), ("time2", "M", 60), ("time3", "S", 1),
        )
    ]  # fmt: skip
    return f"""(SELECT CASE WHEN seconds <= {MAX_SECONDS} THEN seconds END FROM (SELECT CASE
        WHEN colon BETWEEN 2 AND 5 AND substr(text, 1, colon - 1) NOT GLOB '*[^0-9]*' AND length(text) < 20
          AND (rest GLOB '[0-9][0-9]:[0-9][0-9]'
            OR rest GLOB '[0-9][0-9]:[0-9][0-9].[0-9]*' AND substr(rest, 7) NOT GLOB '*[^0-9]*')
          THEN CAST(text AS INTEGER) * 3600 + CAST(rest AS INTEGER) * 60 + CAST(substr(rest, 4) AS REAL)
        WHEN substr(text, 1, 1) = 'P' AND substr(date3, instr(date3, 'D') + 1) = ''
          AND substr(time3, instr(time3, 'S') + 1) = '' AND {" AND ".join(condition for _, condition in units)}
          THEN {" + ".join(sum_ for sum_, _ in units)} END AS seconds
      FROM (SELECT *, substr(date2, instr(date2, 'M') + 1) AS date3, substr(time2, instr(time2, 'M') + 1) AS time3
      FROM (SELECT *, substr(date1, instr(date1, 'Y') + 1) AS date2, substr(time1, instr(time1, 'H') + 1) AS time2
      FROM (SELECT *, substr(text, 2, middle - 2) AS date1, substr(text, middle + 1) AS time1,
        substr(text, colon + 1) AS rest
      FROM (SELECT *, instr(text, ':') AS colon, instr(text || 'T', 'T') AS middle
      FROM (SELECT {text} AS text LIMIT 1) LIMIT 1) LIMIT 1) LIMIT 1) LIMIT 1) LIMIT 1))"""


def _sqlite_timestamp(text: str) -> str:
    """Return an expression for the time that a text says, null where it says none; in UTC unless it names a zone."""
    return f"""(SELECT CASE
        WHEN text GLOB '[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*'
          AND substr(text, 12, 2) < '24' AND strftime('%d', substr(text, 1, 10), '+0 days') = substr(text, 9, 2)
          AND text NOT GLOB '*[^0-9TZ:.+-]*'
        THEN strftime('%Y-%m-%dT%H:%M:%fZ', text) END
      FROM (SELECT {text} AS text LIMIT 1))"""


def _sqlite_list(collection: str, element: str) -> str:
    """Return an expression for what the entries of a numbered collection have for an element, in their order."""
    return f"""(SELECT nullif(json_group_array(text), '[]')
          FROM (SELECT json_extract(entry.value, '$.{element}') AS text
            FROM json_each(CASE json_type(item.value, '$.{collection}') WHEN 'object'
              THEN json_extract(item.value, '$.{collection}') END) entry
            WHERE json_extract(entry.value, '$.{element}') <> ''
            ORDER BY CAST(entry.key AS INTEGER)))"""


def _sqlite() -> list[str]:
    values = {"true": "1", "false": "0"}
    items = f"""
      SELECT
        a.id AS attempt_key,
        CAST(item.key AS INTEGER) AS interaction_index,
        a.uuid AS attempt_id,{WHOSE}
        a.number AS attempt_number,
        a.scorm_version,
        a.started_at,
        {SQLITE_STRING.format("id")} AS interaction_id,
        replace(replace(lower({SQLITE_TEXT.format("type")}), '_', '-'), ' ', '-') AS type_word,
        {SQLITE_STRING.format("description")} AS description,
        coalesce({SQLITE_STRING.format("learner_response")}, {SQLITE_STRING.format("student_response")}) AS response,
        {_sqlite_list("correct_responses", "pattern")} AS correct_responses,
        lower({SQLITE_TEXT.format("result")}) AS result_word,
        {SQLITE_TEXT.format("weighting")} AS weighting,
        {SQLITE_TEXT.format("latency")} AS latency,
        coalesce({SQLITE_TEXT.format("timestamp")}, {SQLITE_TEXT.format("time")}) AS time_text,
        {_sqlite_list("objectives", "id")} AS objectives{OWNER}
      JOIN attempt a ON a.enrollment_id = e.id
      JOIN json_each(a.state, '$.snapshot.interactions') item"""
    interaction = INTERACTION.format(
        **values,
        types=TYPES,
        items=items,
        result=SQLITE_NUMBER.format("i.result_word"),
        weighting=SQLITE_NUMBER.format("i.weighting"),
        latency=_sqlite_seconds("i.latency"),
        timestamp=_sqlite_timestamp("i.time_text"),
        started_at=SQLITE_TIME.format("i.started_at"),
    )
    body = "json_extract(s.body, '$.{0}')".format
    statement = f"""
    CREATE VIEW report_statement AS
    SELECT
      s.attempt_id AS attempt_key,
      s.position,
      s.id AS statement_id,
      a.uuid AS attempt_id,{WHOSE}
      s.session_id,
      s.commit_number,
      s.rule,
      s.verb AS verb_id,
      {body("object.id")} AS object_id,
      {body("object.definition.type")} AS object_type,
      {body("result.completion")} AS result_completion,
      {body("result.success")} AS result_success,
      CAST({body("result.score.scaled")} AS REAL) AS result_score_scaled,
      CAST({body("result.score.raw")} AS REAL) AS result_score_raw,
      CAST({body("result.score.min")} AS REAL) AS result_score_min,
      CAST({body("result.score.max")} AS REAL) AS result_score_max,
      {_sqlite_seconds(body("result.duration"))} AS result_duration_seconds,
      strftime('%Y-%m-%dT%H:%M:%fZ', {body("timestamp")}) AS timestamp,
      {SQLITE_TIME.format("s.created_at")} AS created_at,
      s.problem IS NOT NULL AS quarantined{OWNER}
    JOIN attempt a ON a.enrollment_id = e.id
    JOIN statement s ON s.attempt_id = a.id"""
    return [_enrollment(SQLITE_TIME, **values), _attempt(SQLITE_TIME, **values), interaction, statement]
