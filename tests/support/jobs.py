"""The background jobs of the audit pages."""

from __future__ import annotations

from bridge.audit.components.background_jobs import JOB_RUNNER, JobRunner
from tests.support.bridge import Bridge


def jobs_of(bridge: Bridge) -> JobRunner:
    """Return what the audit pages of a bridge have running in the background."""
    assert bridge.client.app is not None
    apps = (getattr(resource, "_app", None) for resource in bridge.client.app.router.resources())
    (jobs,) = (app[JOB_RUNNER] for app in apps if app is not None and JOB_RUNNER in app)
    return jobs
