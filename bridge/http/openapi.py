"""The OpenAPI document of the API."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Any

import msgspec
from aiohttp import web

from bridge.http.openapi_paths import TAGS, paths, problem_responses
from bridge.http.openapi_schemas import components
from bridge.http.openapi_webhooks import webhooks
from bridge.http.query_parameters import check_parameters


def description() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of all routes and webhooks."""
    about = metadata.metadata("scorm-xapi-bridge")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": about["Name"],
            "version": about["Version"],
            "description": about["Summary"],
            "license": {"name": about["License-Expression"], "identifier": about["License-Expression"]},
        },
        "servers": [{"url": "/"}],
        "tags": [*TAGS],
        "paths": paths(),
        "webhooks": webhooks(),
        "components": {
            "schemas": components(),
            "responses": problem_responses(),
            "securitySchemes": {
                "metricsToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of `[metrics]`, where the settings ask for one.",
                },
                "lmsToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "What `scorm-bridge tokens create` printed.",
                },
                "lmsPassword": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any user name; the password is the LMS's token.",
                },
                "commitToken": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "token",
                    "description": "Of a session's `commit_url`; permits commits to that session.",
                },
            },
        },
    }


async def get_description(request: web.Request) -> web.Response:
    """`GET /openapi.json`: describe this API for programs. Anyone may ask."""
    check_parameters(request)
    return web.Response(body=_encoded(), content_type="application/json")


@cache
def _encoded() -> bytes:
    return msgspec.json.encode(description())
