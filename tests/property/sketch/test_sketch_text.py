"""Tokens, anchors and counts agree with the plain definition, whatever the text."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.sketch.anchors import bottom_k, content, edges, shingles
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.text import normalise, tokenise
from stillwatch.sketch.textkeys import derive_system_keys, derive_text_keys
from stillwatch.terms.event import N_SYSTEM_ANCHORS
from stillwatch.terms.exchange import Exchange, Message
from tests.unit.sketch import scalar
from tests.unit.sketch.made import NOON, reducer

EPOCH = KeyRing(bytes(range(32))).for_epoch(227)
KEYS = derive_text_keys(EPOCH)
SYSTEM_KEYS = derive_system_keys(EPOCH, KEYS)
WORDS = st.sampled_from(
    [
        "a",
        "Test",
        "x" * 33,
        "12",
        "9,5",
        "你好吗",
        "日本語テスト",
        "한국어",
        "über",
        "a\u200bb",
        "ไทย",
        "🙂🙂",
        "\u201cquoted\u201d",
        "don\u2019t",
        "\n",
        "\r\n- ",
        "\x00",
        "\ud83d",
        "é" * 20,
        "مرحبا،",
        "ﷺ",
        "Ｗ１",
    ]
)
TEXTS = st.one_of(st.text(), st.text(st.characters(codec=None)), st.lists(WORDS, max_size=60).map(" ".join),
                  st.lists(WORDS, max_size=30).map("".join))  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=6))
def test_token_hashes_are_those_of_the_plain_definition(texts: list[str]) -> None:
    lower = [normalise(text) for text in texts]
    found = tokenise(lower, KEYS)
    assert len(found.offsets) == len(texts) + 1
    for row, text in enumerate(lower):
        expected = scalar.tokens(text)
        hashes = [scalar.siphash(KEYS.token, token) for token in expected]
        assert found.hashes[found.offsets[row] : found.offsets[row + 1]].tolist() == hashes
        assert found.words[row] == len(expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=6))
def test_anchors_are_the_sixteen_least_distinct_shingles(texts: list[str]) -> None:
    found = tokenise([normalise(text) for text in texts], KEYS)
    got = bottom_k(*shingles(found, KEYS))
    for row in range(len(texts)):
        hashes = found.hashes[found.offsets[row] : found.offsets[row + 1]].tolist()
        assert got[row].tolist() == scalar.anchors(hashes, KEYS.shingle.tolist())


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=6))
def test_system_anchors_are_the_eight_least_shingles_under_their_own_keys(texts: list[str]) -> None:
    exchanges = [Exchange(time=NOON, account="a", messages=(Message(role="system", text=text),)) for text in texts]
    got = reducer().reduce(exchanges)["sketch"]["system_anchors"]
    for row, text in enumerate(texts):
        hashes = [scalar.siphash(SYSTEM_KEYS.token, token) for token in scalar.tokens(normalise(text))]
        assert got[row].tolist() == scalar.anchors(hashes, SYSTEM_KEYS.shingle.tolist())[:N_SYSTEM_ANCHORS]


@given(st.lists(st.integers(0, 400), max_size=8), st.integers(0, 2**32), st.sampled_from([3, 60, 10**6]))
@settings(max_examples=100, deadline=None)
def test_bottom_k_is_exact_for_long_and_for_repeating_texts(sizes: list[int], seed: int, distinct: int) -> None:
    rng = np.random.default_rng(seed)
    pool = rng.integers(1, 2**64, distinct if distinct < 100 else 1000, np.uint64)
    hashes = [rng.choice(pool, size) for size in sizes]
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    got = bottom_k(np.concatenate([np.zeros(0, np.uint64), *hashes]), offsets)
    for row, part in enumerate(hashes):
        least = sorted(set(part.tolist()))[:16]
        assert got[row].tolist() == least + [0] * (16 - len(least))


@settings(max_examples=80, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5), TEXTS)
def test_content_and_edges_depend_on_the_tokens_alone(texts: list[str], other: str) -> None:
    lower = [normalise(text) for text in texts]
    alone = tokenise(lower[:1], KEYS)
    among = tokenise([normalise(other), *lower], KEYS)
    assert content(alone, KEYS)[0] == content(among, KEYS)[1]
    assert edges(alone, KEYS)[0][0] == edges(among, KEYS)[0][1]
    assert edges(alone, KEYS)[1][0] == edges(among, KEYS)[1][1]
    spread = tokenise([b" \n " + lower[0] + b" ... "], KEYS)
    assert content(alone, KEYS)[0] == content(spread, KEYS)[0]
    assert (content(alone, KEYS)[0] == 0) == (len(alone.hashes) == 0)


def test_head_and_tail_tokens_of_a_long_text_are_kept() -> None:
    text = " ".join(f"{'ab'[i % 2]}{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" for i in range(6000))
    found = tokenise([b"x y", text.encode(), b"z"], KEYS)
    assert found.counts.tolist() == [2, 4608, 1] and found.words.tolist() == [2, 6000, 1]
    assert found.hashes[2:-1].tolist() == [scalar.siphash(KEYS.token, t) for t in scalar.tokens(text.encode())]
    assert found.place[2:-1].tolist() == list(range(4608))
