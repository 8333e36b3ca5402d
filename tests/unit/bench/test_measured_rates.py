"""What reports promise beside the rates is what the results page says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import page, rates
from stillwatch.app.measured import measured_rates
from stillwatch.stats.intervals import ratio_upper

PAGE = page.PAGE.read_text(encoding="utf-8")


def test_the_rates_in_the_package_are_those_of_the_results_page() -> None:
    made = rates.text(rates.rates(PAGE))
    held = rates.MEASURED.read_text(encoding="utf-8")
    assert held == made, "measured.json differs from bench/RESULTS.md; `python -m bench --write` writes both"


def test_reports_read_every_rate() -> None:
    assert [(rate.what, rate.n) for rate in measured_rates()] == [(r["what"], r["n"]) for r in rates.rates(PAGE)]


def made_up(accused: int, honest: int) -> str:
    """Return a results page with one stratum, and one campaign reported for every hundred accounts."""
    return (
        "2 seeds (5 to 6, 0 with shuffled habits)\n\n### Honest accounts accused\n\n"
        "| habits | stratum | honest | accused |\n|---|---|---|---|\n"
        f"| persistent | chat | {honest} | {accused} |\n| shuffled | chat | 9 | 9 |\n\n"
        "### Campaigns that Stillwatch reports\n\n| habits | reported | false |\n|---|---|---|\n"
        f"| all | {honest // 100} | 0 |\n"
    )


@given(st.data(), st.integers(1, 100_000))
def test_rates_and_bounds_are_rounded_up_never_down(data: st.DataObject, honest: int) -> None:
    accused = data.draw(st.integers(0, honest))
    _, chat = rates.rates(made_up(accused, honest))
    assert 0.0 <= chat["measured"] - accused / honest + 1e-8 <= 1.1e-4
    assert chat["upper"] >= min(float(ratio_upper(accused, honest, 1.0)), 1.0) - 1e-8
    assert chat["source"].endswith("seeds 5 to 6")


def test_a_count_changed_on_the_page_changes_the_file(tmp_path: Path) -> None:
    changed, file = tmp_path / "RESULTS.md", tmp_path / "measured.json"
    head, row, rest = PAGE.partition("| persistent | chat ")
    cells = rest.split("|")
    cells[2] = f" {int(cells[2]) + 100} "  # more than rounding hides
    changed.write_text(head + row + "|".join(cells), encoding="utf-8")
    rates.write(changed, file)
    assert file.read_text(encoding="utf-8") != rates.text(rates.rates(PAGE))


@pytest.mark.parametrize(
    "missing", ["### Honest accounts accused\n", "### Campaigns that Stillwatch reports\n", " seeds ("]
)
def test_a_page_without_its_tables_is_refused(missing: str) -> None:
    with pytest.raises(SystemExit, match=r"RESULTS\.md"):
        rates.rates(PAGE.replace(missing, ""))
