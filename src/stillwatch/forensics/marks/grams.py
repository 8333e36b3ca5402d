"""The distinct places of a text for schemes with wide contexts: which token followed which context, each once.

In: documents in tokens, prompts whose contexts are not to count. Out: `Grams`, in the order of the text.
Repeats must go, over all documents together, or nominal 1e-4 becomes a real 2 to 5 percent.
Cost: 0.1 microseconds a token, and a sort where the columns do not fit into 64 bits; 8 bytes a token and column.
Left to `pairs`: the same for green marks, sorted and packed. Left to `gumbel` and its neighbours: keys.
Source: Fernandez et al. 2023, arXiv:2308.00113.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.stats.arrays import IntArray
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.prf import PAD

_BITS: Final = 64
_SLOTS: Final = 4
"""Slots for each place when repeats are looked for."""
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
"""Odd; the upper bits of a product with it are spread evenly."""


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
    contexts, whole = all_contexts(text, width)
    tokens = text.tokens
    keep = np.ones(len(tokens), np.bool_) if padded else whole
    seen = int(keep.sum())
    if prompts is not None:
        keep &= ~in_prompt(text, contexts, prompts, width)
    excluded = seen - int(keep.sum())
    if seen - excluded < len(tokens):
        contexts, tokens = contexts[:, keep], tokens[keep]
    first = firsts(number([*contexts, tokens] if once == "pair" else list(contexts)))
    return Grams(contexts[:, first].T, tokens[first], seen, excluded)


def firsts(codes: IntArray) -> NDArray[np.intp]:
    """Return the first place of each distinct number, in the order of places.

    >>> firsts(np.array([7, 5, 7, 5, 9])).tolist()
    [0, 1, 4]
    """
    if codes.size == 0:
        return np.empty(0, np.intp)
    # Each number has a slot, which the first place of all takes; only numbers that find another's there are sorted.
    place = np.arange(codes.size, dtype=np.int32 if codes.size < 2**31 else np.int64)
    bits = (_SLOTS * codes.size - 1).bit_length()
    slot = ((codes.view(np.uint64) * _SPREAD) >> np.uint64(64 - bits)).view(np.int64)
    table = np.full(1 << bits, codes.size, place.dtype)
    np.minimum.at(table, slot, place)
    owner = table[slot]
    chosen = owner == place
    lost = np.flatnonzero(codes[owner] != codes)
    if lost.size:
        order = np.argsort(codes[lost])
        ascending = codes[lost[order]]
        starts = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
        chosen[np.minimum.reduceat(lost[order], starts)] = True
    return np.flatnonzero(chosen)


def number(columns: list[IntArray]) -> IntArray:
    """Return a number for each row of the columns, the same for the same row; shape (n,).

    Args:
        columns: The first may hold any numbers, the others tokens or `PAD`.
    """
    code = columns[0]
    plain = -1 <= int(code.min(initial=0)) and int(code.max(initial=0)) < 1 << 62
    code = code + 1 if plain else np.unique(code, return_inverse=True)[1].astype(np.int64)
    bits = int(code.max(initial=0)).bit_length()
    for column in columns[1:]:
        more = (int(column.max(initial=-1)) + 1).bit_length()
        if bits + more > _BITS:
            code = np.unique(code, return_inverse=True)[1].astype(np.int64)
            bits = int(code.max(initial=0)).bit_length()
        code <<= more
        code += column
        code += 1
        bits += more
    return code


def all_contexts(text: TokenText, width: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return the context of every place, padded, one row for each token of it, and which are whole."""
    n = len(text.tokens)
    whole = np.ones(n, np.bool_)
    out = np.full((width, n), PAD, np.int64)
    ends = np.append(text.starts[1:], n)
    for back in range(1, width + 1):
        out[width - back, back:] = text.tokens[: n - back] if back < n else PAD
        early = text.starts + back - 1
        early = early[early < ends]
        whole[early] = False
    short = np.flatnonzero(~whole)
    within = short - text.starts[text.document_of(short)]
    for back in range(1, width + 1):
        out[width - back, short[within < back]] = PAD
    return out, whole


def in_prompt(text: TokenText, contexts: IntArray, prompts: TokenText, width: int) -> NDArray[np.bool_]:
    """Return which places have a context that occurs in their own document's prompt."""
    if len(prompts.starts) != len(text.starts):
        raise StillwatchError(
            f"prompts: are {len(prompts.starts)} for {len(text.starts)} documents; give one for each, if empty."
        )
    before, _ = all_contexts(prompts, width)
    # A prompt's windows end with a token of its own: shift each by one.
    shown = [*before[1:], prompts.tokens]
    owners = [text.document_of(np.arange(len(text.tokens))), prompts.document_of(np.arange(len(prompts.tokens)))]
    columns = [np.concatenate(owners), *(np.concatenate(pair) for pair in zip(contexts, shown, strict=True))]
    codes = number(columns)
    return np.isin(codes[: len(text.tokens)], codes[len(text.tokens) :])
