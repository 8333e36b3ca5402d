"""Drawings: deterministic, inside their frame, capped, and honest about what they leave out."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.console import bars, graph, timeline
from stillwatch.console.report import Edge
from tests import console_fixture

HUBS = st.sampled_from(["content:1", "content:2", "payment:3", "network:4", "client:5", "strange:6"])
EDGES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30) | HUBS, st.floats(0, 9)), max_size=80)


@settings(max_examples=50, deadline=None)
@given(edges=EDGES)
def test_the_graph_stays_inside_its_frame_and_does_not_depend_on_the_order_of_edges(
    edges: list[tuple[int, int | str, float]],
) -> None:
    picture, again = graph.draw(edges, 31), graph.draw(edges[::-1], 31)
    assert (picture is None) == (not edges)
    if picture is None or again is None:
        return
    marks = re.findall(r'c[xy]="([-\d.]+)"', picture.svg)
    marks += [part for pair in re.findall(r"translate\(([-\d.]+) ([-\d.]+)\)", picture.svg) for part in pair]
    assert all(10 <= float(value) <= graph.SIZE - 10 for value in marks)
    assert picture.hubs == again.hubs and picture.drawn == again.drawn
    assert re.sub(r'd="[^"]*"', "", picture.svg) == re.sub(r'd="[^"]*"', "", again.svg)


def test_accounts_beyond_the_cap_are_counted_not_drawn() -> None:
    picture = graph.draw([Edge(i, "content:a", 1.0) for i in range(1000)], 1000)
    assert picture is not None
    assert (picture.drawn, picture.left_out, picture.lines_left_out) == (120, 880, 880)
    assert picture.svg.count("<circle") == 120


def test_hubs_do_not_lie_on_one_another() -> None:
    report = console_fixture.report(sizes=(60, 400))
    for campaign in report.verdicts.campaigns[:2]:
        picture = graph.draw(report.edges[campaign.id], len(campaign.accounts))
        assert picture is not None
        spots = [(float(x), float(y)) for x, y in re.findall(r"translate\(([-\d.]+) ([-\d.]+)\)", picture.svg)]
        gaps = [abs(complex(*a) - complex(*b)) for i, a in enumerate(spots) for b in spots[:i]]
        assert min(gaps) > 14


@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=700))
def test_merging_bins_loses_no_request(counts: list[int]) -> None:
    bins, by = timeline.merged(counts)
    assert sum(bins) == sum(counts) and len(bins) <= timeline.MAX_BINS and len(bins) * by >= len(counts)


def test_a_campaign_without_requests_in_the_bins_draws_nothing() -> None:
    assert timeline.draw((), (), start=0.0, step=60.0) is None
    assert timeline.draw((0, 0), (5, 5), start=0.0, step=60.0) is None


@pytest.mark.parametrize("value", [-5.0, 0.0, 3.0, 700.0, float("inf"), float("-inf"), float("nan")])
def test_a_bar_never_leaves_its_track(value: float) -> None:
    end = bars.axis_end([value], 6.0)
    shape = re.findall(r'class="(?:pass|fall)" d="M0 3h([\d.]+)', bars.bar(value, threshold=6.0, end=end))
    assert 0 <= float(shape[0]) <= bars.WIDTH
