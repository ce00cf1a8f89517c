"""SCOs of one package whose player posts them all to one address: each is an activity of its own (SCORM 1.2 RTE 3.3).

The session that the LMS opened takes the values of one of them. Those of any other go to a session of that SCO's own,
whose id follows from both, so that each post finds it again.
"""

from __future__ import annotations

import uuid

from bridge.commit_model.launch import Launch, LaunchActivity, LaunchCourse, LaunchLearner
from bridge.commits.session_cache import CachedSession
from mappings.attempt.launch import LaunchData


def session_of(session_id: str, sco: str) -> str:
    """Return the id of the session that takes the values of another SCO than the session's own."""
    return str(uuid.uuid5(uuid.UUID(session_id), sco))


def launch_of(session: CachedSession, sco: str) -> Launch:
    """Return what that session is opened with: the same learner and course, and the SCO as activity.

    Where the LMS named no course, the activity that it opened is the package, and the course of its SCOs.
    """
    owner, launch_data = session.attempt.row.enrollment, session.state.launch
    version = launch_data.scorm_version
    course = LaunchCourse(owner.course_id, owner.course_name)
    if not owner.course_id:
        course = LaunchCourse(owner.activity_id, owner.activity_name)
    return Launch(
        lms_id=owner.lms_id,
        learner=LaunchLearner(owner.learner_id, owner.learner_name),
        activity=LaunchActivity(sco, "", ""),
        course=course,
        scorm_version=version,
        data=LaunchData(scorm_version=version, mode=launch_data.mode, credit=launch_data.credit, of_package=True),
    )
