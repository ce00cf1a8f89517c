"""What is remembered of an enrollment over all its attempts. Stored as JSON with the enrollment's row."""

from __future__ import annotations

import msgspec


class EnrollmentState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One enrollment. `fired_rules` names the once-an-enrollment rules that made their statement."""

    fired_rules: tuple[str, ...] = ()


NEW_ENROLLMENT = EnrollmentState()
