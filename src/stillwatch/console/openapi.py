"""The OpenAPI document of the JSON API, made from its table and the records that it gives.

In: nothing. Out: one JSON document, the same bytes for the same release. It is served at `/api/v1/openapi.json` and
stands in the documentation.
"""

from functools import cache
from typing import Any, Final

import msgspec

from stillwatch import __version__
from stillwatch.console.apitable import OPERATIONS, Operation, Parameter
from stillwatch.console.records import Problem
from stillwatch.console.rights import RIGHTS

ABOUT: Final = (
    "What the pages of the console show and change, for programs. Every request bears a token of `stillwatch console "
    "tokens make`; a token may do what its role may, and never more than its person. Times are seconds since 1970, "
    "evidence is in nats. No text of a prompt or answer, no key and no secret is in any answer."
)
ERRORS: Final = {
    "401": "no good token", "403": "the role is not enough", "404": "there is nothing of this name",
    "409": "it cannot be done, and the message says why", "422": "a parameter or the body cannot be read",
}  # fmt: skip


@cache
def document() -> bytes:
    """Return the document, indented JSON."""
    types = [*dict.fromkeys(t for o in OPERATIONS for t in (o.gives, o.body) if t is not None), Problem]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    refs = dict(zip(types, schemas, strict=True))
    asked = {o.body.__name__ for o in OPERATIONS if o.body is not None}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, refs)
    told = {
        "openapi": "3.1.0",
        "info": {"title": "Stillwatch console", "version": __version__, "description": ABOUT,
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {name: schema if name in asked else _finite_or_null(schema)
                        for name, schema in components.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def _operation(operation: Operation, refs: dict[type[Any], Any]) -> dict[str, Any]:
    role = RIGHTS[operation.right]
    told: dict[str, Any] = {
        "operationId": operation.name, "summary": operation.about, "description": f"Least role: {role}.",
        "responses": {
            "200": {"description": operation.gives.__doc__.partition("\n")[0] if operation.gives.__doc__ else "done",
                    "content": {"application/json": {"schema": refs[operation.gives]}}},
            **{status: {"description": why, "content": {"application/json": {"schema": refs[Problem]}}}
               for status, why in ERRORS.items()},
        },
    }  # fmt: skip
    if operation.takes:
        told["parameters"] = [_parameter(one) for one in operation.takes]
    if operation.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": refs[operation.body]}}}
        told["responses"]["413"] = told["responses"]["415"] = {
            "description": "the body is too large, or no JSON",
            "content": {"application/json": {"schema": refs[Problem]}},
        }
    return told


def _parameter(one: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": one.kind}
    if one.kind == "integer":
        schema |= {"minimum": one.low, "maximum": one.high}
    if one.kind == "string":
        schema |= {"maxLength": min(one.high, 400)} | ({"minLength": 1} if one.where == "path" else {})
    if one.default is not None:
        schema["default"] = one.default
    return {"name": one.name, "in": one.where, "required": one.where == "path", "description": one.about,
            "schema": schema}  # fmt: skip


def _finite_or_null(value: Any) -> Any:
    """Return schemas of answers in which every plain number may be null: an infinite figure is told as null."""
    if isinstance(value, dict):
        if value.get("type") == "number" and "exclusiveMinimum" not in value:
            return {**value, "type": ["number", "null"]}
        return {key: _finite_or_null(part) for key, part in value.items()}
    return [_finite_or_null(part) for part in value] if isinstance(value, list) else value
