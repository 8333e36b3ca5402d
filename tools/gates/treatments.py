"""Rule 10: treatments are off by default, and no rule acts on an answer before a person confirmed.

In: the catalogues of `policy` and `treatments`. Out: entries that break the promise.
"""

import importlib
from pathlib import Path

from tools.gates.rule import Outcome

NEEDS_A_PERSON = frozenset(["refuse", "perturb", "canary"])


def check(root: Path) -> Outcome:
    """Ask each catalogue for its entries, if the rooms are there."""
    findings: list[str] = []
    seen = []
    for room, catalogue in (("treatments", "TREATMENTS"), ("policy", "RULES")):
        if not (root / "src" / "stillwatch" / room).is_dir():
            continue
        seen.append(room)
        entries = getattr(importlib.import_module(f"stillwatch.{room}"), catalogue, None)
        if entries is None:
            findings.append(f"stillwatch.{room}: has no catalogue {catalogue}")
            continue
        for entry in entries:
            if room == "treatments" and getattr(entry, "on_by_default", None) is not False:
                findings.append(f"treatment {entry.name}: on_by_default must be False")
            acts = set(getattr(entry, "actions", ())) & NEEDS_A_PERSON
            if room == "policy" and acts and getattr(entry, "needs_confirmation", None) is not True:
                findings.append(f"rule {entry.name}: orders {sorted(acts)}; needs_confirmation must be True")
    if not seen:
        return Outcome(skipped="rooms policy/ and treatments/ are absent")
    return Outcome(findings=tuple(findings))
