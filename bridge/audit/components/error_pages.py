"""What goes wrong, told on a page, in words."""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError

from bridge.audit.components.render import page
from bridge.database import describe_error
from bridge.errors import BridgeError
from storage.queries.keyset import CursorError

log = structlog.get_logger(__name__)

_WORDS = {
    400: ("This cannot be read", "Something in the address or the form is not as it should be."),
    401: ("Please sign in", "This page is for people who have signed in."),
    403: ("You may not do this", "Your account's role does not allow it."),
    404: ("There is nothing here", "The address leads nowhere. It may have been cut short when it was copied."),
    405: ("This address is not for that", "It can be looked at or posted to, but not in the way that was tried."),
    413: ("This is too large", "It is more than the bridge takes at once."),
    429: ("Too many tries", "Wait a little, then try again."),
    500: ("The bridge has failed", "This is an error of the bridge itself. It is in its log."),
    503: ("The database does not answer", "Nothing was changed. Try again in a little while."),
}


@web.middleware
async def error_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn everything that is raised into a page."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return error_page(request, error.status, _own_words(error), _kept(error))
    except BridgeError as error:
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return error_page(request, error.status, error.detail, headers)
    except CursorError as error:
        return error_page(request, 400, str(error))
    except (DBAPIError, UnicodeEncodeError) as error:
        return _of_database(request, error)
    except Exception:
        log.exception("page_not_made", path=request.path)
        return error_page(request, 500)


def _of_database(request: web.Request, error: DBAPIError | UnicodeEncodeError) -> web.Response:
    if isinstance(error, (DataError, UnicodeEncodeError)):  # text that no database holds: NUL, half a character
        return error_page(request, 400)
    if isinstance(error, (OperationalError, InterfaceError)):
        log.error("database_unavailable", error=describe_error(error))
        return error_page(request, 503, "", {"Retry-After": "2"})
    log.error("page_not_made", path=request.path, error=describe_error(error))  # its own words hold rows' values
    return error_page(request, 500)


def error_page(
    request: web.Request, status: int, detail: str = "", headers: dict[str, str] | None = None
) -> web.Response:
    """Make the page for a status; `detail` is told in place of what such pages generally say."""
    title, general = _WORDS.get(status, ("This did not work", "The bridge could not do what was asked."))
    response = page(request, "error.html", status=status, title=title, detail=detail or general, code=status)
    response.headers.update(headers or {})
    return response.written()


def _own_words(error: web.HTTPException) -> str:
    """Return what was said where it was raised: aiohttp itself says the status and its name."""
    text = error.text or ""
    return "" if text == f"{error.status}: {error.reason}" else text


def _kept(error: web.HTTPException) -> dict[str, str]:
    kept = {name: error.headers[name] for name in ("Allow", "Retry-After", "WWW-Authenticate") if name in error.headers}
    # RFC 9110 wants one with each 401, and there is no registered scheme for a form
    return kept | ({"WWW-Authenticate": 'Form realm="audit"'} if error.status == 401 else {})
