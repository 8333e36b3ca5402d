"""How often templates match: by similarity, on made texts and on packaged prompts that belong to different people.

In: a seed. Out: recall by Jaccard similarity with 95 % intervals, beside the arithmetic; matches between prompts of
honest accounts. Cost: a minute.

Run: python -m bench.coalition.alike [--seed 1] [--pairs 2000]
"""

import argparse
import random
from itertools import combinations

import numpy as np
from scipy.stats import binom

from bench.layout import table
from stillwatch.exchange.notary.template import BANDS, shingle_hashes, signature
from stillwatch.lab.traffic import TrafficPlan, compose, load_corpus
from stillwatch.sketch.newest import newest
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.terms.coalition import BANDS_NEEDED

SIMILARITIES = (0.3, 0.5, 0.6, 0.7, 0.8)


def bands_equal(one: np.ndarray, other: np.ndarray) -> int:
    """Return how many bands of two signatures are equal."""
    return int((one.reshape(BANDS, -1) == other.reshape(BANDS, -1)).all(axis=1).sum())


def pair(similarity: float, rng: random.Random, shingles: int = 120) -> tuple[str, str]:
    """Return two texts of invented words that share a run, so that their shingles have about this similarity."""
    common = round(2 * shingles * similarity / (1 + similarity))
    start = [f"w{rng.randrange(10**9)}" for _ in range(common + 2)]
    one, other = (" ".join(start + [f"w{rng.randrange(10**9)}" for _ in range(shingles - common)]) for _ in range(2))
    return one, other


def recall(pairs: int, seed: int) -> list[list[str]]:
    """Return rows of recall by similarity."""
    rows = []
    for similarity in SIMILARITIES:
        rng, hits = random.Random(seed * 100 + int(similarity * 10)), 0
        exact = []
        for _ in range(pairs):
            one, other = pair(similarity, rng)
            a, b = set(shingle_hashes(one).tolist()), set(shingle_hashes(other).tolist())
            exact.append(len(a & b) / len(a | b))
            hits += bands_equal(signature(one), signature(other)) >= BANDS_NEEDED
        low, high = (float(end) for end in clopper_pearson(hits, pairs))
        mean = float(np.mean(exact))
        wanted = float(np.mean(binom.sf(BANDS_NEEDED - 1, BANDS, np.array(exact) ** 4)))
        rows.append(
            [f"{similarity:.1f}", f"{mean:.3f}", f"{hits / pairs:.2%}", f"{low:.2%}-{high:.2%}", f"{wanted:.2%}"]
        )
    return rows


def unrelated(seed: int) -> list[list[str]]:
    """Return how many pairs of honest accounts' prompts match, of composed traffic with look-alikes."""
    traffic = compose(TrafficPlan(seed=seed, honest=150, days=2.0, chat_requests=6, job_requests=20), load_corpus(None))
    texts: dict[str, str] = {}
    for exchange in traffic.exchanges:
        truth = traffic.truth[exchange.account]
        if truth.campaign is None:
            texts.setdefault(exchange.account, newest(exchange).text)
    signed = [(account, signature(text)) for account, text in texts.items()]
    signed = [(account, found) for account, found in signed if len(found)]
    pairs = list(combinations(signed, 2))
    hits = sum(bands_equal(a, b) >= BANDS_NEEDED for (_, a), (_, b) in pairs)
    low, high = (float(end) for end in clopper_pearson(hits, len(pairs)))
    return [[f"{len(signed)}", f"{len(pairs):,}", f"{hits:,}", f"{low:.3%}-{high:.3%}"]]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=2_000)
    given = parser.parse_args()
    print(table(["similarity aimed at", "mean", "matched", "95 %", "arithmetic"], recall(given.pairs, given.seed)))
    print()
    print(table(["honest accounts, one prompt each", "pairs", "matched", "95 %"], unrelated(given.seed)))


if __name__ == "__main__":
    main()
