"""Open edX event-routing-backends at the same work: an event of comparable size transformed, then `to_json`.

Run by the Python of `make bench-tools`'s environment. Each line on standard input asks for one round; the answer is a
line with the microseconds that one event took. What it would look up in a database (the learner's anonymous id, the
course's name) is given to it at no cost.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import django
from django.conf import settings

EVENTS_A_ROUND = 100
COURSE = "course-v1:Example+Engines+2026"
BLOCK = "block-v1:Example+Engines+2026+type@problem+block@235"
SESSION = "b1a7e7a03f634b0e8a550d9a5c0e6b33"
EVENT: dict[str, Any] = {
    "name": "problem_check",
    "timestamp": "2026-01-01T00:00:00.000000+00:00",
    "event_source": "server",
    "session": SESSION,
    "context": {
        "course_id": COURSE,
        "user_id": 42,
        "username": "ada",
        "org_id": "Example",
        "path": f"/courses/{COURSE}/xblock/{BLOCK}/handler/xmodule_handler/problem_check",
        "session": SESSION,
        "host": "lms.example.org",
        "ip": "192.0.2.1",
        "agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36",
        "referer": f"https://lms.example.org/xblock/{BLOCK}",
        "module": {"display_name": "Engines", "usage_key": BLOCK},
    },
    "data": {
        "problem_id": BLOCK,
        "state": {"seed": 1, "student_answers": {}, "done": None, "correct_map": {}, "input_state": {"a_2_1": {}}},
        "answers": {"a_2_1": "choice_2"},
        "correct_map": {"a_2_1": {"correctness": "correct", "npoints": None, "msg": "", "hint": "", "hintmode": None}},
        "grade": 85,
        "max_grade": 100,
        "success": "correct",
        "attempts": 1,
        "submission": {
            "a_2_1": {
                "question": "Which engine?",
                "answer": "The analytical one",
                "response_type": "multiplechoiceresponse",
                "input_type": "choicegroup",
                "correct": True,
                "variant": "",
            }
        },
    },
}


def main() -> None:
    """Answer each line with the cost of an event."""
    logging.disable(logging.CRITICAL)
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "event_routing_backends"],
        LMS_ROOT_URL="https://lms.example.org",
        SECRET_KEY="only for measuring",
        XAPI_AGENT_IFI_TYPE="external_id",
    )
    django.setup()
    # both want Django to be set up
    from event_routing_backends.processors.xapi import transformer  # noqa: PLC0415
    from event_routing_backends.processors.xapi.registry import XApiTransformersRegistry  # noqa: PLC0415

    transformer.get_anonymous_user_id = lambda *_: "32e08e30-f8ae-4ce2-94a8-c2bfe38a70cb"
    transformer.get_course_from_id = lambda course: {"id": course, "display_name": "Engines"}
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(EVENTS_A_ROUND):
            XApiTransformersRegistry.get_transformer(EVENT).transform().to_json()
        print((time.perf_counter() - start) / EVENTS_A_ROUND * 1e6, flush=True)


if __name__ == "__main__":
    main()
