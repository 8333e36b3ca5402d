"""The scenarios page: every scenario with its null, its look-alikes and what clears it, from the catalogue.

In: `stillwatch.detect.scenarios.SCENARIOS`. Out: Markdown, one section a scenario, in the catalogue's order.
"""

import importlib
from typing import Any

HEAD = """# Scenarios

Made by `make docs` from the catalogue in `detect/scenarios`; edit the entries there, not this page.

A scenario is one way in which distillation shows: a null hypothesis in words, a score, and the honest
work that looks the same. Evidence is in [nats](../explain/nats.md). Without a calibration nobody is
accused on a scenario alone, only by what links accounts.
"""


def page() -> str | None:
    """Return the page, or None while there is no catalogue."""
    try:
        catalogue: Any = importlib.import_module("stillwatch.detect.scenarios").SCENARIOS
    except (ModuleNotFoundError, AttributeError):
        return None
    return "\n".join([HEAD, *(_entry(scenario) for scenario in catalogue)])


def _entry(scenario: Any) -> str:
    about = "accounts acting together" if scenario.score is None else "one account"
    alone = "yes, once calibrated" if scenario.accuses and scenario.score is not None else "no"
    if scenario.accuses and scenario.score is None:
        alone = "yes, on time not used to find it"
    rows = (
        ("speaks of", about),
        ("null hypothesis", scenario.null),
        ("honest look-alikes", scenario.look_alikes),
        ("what clears it", scenario.clears),
        ("can accuse by itself", alone),
    )
    table = "\n".join(f"| {name} | {text} |" for name, text in rows)
    return f"## `{scenario.name}`: {scenario.title}\n\n| | |\n|---|---|\n{table}\n"
