"""The settings file as JSON Schema, for editors that complete and check TOML.

In: what `settingsinfo` says. Out: JSON Schema, draft 2020-12, as plain values. It accepts every file that
`load_settings` accepts; what only a record can tell (rules that contradict one another) is left to it.
"""

import dataclasses
import json
import math
from typing import Any, Final

from stillwatch.app.settingsinfo import SectionInfo, SettingInfo, sections, toml
from stillwatch.app.settingvalues import schema_of

VERSION: Final = 1


def settings_schema() -> dict[str, Any]:
    """Return the schema of the settings file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:stillwatch:settings:v{VERSION}",
        "title": f"Stillwatch settings file, version {VERSION}",
        "description": "TOML; every table and every name may be left out and then has its default.",
        "type": "object",
        "properties": {section.name: _table(section) for section in sections()},
        "additionalProperties": False,
    }


def settings_schema_text() -> str:
    """Return the schema as it is published."""
    return json.dumps(settings_schema(), indent=2) + "\n"


def _table(section: SectionInfo) -> dict[str, Any]:
    properties = {setting.key: _value(setting) for setting in section.settings}
    for inner in section.lists:
        properties[inner.name.rpartition(".")[2]] = {
            "description": f"List of tables, each written under [[{inner.name}]]. {inner.about}".strip(),
            "type": "array",
            "items": _table(inner),
        }
    needed = [setting.key for setting in section.settings if setting.default is dataclasses.MISSING]
    return {
        **({"description": section.about} if section.about else {}),
        "type": "object",
        "properties": properties,
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
    }


def _value(setting: SettingInfo) -> dict[str, Any]:
    """Return one setting; infinite numbers have no default in JSON and are told in words."""
    out: dict[str, Any] = {"description": setting.meaning, **schema_of(setting.kind), **_bounds(setting)}
    if isinstance(setting.default, float) and math.isinf(setting.default):
        out["description"] += f" Default: {toml(setting.default)}."
    elif setting.default is not dataclasses.MISSING and setting.default is not None:
        out["default"] = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    return out


def _bounds(setting: SettingInfo) -> dict[str, float]:
    whole = setting.kind is int
    out: dict[str, float] = {}
    if not math.isinf(setting.low):
        if whole or -1e-6 < setting.low < 0:
            out["minimum"] = math.floor(setting.low) + 1
        else:
            out["exclusiveMinimum"] = setting.low
    if not math.isinf(setting.high):
        out["maximum" if whole else "exclusiveMaximum"] = math.ceil(setting.high) - 1 if whole else setting.high
    return out
