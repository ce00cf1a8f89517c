"""All routes of the audit pages in one table."""

from __future__ import annotations

from bridge.audit.access.auth_middleware import Route
from bridge.audit.components import assets, sse
from bridge.audit.pages import (
    alerts,
    audit_log,
    backfills,
    browser_keys,
    deliveries,
    documents,
    erasures,
    learners,
    lms,
    mapping_actions,
    mapping_preview,
    mappings,
    oidc,
    overview,
    recordings,
    refusals,
    reissues,
    search,
    sign_in,
    statements,
    subjects,
    targets,
    timeline,
    webhooks,
)

ROUTES: tuple[Route, ...] = (
    *assets.ROUTES,
    *sse.ROUTES,
    *sign_in.ROUTES,
    *oidc.ROUTES,
    *overview.ROUTES,
    *alerts.ROUTES,
    *search.ROUTES,
    *learners.ROUTES,
    *subjects.ROUTES,
    *timeline.ROUTES,
    *recordings.ROUTES,
    *statements.ROUTES,
    *documents.ROUTES,
    *deliveries.ROUTES,
    *refusals.ROUTES,
    *mapping_actions.ROUTES,
    *mapping_preview.ROUTES,
    *reissues.ROUTES,
    *mappings.ROUTES,
    *targets.ROUTES,
    *backfills.ROUTES,
    *lms.ROUTES,
    *browser_keys.ROUTES,
    *webhooks.ROUTES,
    *erasures.ROUTES,
    *audit_log.ROUTES,
)

__all__ = ["ROUTES", "Route"]
