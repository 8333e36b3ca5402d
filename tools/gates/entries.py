"""Rule 8: every scenario, importer and setting has its entry in the docs.

In: the catalogues, the settings records, the pages under docs/. Out: what has no entry. The settings
page is made from the records, so here each only needs a docstring.
An entry is a heading, or the first cell of a table row, that names the thing in backticks.
"""

import importlib
import re
from pathlib import Path

from tools.gates import settings
from tools.gates.rule import Outcome

CATALOGUES = (
    ("scenario", "stillwatch.detect.scenarios", "SCENARIOS", "docs/reference/scenarios.md"),
    ("importer", "stillwatch.logs.catalog", "IMPORTERS", "docs/reference/logs.md"),
    ("rule", "stillwatch.policy.ladder", "RULES", "docs/reference/policy.md"),
    ("treatment", "stillwatch.treatments", "TREATMENTS", "docs/reference/treatments.md"),
)
"""Kind, module, name of its catalogue, page that documents each entry."""


def check(root: Path) -> Outcome:
    """Hold each catalogue and each settings record against its page."""
    findings, absent, count = [], [], 0
    for kind, module, attribute, page in CATALOGUES:
        names = _names(module, attribute)
        if names is None:
            absent.append(f"{kind}s")
            continue
        count += len(names)
        found = entries(root / page)
        findings += [f"{page}: no entry for {kind} `{name}`" for name in names if name not in found]
    fields = [setting for section in settings.sections() for setting in section.settings]
    findings += [f"{setting.section}.{setting.name}: has no docstring" for setting in fields if not setting.meaning]
    findings += settings.unregistered()
    count += len(fields)
    note = f"{count} entries" + (f"; absent: {', '.join(absent)}" if absent else "")
    return Outcome(findings=tuple(findings), note=note)


def entries(page: Path) -> set[str]:
    """Return what a page has entries for; nothing when there is no page."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    found: set[str] = set()
    for line in text.splitlines():
        lead = line if line.startswith("#") else line.split("|")[1] if line.startswith("|") else ""
        found.update(re.findall(r"`([^`]+)`", lead))
    return found


def _names(module: str, attribute: str) -> list[str] | None:
    try:
        catalogue = getattr(importlib.import_module(module), attribute)
    except (ModuleNotFoundError, AttributeError):
        return None
    return [entry.name for entry in catalogue]
