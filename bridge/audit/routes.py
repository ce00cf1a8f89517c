"""All routes of the audit pages in one table."""

from __future__ import annotations

from bridge.audit import assets, live
from bridge.audit.pages import learners, overview, signing_in, targets, timeline, trail
from bridge.audit.route import Route

ROUTES: tuple[Route, ...] = (
    *assets.ROUTES,
    *live.ROUTES,
    *signing_in.ROUTES,
    *overview.ROUTES,
    *learners.ROUTES,
    *timeline.ROUTES,
    *targets.ROUTES,
    *trail.ROUTES,
)

__all__ = ["ROUTES", "Route"]
