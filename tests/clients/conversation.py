"""What an LMS does with the generated Python client; run by the Python of the generator's environment.

`conversation.py DIRECTORY URL TOKEN`: DIRECTORY holds the generated package `bridge_client`. Prints JSON of what came.
"""

from __future__ import annotations

import json
import sys
import uuid


def talk(url: str, token: str) -> dict[str, object]:
    from bridge_client import AuthenticatedClient  # noqa: PLC0415 -- it is generated, and found only now
    from bridge_client.api.commits import post_all_in_one, post_commit, post_progress  # noqa: PLC0415
    from bridge_client.api.results import get_attempt, get_enrollments  # noqa: PLC0415
    from bridge_client.api.service import get_description, is_alive, is_ready  # noqa: PLC0415
    from bridge_client.api.sessions import get_session, open_session  # noqa: PLC0415
    from bridge_client.models import (  # noqa: PLC0415
        ActivityFields,
        AllInOneBody,
        AllInOneBodyCmiType0,
        CompletionStatus,
        LearnerFields,
        OpenSessionBody,
        ProgressBody,
        ProgressBodyCmiDataType0,
    )

    completed = {"core": {"lesson_status": "completed", "score": {"raw": "85"}}}
    with AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True) as client:
        opened = open_session.sync(
            client=client, body=OpenSessionBody(learner=LearnerFields(id="u1", name="Ada"), activity="235")
        )
        stored = post_commit.sync(opened.session_id, client=client, body={"cmi": completed})
        attempt = get_attempt.sync(opened.attempt.id, client=client)
        session = get_session.sync(opened.session_id, client=client)
        launched = post_all_in_one.sync(
            client=client,
            body=AllInOneBody(
                learner="u2",
                activity=ActivityFields(id="236"),
                scorm_version=1.2,
                cmi=AllInOneBodyCmiType0.from_dict(completed),
            ),
            idempotency_key="first",
        )
        progress = post_progress.sync(
            "237", client=client, body=ProgressBody(user="u3", cmi_data=ProgressBodyCmiDataType0.from_dict(completed))
        )
        enrollments = get_enrollments.sync(client=client, learner="u2", completion=CompletionStatus.COMPLETED, limit=5)
        unchanged = get_enrollments.sync(client=client, since=get_enrollments.sync(client=client).next_)
        unknown = get_session.sync(uuid.uuid4(), client=client)
        return {
            "entry": opened.attempt.entry,
            "commit_url": opened.commit_url,
            "stored": stored,
            "attempt": attempt.to_dict(),
            "session": session.to_dict(),
            "launched": launched.to_dict(),
            "progress": progress.to_dict(),
            "enrolled": [enrollment.learner.id for enrollment in enrollments.enrollments],
            "unchanged": [len(unchanged.enrollments), unchanged.more],
            "unknown": unknown.to_dict(),
            "alive": is_alive.sync(client=client).status,
            "ready": is_ready.sync(client=client).status,
            "title": get_description.sync(client=client).to_dict()["info"]["title"],
        }


if __name__ == "__main__":
    directory, url, token = sys.argv[1:]
    sys.path.insert(0, directory)
    json.dump(talk(url, token), sys.stdout)
