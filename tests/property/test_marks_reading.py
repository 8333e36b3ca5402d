"""What a reading promises: pairs counted once, exact p-values at any depth, chance measured beside them."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, kstest

from stillwatch.forensics.marks.calibrate import Chance, random_keys
from stillwatch.forensics.marks.green import GreenText
from stillwatch.forensics.marks.pairs import TokenText, distinct_pairs
from stillwatch.forensics.marks.power import least_hits, power, tokens_needed
from stillwatch.forensics.marks.reading import LEAST_KEYS, log_holm, misfit
from stillwatch.stats.exact import binomial_tail
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.tiers import keys_for
from tests.marked_text import VOCAB, an_epoch, innocent, order

DOCUMENTS = st.lists(st.lists(st.integers(0, 11), max_size=14), max_size=6)


def pairs_by_hand(documents: list[list[int]], width: int, prompts: list[list[int]] | None) -> set[tuple[int, ...]]:
    found = set()
    for number, document in enumerate(documents):
        prompt = prompts[number] if prompts else []
        shown = {tuple(prompt[i : i + width]) for i in range(len(prompt) - width + 1)}
        for place in range(width, len(document)):
            context = tuple(document[place - width : place])
            if context not in shown:
                found.add((*context, document[place]))
    return found


@given(
    documents=DOCUMENTS, width=st.integers(1, 2), prompted=st.booleans(), data=st.data(),
    vocab=st.sampled_from([12, 40_000]),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_each_pair_counts_once_over_all_documents_and_never_across_a_border(
    documents: list[list[int]], width: int, prompted: bool, data: st.DataObject, vocab: int
) -> None:
    some = st.lists(st.lists(st.integers(0, 11), max_size=8), min_size=len(documents), max_size=len(documents))
    prompts = data.draw(some) if prompted else None
    given_prompts = TokenText.of(prompts) if prompts is not None else None
    pairs = distinct_pairs(TokenText.of(documents), width, vocab, given_prompts)
    context = np.repeat(np.stack(pairs.contexts[::-1], axis=-1), pairs.counts, axis=0)
    got = [(*map(int, row), int(token)) for row, token in zip(context, pairs.tokens, strict=True)]
    assert len(set(got)) == len(got) and set(got) == pairs_by_hand(documents, width, prompts)
    assert pairs.seen == sum(max(0, len(document) - width) for document in documents)


@given(
    documents=DOCUMENTS, width=st.integers(1, 2), seed=st.integers(0, 99), owned=st.sampled_from(["", "a", "c", "ac"])
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_reader_counts_what_the_mark_made_green(documents: list[list[int]], width: int, seed: int, owned: str) -> None:
    epoch = an_epoch(seed, width=width)
    asked = order(epoch, "x" if "a" in owned else "", "y" if "c" in owned else "")
    mark = GreenMark(epoch, asked)
    expected = sum(bool(mark.bias(pair[:-1], 12)[pair[-1]]) for pair in pairs_by_hand(documents, width, None))
    text = GreenText.of(TokenText.of(documents), epoch, vocab=12)
    assert int(text.hits(keys_for(epoch, asked.account, asked.campaign)).sum()) == expected
    assert int(text.scored.sum()) == len(pairs_by_hand(documents, width, None))


def test_many_keys_at_once_count_as_one_by_one() -> None:
    text = GreenText.of(TokenText.of([innocent(np.random.default_rng(1), 60_000)]), an_epoch(), vocab=VOCAB)
    a, b = random_keys(np.random.default_rng(2), 37)
    part = text.words[0]
    assert len(part.steps) > 1_000
    together = part.hits_of(a, b)
    assert together.tolist() == [int(part.hits_of(a[i : i + 1], b[i : i + 1])[0]) for i in range(37)]


CASES = [
    (0, 10), (1, 1), (7, 20), (300, 500), (500, 1_000), (499, 1_000), (700, 1_000), (1_000, 1_000), (12_000, 20_000),
    (10_100, 20_000), (9_800, 20_000), (19_999, 20_000),
]  # fmt: skip


@pytest.mark.parametrize(("k", "n"), CASES)
def test_log_p_equals_exact_sums_of_whole_numbers_at_any_depth(k: int, n: int) -> None:
    term = math.comb(n, k)
    total = 0
    for i in range(k, n + 1):
        total += term
        term = term * (n - i) // (i + 1)
    exact = log_of(Fraction(total, 2**n))
    assert float(binomial_tail(k, n, 0.5)) == pytest.approx(exact, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(505_000, 1_000_000), (600_000, 1_000_000), (3_001_000, 6_000_000)])
def test_log_p_of_a_large_corpus_equals_the_sum_of_its_terms(k: int, n: int) -> None:
    # Terms only shrink from here on, so their ratios to the first add up without loss; the first is exact.
    ratios, term = [1.0], 1.0
    for i in range(k, n):
        term *= (n - i) / (i + 1)
        if term < 1e-18:
            break
        ratios.append(term)
    with localcontext(prec=50):
        first = log_factorial(n) - log_factorial(k) - log_factorial(n - k) - n * Decimal(2).ln()
    exact = float(first) + math.log(math.fsum(ratios))
    assert float(binomial_tail(k, n, 0.5)) == pytest.approx(exact, rel=1e-12)


def log_factorial(n: int) -> Decimal:
    """Return log n! by Stirling's series, to 25 digits from n = 1,000 on."""
    x, pi = Decimal(n), Decimal("3.14159265358979323846264338327950288419716939937511")
    series = 1 / (12 * x) - 1 / (360 * x**3) + 1 / (1260 * x**5) - 1 / (1680 * x**7)
    return x * x.ln() - x + (2 * pi * x).ln() / 2 + series


