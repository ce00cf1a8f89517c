"""Problem responses (RFC 9457), which scorm-again understands as a failed commit too."""

from __future__ import annotations

import msgspec
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.typedefs import Handler
from msgspec import UNSET
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from bridge.database import describe_error, log_failure
from bridge.errors import BridgeError, DatabaseUnavailable, InsufficientScope, NotProcessed
from bridge.http.responses import ProblemResponse
from bridge.http.services import SERVICES
from bridge.request_id import REQUEST_ID_HEADER, current_request_id
from storage.database_files import DatabaseFileLostError

log = structlog.get_logger(__name__)

MAX_HEADER_LINE = 8190
"""Bytes of a request line or header that aiohttp takes."""

SERVER = "scorm-bridge"
"""What every response says in `Server`: no version of anything."""

HANDLED_ERRORS = (BridgeError, OperationalError, InterfaceError, DatabaseFileLostError)
"""What `as_bridge_error` takes."""


def as_bridge_error(error: BridgeError | OperationalError | InterfaceError | DatabaseFileLostError) -> BridgeError:
    """Return the `BridgeError` of an error, whoever raised it."""
    if isinstance(error, BridgeError):
        return error
    log_failure(log, "request_without_database", error)
    return DatabaseUnavailable("The database does not answer; try again.", retry_after=2)


def problem_response(error: BridgeError) -> web.Response:
    """Return the response to an error."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, InsufficientScope):
        headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{error.scope}"'
    if error.status == 415:
        headers["Accept-Encoding"] = "gzip, deflate"
    return _response(error.status, error.code, error.title, error.detail, headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Return a problem for everything that is raised. Nothing that a client sends is answered with 500."""
    try:
        return await handler(request)
    except HANDLED_ERRORS as raised:
        error = as_bridge_error(raised)
        _note(request, error.status, error.code, error.detail)
        return problem_response(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _of_aiohttp(request, error)
    except DBAPIError as error:
        log.error("request_not_processed", error=describe_error(error))  # noqa: TRY400 -- its own words hold rows' values
        return _not_processed(request)
    except Exception:
        log.exception("request_not_processed")
        return _not_processed(request)


def unreadable_request(status: int, error: BaseException | None) -> web.Response:
    """Return the response to what cannot be read as HTTP (400), or to a fault of the bridge outside of every handler.

    Neither it nor the log repeats what came: it may hold a token.
    """
    headers = {"Server": SERVER}
    if current_request_id():
        headers[REQUEST_ID_HEADER] = current_request_id()
    if status == 400 and isinstance(error, HttpProcessingError):
        log.info("request_unreadable", fault=type(error).__name__)
        detail = (
            f"A line of the request's head is longer than {MAX_HEADER_LINE:,} bytes."
            if isinstance(error, LineTooLong)
            else "What was sent is not an HTTP request as RFC 9112 describes it; check the request line and headers."
        )
        return _response(400, "unreadable-request", "The request cannot be read", detail, headers)
    log.error("request_not_processed", exc_info=error)
    detail = "The request failed because of an error of the bridge; it is logged."
    return _response(503, NotProcessed.code, NotProcessed.title, detail, headers | {"Retry-After": "60"})


def _not_processed(request: web.Request) -> web.Response:
    error = NotProcessed("The request failed because of an error of the bridge; it is logged.", retry_after=60)
    _note(request, error.status, error.code, error.detail)
    return problem_response(error)


def _note(request: web.Request, status: int, code: str, detail: str) -> None:
    parts = request.config_dict.get(SERVICES)
    if parts is not None:
        parts.refusals.note_problem(request, status, code, detail)


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.method} is not for this address; it takes {allowed}."
        return _refuse(request, 405, "method-not-allowed", "The method is not allowed here", detail, {"Allow": allowed})
    if error.status == 404:
        detail = f"{request.path} leads nowhere."
        return _refuse(request, 404, "no-such-address", "There is nothing at this address", detail, {})
    if error.status == 408:
        response = _refuse(request, 408, "request-timeout", "The request took too long", error.text or error.reason, {})
        response.force_close()
        return response
    return _refuse(request, error.status, "bad-request", error.reason, error.text or error.reason, {})


def _refuse(
    request: web.Request, status: int, code: str, title: str, detail: str, headers: dict[str, str]
) -> web.Response:
    _note(request, status, code, detail)
    return _response(status, code, title, detail, headers)


def _response(status: int, code: str, title: str, detail: str, headers: dict[str, str]) -> web.Response:
    request_id = current_request_id()
    response = ProblemResponse(
        f"urn:scorm-xapi-bridge:problem:{code}", title, status, detail, code, request_id or UNSET
    )
    return web.Response(
        body=msgspec.json.encode(response), status=status, content_type="application/problem+json", headers=headers
    )
