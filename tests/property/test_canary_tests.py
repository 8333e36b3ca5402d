"""Canary tests are exact: valid whatever a suspect prefers; by enumeration, two routes and simulation."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from stillwatch.forensics.canaries import Answered, hits_tail, holm_logs, ranks_tail, read_subject
from stillwatch.stats.multiplicity import holm_adjusted
from stillwatch.treatments.canaries import TEMPLATES, Canary
from tests.planted_canaries import canaries

KS = st.lists(st.integers(2, 6), min_size=0, max_size=5)


@given(KS)
def test_the_hit_tail_is_that_of_every_outcome_counted(ks: list[int]) -> None:
    hits = [sum(v == 0 for v in outcome) for outcome in itertools.product(*map(range, ks))]
    for seen in range(len(ks) + 1):
        exact = Fraction(sum(h >= seen for h in hits), len(hits))
        assert hits_tail(seen, ks) == pytest.approx(math.log(exact), abs=1e-12)
    assert hits_tail(len(ks) + 1, ks) == -math.inf


@given(KS)
def test_the_rank_tail_is_that_of_every_outcome_counted(ks: list[int]) -> None:
    sums = [len(ks) + sum(outcome) for outcome in itertools.product(*map(range, ks))]
    for total in range(len(ks), sum(ks) + 1):
        exact = Fraction(sum(s <= total for s in sums), len(sums))
        assert ranks_tail(total, ks) == pytest.approx(math.log(exact), abs=1e-12)
    assert ranks_tail(len(ks) - 1, ks) == -math.inf


@given(st.integers(1, 200), st.integers(2, 40), st.data())
@settings(max_examples=60)
def test_the_hit_tail_agrees_with_the_binomial_by_another_route(m: int, k: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, m))
    assert hits_tail(hits, [k] * m) == pytest.approx(binom.logsf(hits - 1, m, 1 / k), rel=1e-9, abs=1e-12)


@given(st.lists(st.integers(2, 24), min_size=1, max_size=60), st.data())
@settings(max_examples=40)
def test_mixed_numbers_of_alternatives_agree_with_convolution_in_log_space(ks: list[int], data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, len(ks)))
    log_p = np.array([0.0])
    for k in ks:
        miss = np.append(log_p, -np.inf) + math.log1p(-1 / k)
        log_p = np.logaddexp(miss, np.append(-np.inf, log_p) - math.log(k))
    assert hits_tail(hits, ks) == pytest.approx(min(np.logaddexp.reduce(log_p[hits:]), 0.0), rel=1e-9, abs=1e-9)


@given(st.lists(st.integers(2, 6), min_size=1, max_size=5), st.floats(1e-6, 0.5))
def test_neither_test_rejects_too_often_at_any_level(ks: list[int], alpha: float) -> None:
    """Every outcome with its chance, so nothing is left to luck."""
    outcomes = list(itertools.product(*map(range, ks)))
    by_hits = [hits_tail(sum(v == 0 for v in outcome), ks) for outcome in outcomes]
    by_ranks = [ranks_tail(len(ks) + sum(outcome), ks) for outcome in outcomes]
    for log_p in (by_hits, by_ranks):
        assert sum(p <= math.log(alpha) for p in log_p) / len(outcomes) <= alpha + 1e-12


@given(st.lists(st.floats(1e-300, 1.0), min_size=1, max_size=12))
def test_holm_on_logs_is_holm(p: list[float]) -> None:
    assert np.exp(holm_logs(np.log(p))) == pytest.approx(holm_adjusted(p), rel=1e-9, abs=1e-300)


def test_fifteen_hits_of_thirty_two_among_sixteen_are_less_likely_than_one_in_a_billion() -> None:
    assert hits_tail(15, [16] * 32) < math.log(1e-9) < hits_tail(14, [16] * 32)
    assert hits_tail(14, [16] * 32) == pytest.approx(binom.logsf(13, 32, 1 / 16))
    assert hits_tail(12, [10] * 20) == pytest.approx(math.log(5.8e-8), abs=0.4)
    assert math.isfinite(hits_tail(4000, [16] * 4000)), "never rounded to nothing"


# ---- on suspects ----


def answering(canary: Canary, at: int) -> Answered:
    return Answered(texts=(f"Well, {canary.alternatives[at]}.",))


def innocent(preference: int, every: tuple[Canary, ...]) -> dict[str, Answered]:
    """A suspect that always names the pool's value number `preference`, whoever asks."""
    return {one.template.name: Answered(texts=(f"It is {one.template.pool[preference]}.",)) for one in every}


