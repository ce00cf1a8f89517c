"""The API description tells of every route, and of nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import web

from bridge.commit_model.response_types import ENUMS
from bridge.formats import native
from bridge.http.openapi import description
from bridge.http.responses import RESPONSES
from tests.support.bridge import Bridge


def routes(bridge: Bridge) -> set[tuple[str, str]]:
    """Return method and address of all that is served to programs, but for HEAD, which comes with GET.

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
    status, answer = await bridge.get("/openapi.json", token=None)

    assert (status, answer) == (200, description())


def test_every_parameter_of_an_address_is_described() -> None:
    for path, operations in description()["paths"].items():
        for operation in operations.values():
            names = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
            assert names == {part[1:-1] for part in path.split("/") if part.startswith("{")}, path


def test_every_component_is_referred_to_and_every_reference_has_its_component() -> None:
    document = description()
    references = set(_references(document))

    for kind in ("schemas", "responses"):
        assert {f"#/components/{kind}/{name}" for name in document["components"][kind]} == {
            reference for reference in references if f"/{kind}/" in reference
        }


def test_the_schemas_of_bodies_have_the_fields_that_are_read() -> None:
    schemas = description()["components"]["schemas"]
    fields = {*native.OpenSessionBody.__struct_fields__, *native.CommitBody.__struct_fields__}

    assert schemas["OpenSessionBody"]["properties"].keys() == {*native.OpenSessionBody.__struct_fields__}
    for name in ("AllInOneBody", "ProgressBody"):
        assert schemas[name]["properties"].keys() == fields


@pytest.mark.parametrize("response", RESPONSES)
def test_the_schemas_of_responses_are_those_of_their_types(response: type[msgspec.Struct]) -> None:
    schema = description()["components"]["schemas"][response.__name__]
    fields = msgspec.structs.fields(response)

    assert schema["properties"].keys() == {field.encode_name for field in fields}
    assert {*schema["required"]} == {field.encode_name for field in fields if field.default is not msgspec.UNSET}
    assert schema["description"]


def test_every_enum_has_values() -> None:
    assert all(map(tuple, ENUMS.values()))
    assert len({frozenset(values) for values in ENUMS.values()}) == len(ENUMS)


def test_every_operation_has_a_tag_that_is_described() -> None:
    document = description()
    tags = {tag["name"] for tag in document["tags"]}

    used = {
        tag for methods in document["paths"].values() for operation in methods.values() for tag in operation["tags"]
    }

    assert used == tags


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        references = [value["$ref"]] if "$ref" in value else []
        return references + [reference for part in value.values() for reference in _references(part)]
    return [reference for part in value for reference in _references(part)] if isinstance(value, list) else []
