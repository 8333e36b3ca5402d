"""Answers of other programs, kept in tests/golden, for tests that hold ours against them."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "golden"


def golden(name: str) -> dict[str, Any]:
    """Return one file's content; `make_*.py` beside it says how it was made."""
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found
