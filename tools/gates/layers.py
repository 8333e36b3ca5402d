"""Rule 1, the part that import-linter leaves: its contract lists every room, and no other picture differs.

In: the contract in pyproject.toml and the picture in the ADR. Out: rooms that one has and the other lacks.
"""

import re
import tomllib
from pathlib import Path

from tools.gates.rule import Outcome

PICTURE = "docs/adr/0001-rooms-and-layers.md"


def check(root: Path) -> Outcome:
    """Hold the contract against the rooms that exist and against the picture."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    layers = [layer for c in settings["tool"]["importlinter"]["contracts"] for layer in c.get("layers", [])]
    rooms = {room.strip(" ()"): "(" in room for layer in layers for room in layer.split("|")}
    package = root / "src" / "stillwatch"
    present = {path.parent.name for path in package.glob("*/__init__.py")}
    findings = [f"pyproject.toml: the layers do not list room {room}" for room in sorted(present - set(rooms))]
    findings += [
        f"pyproject.toml: room {room} is absent; write ({room}), or build it"
        for room, optional in rooms.items()
        if not optional and room not in present
    ]
    findings += [
        f"pyproject.toml: room {room} exists; take it out of its brackets"
        for room, optional in rooms.items()
        if optional and room in present
    ]
    picture = (root / PICTURE).read_text(encoding="utf-8") if (root / PICTURE).exists() else ""
    drawn = set(re.findall(r"\b([a-z]+)/", "".join(re.findall(r"```text\n(.*?)```", picture, re.DOTALL))))
    if drawn != set(rooms):
        findings.append(f"{PICTURE}: the picture and the contract differ in {sorted(drawn ^ set(rooms))}")
    return Outcome(findings=tuple(findings), note=f"{len(present)} rooms")
