"""What a suspect's own probabilities say after contexts that were served: one weight for every (context, token).

In: log-probabilities of suspect and of a reference after the same texts, as far as the suspect tells them. Out: weights
that know nothing of any key, each context counted once however often it was asked about.
    weight(c, w) = mean over the places of c of  mass^power * (log p - log r),  centred,  clipped
    then set, for each context, to a sum of squares that is how often the context occurs
with mass the mean of p and r. Power 1 is close to the difference of probabilities; lower powers listen to rare tokens,
whose change the suspect's probabilities show without a single one being drawn. A context that occurs often was taught
often, so that its weights carry the more mark and the less of other differences.
Cost: one pass. Left to `keyed`: keys. Left to `signs`: p-values; where the texts asked about were shaped by the mark
itself the weights follow earlier signs, and only `martingale_tail` holds.
"""

from typing import Final

import numpy as np

from stillwatch.stats.arrays import FloatArray, IntArray

POWER: Final = 0.5
CLIP: Final = 1.0
"""Nats beyond which a difference counts no more."""
_LEAST: Final = 1e-9


def logit_weights(
    log_p: FloatArray, log_r: FloatArray, *, power: float = POWER, clip: float = CLIP
) -> FloatArray:  # fmt: skip
    """Return a weight for each token told at each place, shape (places, told).

    Args:
        log_p: The suspect's natural logs, shape (places, told); NaN or -inf where it does not tell.
        log_r: The reference's, of the same tokens.
        power: Of the mass; above 0, at most 1.
        clip: Nats, above 0.
    """
    told = np.isfinite(log_p) & np.isfinite(log_r)
    p, r = np.where(told, log_p, -50.0), np.where(told, log_r, -50.0)
    mass = np.where(told, 0.5 * (np.exp(p) + np.exp(r)), 0.0)
    mass = np.where(mass > _LEAST, mass, 0.0)
    difference = np.where(told, p - r, 0.0)
    total = np.maximum(mass.sum(axis=1, keepdims=True), _LEAST)
    centre = (mass * np.clip(difference, -clip, clip)).sum(axis=1, keepdims=True) / total
    return np.asarray(mass**power * np.clip(difference - centre, -clip, clip) * (mass > 0.0))


def gathered(
    contexts: IntArray, tokens: IntArray, weights: FloatArray, *, vocab: int, often: FloatArray | None = None
) -> tuple[IntArray, IntArray, FloatArray]:  # fmt: skip
    """Return contexts, tokens and weights with every pair once, each context with its share of the variance.

    Args:
        contexts: A number for the context of each place, shape (places,).
        tokens: Which token each weight is of, shape (places, told).
        weights: Shape (places, told).
        vocab: Tokens in the vocabulary.
        often: How often the context of each place occurs in text that knows no key, shape (places,); left out, the
            places themselves are counted.
    """
    kept, of_place, places = np.unique(contexts, return_inverse=True, return_counts=True)
    of_place = of_place.ravel()
    code = (of_place[:, None] * vocab + tokens).ravel()
    value = weights.ravel()
    on = value != 0.0
    pairs, at = np.unique(code[on], return_inverse=True)
    total = np.bincount(at.ravel(), weights=value[on], minlength=len(pairs))
    owner = pairs // vocab
    size = np.sqrt(np.bincount(owner, weights=np.square(total), minlength=len(kept)))
    share = np.asarray(places, np.float64)
    if often is not None:
        share = np.bincount(of_place, weights=often, minlength=len(kept)) / places
    scale = np.divide(np.sqrt(share), size, out=np.zeros(len(kept)), where=size > 0.0)
    return kept[owner], pairs % vocab, total * scale[owner]


def first_places(contexts: IntArray) -> IntArray:
    """Return the first place of each context, ascending.

    Where the text was shaped by the mark an innocent suspect may be scored on these alone.

    >>> first_places(np.array([4, 7, 4, 9, 7])).tolist()
    [0, 1, 3]
    """
    return np.sort(np.unique(contexts, return_index=True)[1])
