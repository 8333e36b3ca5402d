"""Single accounts: honest ones are flagged at most as often as promised, and S13 accuses nobody."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.detect.accounts import (
    ACCUSING,
    CHUNK_ACCOUNTS,
    SCORED,
    HonestScores,
    Scores,
    event_chunks,
    nats,
    score_accounts,
    thinned,
)
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.population import STRATA, Population
from stillwatch.detect.receipt import accused_alone, conclude
from stillwatch.stats.conformal import conformal_p
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.ports import Window
from tests.unit.detect.honest import made_scores, people_of, traffic

SWEEP = [scenario.name for scenario in SCORED].index("S13")


def part(scores: Scores, which: np.ndarray) -> Scores:
    return Scores(scores.account[which], scores.stratum[which], scores.values[:, which])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), distinct=st.sampled_from([1, 3, 1000]), alpha=st.sampled_from([0.1, 0.3]))
def test_no_more_honest_accounts_are_flagged_than_promised_whoever_is_judged(
    seed: int, distinct: int, alpha: float
) -> None:
    """Each of n + 1 swappable accounts is judged in turn against the others: the exact rate, ties included."""
    scores = made_scores(np.random.default_rng(seed), 50, distinct=distinct)
    flagged = np.zeros(50, bool)
    for i in range(50):
        others = np.arange(50) != i
        honest = HonestScores.of(part(scores, others))
        flagged[i] = honest.weigh(part(scores, ~others)).flags(alpha)[0]
    for stratum in range(len(STRATA)):
        mine = scores.stratum == stratum
        assert flagged[mine].sum() <= alpha * mine.sum() + 1e-9


def test_flags_at_one_percent_stay_below_one_percent_on_fresh_accounts() -> None:
    rng = np.random.default_rng(5)
    flagged, judged, rounds = 0, 0, 20
    for _ in range(rounds):
        honest = HonestScores.of(made_scores(rng, 3000))
        flagged += int(honest.weigh(made_scores(rng, 1000)).flags(0.01).sum())
        judged += 1000
    # The rate given a calibration scatters by that of its own 1 % rank, over the smallest stratum of 300.
    tolerance = 4 * np.sqrt(0.01 / judged + 0.01 / (300 * rounds))
    assert 0 < flagged / judged <= 0.01 + tolerance


def test_flags_on_composed_traffic_stay_within_the_rate() -> None:
    """Real features of real texts; accounts are split at random and so swappable: at most alpha are expected."""
    events = traffic(1)
    store = MemoryStore(events)
    people = Population.of(store.rollup(Window(epoch=int(events["epoch"][0]))))
    everyone = Scores.of(events, people, np.random.default_rng(0))
    rng, alpha, rates = np.random.default_rng(1), 0.1, []
    for _ in range(200):
        half = rng.random(len(everyone.account)) < 0.5
        weighed = HonestScores.of(part(everyone, half)).weigh(part(everyone, ~half))
        rates.append(float(weighed.flags(alpha).mean()))
    assert 0 < np.mean(rates) <= alpha + 4 * np.std(rates) / np.sqrt(len(rates))


@given(units=st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_a_conformal_p_value_is_worth_one_on_average_at_most(units: int) -> None:
    p = np.arange(1, units + 2) / (units + 1)  # every rank an honest account can take, all equally likely
    assert np.exp(nats(p, units)).mean() <= 1.0 + 1e-9


def test_the_least_p_value_wins_the_whole_bet_whatever_the_rounding() -> None:
    for units in range(1, 6000, 7):
        assert nats(np.array([1.0 / (units + 1.0)]), units)[0] >= np.log((units + 1.0) / 2.0) - 1e-6


@given(
    scores=st.lists(st.integers(0, 30), min_size=1, max_size=120), most=st.integers(1, 40), judged=st.integers(-1, 31)
)
def test_thinning_never_makes_a_score_look_stranger(scores: list[int], most: int, judged: int) -> None:
    ordered = np.sort(np.array(scores, np.float64))
    kept = thinned(ordered, most)
    assert len(kept) == min(most, len(scores))
    assert conformal_p(float(judged), kept) >= conformal_p(float(judged), ordered) - 1e-12


def test_looking_like_honest_work_of_another_large_stratum_clears() -> None:
    rng = np.random.default_rng(2)
    scores = made_scores(rng, 3000)
    scores.values[:, scores.stratum == STRATA.index("batch")] += 10.0
    honest = HonestScores.of(scores)
    odd = Scores(np.array([1], np.uint64), np.array([STRATA.index("chat")]), np.full((len(SCORED), 1), 9.0))
    assert honest.weigh(odd).p.min() > 0.5


def test_s13_alone_never_accuses_nor_flags() -> None:
    rng = np.random.default_rng(3)
    honest = HonestScores.of(made_scores(rng, 6000))
    judged = made_scores(rng, 1000)
    values = np.zeros_like(judged.values)
    values[SWEEP] = 99.0
    weighed = honest.weigh(replace(judged, values=values))
    assert weighed.log_e[SWEEP].min() > np.log(100)
    assert not ACCUSING[SWEEP]
    assert weighed.own.max() < 0.0
    assert not weighed.flags(0.5).any()
    config = DetectConfig(alpha=0.5, q=0.9)
    assert not accused_alone(weighed, people_of(judged), config).any()
    assert not any(verdict.accused for verdict in conclude((), weighed, people_of(judged), config))


def test_many_accounts_beyond_every_honest_one_are_accused_and_the_honest_ones_are_not() -> None:
    rng = np.random.default_rng(4)
    honest = HonestScores.of(made_scores(rng, 60_000))
    judged = made_scores(rng, 4000)
    judged.values[:, :800] = 99.0
    weighed, config = honest.weigh(judged), DetectConfig()
    accused = accused_alone(weighed, people_of(judged), config)
    assert accused[:800].all()
    assert accused[800:].sum() <= 0.05 * accused.sum()
    verdicts = conclude((), weighed, people_of(judged), config)
    assert [verdict.accused for verdict in verdicts] == [True] * int(accused.sum()) + [False] * 20
    assert all(verdict.campaign is None for verdict in verdicts)
    assert {e.scenario for e in verdicts[0].evidence} == {scenario.name for scenario in SCORED}


def test_honest_accounts_alone_are_not_accused() -> None:
    rng = np.random.default_rng(6)
    for _ in range(10):
        judged = made_scores(rng, 2000)
        weighed = HonestScores.of(made_scores(rng, 6000)).weigh(judged)
        assert not accused_alone(weighed, people_of(judged), DetectConfig()).any()


def test_chunks_hold_whole_accounts_and_every_event_once() -> None:
    events = traffic(1)
    store, window = MemoryStore(events), Window(epoch=int(events["epoch"][0]))
    people = Population.of(store.rollup(window))
    rows = np.arange(len(people.roll))
    chunks = list(event_chunks(store, people, rows, window))
    assert sum(len(chunk) for chunk in chunks) == len(events)
    accounts = np.concatenate([np.unique(chunk["account"]) for chunk in chunks])
    assert len(np.unique(accounts)) == len(accounts) == len(rows)
    assert max(len(np.unique(chunk["account"])) for chunk in chunks) <= CHUNK_ACCOUNTS
    assert list(event_chunks(store, people, rows[:0], window)) == []
    once, again = (score_accounts(store, people, rows, window, np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(once.values, again.values)
    assert np.array_equal(once.account, people.roll["account"])
