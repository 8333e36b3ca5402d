"""Cosine and Jaccard estimates: unbiased, and as exact as their docstrings say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.sketch.anchors import bottom_k
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.projection import project
from stillwatch.sketch.similar import cosine, cosine_matrix, jaccard
from stillwatch.sketch.text import tokenise
from stillwatch.sketch.textkeys import derive_text_keys
from tests.unit.sketch.scalar import mix

KEYS = derive_text_keys(KeyRing(bytes(range(32))).for_epoch(1))


def words(rng: np.random.Generator, n: int) -> list[str]:
    letters = rng.integers(97, 123, (n, 9)).astype(np.uint8)
    return [row.tobytes().decode() for row in letters]


@pytest.mark.parametrize(("own", "shared"), [(40, 0), (40, 20), (10, 50), (120, 120), (0, 30)])
def test_cosine_is_unbiased_with_a_deviation_of_at_most_an_eighth(own: int, shared: int) -> None:
    rng = np.random.default_rng(own * 1000 + shared)
    pairs = 2000
    texts = []
    for _ in range(pairs):
        common = words(rng, shared)
        texts += [" ".join(words(rng, own) + common).encode(), " ".join(common + words(rng, own)).encode()]
    rows = np.concatenate([project(tokenise(texts[low : low + 500], KEYS), KEYS) for low in range(0, 2 * pairs, 500)])
    found = cosine(rows[0::2], rows[1::2])
    truth = shared / (own + shared)
    assert abs(found.mean() - truth) < 5 * 0.125 / np.sqrt(pairs) + 0.01  # 0.01: rounding and clipping to a byte
    assert found.std() <= 0.13


def test_projection_is_that_of_the_plain_definition() -> None:
    text = b"alpha beta gamma alpha be 1234 delta \xe4\xbd\xa0\xe5\xa5\xbd " + b" ".join(
        b"w%c%c%c" % (97 + i % 26, 97 + i // 26, 97) for i in range(600)
    )
    tokens = tokenise([b"another text first", text], KEYS)
    chosen = []
    for place, (low, high) in enumerate(zip(tokens.starts, tokens.ends, strict=True)):
        piece = tokens.buffer[low:high].tobytes()
        if tokens.offsets[1] <= place < tokens.offsets[1] + 512 and not piece.isdigit():
            if len(piece) >= 4 or piece[0] >= 0x80:
                chosen.append(int(tokens.hashes[place]))
    total = np.zeros(64)
    for hashed in {h >> 12 for h in chosen}:
        bits = mix(((hashed << 12) ^ int(KEYS.salt[0])) * int(KEYS.salt[1]) % 2**64)
        total += [1 if bits >> (shift + 16 * lane) & 1 else -1 for shift in range(16) for lane in range(4)]
    expected = np.clip(np.rint(total / np.sqrt(len(set(chosen))) * 24), -127, 127)
    assert project(tokens, KEYS)[1].tolist() == expected.tolist()


@pytest.mark.parametrize(("own", "shared"), [(200, 0), (100, 100), (20, 160), (0, 300)])
def test_jaccard_is_unbiased_within_its_bound(own: int, shared: int) -> None:
    rng = np.random.default_rng(own + shared)
    pairs = 4000
    truth = shared / (2 * own + shared)
    draws = rng.integers(1, 2**64, (pairs, 2 * own + shared), np.uint64)
    size = own + shared
    offsets = np.arange(pairs + 1) * size
    left = bottom_k(np.ascontiguousarray(draws[:, :size]).reshape(-1), offsets)
    right = bottom_k(np.ascontiguousarray(draws[:, own:]).reshape(-1), offsets)
    found = jaccard(left, right)
    bound = np.sqrt(truth * (1 - truth) / 16)
    assert abs(found.mean() - truth) <= 5 * bound / np.sqrt(pairs)
    assert found.std() <= 1.05 * bound <= 0.14


@given(st.sets(st.integers(1, 60), max_size=16), st.sets(st.integers(1, 60), max_size=16))
def test_jaccard_of_small_sets_is_exact(a: set[int], b: set[int]) -> None:
    if len(a | b) > 16:
        return
    left, right = (np.array(sorted(s) + [0] * (16 - len(s)), np.uint64) for s in (a, b))
    assert jaccard(left, right) == (len(a & b) / len(a | b) if a | b else 0)


def test_empty_projections_are_like_nothing() -> None:
    rows = np.zeros((2, 64), np.int8)
    rows[1, 3] = 5
    assert cosine_matrix(rows, rows).tolist() == [[0, 0], [0, 1]]
    assert np.array_equal(cosine_matrix(rows, rows).diagonal(), cosine(rows, rows))
