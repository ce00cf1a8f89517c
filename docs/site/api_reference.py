"""The page of all operations of the API, made of its OpenAPI description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bridge.http.openapi import description
from bridge.http.openapi_paths import PROBLEM

METHODS = ("get", "post", "put", "delete", "patch")
SCHEMAS = "#/components/schemas/"
INTRODUCTION = """\
# Operations of the API

Every operation with its parameters, bodies and responses. A running bridge serves the same for programs as
`/openapi.json`. [The API](../api.md) explains what it means.
"""
PROBLEMS = """\
## Problems

Responses that say what went wrong, as `application/problem+json` or as a format's clients expect it.
[Errors](../api.md#errors) lists their codes, and what to do.
"""

Schema = Mapping[str, Any]


def api_reference() -> str:
    """Return the page, in Markdown: every operation, and every object that bodies and responses have."""
    document = description()
    components = document["components"]
    parts = [INTRODUCTION, *_authorization(components["securitySchemes"])]
    for tag in document["tags"]:
        parts.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}\n")
        for path, operations in document["paths"].items():
            for method in METHODS:
                operation = operations.get(method)
                if operation is not None and tag["name"] in operation["tags"]:
                    parts.extend(_operation(path, method, operation))
    parts.extend(_problems(components["responses"]))
    parts.append("## Objects\n")
    for name, schema in components["schemas"].items():
        parts.extend(_object(name, schema))
    return "\n".join(parts)


def _authorization(schemes: Schema) -> Iterator[str]:
    yield "## Authorization\n"
    yield "| name | sent as | is |\n|---|---|---|"
    for name, scheme in schemes.items():
        sent = (
            f"`Authorization: {scheme['scheme'].capitalize()} …`"
            if scheme["type"] == "http"
            else f"`{scheme['name']}` in the {scheme['in']}"
        )
        yield f"| `{name}` | {sent} | {_sentence(scheme['description'])} |"
    yield ""


def _operation(path: str, method: str, operation: Schema) -> Iterator[str]:
    yield f"### `{method.upper()} {path}` {{ #{operation['operationId'].lower()} }}\n"
    yield f"{_sentence(operation['summary'])}\n"
    names = [f"`{name}`" for requirement in operation["security"] for name in requirement]
    yield f"[Authorization](#authorization): {' or '.join(names) or 'none'}. Id: `{operation['operationId']}`.\n"
    if operation["parameters"]:
        yield "| parameter | in | type | meaning |\n|---|---|---|---|"
        for parameter in operation["parameters"]:
            required = " (required)" if parameter.get("required") and parameter["in"] != "path" else ""
            meaning = _sentence(parameter.get("description", ""))
            yield f"| `{parameter['name']}` | {parameter['in']}{required} | {_type(parameter['schema'])} | {meaning} |"
        yield ""
    body = operation.get("requestBody")
    if body is not None:
        yield f"**Body.** {_sentence(body.get('description', ''))} {_content(body['content'])}\n"
        for media, content in body["content"].items():
            if "json" in media and "example" in content:
                example = json.dumps(content["example"], indent=2, ensure_ascii=False)
                yield f"```json\n{example}\n```\n"
    responses = operation["responses"]
    for status, response in responses.items():
        if not _is_problem(response):
            yield f"**{status}.** {_sentence(response['description'])} {_content(response.get('content', {}))}\n"
    problems = sorted(status for status, response in responses.items() if _is_problem(response))
    if problems:
        yield f"[Problems](#problems): {', '.join(problems)}.\n"


def _is_problem(response: Schema) -> bool:
    return "$ref" in response or PROBLEM in response.get("content", {})


def _problems(responses: Schema) -> Iterator[str]:
    yield PROBLEMS
    yield "| status | meaning |\n|---|---|"
    for name, response in sorted(responses.items()):
        yield f"| {name.removeprefix('Problem')} | {_sentence(response['description'])} |"
    yield ""


def _content(content: Schema) -> str:
    """Return media types with links to what is in them."""
    return "; ".join(
        f"`{media}`" + (f": {_type(entry['schema'])}" if entry.get("schema") else "")
        for media, entry in content.items()
    )


def _object(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name} {{ #{name.lower()} }}\n"
    if schema.get("description"):
        yield f"{_sentence(schema['description'])}\n"
    properties = schema.get("properties")
    if properties is None:
        yield f"{_type(schema)}\n"
        return
    required = set(schema.get("required", ()))
    yield "| field | type | meaning |\n|---|---|---|"
    for field, value in properties.items():
        mark = " (required)" if field in required else ""
        yield f"| `{field}`{mark} | {_type(value)} | {_sentence(_meaning(value))} |"
    yield ""


def _meaning(schema: Schema) -> str:
    """Return what is said of a field, or of what it can be."""
    texts = [schema.get("description", "")]
    texts.extend(option.get("description", "") for option in schema.get("anyOf", ()) if "$ref" not in option)
    return " ".join(dict.fromkeys(filter(None, texts)))


def _type(schema: Schema) -> str:
    """Return a schema in a few words, with links to the objects that it names."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(SCHEMAS)
        return f"[{name}](#{name.lower()})"
    for key, separator in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if key in schema:
            return separator.join(dict.fromkeys(_type(option) for option in schema[key]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" if value else '`""`' for value in schema["enum"])
    return f"`{json.dumps(schema['const'])}`" if "const" in schema else _plain_type(schema)


def _plain_type(schema: Schema) -> str:
    kinds = schema.get("type", "any value")
    if kinds == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kinds == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object (values: {_type(schema['additionalProperties'])})"
    names = kinds if isinstance(kinds, list) else [kinds]
    return _cell(" or ".join(names) + (f" ({schema['format']})" if "format" in schema else ""))


def _sentence(text: str) -> str:
    """Return text on one line, in which documents are links."""
    return re.sub(r"`?docs/([\w/-]+\.md)`?", r"[\1](../\1)", _cell(text))


def _cell(text: str) -> str:
    """Return text on one line, in which nothing is taken for a tag or a cell's end."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")
