"""The key streams look like chance: tolerances are computed from the binomial, seeds are fixed.

Each test holds for an ideal stream with chance at least 1 - 1e-6 over its seed.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2

from stillwatch.treatments.marks.green import GreenMark, green_bits
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.prf import PHI, ContextHash, ContextTable, mix64, mix64_int, seed_int, seeds
from stillwatch.treatments.marks.ring import Epoch, TierKey
from stillwatch.treatments.marks.tiers import bounds, keys_for, tier_int, tiers_of

RISK = 1e-6


def an_epoch(seed: int = 0, **settings: object) -> Epoch:
    secret = np.random.default_rng(seed).bytes(32)
    return Epoch(number=1, secret=secret, made=0.0, **settings)  # type: ignore[arg-type]


def band(n: int, p: float = 0.5, tests: int = 1) -> tuple[float, float]:
    """Return counts that a binomial leaves with chance RISK, over `tests` looks together."""
    return float(binom.ppf(RISK / 2 / tests, n, p)), float(binom.isf(RISK / 2 / tests, n, p))


def words(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, n, np.uint64)


def test_mix_and_stream_are_those_of_splitmix64() -> None:
    # First outputs of SplitMix64 for the seed 1234567, as its authors' code prints them.
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    counter = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * np.uint64(PHI)
    assert mix64(counter).tolist() == known


@given(st.integers(0, 2**64 - 1))
def test_one_number_and_many_are_mixed_alike(x: int) -> None:
    assert int(mix64(np.array([x], np.uint64))[0]) == mix64_int(x)


def test_mix_leaves_its_argument_and_takes_any_shape() -> None:
    x = words(12).reshape(3, 4)
    before = x.copy()
    assert mix64(x).shape == (3, 4) and np.array_equal(x, before)
    assert mix64(np.uint64(5)).shape == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("structured", [True, False], ids=["counter", "random"])
@pytest.mark.parametrize("of", ["digest", "key"])
def test_every_bit_of_digest_and_key_flips_every_bit_of_the_stream_half_of_the_time(of: str, structured: bool) -> None:
    n = 1 << 13
    x = np.arange(n, dtype=np.uint64) if structured else words(n)
    a, b = words(2, seed=9)
    low, high = band(n, tests=64 * 64)
    base = mix64(seeds(x, a, b))
    for bit in range(64):
        one = np.uint64(1 << bit)
        changed = seeds(x ^ one, a, b) if of == "digest" else seeds(x, a, b ^ one)
        flipped = base ^ mix64(changed)
        counts = [int((flipped >> np.uint64(out) & np.uint64(1)).sum()) for out in range(64)]
        assert low <= min(counts) and max(counts) <= high, bit


def test_each_token_is_green_under_half_of_the_contexts() -> None:
    mark = GreenMark(an_epoch())
    vocab, contexts = 2_048, 4_000
    green = np.zeros(vocab, np.int64)
    for token in range(contexts):
        green += mark.bias([token], vocab)
    low, high = band(contexts, tests=vocab)
    assert low <= green.min() and green.max() <= high
    assert band(contexts * vocab)[0] <= green.sum() <= band(contexts * vocab)[1]


def test_list_sizes_vary_as_those_of_fair_coins_do() -> None:
    mark = GreenMark(an_epoch(3))
    vocab, contexts = 4_096, 3_000
    sizes = np.array([mark.bias([token], vocab).sum() for token in range(contexts)], np.float64)
    statistic = ((sizes - vocab / 2) ** 2).sum() / (vocab / 4)
    assert chi2.ppf(RISK / 2, contexts) < statistic < chi2.isf(RISK / 2, contexts)


def agreement(one: np.ndarray, other: np.ndarray, tests: int = 1) -> bool:
    low, high = band(one.size, tests=tests)
    return bool(low <= int((one == other).sum()) <= high)


def test_keys_epochs_contexts_and_neighbouring_tokens_are_independent() -> None:
    contexts = np.arange(3_000)
    tokens = np.arange(512)

    def lists(epoch: Epoch, key: TierKey) -> np.ndarray:
        digests = ContextTable.of(epoch, 4_096).digests(contexts)
        seed = seeds(digests, np.uint64(key.a), np.uint64(key.b))
        return green_bits(seed[:, None], tokens[None, :])

    epoch, later = an_epoch(1), an_epoch(2)
    own = lists(epoch, epoch.provider_key())
    neighbour = epoch.provider_key()
    assert agreement(own, lists(epoch, epoch.account_key(bytes(15) + b"1")))
    assert agreement(own, lists(epoch, TierKey(neighbour.a ^ 1, neighbour.b)))
    assert agreement(own, lists(epoch, TierKey(neighbour.a, neighbour.b + 1)))
    assert agreement(own, lists(later, later.provider_key()))
    for gap in (1, 2, 63, 64, 65, 128):
        assert agreement(own[:, :-gap], own[:, gap:]), gap
        assert agreement(own[:-gap], own[gap:]), gap


def test_triples_of_neighbouring_tokens_show_all_eight_patterns_alike() -> None:
    epoch = an_epoch(6)
    digests = ContextTable.of(epoch, 8_192).digests(np.arange(8_192))
    key = epoch.provider_key()
    bits = green_bits(seeds(digests, np.uint64(key.a), np.uint64(key.b))[:, None], np.arange(192)[None, :])
    pattern = bits.reshape(-1, 3) @ np.array([4, 2, 1], np.uint64)
    counts = np.bincount(pattern.astype(np.int64), minlength=8)
    expected = counts.sum() / 8
    assert chi2.ppf(RISK / 2, 7) < ((counts - expected) ** 2 / expected).sum() < chi2.isf(RISK / 2, 7)


@pytest.mark.parametrize(
    "shares", [(0.5, 0.25, 0.25), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.2, 0.5, 0.3)]
)
def test_tiers_take_their_shares_of_contexts(shares: tuple[float, float, float]) -> None:
    epoch = an_epoch(4, shares=shares)
    n = 200_000
    digests = ContextTable.of(epoch, n).digests(np.arange(n))
    counts = np.bincount(tiers_of(digests, epoch), minlength=3)
    for count, share in zip(counts, shares, strict=True):
        low, high = band(n, share, tests=3)
        assert low <= count <= high if 0 < share < 1 else count == share * n


def test_tier_says_nothing_of_the_stream_of_a_context() -> None:
    epoch = an_epoch(5)
    n = 100_000
    digests = ContextTable.of(epoch, n).digests(np.arange(n))
    key = epoch.provider_key()
    bits = green_bits(seeds(digests, np.uint64(key.a), np.uint64(key.b)), np.full(n, 17))
    for tier in range(3):
        part = bits[tiers_of(digests, epoch) == tier]
        low, high = band(len(part), tests=3)
        assert low <= part.sum() <= high


@given(
    width=st.integers(1, 4), tokens=st.lists(st.integers(0, 999), max_size=12), vocab=st.sampled_from([1_000, 4_097])
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_single_contexts_and_tables_agree_whatever_the_vocabulary(width: int, tokens: list[int], vocab: int) -> None:
    epoch = an_epoch(7, scheme="gumbel", width=width)
    single, table = ContextHash.of(epoch), ContextTable.of(epoch, vocab)
    expected = [single.digest(tokens[:place]) for place in range(len(tokens) + 1)]
    places = range(len(tokens) + 1)
    columns = [np.array([tokens[place - 1 - j] if j < place else -1 for place in places]) for j in range(width)]
    assert table.digests(*columns).tolist() == expected
    assert table.following(np.array(tokens, np.int64)).tolist() == expected[:-1]
    tiers = tiers_of(np.array(expected, np.uint64), epoch)
    assert tiers.tolist() == [tier_int(digest, bounds(epoch)) for digest in expected]
    key = epoch.provider_key()
    assert seeds(np.array(expected, np.uint64), np.uint64(key.a), np.uint64(key.b)).tolist() == [
        seed_int(digest, key) for digest in expected
    ]


def test_order_of_context_tokens_matters_at_width_two() -> None:
    single = ContextHash.of(an_epoch(width=2))
    assert single.digest([1, 2]) != single.digest([2, 1]) and single.digest([9, 1, 2]) == single.digest([1, 2])


@given(
    context=st.lists(st.integers(0, 40_000), max_size=5), vocab=st.integers(1, 5_000), width=st.sampled_from([1, 2]),
    owned=st.sampled_from(["", "a", "c", "ac"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_candidates_and_whole_vocabulary_get_one_bias(context: list[int], vocab: int, width: int, owned: str) -> None:
    epoch = an_epoch(8, width=width)
    account = epoch.tag("account", "x") if "a" in owned else b""
    campaign = epoch.tag("campaign", "y") if "c" in owned else b""
    mark = GreenMark(epoch, MarkOrder(epoch=1, account=account, campaign=campaign, until=1.0))
    whole = mark.bias(context, vocab)
    ids = np.arange(vocab)[::-1]
    assert whole.shape == (vocab,) and np.array_equal(mark.bias_candidates(context, ids), whole[ids])
    logits = np.zeros(vocab, np.float32)
    mark.apply(logits, context)
    assert np.array_equal(logits == np.float32(epoch.delta), whole) and not logits[~whole].any()
    digest = ContextHash.of(epoch).digest(context)
    key = keys_for(epoch, account, campaign)[tier_int(digest, bounds(epoch))]
    assert mark.seed(context) == seed_int(digest, key)
