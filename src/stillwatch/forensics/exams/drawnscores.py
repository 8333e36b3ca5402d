"""What keyed draws are looked for in: a suspect's words or its probabilities, held against a reference.

In: counts seen and expected, or log-probabilities of suspect and reference. Out: `DrawnContexts`, which know no key.
A student of keyed draws gives the token that the key drew after a context some part more than its model would:
p = (1 - lift) r + lift at that token. Payoffs are the logs of the likelihood ratio of that, to first order:
    words          clipped (seen - expected) / (1 + spread * expected) * log(1 + lift / r)
    probabilities  mu (clip(log p - log r) - mu / 2),   mu = log(1 + lift / r)
A token that was rarely to be expected tells the most: a student that says it, or likes it, has it from somewhere.
Cost: a sort. Left to `drawn`: keys and tails. Left to `residual`: counts.
"""

from typing import Final

import numpy as np

from stillwatch.forensics.exams.drawn import DrawnContexts
from stillwatch.forensics.exams.residual import PairCounts, residuals, unpack
from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.treatments.marks.prf import U64, ContextTable

LIFT: Final = 0.05
"""By how much of the whole a student favours the token drawn; a wrong guess costs power only."""
CLIP: Final = 3.0
"""Nats beyond which a difference of probabilities counts no more."""
BOUND: Final = 8.0
"""Payoffs of probabilities beyond this are cut, and all are given in units of it."""


def word_payoffs(
    seen: PairCounts, expected: PairCounts, table: ContextTable, *, alpha: float, lift: float = LIFT
) -> tuple[DrawnContexts, float]:  # fmt: skip
    """Return contexts of a text with their payoffs, and the reference's spread (see `residuals`).

    Args:
        seen: Occurrences in the suspect's text.
        expected: Occurrences that the reference expects on the same places.
        table: Of contexts.
        alpha: Share of draws under the second key.
        lift: See the module.
    """
    width, vocab = table.width, table.vocab
    made = residuals(seen, expected, vocab=vocab, worth=lambda share: np.log1p(lift / np.maximum(share, 1e-9)))
    m = expected.at(made.code)
    possible = m > 0.0
    columns, tokens = unpack(made.code[possible], width, vocab)
    context = made.code[possible] >> np.uint64(max(1, (vocab - 1).bit_length()))
    _, first, owner = np.unique(context, return_index=True, return_inverse=True)
    chosen = tuple(column[first] for column in columns)
    weight = made.weight[possible]
    top = float(np.abs(weight).max(initial=0.0)) or 1.0
    held = np.stack(chosen[::-1], axis=1), table.digests(*chosen)
    return DrawnContexts.of(held, owner.ravel(), tokens, (m[possible], weight / top), alpha=alpha), made.spread


def probability_payoffs(
    contexts: tuple[IntArray, U64], tokens: IntArray, logs: tuple[FloatArray, FloatArray], *, alpha: float,
    lift: float = LIFT,
) -> DrawnContexts:  # fmt: skip
    """Return contexts asked about with their payoffs; several places of one context are averaged.

    Args:
        contexts: Tokens before each place, the token just before first, shape (n, width), and digests, shape (n,).
        tokens: Tokens told at each place, shape (n, k).
        logs: Log-probabilities of suspect and reference, NaN where not told; shape (n, k) each.
        alpha: Share of draws under the second key.
        lift: See the module.
    """
    log_p, log_r = logs
    told = np.isfinite(log_p) & np.isfinite(log_r)
    row, place = np.nonzero(told)
    r = np.exp(log_r[row, place])
    mu = np.log1p(lift / np.maximum(r, 1e-9))
    payoff = mu * (np.clip(log_p[row, place] - log_r[row, place], -CLIP, CLIP) - 0.5 * mu)
    payoff = np.clip(payoff / BOUND, -1.0, 1.0)
    distinct, first, number = np.unique(contexts[1], return_index=True, return_inverse=True)
    vocab = int(tokens.max(initial=0)) + 1
    code = number.ravel()[row] * vocab + tokens[row, place]
    pairs, at, times = np.unique(code, return_inverse=True, return_counts=True)
    total = np.asarray(np.bincount(at.ravel(), weights=payoff, minlength=len(pairs)) / times, np.float64)
    mass = np.bincount(at.ravel(), weights=r, minlength=len(pairs)).astype(np.float64)
    held = contexts[0][first][:, ::-1], distinct
    return DrawnContexts.of(held, pairs // vocab, pairs % vocab, (mass, total), alpha=alpha)
