"""Enforced after confirmation: the campaign gets next to nothing more, and nobody honest beside it is refused.

One run over the real wire, as `python -m bench.containment` makes it; the time-lapse is shortened.
"""

import asyncio
from pathlib import Path

import pytest

import stillwatch
from bench.contained import Contained, contained
from bench.containment import MARGIN

SEED = 2
SECONDS = 50.0
NOTICED = 1.5 / SECONDS
"""Share of the plan in a second and a half of this lapse: what a busy machine's workers may take to notice a decision.
At the pace of days it is nothing; `bench.containment` measures without it."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Contained:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(Path(stillwatch.__file__).parents[1]))  # `serve` runs in a process of its own
        return asyncio.run(contained(SEED, tmp_path_factory.mktemp("contained") / "run", SECONDS))


def test_further_harvest_is_at_most_what_unnamed_members_get_and_two_percent_of_the_plan(run: Contained) -> None:
    assert run.confirmed_days, run
    assert run.recall >= 0.5 and run.before < 0.9 * run.plan, run  # found in time to matter
    assert run.harvest <= 1.0 - run.recall + MARGIN + NOTICED, run
    assert run.refused > 0, run


def test_no_honest_account_in_the_same_traffic_is_refused(run: Contained) -> None:
    assert run.honest_answered > 1_000, run
    assert run.honest_refused == 0 and run.honest_named == 0, run
