"""What every setting means, from the records that hold the settings: kind, default, range, docstring.

In: the records of `settingsections.SECTIONS`. Out: `SectionInfo` for pages and `config explain`.
Ranges are those that the records check when they are built; docstrings come from the records' source.
Left to `settingsschema`: the same as JSON Schema.
"""

import ast
import dataclasses
import inspect
import math
import re
import textwrap
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final, get_args, get_origin, get_type_hints

from stillwatch.app.settings import Settings
from stillwatch.app.settingsections import SECTIONS
from stillwatch.app.settingvalues import said
from stillwatch.terms.checks import noted_ranges
from stillwatch.terms.errors import StillwatchError

DATES: Final = frozenset(["policy.rule.until"])
"""Settings that are dates in the file; their records keep seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingInfo:
    """One setting."""

    name: str
    """Dotted, such as `detect.q`."""
    kind: Any
    """Its annotation."""
    default: Any
    """`dataclasses.MISSING` where it must be given."""
    meaning: str
    low: float = -math.inf
    """Bound that it must lie above."""
    high: float = math.inf
    """Bound that it must lie below."""

    @property
    def key(self) -> str:
        """Its name within its table."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionInfo:
    """One table of the settings file, or one kind of entry in a list of tables."""

    name: str
    about: str
    settings: tuple[SettingInfo, ...]
    lists: tuple["SectionInfo", ...] = ()
    """Lists of tables within it, written `[[name]]`."""


@cache
def sections() -> tuple[SectionInfo, ...]:
    """Return every table of the settings file, in the order of `SECTIONS`."""
    return tuple(section_of(name, section.record) for name, section in SECTIONS.items())


def section_of(name: str, record: type[Any]) -> SectionInfo:
    """Return what a record says of its settings; a field that is a tuple of records is a list of tables."""
    kinds, meanings, ranges = get_type_hints(record), _meanings(record), _ranges(record)
    settings, lists = [], []
    for item in dataclasses.fields(record):
        inner = _entry_of(kinds[item.name])
        if inner is not None:
            lists.append(section_of(_list_name(inner), inner))
            continue
        low, high = ranges.get(f"{name}.{item.name}", (-math.inf, math.inf))
        settings.append(
            SettingInfo(name=f"{name}.{item.name}", default=item.default, meaning=meanings.get(item.name, ""),
                        kind=date if f"{name}.{item.name}" in DATES else kinds[item.name], low=low, high=high)
        )  # fmt: skip
    return SectionInfo(name=name, about=_about(record), settings=tuple(settings), lists=tuple(lists))


def find_settings(name: str) -> tuple[SettingInfo, ...]:
    """Return the settings that a name means: one setting, all of a table, or all for the empty name.

    Raises:
        StillwatchError: nothing has this name.
    """
    every = [s for top in sections() for part in (top, *top.lists) for s in part.settings]
    found = tuple(s for s in every if not name or s.name == name or s.name.startswith(f"{name}."))
    if not found:
        near = [s.name for s in every if s.key == name.rpartition(".")[2]]
        hint = f"Did you mean {', '.join(near)}?" if near else "`stillwatch config explain` lists all."
        raise StillwatchError(f"setting {name}: there is none of this name. {hint}")
    return found


def explained(setting: SettingInfo, settings: Settings | None = None) -> str:
    """Return a setting in words: what it means, kind, range, default, and its value in a file where one is given."""
    lines = [setting.name, *textwrap.wrap(setting.meaning, 96, initial_indent="  ", subsequent_indent="  ")]
    lines.append(f"  kind     {said(setting.kind)}{_between(setting)}")
    given = setting.default is not dataclasses.MISSING
    lines.append(f"  default  {toml(setting.default) if given else 'none: must be given'}")
    if settings is not None and setting.name.count(".") == 1:
        section, _, key = setting.name.partition(".")
        lines.append(f"  now      {toml(getattr(getattr(settings, section), key))}")
    return "\n".join(lines)


def toml(value: Any) -> str:
    """Return a value as a settings file spells it; a setting that may be left out has `none`.

    >>> toml(True), toml(("a",)), toml(None), toml(0.5), toml("x"), toml({"a": 1.0})
    ('true', '["a"]', 'none', '0.5', '"x"', '{a = 1.0}')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml(part) for part in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {toml(part)}' for key, part in value.items())}}}"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return "none" if value is None else str(value)


def _between(setting: SettingInfo) -> str:
    low, high = setting.low, setting.high
    if math.isinf(low):
        return ""
    if setting.kind is int:
        most = "" if math.isinf(high) else f", at most {math.ceil(high) - 1:,}"
        return f", at least {math.floor(low) + 1:,}{most}"
    least = ", 0 or more" if -1e-6 < low < 0 else f", above {low:g}"
    return least + ("" if math.isinf(high) else f" and below {high:g}")


def _ranges(record: type[Any]) -> dict[str, tuple[float, float]]:
    """Return the ranges that a record checks, by dotted name; none where it cannot be built without values."""
    with noted_ranges() as found:
        if all(f.default is not dataclasses.MISSING for f in dataclasses.fields(record)):
            record()
    return found


def _meanings(record: type[Any]) -> dict[str, str]:
    """Return field -> docstring: the string that stands below it in the source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    found: dict[str, str] = {}
    lines = body.body if isinstance(body, ast.ClassDef) else []
    for line, after in zip(lines, lines[1:], strict=False):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and isinstance(after, ast.Expr):
            if isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
                found[line.target.id] = " ".join(after.value.value.split())
    return found


def _about(record: type[Any]) -> str:
    """Return what the docstring says after the section's name; empty where it says only that it is one."""
    first = (inspect.getdoc(record) or "").partition("\n\n")[0].replace("\n", " ")
    about = re.sub(r"^Section `\[[a-z_.]+\]`(?:: | of the settings file\.)?", "", first)
    return about[:1].upper() + about[1:]


def _entry_of(kind: Any) -> type[Any] | None:
    inner = get_args(kind)[0] if get_origin(kind) is tuple else None
    return inner if isinstance(inner, type) and dataclasses.is_dataclass(inner) else None


def _list_name(record: type[Any]) -> str:
    """Return the name that a record of a list gives itself in its docstring, such as `policy.rule`."""
    found = re.match(r"Section `\[([a-z_.]+)\]`", record.__doc__ or "")
    return found[1] if found else record.__name__.lower()
