"""The scorecard's figures: shares of a lead, intervals, means over seeds, claims; and the economics on top."""

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.lab import score
from stillwatch.lab.cell import Budget, Cell, Contained, Measured, Row, Spent
from stillwatch.lab.economics.constants import load_constants
from stillwatch.lab.economics.curve import curves_of
from stillwatch.lab.economics.reckoning import exchange_dollars, reckon
from stillwatch.lab.scorecard.card import Scorecard, claims_of, lines_of, mean_of
from stillwatch.lab.scorecard.page import page_of
from stillwatch.lab.scorecard.table import table_of


def exactly(value: float, n: int = 100) -> Measured:
    return Measured(value=value, low=value - 0.05, high=value + 0.05, n=n)


def row(retained: float, *, answers: int = 1_000, points: float = 0.0, contained: Contained | None = None,
        **cell: object) -> Row:  # fmt: skip
    named: dict[str, object] = {"task": "toy", "defence": "none", "attack": "soft",
                                "budget": Budget(queries=answers), **cell}  # fmt: skip
    return Row(
        cell=Cell(**named), teacher=exactly(0.9), base=exactly(0.4), student=exactly(0.4 + 0.5 * retained),  # type: ignore[arg-type]
        retained=exactly(retained), fidelity=exactly(0.8), safeguards=exactly(0.5), teacher_safeguards=exactly(1.0),
        spent=Spent(queries=answers, tokens_in=100 * answers, tokens_out=answers), harvested=answers,
        contained=contained, honest_points=exactly(points),
    )  # fmt: skip


def test_retention_is_the_share_of_the_lead_and_its_interval_covers_it() -> None:
    """25 draws of 300 items, true share 0.6: misses stay within four standard errors of one in twenty."""
    rng, missed = np.random.default_rng(11), 0
    for _ in range(25):
        base, teacher, student = (np.float64(rng.random(300) < p) for p in (0.4, 0.9, 0.7))
        found = score.retained(student, base, teacher, np.random.default_rng(1))
        assert found is not None
        missed += not found.low <= 0.6 <= found.high
    assert missed <= 25 * 0.05 + 4 * np.sqrt(25 * 0.05 * 0.95)


def test_a_teacher_without_a_lead_has_no_retention() -> None:
    same = np.ones(10)
    assert score.retained(same, same, same, np.random.default_rng(1)) is None


def test_points_lost_are_paired_item_by_item() -> None:
    before, after = np.array([1.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])
    found = score.paired(after, before, np.random.default_rng(1))
    assert found.value == pytest.approx(25.0)
    assert score.paired(before, before, np.random.default_rng(1)) == Measured(value=0.0, low=0.0, high=0.0, n=4)


def test_a_mean_over_seeds_is_as_wide_as_the_seeds_differ() -> None:
    alike = mean_of([exactly(0.5), exactly(0.5)])
    apart = mean_of([exactly(0.2), exactly(0.8)])
    assert alike.high - alike.low == pytest.approx(0.1 / np.sqrt(2))
    assert apart.high - apart.low > 0.5


def test_rows_of_one_cell_and_several_seeds_make_one_line() -> None:
    rows = [row(0.8, seed=1), row(0.6, seed=2), row(0.5, defence="full")]
    first, second = lines_of(rows)
    assert first.retained is not None and first.retained.value == pytest.approx(0.7)
    assert len(second.rows) == 1


@pytest.mark.parametrize(("kept", "points", "halved"), [(0.4, 0.0, True), (0.41, 0.0, False), (0.3, 0.6, False)])
def test_halving_counts_only_at_half_a_point_of_honest_accuracy(kept: float, points: float, halved: bool) -> None:
    rows = [row(0.8), row(kept, defence="full", thief="adaptive", points=points)]
    (claim,) = claims_of(rows)
    assert claim.halved is halved
    assert ("NOT halved" in table_of(Scorecard(plan="toy", rows=tuple(rows)))) is not halved


def test_the_page_holds_every_line_and_escapes_names() -> None:
    card = Scorecard(plan="<toy>", rows=(row(0.8), row(0.2, defence="full")), skipped={"a": "no <data>"}, waiting=2)
    page = page_of(card)
    assert "&lt;toy&gt;" in page and "no &lt;data&gt;" in page and "<toy>" not in page
    assert page.count("<tr>") == 1 + 2
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page


def test_the_curve_says_nothing_beyond_what_was_measured() -> None:
    (curve,) = curves_of([row(0.5, answers=100), row(0.7, answers=400), row(0.6, answers=300, defence="full")])
    assert [point.answers for point in curve.points] == [100, 400]
    assert curve.needed(0.6) == pytest.approx(200.0)
    assert curve.needed(0.25) == pytest.approx(50.0)
    assert curve.needed(0.71) is None
    assert curve.at(200.0) == pytest.approx(0.6)


def test_a_stopped_thief_pays_for_every_campaign_it_begins_anew() -> None:
    stopped = Contained(confirmed_days=2.0, harvest_before=100)
    rows = [row(0.5, answers=100), row(0.8, answers=400)]
    assert all(point.contained is None for point in reckon(rows, load_constants()).costs)
    rows.append(row(0.4, defence="full", contained=stopped, answers=400))
    constants = load_constants()
    whole = next(point for point in reckon(rows, constants).costs if point.retained == 0.8)
    assert whole.campaigns == pytest.approx(4.0)
    assert whole.contained is not None
    more = whole.contained - whole.undefended
    assert more == pytest.approx(3 * constants["accounts"].value * constants["account_shared"].value)


def test_one_size_is_no_curve_and_costs_are_not_drawn_from_it() -> None:
    assert reckon([row(0.8)], load_constants()).costs == ()


def test_every_constant_names_its_unit_its_source_and_its_day() -> None:
    for name, constant in load_constants().items():
        assert constant.unit and constant.source and constant.as_of, name
        assert constant.kind in ("published", "measured", "list", "assumed")


def test_figures_change_with_their_constants() -> None:
    usual = load_constants()
    cheap = {**usual, "price_input": replace(usual["price_input"], value=0.0)}
    assert exchange_dollars(usual) == pytest.approx((1155 * 3 + 211 * 15) / 1e6)
    assert exchange_dollars(cheap) == pytest.approx(211 * 15 / 1e6)
