"""The distinct places of a text for schemes with wide contexts: which token followed which context, each once.

In: documents in tokens, prompts whose contexts are not to count. Out: `Grams`, in the order of the text.
Repeats must go, over all documents together, or nominal 1e-4 becomes a real 2 to 5 percent.
Cost: one sort a token of context, about 0.1 microseconds each; 8 bytes a token and column.
Left to `pairs`: the same for green marks, sorted and packed. Left to `gumbel` and its neighbours: keys.
Source: Fernandez et al. 2023, arXiv:2308.00113.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.stats.arrays import IntArray
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.prf import PAD


@dataclass(frozen=True, slots=True, eq=False)
class Grams:
    """Distinct places; shows sizes only."""

    contexts: IntArray
    """Tokens before each place, oldest first, `PAD` before the start; shape (n, width)."""
    tokens: IntArray
    """Token at each place, shape (n,)."""
    seen: int
    """Places of the text, repeats and excluded ones included."""
    excluded: int
    """Those left out because the prompt holds their context."""

    def __repr__(self) -> str:
        return f"Grams({len(self.tokens)} distinct of {self.seen}, {self.excluded} excluded)"

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Grams":
        """Return the places chosen, by mask or by number."""
        return Grams(self.contexts[chosen], self.tokens[chosen], self.seen, self.excluded)

    def sample(self, most: int, rng: np.random.Generator) -> "Grams":
        """Return at most `most` places, drawn without looking at any key."""
        if len(self.tokens) <= most:
            return self
        return self.only(np.sort(rng.choice(len(self.tokens), most, replace=False)))


def distinct_grams(
    text: TokenText, width: int, *, once: str = "pair", padded: bool = False, prompts: TokenText | None = None
) -> Grams:
    """Return the distinct places of a text.

    Args:
        text: Documents in tokens.
        width: Tokens in a context, at least 1.
        once: `pair` keeps each (context, token) once; `context` keeps the first place of each context only.
        padded: Count the first `width` places of each document too, as vLLM does; their contexts are padded.
        prompts: One prompt a document. A place does not count where its context occurs in its own document's prompt.

    Raises:
        StillwatchError: a token is below 0, or prompts and documents differ in number.
    """
    if text.tokens.size and int(text.tokens.min()) < 0:
        raise StillwatchError(
            "text: has token numbers below 0. Encode it with the tokeniser of the model that was marked."
        )
    contexts, whole = _contexts(text, width)
    keep = np.ones(len(text.tokens), np.bool_) if padded else whole
    seen = int(keep.sum())
    if prompts is not None:
        keep &= ~_in_prompt(text, contexts, prompts, width)
    excluded = seen - int(keep.sum())
    contexts, tokens = contexts[keep], text.tokens[keep]
    columns = [contexts[:, i] for i in range(width)] + ([tokens] if once == "pair" else [])
    first = np.sort(np.unique(number(columns), return_index=True)[1])
    return Grams(contexts[first], tokens[first], seen, excluded)


def number(columns: list[IntArray]) -> IntArray:
    """Return a number for each row of the columns, the same for the same row; shape (n,)."""
    code = columns[0]
    for column in columns[1:]:
        high = np.unique(code, return_inverse=True)[1].astype(np.int64)
        code = high * (int(column.max(initial=0)) + 2) + column + 1
    return np.asarray(code, np.int64)


def _contexts(text: TokenText, width: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return the context of every place, padded, shape (n, width), and which are whole."""
    n = len(text.tokens)
    place = np.arange(n)
    within = place - text.starts[text.document_of(place)] if n else place
    out = np.full((n, width), PAD, np.int64)
    for back in range(1, width + 1):
        fine = within >= back
        out[fine, width - back] = text.tokens[np.flatnonzero(fine) - back]
    return out, within >= width


def _in_prompt(text: TokenText, contexts: IntArray, prompts: TokenText, width: int) -> NDArray[np.bool_]:
    """Return which places have a context that occurs in their own document's prompt."""
    if len(prompts.starts) != len(text.starts):
        raise StillwatchError(
            f"prompts: are {len(prompts.starts)} for {len(text.starts)} documents; give one for each, if empty."
        )
    before, _ = _contexts(prompts, width)
    # A prompt's windows end with a token of its own: shift each by one.
    shown = np.concatenate([before[:, 1:], prompts.tokens[:, None]], axis=1)
    owners = [text.document_of(np.arange(len(text.tokens))), prompts.document_of(np.arange(len(prompts.tokens)))]
    columns = [np.concatenate(owners)] + [np.concatenate([contexts[:, i], shown[:, i]]) for i in range(width)]
    codes = number(columns)
    return np.isin(codes[: len(text.tokens)], codes[len(text.tokens) :])
