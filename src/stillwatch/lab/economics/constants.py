"""Constants of the economics, each with its source; a file may replace any of them.

In: the packaged table, and a file of the same form. Out: frozen constants by name.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from stillwatch.terms.errors import StillwatchError

KINDS: Final = ("published", "measured", "list", "assumed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One number and where it comes from."""

    value: float
    unit: str
    kind: str
    """One of `KINDS`."""
    source: str
    as_of: str
    """Day it was taken, ISO 8601."""


Constants = Mapping[str, Constant]


def load_constants(path: Path | None = None) -> dict[str, Constant]:
    """Return the packaged constants, those of a file laid over them.

    Args:
        path: TOML file with tables of the same names; a table may give `value` alone and is then of kind `assumed`,
            source the file.

    Raises:
        StillwatchError: the file cannot be read, or names what there is not.
    """
    packaged = resources.files("stillwatch.lab.economics") / "data" / "constants.toml"
    found = {name: Constant(**table) for name, table in tomllib.loads(packaged.read_text(encoding="utf-8")).items()}
    if path is None:
        return found
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise StillwatchError(f"constants {path}: {type(problem).__name__}; give a readable TOML file.") from None
    for name, table in given.items():
        if name not in found:
            raise StillwatchError(f"constants {path}: {name} is unknown; must be one of {', '.join(found)}.")
        found[name] = _laid_over(found[name], table, path)
    return found


def _laid_over(before: Constant, table: Any, path: Path) -> Constant:
    said = f"constants {path}: {before.unit}"
    if not isinstance(table, dict) or not isinstance(table.get("value"), int | float):
        raise StillwatchError(f"{said}: needs a table with a number `value`.")
    value = float(table["value"])
    if value < 0.0:
        raise StillwatchError(f"{said}: {value}: must be 0 or more.")
    said_of = {name: str(table.get(name, usual)) for name, usual in
               (("kind", "assumed"), ("source", path.name), ("as_of", ""))}  # fmt: skip
    return Constant(value=value, unit=before.unit, **said_of)
