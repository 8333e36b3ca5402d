"""The settings page: every section of the settings file, from the records that hold it.

In: the syntax trees of dataclasses whose docstring begins with: Section `[name]`.
Out: Markdown, one section a record, one row a setting with its default and its docstring.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.gates.tree import ROOT, modules, parse

HEAD = """# Settings

Made by `make docs` from the records that hold the settings; edit their docstrings, not this page.

A settings file is TOML with the sections below; `--config FILE` names it. What it leaves out keeps
its default. A name that is not listed here, or a value out of range, ends the command with exit
code 2 before anything is read.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as its record declares it."""

    section: str
    name: str
    default: str
    meaning: str
    """Empty when the field has no docstring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of the settings file."""

    name: str
    about: str
    settings: tuple[Setting, ...]


def sections() -> list[Section]:
    """Return every section, by name."""
    nodes = [node for path in modules(ROOT) for node in ast.walk(parse(path)) if isinstance(node, ast.ClassDef)]
    found = []
    for node in nodes:
        match = re.match(r"Section `\[([a-z_.]+)\]`[:,]? ?(.*)", ast.get_docstring(node) or "")
        if match:
            found.append(Section(name=match[1], about=match[2], settings=tuple(_settings(match[1], node))))
    return sorted(found, key=lambda section: section.name)


def _settings(section: str, node: ast.ClassDef) -> Iterator[Setting]:
    for line, after in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            continue
        documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        meaning = str(after.value.value) if documented else ""  # type: ignore[union-attr]
        default = "" if line.value is None else ast.unparse(line.value)
        yield Setting(section=section, name=line.target.id, default=default, meaning=" ".join(meaning.split()))


def page() -> str | None:
    """Return the page, or None while nothing can be set."""
    found = sections()
    if not found:
        return None
    parts = [HEAD]
    for section in found:
        about = section.about if section.about not in ("", "of the settings file.") else ""
        rows = [f"| `{s.section}.{s.name}` | `{s.default}` | {s.meaning} |" for s in section.settings]
        lead = f"{about[0].upper()}{about[1:]}\n\n" if about else ""
        parts.append(
            f"## `[{section.name}]`\n\n{lead}| setting | default | what it is |\n|---|---|---|\n"
            + "\n".join(rows)
            + "\n"
        )
    return "\n".join(parts)