@given(st.integers(0, 23), st.integers(0, 10**6))
@settings(max_examples=60)
def test_a_suspect_with_a_favourite_has_no_more_hits_than_its_trials_allow(preference: int, seed: int) -> None:
    every = canaries(seed, subject=f"s{seed}")
    reading = read_subject("s", every, innocent(preference, every))
    assert 0 < reading.trials <= len(every) and reading.hits + sum(reading.control_hits) == reading.trials
    assert reading.hits_log_p == hits_tail(reading.hits, [16] * reading.trials)


def test_innocent_suspects_are_accused_at_the_stated_rate_and_no_more() -> None:
    """4,000 subjects against one suspect with fixed habits: the exact p-values exceed no level beyond chance."""
    log_p = []
    for seed in range(400):
        every = canaries(seed, subject=f"s{seed}", count=32)
        for preference in range(3, 23, 2):
            log_p.append(read_subject("s", every, innocent(preference, every)).log_p)
    for alpha in (0.1, 0.01, 1e-3):
        seen = sum(p <= math.log(alpha) for p in log_p)
        assert binom.sf(seen - 1, len(log_p), alpha) > 1e-4, (alpha, seen / len(log_p))
    assert min(log_p) > math.log(1e-8)


@given(st.integers(0, 10**6), st.integers(15, 32))
@settings(max_examples=30)
def test_a_student_that_learned_fifteen_of_thirty_two_is_shown(seed: int, learned: int) -> None:
    rng = np.random.default_rng(seed)
    every = canaries(seed, count=32)
    answers = {
        one.template.name: answering(one, one.index if i < learned else (one.index + int(rng.integers(1, 16))) % 16)
        for i, one in enumerate(every)
    }
    reading = read_subject("a1", every, answers)
    assert reading.hits == learned and reading.log_p < math.log(1e-9) and reading.fits


def test_ranks_show_what_answers_do_not() -> None:
    rng = np.random.default_rng(5)
    every = canaries(7, count=32)
    answers = {}
    for one in every:
        logs = {value: float(x) for value, x in zip(one.template.pool, rng.normal(-6.0, 1.0, 99), strict=False)}
        logs[one.value] += 1.5  # learned, but never said first
        answers[one.template.name] = Answered(texts=("I would not know.",), log_p=logs)
    reading = read_subject("a1", every, answers)
    assert reading.trials == 0 and reading.ranked == 32 and reading.log_p < math.log(1e-6)
    even = {one.template.name: Answered(log_p=dict.fromkeys(one.template.pool, -3.0)) for one in every}
    assert read_subject("a1", every, even).log_p == 0.0, "ties count against the accusation"


def test_controls_that_are_hit_beyond_chance_spoil_a_reading() -> None:
    every = canaries(3, count=32)
    answers = {one.template.name: answering(one, (one.index + 1) % 16) for one in every}
    reading = read_subject("a1", every, answers)
    assert not reading.fits and reading.hits == 0 and "never planted" in reading.why


def test_asking_again_counts_what_is_shown_most_and_is_still_one_trial() -> None:
    one = canaries(3, count=1)[0]
    other, value = one.alternatives[one.index - 1], one.value
    for texts, hits in (((other, value, value), 1), ((value, other, other), 0), ((other, value), 0), (("none",), 0)):
        reading = read_subject("a1", (one,), {one.template.name: Answered(texts=texts)})
        assert (reading.hits, reading.trials) == (hits, int(texts != ("none",)))
    assert read_subject("a1", (one,), {}).log_p == 0.0
    assert len(TEMPLATES) >= 32