def log_of(value: Fraction) -> float:
    """Return the natural log of a fraction of any size, to double precision."""
    shift = value.numerator.bit_length() - value.denominator.bit_length()
    scaled = value / Fraction(2) ** shift
    near_one = value > Fraction(1, 2)
    return math.log1p(-float(1 - value)) if near_one else math.log(float(scaled)) + shift * math.log(2.0)


@given(n=st.integers(1, 400), log_alpha=st.floats(-30.0, -0.1))
def test_no_level_is_passed_more_often_than_it_says(n: int, log_alpha: float) -> None:
    k = np.arange(n + 1)
    passing = binomial_tail(k, n, 0.5) <= log_alpha
    assert binom.pmf(k, n, 0.5)[passing].sum() <= math.exp(log_alpha) * (1 + 1e-9)
    assert int(least_hits(np.array([n]), log_alpha)[0]) == (int(k[passing][0]) if passing.any() else n + 1)


@pytest.mark.parametrize("width", [1, 2])
def test_random_keys_on_repetitive_innocent_text_behave_as_chance_does(width: int) -> None:
    rng = np.random.default_rng(11)
    phrase = innocent(rng, 50)
    documents = [np.concatenate((phrase, innocent(rng, 200), phrase, phrase)) for _ in range(40)]
    text = GreenText.of(TokenText.of(documents), an_epoch(3, width=width), vocab=VOCAB)
    chance = Chance.of(text.words, rng, 4_096)
    scores = chance.scores((0, 1, 2))
    assert chance.misfit((0, 1, 2)) == ""
    # Counts are whole: a uniform step of one count makes the scores continuous before they are compared.
    steps = rng.uniform(-1.0, 1.0, len(scores)) / math.sqrt(int(text.scored.sum()))
    assert kstest(scores + steps, "norm").pvalue > 1e-6


def test_repeats_that_were_counted_are_noticed_and_refused() -> None:
    rng = np.random.default_rng(5)
    pairs = GreenText.of(TokenText.of([innocent(rng, 3_000)]), an_epoch(), vocab=VOCAB).words[0]
    repeated = 3 * pairs.hits_of(*random_keys(rng, LEAST_KEYS))  # as if every pair had been counted three times
    n = 3 * pairs.scored
    assert "repeats" in misfit((repeated - n / 2) / math.sqrt(n / 4))


def test_scores_off_their_mean_and_too_few_keys_are_refused() -> None:
    fine = np.random.default_rng(1).standard_normal(1_024)
    assert misfit(fine) == "" and "mean" in misfit(fine + 0.3) and "too few" in misfit(fine[:999])
    assert "deviation" in misfit(fine * 0.8)


def test_random_keys_that_fit_are_refused_less_than_once_in_ten_thousand() -> None:
    scores = np.random.default_rng(2).standard_normal((20_000, 1_024))
    assert sum(bool(misfit(row)) for row in scores) <= 2


@given(st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=12), st.integers(0, 30))
def test_holm_on_logs_is_holm_and_counts_what_was_left_out(p: list[float], more: int) -> None:
    order_ = np.argsort(p, kind="stable")
    total, worst, expected = len(p) + more, 0.0, [0.0] * len(p)
    for rank, i in enumerate(order_):
        worst = max(worst, p[i] * (total - rank))
        expected[i] = min(worst, 1.0)
    assert np.exp(log_holm(np.log(p), tried=total)) == pytest.approx(expected, rel=1e-9)


def test_holm_refuses_to_forget_a_reading() -> None:
    with pytest.raises(ValueError, match="count them all"):
        log_holm([-1.0, -2.0], tried=1)


@pytest.mark.parametrize("rate", [0.9, 0.75, 0.65, 0.6, 0.55])
def test_tokens_needed_are_the_least_that_reach_the_power(rate: float) -> None:
    n = tokens_needed(rate)
    log_alpha = math.log(1e-6)
    after = np.arange(n, n + n // 2)
    assert power(rate, after, log_alpha).min() >= 0.9 > float(power(rate, np.array([n - 1]), log_alpha)[0])
    k = next(k for k in range(n // 2, n + 2) if binom.sf(k - 1, n, 0.5) <= 1e-6)
    assert float(power(rate, np.array([n]), log_alpha)[0]) == pytest.approx(binom.sf(k - 1, n, rate), rel=1e-9)


def test_power_is_what_simulation_finds() -> None:
    rng = np.random.default_rng(8)
    n = tokens_needed(0.65)
    found = (binomial_tail(rng.binomial(n, 0.65, 20_000), n, 0.5) <= math.log(1e-6)).sum()
    expected = float(power(0.65, np.array([n]), math.log(1e-6))[0])
    assert binom.ppf(1e-6, 20_000, expected) <= found <= binom.isf(1e-6, 20_000, expected)
