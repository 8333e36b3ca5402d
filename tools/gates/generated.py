"""Reference pages that are made from code, so that they cannot say otherwise than it does.

In: the click commands, the settings records, the scenarios, the event's dtypes.
Out: each page's text; `write` puts it in its place.
"""

from collections.abc import Callable
from pathlib import Path

from tools.gates import commands, event_schema, scenarios, settings
from tools.gates.rule import Outcome

PAGES: tuple[tuple[str, Callable[[], str | None]], ...] = (
    ("docs/reference/commands.md", commands.page),
    ("docs/reference/settings.md", settings.page),
    ("docs/reference/settings-v1.schema.json", settings.schema),
    ("docs/reference/scenarios.md", scenarios.page),
    ("docs/reference/event-v1.schema.json", event_schema.page),
)
"""Path from the root, and what makes the text; None while what it describes does not exist."""


def check(root: Path) -> Outcome:
    """Hold each page against what code would write."""
    findings, absent = [], []
    for name, make in PAGES:
        wanted = make()
        if wanted is None:
            absent.append(name)
        elif not (root / name).exists() or (root / name).read_text(encoding="utf-8") != wanted:
            findings.append(f"{name}: differs from what the code says; run `make docs` and read the change")
    return Outcome(findings=tuple(findings), note=f"not made yet: {', '.join(absent)}" if absent else "")


def write(root: Path) -> list[str]:
    """Write every page that differs, and return their names."""
    written = []
    for name, make in PAGES:
        wanted = make()
        path = root / name
        if wanted is not None and (not path.exists() or path.read_text(encoding="utf-8") != wanted):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
            written.append(name)
    return written
