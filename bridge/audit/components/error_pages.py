"""Pages for errors."""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError

from bridge.audit.components.render import render_page
from bridge.database import describe_error, log_failure
from bridge.errors import BridgeError
from storage.queries.keyset import CursorError

log = structlog.get_logger(__name__)

_WORDS = {
    400: ("Bad request", "Something in the address or the form is not valid."),
    401: ("Please sign in", "You must be signed in to see this page."),
    403: ("Not allowed", "The role of your account does not allow this."),
    404: ("Page not found", "There is no page at this address. It may have been copied incompletely."),
    405: ("Method not allowed", "This address does not support this kind of request."),
    413: ("Too large", "The request is larger than the bridge accepts."),
    429: ("Too many requests", "Wait a moment, then try again."),
    500: ("Internal error", "This is an error of the bridge. Its log says more."),
    503: ("Database unavailable", "The database does not answer. Nothing was changed. Try again in a moment."),
}


@web.middleware
async def error_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Return a page for whatever is raised."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return error_page(request, error.status, _detail(error), _headers(error))
    except BridgeError as error:
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return error_page(request, error.status, error.detail, headers)
    except CursorError as error:
        return error_page(request, 400, str(error))
    except (DBAPIError, UnicodeEncodeError) as error:
        return _database_error_page(request, error)
    except Exception:
        log.exception("page_not_made", path=request.path)
        return error_page(request, 500)


def _database_error_page(request: web.Request, error: DBAPIError | UnicodeEncodeError) -> web.Response:
    if isinstance(error, (DataError, UnicodeEncodeError)):  # text that no database holds: NUL, half a character
        return error_page(request, 400)
    if isinstance(error, (OperationalError, InterfaceError)):
        log_failure(log, "page_without_database", error)
        return error_page(request, 503, "", {"Retry-After": "2"})
    log.error("page_not_made", path=request.path, error=describe_error(error))  # its own words hold rows' values
    return error_page(request, 500)


def error_page(
    request: web.Request, status: int, detail: str = "", headers: dict[str, str] | None = None
) -> web.Response:
    """Return the page for a status; `detail` replaces its general text."""
    title, general = _WORDS.get(status, ("Request failed", "The bridge could not do this."))
    response = render_page(request, "error.html", status=status, title=title, detail=detail or general, code=status)
    response.headers.update(headers or {})
    return response.rendered()


def _detail(error: web.HTTPException) -> str:
    """Return the text that it was raised with; aiohttp's own is the status and its name."""
    text = error.text or ""
    return "" if text == f"{error.status}: {error.reason}" else text


def _headers(error: web.HTTPException) -> dict[str, str]:
    headers = {
        name: error.headers[name] for name in ("Allow", "Retry-After", "WWW-Authenticate") if name in error.headers
    }
    # RFC 9110 wants one with each 401, and there is no registered scheme for a form
    return headers | ({"WWW-Authenticate": 'Form realm="audit"'} if error.status == 401 else {})
