"""What a batch works on, loaded and locked together, and the session that each of its commands is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace
from sqlalchemy import Connection

from bridge.clock import NewId, time_ordered_id
from bridge.commit_model.launch import Launch
from bridge.commits.commands import Command, StoreCommit
from bridge.commits.dependencies import LearnerDigest
from bridge.commits.enrollment_details import mbox_of, update_details
from bridge.commits.identity_map import IdentityMap
from bridge.commits.launch_sources import joins, take_over
from bridge.commits.package_scos import launch_of, session_of
from bridge.commits.session_cache import CachedAttempt, CachedEnrollment, CachedSession
from bridge.errors import LearnerErased, SessionMismatch, SessionUnknown
from mappings.attempt.commit import PriorCommit, ReceivedCommit
from mappings.attempt.launch import BROWSER, LaunchData
from mappings.attempt.opening import open_session as begin_session
from mappings.attempt.precedence import leads
from mappings.attempt.resuming import Resume, goes_on
from mappings.attempt.state import AttemptState, Ending, SessionState
from mappings.definition.model import Identifier
from storage import attempts, journal
from storage.attempts import Attempt, Enrollment, EnrollmentKey, Session, course_of
from storage.change_set import ActivityList, ChangeSet, CourseKey, store_course_registrations
from storage.new_enrollments import NewEnrollment
from storage.states import AttemptStatus, SessionSource

REPEAT_WINDOW = 60_000
"""Milliseconds within which the same bytes, sent without a session id, are the same commit."""


class UnitOfWork:
    """Loads what a batch needs in few queries, then finds or opens the session of each request.

    `identifier` tells how an LMS's learners are known in statements, `learner_digest` what stands for one among those
    who are refused.
    """

    def __init__(
        self,
        connection: Connection,
        new_id: NewId,
        now: int,
        identifier: Callable[[int], Identifier],
        learner_digest: LearnerDigest,
    ) -> None:
        self._connection = connection
        self._identifier = identifier
        self._learner_digest = learner_digest
        self._new_id = new_id
        self._now = now
        self._rows = IdentityMap(connection)
        self._by_key: dict[EnrollmentKey, Enrollment] = {}
        self._routes: dict[tuple[str, str], tuple[str, Launch]] = {}
        self._registrations: dict[CourseKey, str] = {}
        self._latest: dict[int, CachedAttempt] = {}
        self._starts = 0
        self._free_ids: list[int] = []

    @property
    def enrollment_ids(self) -> set[int]:
        """Return the ids of the enrollments that are loaded."""
        return {*self._rows.enrollments}

    def load(
        self, enrollments: Iterable[CachedEnrollment], commands: Sequence[Command], *, launching: bool = True
    ) -> None:
        """Load and lock everything that the session ids of commands are about, and when `launching`, their launches.

        `enrollments` are locked already and need not be loaded.
        """
        for enrollment in enrollments:
            self._rows.add_cached(enrollment)
        named = [command.session_id for command in commands if command.session_id is not None]
        self._rows.load_sessions(named)
        starting = [
            command.launch
            for command in commands
            if launching and command.launch is not None and command.session_id not in self._rows.sessions
        ]
        for command in commands:
            if isinstance(command, StoreCommit) and command.scos:
                starting += self._resolve_route(command)
        named += [session_id for session_id, _ in self._routes.values()]
        # each of them starts one attempt at most
        self._starts += len(starting)
        if not starting:
            return
        keys = self._keys(starting)
        launches = {keys[launch.key]: launch for launch in starting}
        rows = attempts.ensure_enrollments(
            self._connection, [self._new(launch, key) for key, launch in launches.items()], self._now
        )
        for launch_key, key in keys.items():
            row = rows.get(key)
            if row is None:
                continue  # the learner was erased, and is refused
            self._by_key[launch_key] = owner = self._rows.enrollments.setdefault(row.id, row)
            owner.course_registration = row.course_registration
        # another process may have opened a session while its enrollment's lock was waited for
        self._rows.load_sessions(named)
        latest = attempts.latest_attempts(
            self._connection, [*{owner.id: owner for owner in self._by_key.values()}.values()]
        )
        for enrollment_id, attempt in latest.items():
            self._latest[enrollment_id] = self._rows.add_attempt(attempt)

    def route(self, session_id: str, sco: str) -> tuple[str, Launch | None]:
        """Return the session that takes a SCO's values, and what it is opened with where it is another one."""
        return self._routes.get((session_id, sco), (session_id, None))

    def find_session(self, session_id: str, lms_id: int | None, launch: Launch | None) -> CachedSession | None:
        """Return a session that is known.

        Raises:
            SessionUnknown: it belongs to another LMS.
            SessionMismatch: it belongs to another learner, activity or course of this LMS.
        """
        session = self._rows.sessions.get(session_id)
        if session is None:
            return None
        owner = session.attempt.row.enrollment
        if lms_id is not None and owner.lms_id != lms_id:
            raise SessionUnknown.named(session_id)
        if launch is not None and not launch.may_mean(owner.key):
            # who learners are stays out of the log
            meant = f"{launch.activity.id!r}{_in_course(launch.course.id)}"
            bound_to = f"activity {owner.activity_id!r}{_in_course(owner.course_id)}, not with {meant}"
            raise SessionMismatch(
                f"Session {session_id} is one"
                f" {'of another learner' if launch.learner.id != owner.learner_id else f'with {bound_to}'};"
                " leave the session id out to get a new one."
            )
        return session

    def current_session(self, launch: Launch) -> CachedSession | None:
        """Return the session that the enrollment's latest attempt has open, for commits that name none.

        What the LMS's server sends goes on with none of a page's, and the other way round.
        """
        attempt = self._meant(launch)
        if attempt is None:
            return None
        source = SessionSource.BROWSER if launch.data.source == BROWSER else SessionSource.SERVER
        for session in self._rows.sessions.values():
            if session.attempt is attempt and session.row.ended is None and session.row.source == source:
                return session
        row = None if attempt.row.new else attempts.open_session(self._connection, attempt.row, source)
        # one that this batch has ended already still is open in the database
        return None if row is None or row.session_id in self._rows.sessions else self._rows.add_session(row, attempt)

    def repeated_session(self, launch: Launch, received: ReceivedCommit) -> CachedSession | None:
        """Return the ended session whose commit is sent once more without naming it.

        Same idempotency key, or same bytes shortly after: an answer that was lost must not begin another attempt.
        """
        attempt = self._meant(launch)
        if attempt is None:
            return None
        is_page = launch.data.source == BROWSER
        sessions = [
            session
            for session in self._rows.sessions.values()
            if session.attempt is attempt and (session.row.source == SessionSource.BROWSER) is is_page
        ]
        begun_here = any(session.row.new for session in sessions)
        row = None if begun_here else attempts.newest_session(self._connection, attempt.row, of_page=is_page)
        if row is not None and row.session_id not in self._rows.sessions:
            sessions.append(self._rows.add_session(row, attempt))
        for session in sessions:
            is_recent = received.received_at - (session.row.last_commit_at or 0) <= REPEAT_WINDOW
            for prior in self.prior_commits(session, received):
                has_same_key = prior.idempotency_key is not None and prior.idempotency_key == received.idempotency_key
                is_same = received.idempotency_key is None and prior.digest == received.digest
                if has_same_key or (is_recent and is_same):
                    return session
        return None

    def open_session(
        self, launch: Launch, session_id: str | None, resume: Resume, *, launching: bool = False
    ) -> CachedSession:
        """Open a session: on the attempt it names, on the latest one if that goes on, else on a new attempt.

        One that is to record nothing (a review, a browse) is opened on the latest attempt that has something to show.
        `launching` says that the LMS opens it, and not its first commit.
        """
        owner = self._owner(launch)
        at = self._now if launch.past is None else launch.past.opened_at
        update_details(owner, launch, self._identifier(launch.lms_id), opening=True)
        latest = self._latest.get(owner.id)
        joined = None if latest is None or launch.fresh or not joins(latest, launch, at) else latest
        if launch.attempt_number is not None:
            attempt = self._numbered(launch, owner)
        elif launch.data.records:
            attempt = latest if latest is not None and (joined or _goes_on(latest, launch, resume)) else None
        else:
            attempt = self._rows.latest_begun_attempt(owner) or latest
        if attempt is None:
            number = launch.attempt_number or (latest.row.number + 1 if latest else 1)
            attempt = self._add_attempt(owner, number, launch)
        if latest is None or attempt.row.number > latest.row.number:
            self._latest[owner.id] = attempt
        if launch.scorm_version is not None and attempt.state.commits == 0:
            attempt.row.scorm_version = launch.scorm_version
        before, data = attempt.state, self._registered(owner, launch.data)
        if attempt.state.browser_base is not None and leads(data):
            data = replace(data, joins=joins(attempt, launch, at))
            take_over(attempt, self._rows.attempts_of(owner))
        prior_total_time = (latest or attempt).state.client_total_time
        attempt.state, state = begin_session(
            before,
            data,
            launched_at=at if launching or launch.past is not None else 0,
            prior_total_time=owner.total_time if prior_total_time is None else prior_total_time,
        )
        attempt.row.changed = True
        entry = _entry(attempt, state)
        its_id = session_id or time_ordered_id(self._now, self._new_id())
        source = SessionSource(launch.data.source if launch.past is None else SessionSource.IMPORT).value
        row = Session(its_id, attempt.row, entry, "", at, source, changed=True, new=True)
        session = self._rows.sessions[row.session_id] = CachedSession(row, attempt, state)
        return session

    def overlapping_sessions(self, session: CachedSession) -> list[CachedSession]:
        """Return the learner's earlier sessions of the activity that have commits and have not ended.

        A page's session overlaps none of the LMS's server's.
        """
        owner, is_browser = session.attempt.row.enrollment, session.row.source == SessionSource.BROWSER
        self._rows.load_sessions(attempts.open_session_ids(self._connection, owner))
        began = session.row.started_at, session.state.number
        return [
            other
            for other in self._rows.sessions.values()
            if other.attempt.row.enrollment is owner
            and other is not session
            and other.row.ended is None
            and other.row.commits > 0
            and (not is_browser or other.row.source == SessionSource.BROWSER)
            and (other.row.started_at, other.state.number) < began
        ]

    def load_best_of_others(self, attempt: CachedAttempt) -> None:
        """Set what an attempt that another one has followed knows of the best score of all others."""
        attempt.state = replace(attempt.state, best_of_others=self._rows.best_of_others(attempt))

    def share_best(self, attempt: CachedAttempt) -> None:
        """Update what the enrollment's latest attempt knows of an earlier one's score, which may have changed."""
        owner = attempt.row.enrollment
        latest = self._rows.numbered_attempt(owner, owner.latest_attempt)
        if latest is not None and latest is not attempt:
            latest.state = replace(latest.state, best_of_others=self._rows.best_of_others(latest))
            latest.row.changed = True

    def prior_commits(self, session: CachedSession, received: ReceivedCommit) -> list[PriorCommit]:
        """Return the session's commits that an arriving one may repeat, this batch's included."""
        stored: list[PriorCommit] = []
        if session.row.commits > len(session.fresh):
            stored = [
                PriorCommit(*entry)
                for entry in journal.earlier(
                    self._connection,
                    session.row.session_id,
                    digest=received.digest,
                    sequence=received.commit.sequence,
                    idempotency_key=received.idempotency_key,
                )
            ]
        return stored + session.fresh

    def first_response(self, session: CachedSession, number: int) -> str | None:
        """Return the answer that a commit got, None where it was removed as it had become old."""
        fresh = session.responses.get(number)
        return journal.response(self._connection, session.row.session_id, number) if fresh is None else fresh

    def last_number(self, session: CachedSession) -> int:
        """Return the number of the session's last commit that repeats no other."""
        if session.fresh:
            return session.fresh[-1].number
        return journal.last_number(self._connection, session.row.session_id)

    def begun_attempts(self, owner: Enrollment) -> list[tuple[str, int]]:
        """Return UUID and number of the enrollment's attempts that have commits, in their order."""
        return self._rows.begun_attempts(owner)

    def completion_statuses(self, owner: Enrollment) -> dict[int, str | None]:
        """Return, by id, how far the loaded enrollments of an enrollment's learner have come."""
        return {
            row.id: row.completion_status
            for row in self._rows.enrollments.values()
            if row.lms_id == owner.lms_id and row.learner_id == owner.learner_id
        }

    def activity_lists(self, owner: Enrollment) -> list[ActivityList]:
        """Return the lists of the activities in an enrollment's course that are to be stored, its own at the end."""
        rows = [
            row
            for row in self._rows.enrollments.values()
            if row is not owner
            and (row.lms_id, row.learner_id, course_of(row)) == (owner.lms_id, owner.learner_id, course_of(owner))
        ]
        return [
            (row.activity_list, row.activity_list_digest) for row in (*rows, owner) if row.activity_list is not None
        ]

    def changes(self) -> ChangeSet:
        """Return what changed, to be stored; registrations are stored at once."""
        store_course_registrations(self._connection, self._registrations)
        return self._rows.changes()

    def open_enrollments(self) -> list[CachedEnrollment]:
        """Return what is worth caching once all this is stored."""
        return self._rows.open_enrollments()

    def _owner(self, launch: Launch) -> Enrollment:
        """Return the enrollment of a launch.

        Raises:
            LearnerErased: the learner was erased, and is refused.
        """
        owner = self._by_key.get(launch.key)
        if owner is None:
            raise LearnerErased(
                "This learner was erased here, and nothing more is taken of them. Who has to take it all the same runs"
                " `scorm-bridge erase` again with `--later accept`."
            )
        return owner

    def _meant(self, launch: Launch) -> CachedAttempt | None:
        """Return the attempt that a commit without a session id is about: the one it numbers, else the latest."""
        owner = self._owner(launch)
        return self._latest.get(owner.id) if launch.attempt_number is None else self._numbered(launch, owner)

    def _add_attempt(self, owner: Enrollment, number: int, launch: Launch) -> CachedAttempt:
        past = launch.past
        if not self._free_ids:
            self._free_ids = attempts.new_attempt_ids(self._connection, self._starts)
        row = Attempt(
            self._free_ids.pop(0),
            self._new_id() if past is None else past.attempt_id,
            owner,
            number,
            launch.scorm_version,
            AttemptStatus.ACTIVE.value,
            "",
            self._now if past is None else past.opened_at,
            changed=True,
            new=True,
        )
        attempt = self._rows.attempts[row.id] = CachedAttempt(row, AttemptState())
        return attempt

    def _numbered(self, launch: Launch, owner: Enrollment) -> CachedAttempt | None:
        return self._rows.numbered_attempt(owner, launch.attempt_number or 0)

    def _keys(self, launches: Iterable[Launch]) -> dict[EnrollmentKey, EnrollmentKey]:
        """Return the keys of the enrollments that are meant, by the launches' keys, in the launches' order.

        A launch that leaves the course out is of a course of its own, unless the learner has the activity in exactly
        one course: then the LMS named it before and does not name it again.
        """
        keys: dict[EnrollmentKey, EnrollmentKey] = {}
        without_course = {launch.key[:3] for launch in launches if not launch.course.id}
        known_courses = attempts.known_courses(self._connection, without_course)
        for launch in launches:
            lms_id, learner_id, activity_id, course_id = launch.key
            courses = known_courses.setdefault((lms_id, learner_id, activity_id), set())
            if launch.key not in keys:
                if not course_id and len(courses) == 1:
                    (course_id,) = courses
                keys[launch.key] = lms_id, learner_id, activity_id, course_id
            courses.add(keys[launch.key][3])
        return keys

    def _resolve_route(self, command: StoreCommit) -> list[Launch]:
        """Route a SCO's values to their session; return what that is opened with where it is another one.

        An activity is the SCO that has its id, else the first one that was posted to it, by whichever learner.
        """
        session_id, (sco, *other_scos) = command.session_id or "", command.scos
        session = self._rows.sessions.get(session_id)
        owner = None if session is None else session.attempt.row.enrollment
        if session is None or owner is None or command.lms_id not in {None, owner.lms_id} or not sco:
            return []
        owner_sco = owner.sco
        if sco == owner.activity_id:
            owner_sco = sco
        elif not owner_sco and owner.activity_id not in other_scos:
            owner_sco = attempts.sco_of(self._connection, owner) or sco
        if owner_sco != owner.sco:
            owner.sco, owner.changed = owner_sco, True
        if sco == owner_sco:
            return []
        launch = launch_of(session, sco)
        self._routes[session_id, sco] = session_of(session_id, sco), launch
        return [launch]

    def _registered(self, owner: Enrollment, data: LaunchData) -> LaunchData:
        """Return launch data with the registration that the LMS gave: now, or before with any activity of the course.

        It stays the session's, whatever the LMS gives later: a replay then generates the same.
        """
        key = owner.lms_id, owner.learner_id, attempts.course_of(owner)
        registration = self._registrations.get(key, owner.course_registration)
        if data.registration is not None and data.registration != registration:
            registration = self._registrations[key] = data.registration
        owner.course_registration = registration
        return data if data.registration == registration else replace(data, registration=registration)

    def _new(self, launch: Launch, key: EnrollmentKey) -> NewEnrollment:
        return NewEnrollment(
            lms_id=launch.lms_id,
            learner_id=launch.learner.id,
            activity_id=launch.activity.id,
            registration=self._new_id() if launch.past is None else launch.past.registration,
            learner_name=launch.learner.name,
            activity_name=launch.activity.name,
            activity_type=launch.activity.type,
            course_id=key[3],
            course_name=launch.course.name,
            digest=self._learner_digest(launch.lms_id, launch.learner.id),
            learner_attributes=launch.learner.attributes,
            learner_mbox=mbox_of(self._identifier(launch.lms_id), launch),
            activity_description=launch.activity.description or None,
            course_description=launch.course.description or None,
        )


def _in_course(course_id: str) -> str:
    return f" in course {course_id!r}" if course_id else ""


def _goes_on(latest: CachedAttempt, launch: Launch, resume: Resume) -> bool:
    version = latest.state.snapshot.scorm_version or latest.row.scorm_version or launch.scorm_version
    return goes_on(latest.state, "2004" if version == "2004" else "1.2", Resume.NEVER if launch.fresh else resume)


def _entry(attempt: CachedAttempt, session: SessionState) -> str:
    """Return `cmi.entry` (SCORM 2004 RTE 4th edition 4.2.8): empty where a finished attempt is looked at."""
    if not session.resumes:
        return "ab-initio"
    return "resume" if session.records or attempt.state.ended != Ending.TERMINATED else ""
