"""Promise: every example in the room `stats` and in its two pages runs and prints what it says."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import stillwatch.stats

DOCS = Path(__file__).parents[2] / "docs"
MODULES = [f"stillwatch.stats.{m.name}" for m in pkgutil.iter_modules(stillwatch.stats.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("page", ["explain/nats.md", "reference/stats.md"])
def test_examples_in_pages_run(page: str) -> None:
    found = doctest.testfile(str(DOCS / page), module_relative=False)
    assert found.attempted > 0 and found.failed == 0


def test_reference_names_every_public_function() -> None:
    text = (DOCS / "reference/stats.md").read_text(encoding="utf-8")
    missing = []
    for name in MODULES:
        module = importlib.import_module(name)
        for public, thing in vars(module).items():
            if not public.startswith("_") and getattr(thing, "__module__", "") == name and callable(thing):
                missing += [] if f"`{public}" in text else [f"{name}.{public}"]
    assert missing == []
