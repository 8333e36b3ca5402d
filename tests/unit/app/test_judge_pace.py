"""Judging live traffic takes the share of a core that the settings allow, however many threads it works in."""

import threading
import time

import pytest

from stillwatch.app.judgepace import JudgePace, beside


@pytest.mark.parametrize(("threads", "share"), [(1.0, 1.0), (2.0, 1.0), (2.0, 0.2), (0.5, 1.0), (3.0, 0.0)])
def test_judging_without_pause_stays_within_its_share(threads: float, share: float) -> None:
    now = busy = spent = 0.0
    pace = JudgePace(share, wall=lambda: now, busy=lambda: busy)
    for number in range(200):
        took = 1.0 + number % 7
        pace.begin()
        now, busy, spent = now + took, busy + took * threads, spent + took * threads
        pace.end()
        while pace.resting:
            now += 0.01
    assert spent / now <= 1.0 / (1.0 + share) + 1e-6
    assert spent / now >= min(threads, 1.0) / (1.0 + share) * 0.95  # and is not starved either


def test_the_first_judgement_needs_no_rest() -> None:
    assert not JudgePace(1.0).resting


def test_what_other_threads_spend_counts_and_the_callers_own_does_not() -> None:
    def work(n: int) -> int:
        return sum(range(n))

    before, mine = beside(), time.thread_time()
    work(3_000_000)
    own, mine = beside() - before, time.thread_time() - mine
    other = threading.Thread(target=work, args=(6_000_000,))
    other.start()
    other.join()
    assert own < mine / 2 < beside() - before - own
