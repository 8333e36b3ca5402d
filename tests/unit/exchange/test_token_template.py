"""Bands of MinHash: a wire format that does not move, and similarity as the arithmetic says."""

import random

import numpy as np
import pytest

from stillwatch.exchange.notary.template import BANDS, LEAST_WORDS, shingle_hashes, signature, template, words_of
from stillwatch.stats.exact import binomial_tail
from stillwatch.terms.coalition import BANDS_NEEDED

FOX = "The quick brown fox jumps over the lazy dog, and then it sleeps."


def shared_bands(one: str, other: str) -> int:
    return sum(a == b for a, b in zip(template(one), template(other), strict=True))


def at_least(similarity: float) -> float:
    return float(sum(
        np.exp(_log_choose(BANDS, k)) * similarity ** (4 * k) * (1 - similarity**4) ** (BANDS - k)
        for k in range(BANDS_NEEDED, BANDS + 1)
    ))  # fmt: skip


def _log_choose(n: int, k: int) -> float:
    return float(sum(np.log((n - i) / (k - i)) for i in range(k)))


def texts_with(similarity: float, rng: random.Random, shingles: int = 120) -> tuple[str, str, float]:
    """Return two texts that share a run of words, and the Jaccard similarity of their shingles."""
    common = round(2 * shingles * similarity / (1 + similarity))

    def fresh(n: int) -> list[str]:
        return [f"w{rng.randrange(10**9)}" for _ in range(n)]

    start = fresh(common + 2)
    one, other = (" ".join(start + fresh(shingles - common)) for _ in range(2))
    a, b = set(shingle_hashes(one).tolist()), set(shingle_hashes(other).tolist())
    return one, other, len(a & b) / len(a | b)


def test_the_vectors_of_the_reference_page() -> None:
    assert words_of(FOX)[:4] == ["the", "quick", "brown", "fox"]
    assert sorted(shingle_hashes(FOX).tolist())[:2] == VECTOR_SHINGLES
    assert [f"{int(value):016x}" for value in signature(FOX)[:4]] == VECTOR_ROWS
    bands = template(FOX)
    assert len(bands) == BANDS
    assert bands[0].value.hex() == VECTOR_BAND_0 and bands[31].value.hex() == VECTOR_BAND_31


VECTOR_SHINGLES = [498191250112538544, 577126779637315669]
VECTOR_ROWS = ["0bcc339c53967c95", "0a0dc999ad3bda8f", "2a199ed357ea5bce", "4fb10ef0995b09d2"]
VECTOR_BAND_0 = "6d68623a313a00957c96539c33cc0b8fda3bad99c90d0ace5bea57d39e192ad2095b99f00eb14f"
VECTOR_BAND_31 = "6d68623a313a1f71eb8a1973a47e1379b110d8bc737d39260cbae37da5f507a32d382c5b197816"


@pytest.mark.parametrize(("one", "other"), [
    (FOX, FOX.upper()), (FOX, FOX.replace(" ", "\n  ")), (FOX, FOX.replace(",", " -").replace(".", "!")),
    ("ＦＵＬＬ width letters are the same as these eight", "full width letters are the same as these eight"),
])  # fmt: skip
def test_case_spaces_and_stops_do_not_matter(one: str, other: str) -> None:
    assert template(one) == template(other)


def test_a_short_text_has_no_bands_and_scripts_without_spaces_have() -> None:
    assert template(" ".join(["word"] * (LEAST_WORDS - 1))) == [] == template("")
    assert len(template("请把下面的句子翻译成英文并解释每个词")) == BANDS


def test_a_very_long_text_is_read_to_its_bound() -> None:
    long = " ".join(f"w{n}" for n in range(30_000))
    assert template(long) == template(long + " more")


@pytest.mark.parametrize(("similarity", "wanted"), [(0.7, 0.991), (0.3, 0.0022), (0.5, 0.323), (0.85, 1.0)])
def test_three_of_thirty_two_bands_match_as_often_as_the_arithmetic_says(similarity: float, wanted: float) -> None:
    rng, n = random.Random(int(similarity * 100)), 300
    drawn = [texts_with(similarity, rng) for _ in range(n)]
    hits = sum(shared_bands(one, other) >= BANDS_NEEDED for one, other, _ in drawn)
    expected = float(np.mean([at_least(exact) for _, _, exact in drawn]))
    assert abs(expected - wanted) < 0.02
    below = float(binomial_tail(n - hits, n, 1.0 - expected))
    above = float(binomial_tail(hits, n, expected))
    assert min(below, above) > np.log(1e-6)


def test_each_permutation_orders_shingles_evenly() -> None:
    hashes = shingle_hashes(" ".join(f"w{n}" for n in range(42)))
    assert len(hashes) == 40
    rng = random.Random(5)
    firsts = []
    for _ in range(60):
        text = " ".join(f"w{rng.randrange(10**9)}" for _ in range(42))
        least, own = signature(text), shingle_hashes(text)
        firsts += [float(value) / 2.0**64 * (len(own) + 1) for value in least]
    assert abs(np.mean(firsts) - 1.0) < 0.05  # the least of n uniform numbers is 1 / (n + 1) on average
