"""Pages lead somewhere, list everything, and those made from code say what the code does."""

from pathlib import Path
from types import ModuleType

import pytest

from tools.gates import entries, exceptions, figures, generated, layers, links

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("gate", [links, entries, generated, exceptions, figures, layers], ids=lambda g: g.__name__)
def test_the_docs_keep_their_promises(gate: ModuleType) -> None:
    outcome = gate.check(ROOT)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert not outcome.findings, "\n".join(outcome.findings)


def test_every_decision_has_its_own_number_status_and_decision() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [path.name[:4] for path in decisions]
    assert len(set(numbers)) == len(numbers)
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        for part in ("Status: ", "## Decision"):
            assert part in text, f"{path.name} lacks {part!r}"


def test_no_page_calls_sketches_anonymous() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            said = line.lower()
            if "anonym" in said.replace("pseudonym", ""):
                assert "not anonymous" in said or "never anonymous" in said, f"{page.name}:{number}: {line}"
