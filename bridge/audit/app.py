"""The audit pages put together: an application below `/audit` of the bridge's own."""

from __future__ import annotations

from aiohttp import web

from bridge.audit.access import auth_middleware, password_sign_in
from bridge.audit.access.concurrency_limits import LIMITER, ConcurrencyLimiter
from bridge.audit.components import background_jobs, render, sse
from bridge.audit.components.error_pages import error_pages
from bridge.audit.dependencies import DEPENDENCIES, AuditDependencies
from bridge.audit.routes import ROUTES
from bridge.http.forwarded import PROXIES, TrustedProxies
from bridge.http.front_page import LINKS
from bridge.http.responses import ServiceLink

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
    " object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

AUDIT_LINK = ServiceLink("Audit pages", "/audit/", "what was received, what became of it, and why; with a sign-in")


def create_audit(parts: AuditDependencies) -> web.Application:
    """Make the application."""
    app = web.Application(middlewares=[error_pages, auth_middleware.authorize, render.render_off_loop])
    app[DEPENDENCIES] = parts
    app[LIMITER] = ConcurrencyLimiter()
    app[PROXIES] = TrustedProxies(parts.settings.proxies)
    app[auth_middleware.ROUTE_TABLE] = {
        app.router.add_route(route.method, route.path, route.handler): route for route in ROUTES
    }
    render.set_up(app, ROUTES)
    sse.set_up(app)
    password_sign_in.set_up(app)
    background_jobs.set_up(app)
    app.on_response_prepare.append(_label)
    return app


def mount(app: web.Application, parts: AuditDependencies) -> None:
    """Add the audit pages to the bridge's application, under `/audit/`."""
    app[LINKS].insert(0, AUDIT_LINK)
    app.router.add_get("/audit", _to_start)
    app.add_subapp("/audit", create_audit(parts))


async def _to_start(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/audit/")


async def _label(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        # charts have a policy of their own, a stricter one
        response.headers.setdefault(name, value)
    # pages hold what only who is signed in may see: nothing on the way keeps them, nor the button that leads back
    response.headers.setdefault("Cache-Control", "no-store")
