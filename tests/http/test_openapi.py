"""The API description tells of every route, and of nothing else."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bridge.formats import native
from bridge.http.openapi import description
from tests.support.bridge import Bridge


def routes(bridge: Bridge) -> set[tuple[str, str]]:
    """Give method and address of all that is served to programs, but for HEAD, which comes with GET.

    Audit pages are for people; a table of their own says who may.
    """
    assert isinstance(bridge.client.app, web.Application)
    return {
        (route.method, route.resource.canonical)
        for route in bridge.client.app.router.routes()
        if route.resource is not None
        and route.method != "HEAD"
        and not f"{route.resource.canonical}/".startswith("/audit/")
    }


async def test_every_route_is_described_and_nothing_else(bridge: Bridge) -> None:
    described = {(method.upper(), path) for path, operations in description()["paths"].items() for method in operations}

    assert described == routes(bridge)


async def test_anyone_may_read_the_description(bridge: Bridge) -> None:
    status, told = await bridge.get("/openapi.json", token=None)

    assert (status, told) == (200, description())


def test_every_parameter_of_an_address_is_described() -> None:
    for path, operations in description()["paths"].items():
        for operation in operations.values():
            told = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert told == {part[1:-1] for part in path.split("/") if part.startswith("{")}, path


def test_every_shape_that_is_named_is_there_and_every_one_that_is_there_is_named() -> None:
    told = description()
    named = set(_references(told))

    for kind in ("schemas", "responses"):
        assert {f"#/components/{kind}/{name}" for name in told["components"][kind]} == {
            one for one in named if f"/{kind}/" in one
        }


def test_the_shapes_of_bodies_have_the_fields_that_are_read() -> None:
    shapes = description()["components"]["schemas"]
    read = {*native.Opening.__struct_fields__, *native.Committing.__struct_fields__}

    assert shapes["Opening"]["properties"].keys() == {*native.Opening.__struct_fields__}
    for name in ("Commit", "Progress"):
        assert shapes[name]["anyOf"][0]["properties"].keys() == read


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [one for part in value.values() for one in _references(part)]
    return [one for part in value for one in _references(part)] if isinstance(value, list) else []
