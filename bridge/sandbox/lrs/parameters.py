"""Reading what a request carries: its query parameters and its JSON.

Source: xAPI Communication 3.2: a parameter that the resource does not know, or knows in other case only, is an error;
and Data 2.2: parameter values are held to the same standard as the same types in statements.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from bridge.sandbox.lrs.gate import RefusedError
from mappings.xapi.validation import actors, shape

_DIGITS: Final = re.compile(r"[0-9]{1,9}")

check_true_or_false: Final = shape.one_of("true", "false")


def check_not_negative(value: object, at: str) -> Iterator[str]:
    """Accept a whole number of one to nine decimal digits."""
    if not isinstance(value, str) or not _DIGITS.fullmatch(value):
        yield shape.must_be("a whole number that is not negative", value, at)


def check_agent_json(value: object, at: str) -> Iterator[str]:
    """Accept the JSON of an agent or of an identified group."""
    try:
        agent = msgspec.json.decode(value) if isinstance(value, str) else value
    except msgspec.DecodeError as error:
        yield f"{at}: must be the JSON of an agent ({error})"
        return
    problems = list(actors.check_actor(agent, at))
    yield from problems
    if not problems and actors.identity(agent) is None:
        yield f"{at}: must have an identifier, which an anonymous group has not"


def read(request: web.Request, checks: Mapping[str, shape.Check], required: Iterable[str] = ()) -> dict[str, str]:
    """Return the query parameters by name, all of them checked.

    Args:
        request: the request.
        checks: the check of each parameter the resource takes with this method.
        required: the parameters that must be given.

    Raises:
        RefusedError: 400, with every problem of every parameter.
    """
    problems = []
    for name, count in Counter(name for name, _ in request.query.items()).items():
        if name not in checks:
            problems.append(f"parameter {name}: is not taken here{shape.spelling_hint(name, checks)}")
        elif count > 1:
            problems.append(f"parameter {name}: is given {count} times")
        else:
            problems.extend(checks[name](request.query[name], f"parameter {name}"))
    problems.extend(f"parameter {name}: is missing" for name in required if name not in request.query)
    if problems:
        raise RefusedError(400, *problems)
    return dict(request.query)


async def read_json(request: web.Request) -> Any:
    """Return the body, decoded.

    Raises:
        RefusedError: 400, when the content type is not application/json or the body is not JSON.
    """
    if request.content_type != "application/json":
        raise RefusedError(400, f"Content-Type: must be application/json, not {request.content_type}")
    try:
        return msgspec.json.decode(await request.read())
    except msgspec.DecodeError as error:
        raise RefusedError(400, f"body: must be JSON ({error})") from error
