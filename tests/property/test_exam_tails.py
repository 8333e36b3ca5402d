"""The exams' tails by a second route: every sign, every relabelling, or seeded draws with a computed tolerance."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm, rankdata

from stillwatch.forensics.exams.coins import EXACT, signed_ranks_tail, withheld_test
from stillwatch.forensics.exams.keyed import FINE, KeyedPairs
from stillwatch.forensics.exams.residual import PairCounts, lift, pack, residuals, unpack
from stillwatch.forensics.exams.servedlogits import first_places, gathered, logit_weights
from stillwatch.forensics.exams.shared import closer_than_all, poisson_binomial_tail, shared_errors
from stillwatch.forensics.exams.signs import (
    hoeffding_tail,
    martingale_tail,
    saddlepoint_tail,
    sharp_tail,
    standard,
)
from stillwatch.forensics.exams.tracing import LEADING, SCREEN, tried
from stillwatch.forensics.marks.calibrate import random_keys
from stillwatch.treatments.marks.green import green_bits
from stillwatch.treatments.marks.prf import seeds
from stillwatch.treatments.marks.ring import TierKey

WEIGHTS = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=11)


def every_sum(weights: np.ndarray) -> np.ndarray:
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(weights))))
    return signs @ weights


@settings(deadline=None, max_examples=60)
@given(weights=WEIGHTS)
def test_no_weights_make_a_sum_likelier_than_the_sharp_tail_says(weights: list[float]) -> None:
    a = np.array(weights)
    sums = every_sum(a)
    z = sums / math.sqrt((a * a).sum())
    exact = np.array([np.mean(sums >= one - 1e-9) for one in sums])
    assert np.all(exact <= np.exp(sharp_tail(z - 1e-9)) + 1e-12)
    assert np.all(exact <= np.exp(hoeffding_tail(z - 1e-9)) + 1e-12)


def test_the_sharp_tail_is_within_two_nats_of_the_normal_one_far_out() -> None:
    z = np.linspace(2.0, 30.0, 57)
    assert np.all(sharp_tail(z) >= norm.logsf(z)) and np.all(sharp_tail(z) <= norm.logsf(z) + 1.16)


@pytest.mark.parametrize("n", [40, 200])
def test_the_saddlepoint_agrees_with_the_binomial_it_stands_for(n: int) -> None:
    for hits in range(n // 2 + n // 8, n - n // 10, max(1, n // 20)):
        exact = 0.5 * (binom.logsf(hits - 1, n, 0.5) + binom.logsf(hits, n, 0.5))  # it is smooth between two steps
        assert saddlepoint_tail(2.0 * hits - n, np.ones(n)) == pytest.approx(exact, abs=0.25 + 0.01 * abs(exact))


def test_the_martingale_tail_holds_where_weights_follow_earlier_signs() -> None:
    """A suspect that doubles its weights after bad luck: the fixed-weight tail may fail there, this one may not."""
    rng = np.random.default_rng(4)
    draws, steps = 4_000, 40
    total, variance, weight = np.zeros(draws), np.zeros(draws), np.ones(draws)
    for _ in range(steps):
        sign = rng.choice((-1.0, 1.0), draws)
        total, variance = total + weight * sign, variance + weight**2
        weight = np.where(total / np.sqrt(variance) > 1.5, 0.0, np.minimum(weight * 1.3, 8.0))
    p = np.exp([martingale_tail(s, v, 64.0 * steps) for s, v in zip(total, variance, strict=True)])
    for alpha in (0.2, 0.05, 0.01):
        assert np.sum(p <= alpha) <= binom.isf(1e-6, draws, alpha)
    z = total / np.sqrt(variance)
    assert np.sum(norm.sf(z) <= 0.07) > binom.isf(1e-6, draws, 0.07)  # the shortcut does fail


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 300))
def test_sums_are_those_of_single_pairs_whatever_the_order(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    digests, tokens = rng.integers(0, 2**63, n).astype(np.uint64), rng.integers(0, 999, n)
    weights = rng.normal(size=n)
    pairs = KeyedPairs.of(digests, tokens, weights)
    key = TierKey(int(rng.integers(2**62)), int(rng.integers(2**62)))
    whole = np.rint(weights * FINE / np.abs(weights).max()).astype(int)
    seed_of = seeds(digests, np.array([key.a], np.uint64), np.array([key.b], np.uint64))
    assert pairs.total(key) == int((whole * (2 * green_bits(seed_of, tokens).astype(int) - 1)).sum())
    order = rng.permutation(n)
    shuffled = KeyedPairs.of(digests[order], tokens[order], weights[order])
    assert (shuffled.total(key), shuffled.variance) == (pairs.total(key), pairs.variance)


def test_random_keys_score_as_chance_does_whatever_the_reference() -> None:
    """A reference that knows nothing, a wrong one and a good one, on a raving text: the deviation is 1 for each."""
    rng = np.random.default_rng(8)
    said = np.minimum(rng.zipf(1.4, 4_000), 99)
    seen = PairCounts.of(pack((said[:-1],), said[1:], 100))
    ignorant = PairCounts.of(seen.code[:1], np.array([5.0]))
    wrong = PairCounts(seen.code, rng.random(len(seen.code)) * 9)
    for expected in (ignorant, wrong, PairCounts(seen.code, seen.value * 0.9)):
        made = residuals(seen, expected, vocab=100)
        (context,), token = unpack(made.code, 1, 100)
        pairs = KeyedPairs.of(context.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15), token, made.weight)
        z = pairs.totals(*random_keys(rng, 2_000)) / math.sqrt(pairs.variance)
        assert abs(z.mean()) < 5 / math.sqrt(2_000) and abs(z.std() - 1.0) < 0.08
        assert np.sum(sharp_tail(z) <= math.log(0.01)) <= binom.isf(1e-6, 2_000, 0.01)


@given(width=st.integers(1, 2), vocab=st.integers(2, 5_000), data=st.data())
def test_packing_loses_nothing(width: int, vocab: int, data: st.DataObject) -> None:
    column = st.lists(st.integers(0, vocab - 1), min_size=3, max_size=3)
    columns = tuple(np.array(data.draw(column)) for _ in range(width))
    tokens = np.array(data.draw(column))
    back, following = unpack(pack(columns, tokens, vocab), width, vocab)
    assert all(np.array_equal(a, b) for a, b in zip(columns, back, strict=True)) and np.array_equal(following, tokens)


def test_lift_is_what_the_bias_does_to_a_token_in_a_large_vocabulary() -> None:
    rng = np.random.default_rng(2)
    rest = rng.dirichlet(np.ones(4_000))
    for p in (0.0005, 0.2, 0.7):
        green = rng.random(4_000) < 0.5
        other = float((rest * np.where(green, math.exp(2.0), 1.0)).sum()) * (1 - p)
        up, down = (p * e / (p * e + other) for e in (math.exp(2.0), 1.0))
        assert lift(np.array([p]), 2.0)[0] == pytest.approx((up - down) / (2 * p), rel=0.05)


@settings(deadline=None, max_examples=40)
@given(chances=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9), k=st.integers(0, 10))
def test_the_poisson_binomial_tail_is_the_sum_over_all_outcomes(chances: list[float], k: int) -> None:
    p = np.array(chances)
    exact = sum(
        math.prod(p[i] if hit else 1.0 - p[i] for i, hit in enumerate(hits))
        for hits in itertools.product((0, 1), repeat=len(p))
        if sum(hits) >= k
    )
    assert math.exp(poisson_binomial_tail(k, p)) == pytest.approx(exact, abs=1e-9)


def test_shared_errors_are_those_of_relabelling_the_wrong_models_item_by_item() -> None:
    rng = np.random.default_rng(3)
    right = np.zeros(6, np.int64)
    answers = rng.integers(0, 3, (5, 6))
    teacher, suspect, controls = answers[0], answers[1], answers[2:]
    found = shared_errors(right, teacher, suspect, controls)
    everyone = answers[1:]
    items = [i for i in range(6) if teacher[i] and suspect[i] and (controls[:, i] != 0).any()]
    choices = [[everyone[m, i] == teacher[i] for m in range(4) if everyone[m, i]] for i in items]
    outcomes = [sum(pick) for pick in itertools.product(*choices)]
    assert (found.items, found.agreed) == (len(items), sum(int(suspect[i] == teacher[i]) for i in items))
    assert math.exp(found.log_p) == pytest.approx(np.mean(np.array(outcomes) >= found.agreed))


def test_who_is_no_nearer_than_every_control_is_not_accused() -> None:
    teacher = np.arange(200)
    near, far = np.where(teacher % 10, teacher, -5), teacher + 1
    assert closer_than_all(teacher, near, np.stack([far, far])).log_p < -100
    assert closer_than_all(teacher, near, np.stack([far, near])).log_p == 0.0


@pytest.mark.parametrize("way", ["sign", "rank"])
def test_withheld_pairs_without_a_difference_or_an_answer_count_for_nothing(way: str) -> None:
    served, kept = np.array([1.0, 2.0, np.nan, 5.0]), np.array([1.0, 3.0, 1.0, 4.0])
    found = withheld_test(served, kept, way=way)
    assert (found.pairs, found.known) == (2, 1)
    assert withheld_test(np.full(9, np.nan), np.zeros(9), way=way).log_p == 0.0


def test_each_context_has_its_share_of_the_variance_and_first_places_come_once() -> None:
    rng = np.random.default_rng(1)
    contexts = np.array([3, 3, 3, 8])
    log_p, log_r = (np.log(rng.dirichlet(np.ones(20), 4)) for _ in range(2))
    weights = logit_weights(log_p, log_r)
    at, _, weight = gathered(contexts, np.broadcast_to(np.arange(20), weights.shape), weights, vocab=20)
    share = [float(np.square(weight[at == context]).sum()) for context in (3, 8)]
    assert share == pytest.approx([3.0, 1.0])
    silent = np.where(np.arange(20) < 5, log_p, np.nan)
    assert np.all(logit_weights(silent, log_r)[:, 5:] == 0.0)
    assert first_places(contexts).tolist() == [0, 3]


def test_what_a_reference_hardly_expects_weighs_little() -> None:
    codes = pack((np.array([1, 1, 1, 1]),), np.array([2, 3, 4, 5]), 100)
    seen = PairCounts(codes, np.array([3.0, 1.0, 1.0, 95.0]))
    expected = PairCounts(codes, np.array([2.0, 0.5, 0.001, 97.0]))
    weight = residuals(seen, expected, vocab=100).weight
    assert weight[0] > weight[1] > 10.0 * weight[2] > 0.0 > weight[3]


def test_screening_keeps_the_key_that_leads_and_never_lowers_a_p_value() -> None:
    rng = np.random.default_rng(6)
    n = SCREEN + 4_000
    digests, tokens = rng.integers(0, 2**63, n).astype(np.uint64), rng.integers(0, 999, n)
    a, b = random_keys(rng, LEADING + 100)
    keys = [TierKey(int(x), int(y)) for x, y in zip(a, b, strict=True)]
    seed_of = seeds(digests, a[:1], b[:1])
    weights = rng.random(n) + 0.05 * (2.0 * green_bits(seed_of, tokens) - 1.0)
    pairs = KeyedPairs.of(digests, tokens, weights)
    z, log_p = tried([pairs], keys)
    exact = pairs.totals(a, b) / math.sqrt(pairs.variance)
    assert int(np.argmin(log_p)) == 0 and z[0] == pytest.approx(exact[0])
    assert np.all(log_p >= sharp_tail(exact) - 1e-9) and int(np.sum(log_p == 0.0)) >= 100
    assert standard(0.0, np.zeros(3)) == 0.0


@settings(deadline=None, max_examples=80)
@given(
    losses=st.lists(st.floats(-9.0, 9.0).map(lambda x: round(x, 6)), min_size=1, max_size=24, unique_by=abs),
    taken=st.lists(st.booleans(), min_size=24, max_size=24), way=st.sampled_from(["rank", "sign"]),
)  # fmt: skip
def test_losing_pairs_never_helps_the_accuser_whichever_are_lost(
    losses: list[float], taken: list[bool], way: str
) -> None:
    difference = np.array([one for one in losses if one != 0.0])
    lost = np.array(taken[: len(difference)], bool)
    none = np.zeros(len(difference))
    whole = withheld_test(none, difference, way=way)
    less = withheld_test(none[~lost], difference[~lost], way=way, lost=int(lost.sum()))
    assert less.pairs == whole.pairs and less.known <= whole.known
    assert less.log_p >= whole.log_p - 1e-9


@pytest.mark.parametrize("way", ["rank", "sign"])
def test_the_withheld_test_holds_exactly_over_all_coins_though_answers_are_lost_by_what_they_say(way: str) -> None:
    """Every outcome of ten coins; a caller leaves whenever the suspect finds its answer much the less likely one."""
    size = np.arange(1, 11) * 0.7
    log_ps = []
    for coins in itertools.product((-1.0, 1.0), repeat=10):
        difference = np.array(coins) * size
        stays = difference > -4.0  # it would be missing exactly where it speaks for the suspect
        zero = np.zeros(int(stays.sum()))
        log_ps.append(withheld_test(zero, difference[stays], way=way, lost=int((~stays).sum())).log_p)
        naive = withheld_test(zero, difference[stays], way=way).log_p
        assert log_ps[-1] >= naive - 1e-12
    p = np.exp(np.array(log_ps))
    for alpha in np.unique(p):
        assert np.mean(p <= alpha) <= alpha + 1e-12


@settings(deadline=None, max_examples=40)
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=9), signs=st.lists(st.booleans(), min_size=9, max_size=9))
def test_signed_ranks_are_counted_exactly_ties_and_all(sizes: list[int], signs: list[bool]) -> None:
    size = rankdata(sizes)
    own = np.where(signs[: len(size)], 1.0, -1.0)
    sums = every_sum(size)
    exact = np.mean(sums >= (own * size).sum() - 1e-9)
    assert signed_ranks_tail(own, size) == pytest.approx(math.log(exact), abs=1e-9)


def test_exact_ranks_lie_below_the_bound_that_takes_their_place_and_go_on_from_it() -> None:
    rng = np.random.default_rng(6)
    for shift in (0.1, 0.4):
        difference = rng.normal(shift, 1.0, EXACT)
        exact = withheld_test(np.zeros(EXACT), difference)
        bound = float(sharp_tail(exact.z))
        assert bound - 3.0 <= exact.log_p <= bound
