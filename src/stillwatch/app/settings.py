"""Settings file -> frozen settings: TOML with one table a room, every value checked.

In: a path, or none for the defaults. Out: `Settings`. Unknown tables and names are errors, so that
a typing mistake never passes as a default.
"""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from stillwatch.detect.config import DetectConfig
from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError

PRICES_AS_OF = "2026-11-01"
"""Day of the default prices below, ISO 8601; prices from a settings file carry none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceConfig:
    """Section `[prices]`: what a harvested token would have cost; dollars a million tokens.

    The defaults are common list prices of a large model, as of `PRICES_AS_OF`.
    """

    input: float = 3.0
    """Dollars a million prompt tokens; above 0. Set your own."""
    output: float = 15.0
    """Dollars a million answer tokens; above 0."""

    def __post_init__(self) -> None:
        check_range("prices.input", self.input, low=0.0, high=1e6)
        check_range("prices.output", self.output, low=0.0, high=1e6)

    @property
    def source(self) -> str:
        """Where the prices come from, in words."""
        return "defaults" if self == PriceConfig() else "settings file, [prices]"

    @property
    def as_of(self) -> str:
        """Day of the prices; empty where the settings file gives them."""
        return PRICES_AS_OF if self == PriceConfig() else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a settings file may say."""

    detect: DetectConfig = field(default_factory=DetectConfig)
    prices: PriceConfig = field(default_factory=PriceConfig)


SECTIONS = {"detect": DetectConfig, "prices": PriceConfig}
"""Tables of the settings file."""


def load_settings(path: Path | None, **overrides: Any) -> Settings:
    """Read a settings file and lay command-line overrides over its `[detect]` table.

    Args:
        path: TOML file, or None for the defaults.
        overrides: Names of `[detect]` with their values; None leaves the file's value.

    Raises:
        StillwatchError: the file is missing, is no TOML, or holds an unknown or bad value.
    """
    tables = _read(path) if path else {}
    tables.setdefault("detect", {}).update({k: v for k, v in overrides.items() if v is not None})
    return Settings(**{name: _section(name, tables.get(name, {})) for name in SECTIONS})


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise StillwatchError(f"settings file {path}: {problem.strerror}; give a readable TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise StillwatchError(f"settings file {path}: not TOML ({problem}).") from None
    for name in tables:
        if name not in SECTIONS:
            raise StillwatchError(
                f"settings file {path}: table [{name}] is unknown; must be one of {', '.join(SECTIONS)}."
            )
        if not isinstance(tables[name], dict):
            raise StillwatchError(f"settings file {path}: {name} is one value or a list; must be a table [{name}].")
    return tables


def _section(name: str, given: dict[str, Any]) -> Any:
    known = {f.name: f.type for f in fields(SECTIONS[name])}
    for key, value in given.items():
        if key not in known:
            raise StillwatchError(f"{name}.{key}: unknown setting; must be one of {', '.join(known)}.")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise StillwatchError(f"{name}.{key} = {value!r}: must be a number.")
        if known[key] is int and not (isinstance(value, int) and value >= 0):
            raise StillwatchError(f"{name}.{key} = {value!r}: must be a whole number, 0 or more.")
    return SECTIONS[name](**given)
