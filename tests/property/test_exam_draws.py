"""Keyed draws in the exams by a second route: every outcome of small worlds, the engine's own draw, a thousand keys."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2

from stillwatch.forensics.exams.drawn import DrawnContexts
from stillwatch.forensics.exams.drawnscores import BOUND, CLIP, probability_payoffs, word_payoffs
from stillwatch.forensics.exams.residual import PairCounts, pack
from stillwatch.treatments.marks.gumbel import keyed, pair_of_keys
from stillwatch.treatments.marks.prf import ContextTable

VOCAB, WIDTH = 12, 2


def contexts_of(rng: np.random.Generator, n: int, tokens: int, *, alpha: float = 0.0) -> DrawnContexts:
    """Return contexts with drawn chances and payoffs."""
    held = rng.permuted(np.tile(np.arange(VOCAB), (n, 1)), axis=1)[:, :WIDTH]
    code = held @ np.array([1, VOCAB])
    held = held[np.unique(code, return_index=True)[1]]
    n = len(held)
    r = rng.dirichlet(np.full(tokens, 0.7), n) + 0.01
    payoff = rng.normal(size=(n, tokens)) ** 3
    owner = np.repeat(np.arange(n), tokens)
    token = np.tile(np.arange(tokens), n)
    digests = np.arange(n).astype(np.uint64)
    return DrawnContexts.of((held, digests), owner, token, (r.ravel(), payoff.ravel()), alpha=alpha)


def every_sum(drawn: DrawnContexts) -> tuple[np.ndarray, np.ndarray]:
    """Return every sum that keys can bring, and its chance, by going through all draws."""
    ends = [*drawn.starts[1:].tolist(), len(drawn.tokens)]
    shares = (1.0 - drawn.alpha, drawn.alpha) if drawn.alpha else (1.0,)
    parts = [
        [(share * float(f), math.exp(float(lr))) for f, lr in zip(drawn.payoff[a:b], drawn.log_r[a:b], strict=True)]
        for a, b in zip(drawn.starts.tolist(), ends, strict=True)
        for share in shares
    ]
    outcomes = list(itertools.product(*parts))
    return (
        np.array([sum(f for f, _ in one) for one in outcomes]),
        np.array([math.prod(p for _, p in one) for one in outcomes]),
    )


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 3), tokens=st.integers(2, 4), alpha=st.sampled_from([0.0, 0.3]))
def test_no_chances_and_payoffs_make_a_sum_likelier_than_the_tail_says(
    seed: int, n: int, tokens: int, alpha: float
) -> None:
    drawn = contexts_of(np.random.default_rng(seed), n if not alpha else min(n, 2), tokens, alpha=alpha)
    sums, chances = every_sum(drawn)
    assert chances.sum() == pytest.approx(1.0) and (sums * chances).sum() == pytest.approx(0.0, abs=1e-9)
    assert (sums**2 * chances).sum() == pytest.approx(float(drawn.variances.sum()))
    for t in (0.01, 0.3, 2.0):
        assert drawn.cumulant(t) == pytest.approx(math.log((np.exp(t * sums) * chances).sum()))
    top, log_chance = drawn.most
    assert top == pytest.approx(sums.max()) and log_chance == pytest.approx(math.log(chances[sums > top - 1e-9].sum()))
    for one in np.unique(sums.round(9))[::3]:
        exact = chances[sums >= one - 1e-9].sum()
        assert math.log(exact) <= drawn.tail(float(one)) + 1e-6


def test_the_tail_is_within_a_few_nats_of_the_exact_one_far_out() -> None:
    drawn = contexts_of(np.random.default_rng(3), 6, 4)
    sums, chances = every_sum(drawn)
    order = np.argsort(-sums)
    log_exact = np.log(np.cumsum(chances[order]))
    for at in np.searchsorted(log_exact, [-12.0, -9.0, -6.0, -4.0]):
        assert log_exact[at] <= drawn.tail(float(sums[order][at])) + 1e-9 <= log_exact[at] + 3.5


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_what_a_key_draws_is_what_the_engine_draws(alpha: float) -> None:
    rng = np.random.default_rng(11)
    drawn = contexts_of(rng, 30, VOCAB, alpha=alpha)
    ends = [*drawn.starts[1:].tolist(), len(drawn.tokens)]
    for key in (5, 2**63 + 11):
        total = 0.0
        for which, share in zip(pair_of_keys(key, alpha), (1.0 - alpha, alpha), strict=True):
            for context, a, b in zip(drawn.contexts, drawn.starts.tolist(), ends, strict=True):
                logits = np.full(VOCAB, -np.inf, np.float32)
                logits[drawn.tokens[a:b]] = drawn.log_r[a:b]
                token = keyed(logits, context, which)
                total += share * float(drawn.payoff[a:b][drawn.tokens[a:b] == token][0])
        assert drawn.total(pair_of_keys(key, alpha)) == pytest.approx(total, abs=1e-9)


def test_fresh_keys_draw_each_token_with_the_reference_s_chance() -> None:
    drawn = contexts_of(np.random.default_rng(4), 1, 5)
    rng = np.random.default_rng(5)
    picks = np.array([drawn._drawn(int(key))[0] for key in rng.integers(0, 2**64, 4_000, np.uint64)])
    seen, expected = np.bincount(picks, minlength=5), 4_000 * np.exp(drawn.log_r)
    assert chi2.sf(((seen - expected) ** 2 / expected).sum(), 4) > 1e-4


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_a_thousand_random_keys_score_as_chance_does_and_are_not_accused_too_often(alpha: float) -> None:
    """An innocent text with a reference that is far off: the tail is held against a thousand fresh keys."""
    rng = np.random.default_rng(20_261_130)
    drawn = contexts_of(rng, 120, 8, alpha=alpha)
    keys = [pair_of_keys(int(key), alpha) for key in rng.integers(0, 2**64, 1_000, np.uint64)]
    sums = np.array([drawn.total(key) for key in keys])
    z = sums / math.sqrt(float(drawn.variances.sum()))
    assert abs(z.mean()) < 0.13 and 0.9 < z.std() < 1.1
    log_p = np.array([drawn.tail(one) for one in sums])
    for level in (0.1, 0.02, 0.002):
        assert np.sum(log_p <= math.log(level)) <= binom.isf(1e-4, 1_000, level)
    scores = drawn.chance(rng)
    assert len(scores) == 1_024 and 0.9 < scores.std() < 1.1


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 10**6), greed=st.floats(0.0, 2.0))
def test_the_running_tail_holds_though_each_context_is_chosen_by_the_draws_before(seed: int, greed: float) -> None:
    """Five contexts of three tokens; whoever chooses payoffs sees all draws so far. Every path, every look."""
    rng = np.random.default_rng(seed)
    tables = [contexts_of(rng, 1, 3) for _ in range(4)]
    for one in tables:
        one.payoff[:] = one.payoff / np.abs(one.payoff).max()
    found: list[tuple[float, float]] = []

    def walk(path: list[DrawnContexts], total: float, chance: float, least: float) -> None:
        if len(path) == 5:
            found.append((least, chance))
            return
        one = tables[int(abs(total) * 7 + greed * len(path)) % len(tables)]
        for f, lr in zip(one.payoff.tolist(), one.log_r.tolist(), strict=True):
            after = [*path, one]
            whole = joined(after)
            walk(after, total + f, chance * math.exp(lr), min(least, whole.running_tail(total + f)))

    walk([], 0.0, 1.0, 0.0)
    log_p, chance = np.array(found).T
    assert chance.sum() == pytest.approx(1.0)
    for level in np.unique(log_p):
        assert chance[log_p <= level].sum() <= math.exp(level) + 1e-9


def joined(parts: list[DrawnContexts]) -> DrawnContexts:
    sizes = np.array([len(one.tokens) for one in parts])
    return DrawnContexts(
        np.concatenate([one.contexts for one in parts]), np.arange(len(parts)).astype(np.uint64),
        np.cumsum(sizes) - sizes, np.concatenate([one.tokens for one in parts]),
        np.concatenate([one.log_r for one in parts]), np.concatenate([one.payoff for one in parts]), 0.0,
    )  # fmt: skip


def test_words_and_probabilities_of_one_place_favour_the_same_tokens() -> None:
    rng = np.random.default_rng(8)
    table = ContextTable.of_key(bytes(32), WIDTH, VOCAB)
    columns = (np.array([3]), np.array([7]))
    r = rng.dirichlet(np.ones(VOCAB))
    seen = PairCounts.of(pack((np.full(50, 3), np.full(50, 7)), np.full(50, 5), VOCAB))
    expected = PairCounts.of(pack((np.full(VOCAB, 3), np.full(VOCAB, 7)), np.arange(VOCAB), VOCAB), 50 * r)
    words, spread = word_payoffs(seen, expected, table, alpha=0.0)
    assert words.contexts.tolist() == [[7, 3]] and spread >= 0.0
    assert int(words.tokens[np.argmax(words.payoff)]) == 5
    assert np.exp(words.log_r) == pytest.approx(r)
    p = 0.8 * r + 0.2 * np.eye(VOCAB)[5]
    digests = table.digests(*columns)
    held = (np.array([[3, 7]]), digests)
    told = probability_payoffs(held, np.arange(VOCAB)[None], (np.log(p)[None], np.log(r)[None]), alpha=0.0)
    assert int(told.tokens[np.argmax(told.payoff)]) == 5
    assert told.contexts.tolist() == [[7, 3]] and np.abs(told.payoff).max() <= 2.0
    assert CLIP < BOUND


def test_places_of_one_context_count_once_and_what_is_not_told_is_left_out() -> None:
    rng = np.random.default_rng(9)
    table = ContextTable.of_key(bytes(32), WIDTH, VOCAB)
    contexts = np.array([[3, 7], [3, 7], [1, 2]])
    digests = table.digests(contexts[:, 0], contexts[:, 1])
    log_r = np.log(rng.dirichlet(np.ones(VOCAB), 3))
    log_p = log_r + 0.3 * rng.normal(size=log_r.shape)
    log_p[2, 4:] = np.nan
    made = probability_payoffs((contexts, digests), np.tile(np.arange(VOCAB), (3, 1)), (log_p, log_r), alpha=0.0)
    assert len(made.starts) == 2
    sizes = sorted(np.diff(made.starts, append=len(made.tokens)).tolist())
    assert sizes == [4, VOCAB]
    only = made.only(np.array([True, False]))
    assert len(only.starts) == 1 and only.variances[0] == pytest.approx(made.variances[0])
    assert made.only(np.zeros(2, bool)).total((1, 2)) == 0.0 and made.only(np.zeros(2, bool)).tail(1.0) == 0.0
