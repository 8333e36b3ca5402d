"""The settings page: every table of the settings file, from the records that hold it.

In: what `stillwatch.app.settingsinfo` reads off the records. Out: Markdown, one section a table, one row a
setting with its default and its docstring; and the same as JSON Schema. A record that calls itself a section
of the settings file and is in no table is found.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass

from stillwatch.app.settingsinfo import SectionInfo, toml
from stillwatch.app.settingsinfo import sections as tables
from stillwatch.app.settingsschema import settings_schema_text
from stillwatch.app.settingvalues import said
from tools.gates.tree import ROOT, modules, parse, where

HEAD = """# Settings

Made by `make docs` from the records that hold the settings; edit their docstrings, not this page.

A settings file is TOML with the tables below; `--config FILE` names it. What it leaves out keeps
its default. A name that is not listed here, or a value out of range, ends the command with exit
code 2 before anything is read. `stillwatch config check FILE` says what is wrong with one, and
`stillwatch config explain NAME` what one setting does. Editors that know JSON Schema can check it
with [settings-v1.schema.json](settings-v1.schema.json).

A list of tables is written as `[[name]]`, once for each entry.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as its record declares it."""

    section: str
    name: str
    kind: str
    default: str
    meaning: str
    """Empty when the field has no docstring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of the settings file, or one entry of a list of tables."""

    name: str
    about: str
    is_list: bool
    settings: tuple[Setting, ...]


def sections() -> list[Section]:
    """Return every table, each followed by the lists of tables within it."""
    return [_section(part, is_list=part is not table) for table in tables() for part in (table, *table.lists)]


def unregistered() -> Iterator[str]:
    """Yield records that call themselves a section of the settings file and are in no table."""
    known = {section.name for section in sections()}
    for path in modules(ROOT):
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.ClassDef):
                continue
            match = re.match(r"Section `\[([a-z_.]+)\]`", ast.get_docstring(node) or "")
            if match and match[1] not in known:
                yield f"{where(ROOT, path, node.lineno)}: [{match[1]}] is no table of app/settingsections.py"


def _section(info: SectionInfo, *, is_list: bool) -> Section:
    settings = tuple(
        Setting(section=info.name, name=s.key, kind=said(s.kind), meaning=s.meaning,
                default="must be given" if s.default is MISSING else f"`{toml(s.default)}`")
        for s in info.settings
    )  # fmt: skip
    return Section(name=info.name, about=info.about, is_list=is_list, settings=settings)


def page() -> str | None:
    """Return the page."""
    parts = [HEAD]
    for section in sections():
        name = f"[[{section.name}]]" if section.is_list else f"[{section.name}]"
        lead = f"{section.about}\n\n" if section.about else ""
        rows = [f"| `{s.section}.{s.name}` | {s.kind} | {s.default} | {s.meaning} |" for s in section.settings]
        parts.append(
            f"## `{name}`\n\n{lead}| setting | kind | default | what it is |\n|---|---|---|---|\n"
            + "\n".join(rows)
            + "\n"
        )
    return "\n".join(parts)


def schema() -> str | None:
    """Return the JSON Schema of the settings file, as it is published."""
    return settings_schema_text()
