"""All routes of the audit pages in one table."""

from __future__ import annotations

from bridge.audit import assets, live
from bridge.audit.pages import (
    deliveries,
    documents,
    learners,
    mapping_acts,
    mapping_trials,
    mappings,
    overview,
    refusals,
    reissues,
    signing_in,
    signing_in_elsewhere,
    statements,
    targets,
    timeline,
    trail,
)
from bridge.audit.route import Route

ROUTES: tuple[Route, ...] = (
    *assets.ROUTES,
    *live.ROUTES,
    *signing_in.ROUTES,
    *signing_in_elsewhere.ROUTES,
    *overview.ROUTES,
    *learners.ROUTES,
    *timeline.ROUTES,
    *statements.ROUTES,
    *documents.ROUTES,
    *deliveries.ROUTES,
    *refusals.ROUTES,
    *mapping_acts.ROUTES,
    *mapping_trials.ROUTES,
    *reissues.ROUTES,
    *mappings.ROUTES,
    *targets.ROUTES,
    *trail.ROUTES,
)

__all__ = ["ROUTES", "Route"]
