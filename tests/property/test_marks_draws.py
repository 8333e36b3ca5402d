"""What the keyed draw promises: each token keeps its chance, keys trace, loops are left, tails are exact."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stillwatch.forensics.marks.gamma import gamma_tail, two_key_tail
from stillwatch.forensics.marks.grams import distinct_grams, firsts, number
from stillwatch.forensics.marks.gumbel import GumbelText, read_draws
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.reading import holm
from stillwatch.treatments.marks.gumbel import GumbelMark, at_most, keyed, noise
from stillwatch.treatments.marks.philox import Scratch, vocabulary_words
from stillwatch.treatments.marks.sampling import Sampling, truncated
from tests.marked_text import VOCAB, an_epoch, innocent, language, order

COLLIDING = [pow(0x9E3779B97F4A7C15, -1, 2**64) * i % 2**63 for i in range(1, 9)]
"""Numbers whose products with the spread are small, so that they share the first slot (or have the sign bit cut)."""
DOCUMENTS = st.lists(st.lists(st.integers(0, 5), max_size=12), max_size=5)


def drawn(mark: GumbelMark, tokens: int, seed: int, how: Sampling | None = None) -> list[int]:
    """Return one answer of the made-up language, drawn under a mark."""
    rng, answer, said = np.random.default_rng(seed), mark.answer(), []
    ready = truncated(language().astype(np.float32), how or Sampling())
    for _ in range(tokens):
        said.append(answer.pick(ready, said, rng))
    return said


@given(seed=st.integers(0, 10_000), spread=st.floats(0.01, 12.0), vocab=st.integers(1, 700), kept=st.integers(1, 700))
@settings(max_examples=150, deadline=None)
def test_draw_is_the_greatest_of_logit_and_noise_whatever_is_left_out_of_the_work(
    seed: int, spread: float, vocab: int, kept: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = truncated((rng.standard_normal(vocab) * spread).astype(np.float32), Sampling(top_k=kept))
    context = rng.integers(-1, 50, 2)
    every = noise(vocabulary_words(seed, context, vocab).T.ravel()[:vocab])
    assert keyed(logits, context, seed) == int(np.argmax(logits + every))


def test_no_noise_exceeds_the_bounds_that_spare_its_logarithm() -> None:
    for start in range(0, 2**24, 2**20):
        words = np.arange(start, start + 2**20, dtype=np.uint64) << np.uint64(8)
        exact, upper = noise(words), at_most(words, Scratch())
        assert (upper >= exact).all() and exact.max() < 16.7
        assert start < 2**23 or (upper - exact <= 0.5).all()


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 3.0, 40.0, 1e5])
def test_draw_from_a_whole_vocabulary_is_the_greatest_of_all(scale: float) -> None:
    for seed in range(6):
        rng = np.random.default_rng([seed, int(scale)])
        logits = ((rng.standard_normal(40_003) - 7.0) * scale).astype(np.float32)
        # Equal logits far up, where single precision has few numbers, tie often.
        logits[rng.integers(0, logits.size, 50)] = logits.max()
        context = rng.integers(-1, 50, 2)
        every = noise(vocabulary_words(seed, context, logits.size).T.ravel()[: logits.size])
        assert keyed(logits, context, seed) == int(np.argmax(logits + every))


def test_draw_from_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        keyed(np.full(9, -np.inf, np.float32), np.array([1, 2]), 5)


@given(
    codes=st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-2, 2), st.sampled_from(COLLIDING))),
    more=st.integers(1, 8),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_first_places_are_found_whatever_numbers_share_a_slot(codes: list[int], more: int) -> None:
    every = np.array(codes * more, np.int64)
    assert firsts(every).tolist() == np.sort(np.unique(every, return_index=True)[1]).tolist()


@given(rows=st.lists(st.tuples(*[st.integers(-1, 2**21) | st.integers(-1, 2)] * 5), min_size=1, max_size=40))
@settings(max_examples=150, deadline=None)
def test_rows_have_one_number_exactly_where_they_are_the_same(rows: list[tuple[int, ...]]) -> None:
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
    columns[0] = columns[0] * 2**42
    codes = number(columns).tolist()
    assert len(set(codes)) == len(set(rows)) == len(set(zip(codes, rows, strict=True)))


def test_over_keys_each_token_keeps_its_chance() -> None:
    chance = np.array([0.5, 0.25, 0.15, 0.07, 0.03])
    logits = np.log(chance).astype(np.float32)
    counts = np.bincount([keyed(logits, np.array([1, 2]), key) for key in range(6_000)], minlength=5)
    # The upper 1e-6 quantile of chi-square with 4 degrees of freedom.
    assert float(((counts - 6_000 * chance) ** 2 / (6_000 * chance)).sum()) < 33.4


@given(
    seed=st.integers(0, 500), top_k=st.integers(0, 60), top_p=st.floats(0.05, 1.0), min_p=st.floats(0.0, 0.5),
    temperature=st.floats(0.2, 3.0),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_truncation_keeps_the_likeliest_and_no_more_than_asked(
    seed: int, top_k: int, top_p: float, min_p: float, temperature: float
) -> None:
    logits = (np.random.default_rng(seed).standard_normal(50) * 3).astype(np.float32)
    how = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    out = truncated(logits, how)
    kept = np.flatnonzero(out > -np.inf)
    assert logits.argmax() in kept and logits[kept].min() >= np.delete(logits, kept).max(initial=-np.inf)
    assert np.allclose(out[kept], logits[kept] / np.float32(temperature))
    assert not 0 < top_k < 50 or len(kept) <= top_k
    scaled = (logits / np.float32(temperature)).astype(np.float64)
    weights = np.exp(scaled - scaled.max())
    assert weights[kept].min() >= min_p * (1 - 1e-5)
    left = weights.copy()
    left[weights < min_p] = 0.0
    if 0 < top_k < 50:
        left[np.argsort(-weights)[top_k:]] = 0.0
    left /= left.sum()
    # Without its least token the kept mass is short of top_p; with it, not.
    assert left[kept].sum() >= top_p * (1 - 1e-5)
    assert len(kept) == 1 or left[kept].sum() - left[kept].min() <= top_p * (1 + 1e-5)


def test_answers_do_not_fall_into_loops_at_width_1() -> None:
    epoch = an_epoch(3, scheme="gumbel", width=1)
    said = drawn(GumbelMark(epoch), 600, 5, Sampling(top_k=8))
    assert len(set(zip(said, said[1:], strict=False))) > 40


def test_answer_that_went_back_starts_anew() -> None:
    mark = GumbelMark(an_epoch(3, scheme="gumbel", width=2), alpha=0.0)
    one, other, rng = mark.answer(), mark.answer(), np.random.default_rng(0)
    for n in range(5):
        one.next_draw([1, 2, 3, 4, 5][:n], rng)
    assert one.next_draw([1, 2], rng) == other.next_draw([1, 2], rng) is not None


@pytest.mark.parametrize("width", [2, 4])
def test_answer_is_traced_to_its_account_and_to_no_other(width: int) -> None:
    epoch = an_epoch(7, scheme="gumbel", width=width, vocab=VOCAB)
    documents = [drawn(GumbelMark(epoch, order(epoch, "mallory", "")), 100, seed) for seed in range(2)]
    text, rng = GumbelText.of(TokenText.of(documents), epoch), np.random.default_rng(1)
    guilty = read_draws(text, rng, account=epoch.tag("account", "mallory"))
    assert all(reading.fits for reading in guilty)
    assert {r.key_name for r, p in zip(guilty, holm(guilty), strict=True) if p < math.log(1e-6)} == {
        "provider", "account", "account, campaign contexts too", "all tiers, no campaign",
    }  # fmt: skip
    others = [read_draws(text, rng, account=epoch.tag("account", name))[1] for name in ("alice", "bob")]
    assert all(reading.key_name == "account" and reading.log_p > math.log(1e-4) for reading in others)
    clean = GumbelText.of(TokenText.of([innocent(np.random.default_rng(5), 200)]), epoch)
    assert all(r.fits and r.log_p > math.log(1e-4) for r in read_draws(clean, rng, account=b"x" * 16))


@given(documents=DOCUMENTS, width=st.integers(1, 4), once=st.sampled_from(["pair", "context"]), padded=st.booleans())
@settings(max_examples=150, deadline=None)
def test_each_place_counts_once_and_never_across_a_border(
    documents: list[list[int]], width: int, once: str, padded: bool
) -> None:
    expected: dict[tuple[int, ...], int] = {}
    seen = 0
    for document in documents:
        for place, token in enumerate(document):
            if place < width and not padded:
                continue
            seen += 1
            context = tuple(([-1] * width + document[:place])[-width:])
            expected.setdefault((*context, token) if once == "pair" else context, token)
    grams = distinct_grams(TokenText.of(documents), width, once=once, padded=padded)
    rows = [(*map(int, context), int(token)) for context, token in zip(grams.contexts, grams.tokens, strict=True)]
    keys = [row if once == "pair" else row[:-1] for row in rows]
    assert dict(zip(keys, (row[-1] for row in rows), strict=True)) == expected
    assert grams.seen == seen and len(set(keys)) == len(keys)


@given(documents=DOCUMENTS, width=st.integers(1, 3), data=st.data())
@settings(max_examples=80, deadline=None)
def test_contexts_of_a_documents_own_prompt_do_not_count(
    documents: list[list[int]], width: int, data: st.DataObject
) -> None:
    some = st.lists(st.lists(st.integers(0, 5), max_size=8), min_size=len(documents), max_size=len(documents))
    prompts = data.draw(some)
    expected = set()
    for document, prompt in zip(documents, prompts, strict=True):
        shown = {tuple(prompt[i : i + width]) for i in range(len(prompt) - width + 1)}
        places = range(width, len(document))
        expected |= {tuple(document[p - width : p + 1]) for p in places if tuple(document[p - width : p]) not in shown}
    grams = distinct_grams(TokenText.of(documents), width, prompts=TokenText.of(prompts))
    assert {(*map(int, c), int(t)) for c, t in zip(grams.contexts, grams.tokens, strict=True)} == expected


@given(shape=st.integers(1, 400), ratio=st.floats(0.01, 30.0))
@settings(max_examples=120, deadline=None)
def test_gamma_tail_is_the_sum_that_defines_it(shape: int, ratio: float) -> None:
    score = shape * ratio
    with localcontext() as context:
        context.prec = 60
        term = total = Decimal(1)
        for i in range(1, shape):
            term = term * Decimal(score) / i
            total += term
        exact = float(total.ln() - Decimal(score))
    assert math.isclose(float(gamma_tail(score, shape)), exact, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize(("shape", "alpha"), [(1, 0.1), (6, 0.1), (6, 0.8), (40, 0.3)])
def test_two_key_tail_is_what_simulation_finds(shape: int, alpha: float) -> None:
    rng = np.random.default_rng(4)
    sums = (1 - alpha) * rng.gamma(shape, size=400_000) + alpha * rng.gamma(shape, size=400_000)
    for level in (0.5, 0.05, 0.001):
        score = float(np.quantile(sums, 1 - level))
        # Five standard errors of the simulated share.
        assert abs(math.exp(two_key_tail(score, shape, alpha)) - level) < 5 * math.sqrt(level / 400_000)


def test_the_bound_for_a_small_second_key_meets_the_sum_where_both_can_be_had() -> None:
    for shape in (1, 10, 300):
        for ratio in (0.8, 1.0, 2.0):
            below, above = (two_key_tail(shape * ratio, shape, alpha) for alpha in (0.99e-4, 1.01e-4))
            assert abs(below - above) < 0.02 + 2e-4 * shape, (shape, ratio)


@given(shape=st.integers(1, 5_000), ratio=st.floats(0.2, 12.0), alpha=st.floats(0.0, 1.0))
@example(shape=3, ratio=1.0, alpha=1e-9)
@example(shape=5_000, ratio=1.0, alpha=1.01e-4)
@example(shape=5_000, ratio=12.0, alpha=0.99e-4)
@settings(max_examples=60, deadline=None)
def test_two_key_tail_lies_between_its_bounds(shape: int, ratio: float, alpha: float) -> None:
    found = two_key_tail(shape * ratio, shape, alpha)
    small, great = sorted((alpha, 1 - alpha))
    # Both keys at the greater weight is more than the sum; the greater one alone is less.
    assert found <= float(gamma_tail(shape * ratio / great, 2 * shape)) + 1e-6
    assert found >= float(gamma_tail(shape * ratio / great, shape)) - 1e-6 or small == 0.0
