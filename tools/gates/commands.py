"""The commands page: `--help` of every command, as click prints it at 100 columns.

In: the click group of `stillwatch.cli`. Out: Markdown, one section a command, in the group's order.
"""

import importlib
from collections.abc import Iterator

import click

HEAD = """# Commands

Made by `make docs` from the commands themselves; edit their docstrings, not this page.

Every command exits with 0 when it did what was asked and found nothing, and with 2 when it was asked
for something it cannot do. Other codes stand with the command; [errors](errors.md) lists those of
failures.
"""


def group() -> click.Command | None:
    """Return the outermost command, or None while there is none."""
    try:
        found = getattr(importlib.import_module("stillwatch.cli"), "main", None)
    except ModuleNotFoundError:
        return None
    return found if isinstance(found, click.Command) else None


def walk(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Yield a context for a command and all below it, as the shell would make it; hidden ones left out."""
    context = click.Context(command, parent, info_name=name, **command.context_settings)
    context.terminal_width = context.max_content_width = 100
    yield context
    below: dict[str, click.Command] = getattr(command, "commands", {})
    for part, inner in below.items():
        if not inner.hidden:
            yield from walk(inner, part, context)


def page() -> str | None:
    """Return the page, or None while there are no commands."""
    top = group()
    if top is None:
        return None
    parts = [HEAD]
    for context in walk(top, "stillwatch"):
        text = "\n".join(line.rstrip() for line in context.get_help().splitlines())
        parts.append(f"## `{context.command_path}`\n\n```text\n{text}\n```\n")
    return "\n".join(parts)
