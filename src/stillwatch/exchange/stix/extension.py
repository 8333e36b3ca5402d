"""The one extension that warnings carry: its id, its JSON Schema, and a check of what stands in it.

In: the content of the extension on one object. Out: what is wrong with it. Nothing else may be added to a STIX object.
Left to `docs/reference/coalition-v1.schema.json`: the same schema, published; a test holds the two equal.
Source: OASIS, "STIX Extension Definition Policy Version 1.0", 2025-03-31.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from stillwatch.terms.coalition import LEAST_CROWD, TOKEN_BYTES, TOKEN_KINDS

ID: Final = "extension-definition--7c1f0b52-5f0e-4e2c-9d1b-2f6b1d7f6a10"
SCHEMA_URL: Final = "docs/reference/coalition-v1.schema.json"
VERSION: Final = "1.0.0"
CREATED: Final = "2026-11-30T00:00:00.000Z"
AUTHOR: Final = "identity--5a1d9f0e-7f3f-4a63-8a8c-0a2f5f6f3c11"
"""Identity of the project, which publishes the extension."""
FAMILIES: Final = ("client", "content", "network", "payment", "timing", "work")
PROPERTIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "campaign": {
        "atlas_release": {"type": "string", "pattern": r"^\d+\.\d+(\.\d+)?$"},
        "families": {"type": "array", "items": {"enum": list(FAMILIES)}, "uniqueItems": True},
        "error_rate": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "receipt": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    "indicator": {
        "token_kind": {"enum": list(TOKEN_KINDS)},
        "epoch": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "size": {"type": "integer", "minimum": TOKEN_BYTES, "multipleOf": TOKEN_BYTES},
        "at_least_accounts": {"type": "integer", "minimum": LEAST_CROWD},
    },
    "identity": {"verified": {"type": "boolean"}},
    "sighting": {"own_evidence": {"type": "boolean"}},
    "opinion": {"case": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}},
}
"""Object type -> property -> its schema. What is not listed may not stand there."""


def definition() -> dict[str, Any]:
    """Return the extension-definition object that a hub publishes beside its warnings."""
    return {
        "type": "extension-definition", "spec_version": "2.1", "id": ID, "created_by_ref": AUTHOR,
        "created": CREATED, "modified": CREATED, "name": "Warnings of distillation campaigns",
        "description": "Blinded token sets with their digest and key epoch, and how far a campaign was confirmed.",
        "schema": SCHEMA_URL, "version": VERSION, "extension_types": ["property-extension"],
    }  # fmt: skip


def author() -> dict[str, Any]:
    """Return the identity that the extension definition names."""
    return {
        "type": "identity", "spec_version": "2.1", "id": AUTHOR, "created": CREATED, "modified": CREATED,
        "name": "Stillwatch", "identity_class": "organization",
    }  # fmt: skip


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the extension, one branch an object type."""
    branches = [
        {
            "title": kind, "type": "object", "required": ["extension_type"], "additionalProperties": False,
            "properties": {"extension_type": {"const": "property-extension"}, **properties},
        }
        for kind, properties in PROPERTIES.items()
    ]  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_URL, "title": definition()["name"],
        "anyOf": branches,
    }  # fmt: skip


def wrong_in(kind: str, content: object) -> tuple[str, ...]:
    """Return what is wrong with the extension on an object of type `kind`; nothing where it holds.

    >>> wrong_in("indicator", {"extension_type": "property-extension", "price": 3})
    ('price: is none of the extension on an indicator',)
    """
    if not isinstance(content, Mapping) or content.get("extension_type") != "property-extension":
        return ("extension_type: must be property-extension",)
    known = PROPERTIES.get(kind, {})
    found = []
    for name, value in content.items():
        if name == "extension_type":
            continue
        if name not in known:
            found.append(f"{str(name)[:60]}: is none of the extension on an {kind}")
        elif not _holds(known[name], value):
            found.append(f"{name}: is not what the extension's schema asks for")
    return tuple(found)


def _holds(rule: Mapping[str, Any], value: object) -> bool:
    if "enum" in rule:
        return value in rule["enum"]
    checks = {"string": _text, "integer": _whole, "number": _number, "boolean": _flag, "array": _list}
    return checks[rule["type"]](rule, value)


def _text(rule: Mapping[str, Any], value: object) -> bool:
    return isinstance(value, str) and re.search(rule["pattern"].replace("$", r"\Z"), value, re.ASCII) is not None


def _whole(rule: Mapping[str, Any], value: object) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return bool(value >= rule["minimum"] and value % rule.get("multipleOf", 1) == 0)


def _number(rule: Mapping[str, Any], value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and rule["exclusiveMinimum"] < float(str(value)) <= rule["maximum"]


def _flag(rule: Mapping[str, Any], value: object) -> bool:
    return isinstance(value, bool)


def _list(rule: Mapping[str, Any], value: object) -> bool:
    return (
        isinstance(value, list)
        and len({str(part) for part in value}) == len(value)
        and all(_holds(rule["items"], part) for part in value)
    )
