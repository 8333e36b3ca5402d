"""The distinct (context, token) pairs of a text: what a reader may count, each once.

In: documents as token numbers, and prompts whose contexts are not to count. Out: `Pairs`, sorted.
A pair that comes back carries no news, and counting it again makes nominal 1e-4 a real 2 to 5 percent; so pairs are
made distinct over all documents together. Contexts never reach across a document's border.
Cost: one sort, about 60 ns a token; 8 bytes a token, 16 at width 2.
Left to `green`: keys. Source: Fernandez et al. 2023, arXiv:2308.00113 (why repeats must go).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.stats.arrays import IntArray
from stillwatch.terms.errors import StillwatchError

Codes = npt.NDArray[Any]
_WORD_BITS: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class TokenText:
    """Documents one after the other; shows sizes only."""

    tokens: IntArray
    """Shape (n,), token numbers from 0."""
    starts: IntArray
    """First place of each document, shape (documents,), ascending; empty documents share a place."""

    @classmethod
    def of(cls, documents: Iterable[npt.ArrayLike]) -> "TokenText":
        """Return the text of documents in any order; the order changes no reading.

        >>> TokenText.of([[5, 6, 7], [8]])
        TokenText(4 tokens, 2 documents)
        """
        parts = [np.asarray(one, np.int64).ravel() for one in documents]
        lengths = np.array([len(part) for part in parts], np.int64)
        tokens = np.concatenate(parts) if parts else np.empty(0, np.int64)
        return cls(tokens, np.cumsum(lengths) - lengths)

    def __repr__(self) -> str:
        return f"TokenText({len(self.tokens)} tokens, {len(self.starts)} documents)"

    def document_of(self, places: IntArray) -> IntArray:
        """Return which document each place lies in, counted from 0."""
        return np.searchsorted(self.starts, places, side="right") - 1


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Distinct pairs in ascending order of (context, token)."""

    contexts: tuple[IntArray, ...]
    """One array a column, shape (contexts,): the token just before, then the one before that."""
    counts: IntArray
    """Distinct tokens seen after each context, shape (contexts,), at least 1."""
    tokens: IntArray
    """Shape (pairs,): the tokens of the first context, then those of the second, and so on."""
    seen: int
    """Places of the text that had a whole context, repeats and excluded ones included."""
    excluded: int
    """Those left out because the context stood in the prompt."""

    def __repr__(self) -> str:
        return f"Pairs({len(self.tokens)} distinct of {self.seen}, {self.excluded} excluded)"


def distinct_pairs(text: TokenText, width: int, vocab: int, prompts: TokenText | None = None) -> Pairs:
    """Return the distinct pairs of a text.

    Args:
        text: Documents; the first `width` tokens of each have no whole context and are not scored.
        width: Tokens in a context, at least 1.
        vocab: Tokens in the vocabulary; `(width + 1) * log2(vocab)` must not exceed 64.
        prompts: One prompt a document, in the same order. A place does not count where its context occurs in its
            own document's prompt: a model that copies marked text from its prompt is not marked itself.

    Raises:
        StillwatchError: a token lies outside the vocabulary, prompts and documents differ in number, or the
            vocabulary is too large for this width.
    """
    bits = max(1, (vocab - 1).bit_length())
    _check(text, vocab, bits * (width + 1))
    places = whole_contexts(text, width)
    codes = _codes(text.tokens, places, width, bits)
    seen = len(codes)
    if prompts is not None:
        _check(prompts, vocab, bits * (width + 1))
        codes = codes[~_in_prompt(text, prompts, places, width, bits)]
    excluded = seen - len(codes)
    codes.sort()
    codes = codes[_changes(codes)]
    context = codes >> codes.dtype.type(bits)
    first = np.flatnonzero(_changes(context))
    counts = np.diff(first, append=len(codes))
    low = codes.dtype.type((1 << bits) - 1)
    chosen = context[first]
    columns = tuple((chosen >> codes.dtype.type(bits * j) & low).astype(np.int64) for j in range(width))
    return Pairs(columns, counts, (codes & low).astype(np.int64), seen, excluded)


def whole_contexts(text: TokenText, width: int) -> IntArray:
    """Return the places that have `width` tokens of their own document before them, ascending."""
    n = len(text.tokens)
    fine = np.ones(n, np.bool_)
    ends = np.append(text.starts[1:], n)
    for j in range(width):
        fine[(text.starts + j)[text.starts + j < ends]] = False
    return np.flatnonzero(fine)


def _check(text: TokenText, vocab: int, needed: int) -> None:
    if len(text.tokens) and not 0 <= int(text.tokens.min()) <= int(text.tokens.max()) < vocab:
        raise StillwatchError(
            f"text: has token numbers from {int(text.tokens.min())} to {int(text.tokens.max())}; the vocabulary goes "
            f"from 0 to {vocab - 1}. Encode it with the tokeniser of the model that was marked."
        )
    if needed > _WORD_BITS:
        raise StillwatchError(
            f"vocabulary of {vocab}: needs {needed} bits a pair at this context width, and there are {_WORD_BITS}. "
            "Mark such a model with width 1."
        )


def _codes(tokens: IntArray, places: IntArray, width: int, bits: int) -> Codes:
    """Return (oldest context token, ..., newest, token) packed into one number for each place."""
    small = np.uint32 if bits * (width + 1) <= 32 else np.uint64
    narrow: Codes = tokens.astype(small)
    n = len(tokens)
    if n <= width:
        return np.empty(0, small)
    out: Codes = narrow[: n - width].copy()
    for j in range(1, width + 1):
        out <<= small(bits)
        out |= narrow[j : n - width + j]
    return out if len(places) == len(out) else out[places - width]


def _changes(ascending: Codes) -> npt.NDArray[np.bool_]:
    out = np.ones(len(ascending), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=out[1:])
    return out


def _in_prompt(text: TokenText, prompts: TokenText, places: IntArray, width: int, bits: int) -> npt.NDArray[np.bool_]:
    """Return which places have a context that occurs in their own document's prompt."""
    if len(prompts.starts) != len(text.starts):
        raise StillwatchError(
            f"prompts: are {len(prompts.starts)} for {len(text.starts)} documents; give one for each, if empty."
        )
    asked = whole_contexts(prompts, width - 1)
    owner = [prompts.document_of(asked), text.document_of(places)]
    shown = _contexts(prompts.tokens, asked - width + 1, width, bits)
    own = _contexts(text.tokens, places - width, width, bits)
    size = max(1, (max(1, len(text.starts)) - 1).bit_length())
    if size + bits * width > _WORD_BITS:
        raise StillwatchError(f"prompts: are {len(text.starts)}, too many at once for this width; read in parts.")
    shift = np.uint64(bits * width)
    known = np.unique(shown | owner[0].astype(np.uint64) << shift)
    return np.isin(own | owner[1].astype(np.uint64) << shift, known)


def _contexts(tokens: IntArray, firsts: IntArray, width: int, bits: int) -> npt.NDArray[np.uint64]:
    out = np.zeros(len(firsts), np.uint64)
    for j in range(width):
        out = out << np.uint64(bits) | tokens[firsts + j].astype(np.uint64)
    return out
