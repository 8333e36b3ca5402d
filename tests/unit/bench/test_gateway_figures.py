"""The gateway benchmark's arithmetic: medians, ratios within a repeat, goals that fail when they should."""

import os
import time
from typing import Any

import pytest

from bench.gateway import figures, processor, tables
from bench.gateway.figures import Spread, broken, goals, ratios

MINE = {
    "json": [0.0005, 0.0004, 0.0030], "burst": [0.00001] * 3, "paced_few": [0.0002] * 3, "paced_many": [0.00009] * 3,
    "lag_p50": [0.0002] * 3, "lag_p99": [0.004] * 3, "added_p50": [0.0008] * 3, "added_p99": [0.0025] * 3,
}  # fmt: skip
PEER = {"json": [0.015, 0.016, 0.090], "burst": [0.001] * 3, "paced_few": [0.0012] * 3}


def run_with(**changed: Any) -> dict[str, Any]:
    """Return what a run found in which every goal is met, but for what the test changes."""
    aborts = {
        "count": 1000, "p50": 0.002, "p99": 0.02, "worst": 0.05, "never_closed": 0, "streams_left": 0,
        "sockets_left": 0, "memory_left": 0, "tasks_left": 0,
    }  # fmt: skip
    kept = {"answered": 900, "kept": 900, "lost": 0, "told": 0, "doubled": 0, "unfinished": 8, "allowed": 0}
    found: dict[str, Any] = {
        "samples": {figures.STILLWATCH: MINE, figures.PLAIN: MINE, "LiteLLM 1.0": PEER},
        "aborts": {figures.STILLWATCH: aborts | changed.pop("aborts", {})},
        "losses": {"sigterm": kept | changed.pop("sigterm", {}), "sigkill": kept | changed.pop("sigkill", {})},
        "resident": {}, "absent": {},
    }  # fmt: skip
    return found | changed


def test_a_median_is_not_moved_by_one_repeat_that_another_job_disturbed() -> None:
    assert Spread.of(MINE["json"]) == Spread(0.0005, 0.0004, 0.0030)


def test_ratios_are_taken_within_a_repeat_so_that_a_slow_moment_cancels() -> None:
    assert Spread.of(ratios(PEER["json"], MINE["json"])).median == pytest.approx(30.0)
    with pytest.raises(ValueError):
        ratios([1.0], [1.0, 2.0])


def test_a_good_run_meets_every_goal_and_breaks_no_gate() -> None:
    assert [goal.measure for goal in goals(run_with()) if goal.met is not True] == []
    assert broken(run_with()) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"aborts": {"sockets_left": 1}},
        {"aborts": {"streams_left": 1}},
        {"aborts": {"tasks_left": 1}},
        {"aborts": {"never_closed": 1}},
        {"sigterm": {"lost": 1}},
        {"sigkill": {"lost": 5, "allowed": 4}},
        {"samples": {figures.STILLWATCH: MINE, "LiteLLM 1.0": {**PEER, "json": [0.012, 0.009, 0.07]}}},
    ],
)
def test_each_leak_each_lost_event_and_too_small_a_lead_fails_the_run(changed: dict[str, Any]) -> None:
    assert len(broken(run_with(**changed))) == 1


def test_times_are_recorded_and_never_fail_the_run() -> None:
    slow = {**MINE, "paced_many": [1.0] * 3, "added_p50": [1.0] * 3, "added_p99": [1.0] * 3}
    found = run_with(samples={figures.STILLWATCH: slow, "LiteLLM 1.0": PEER}, aborts={"p99": 3.0})
    assert broken(found) == []
    assert sum(goal.met is False for goal in goals(found)) == 4


def test_sockets_fewer_than_before_do_not_make_up_for_a_stream_that_leaked() -> None:
    assert len(broken(run_with(aborts={"sockets_left": -3, "streams_left": 1}))) == 1


def test_without_litellm_the_goal_is_not_measured_and_the_page_says_why() -> None:
    found = run_with(samples={figures.STILLWATCH: MINE, figures.PLAIN: MINE}, absent={"LiteLLM": "no network"})
    assert [goal.met for goal in goals(found) if "LiteLLM" in goal.measure] == [None]
    assert broken(found) == []
    assert "LiteLLM: row left out, no network." in tables.render(found)


def test_every_table_renders() -> None:
    text = tables.render(run_with())
    for heading in (
        "### Goals",
        "### Cost by proxy",
        "### Callers that hang up",
        "### Events that outlive the gateway",
    ):
        assert heading in text


def test_processor_time_counts_work_and_not_waiting() -> None:
    begun = processor.seconds([os.getpid()])
    time.sleep(0.05)
    idle = processor.seconds([os.getpid()])
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    busy = processor.seconds([os.getpid()])
    assert idle - begun < 0.04 <= busy - idle


def test_a_family_holds_the_process_itself_and_its_sockets_can_be_counted() -> None:
    assert os.getpid() in processor.family(os.getpid())
    assert processor.sockets([os.getpid()]) >= 0 < processor.resident([os.getpid()])
