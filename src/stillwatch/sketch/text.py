"""Cut many texts into tokens and hash every token under the key.

In: UTF-8 texts, lower-cased. Out: `Tokens`, flat arrays over the whole batch.
A token is a run of letters, a run of digits (any number counts as the same token `0`), or one
character of a script without spaces. Letters run on for at most 32 bytes a token. Of a long text the
first 4,096 tokens and the last 512 are read.
Cost: about 10 microseconds a text of 370 characters. Left to `alphabet`: what parts words.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.alphabet import DIGIT, SINGLE, classes
from stillwatch.sketch.siphash import I64, PADDING, U64, hash_spans
from stillwatch.sketch.textkeys import HEAD_TOKENS, TAIL_TOKENS, TextKeys

TOKEN_BYTES: Final = 32
HEAD_CHARS: Final = 65_536
TAIL_CHARS: Final = 16_384
"""Characters of a text that are looked at from its start, and then from its end."""
_PAD: Final = b"\x000\x00"
_ZERO: Final = 1
"""Where the padding holds the `0` that stands for every run of digits."""
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0001\U000e007f-\U000e01ef]"
)
"""Characters that print nothing; removed, since a few of them would part a word unseen."""
_TAGS: Final = {0xE0000 + code: code for code in range(0x20, 0x7F)}
"""Tag characters print nothing, and models read them as the ASCII that they stand for."""
_MARKS: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
"""Marks over and through letters that no composed character has: removed, since any number can be put anywhere."""
_LOOK: Final = {
    "a": "\u0430\u03b1\u0251", "b": "\u0432", "c": "\u0441\u03f2", "d": "\u0501", "e": "\u0435", "g": "\u0261\u0581",
    "h": "\u043d\u04bb\u0570", "i": "\u0456\u03b9\u0131", "j": "\u0458\u03f3", "k": "\u043a\u03ba", "l": "\u04cf",
    "m": "\u043c", "n": "\u03b7\u0578", "o": "\u043e\u03bf\u0585\u1d0f", "p": "\u0440\u03c1", "q": "\u051b",
    "s": "\u0455", "t": "\u0442\u03c4", "u": "\u03c5\u057d\u1d1c", "v": "\u03bd\u0475", "w": "\u051d",
    "x": "\u0445\u03c7", "y": "\u0443",
}  # fmt: skip
_ALIKE: Final = {ord(letter): latin for latin, letters in _LOOK.items() for letter in letters}
"""Lower-case letters of other alphabets, and the Latin ones that they look like."""
_OTHERS: Final = "".join(map(chr, _ALIKE))
_BORDER: Final = re.compile(f"[a-z][{_OTHERS}]|[{_OTHERS}][a-z]")
"""Inside a word of letters of two alphabets: nobody writes so but to be read by eyes alone."""
_WORD: Final = re.compile("[a-z\u0131\u0251\u0261\u0370-\u058f\u1d0f\u1d1c]+")


def clip(text: str) -> str:
    """Return the part of `text` that sketches read: all of it up to 81,920 characters, else both ends."""
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return text[:HEAD_CHARS] + "\n" + text[-TAIL_CHARS:]


def normalise(text: str) -> bytes:
    """Return `text` as it is cut into tokens: compatibility forms unified, lower case, UTF-8.

    What prints nothing, and marks that no composed letter has, are left out; a word that mixes Latin letters with
    look-alikes of other alphabets is read as Latin.

    >>> normalise("Ｆｕｌｌ WIDTH").decode()
    'full width'
    """
    if text.isascii():
        return text.encode().lower()
    bare = _UNSEEN.sub("", unicodedata.normalize("NFKC", text).translate(_TAGS)).lower()
    unified = _MARKS.sub("", bare)
    if _BORDER.search(unified):
        unified = _WORD.sub(_as_latin, unified)
    return unified.encode("utf-8", "surrogatepass")


def _as_latin(word: re.Match[str]) -> str:
    found = word.group()
    return found.translate(_ALIKE) if _BORDER.search(found) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens of a batch of texts, in order, without their text once hashed."""

    hashes: U64 = field(repr=False)
    """Keyed hash of each token, shape (n_tokens,)."""
    offsets: I64
    """First token of each text, and the number of tokens at the end; shape (n_texts + 1,)."""
    starts: I64
    """First byte of each token in `buffer`, shape (n_tokens,)."""
    ends: I64
    """Byte after each token, shape (n_tokens,)."""
    kinds: npt.NDArray[np.uint8]
    """Class of each token's first byte, shape (n_tokens,)."""
    place: I64
    """Place of each token in its text, from 0; shape (n_tokens,)."""
    words: I64
    """Tokens of each text before the cut to 4,608; shape (n_texts,)."""
    buffer: npt.NDArray[np.uint8] = field(repr=False)
    """All texts, NUL between them."""
    spans: I64
    """First byte of each text in `buffer`, and one past the end of the last; shape (n_texts + 1,)."""

    @property
    def counts(self) -> I64:
        """Tokens of each text, shape (n_texts,)."""
        return np.diff(self.offsets)

    def rows(self) -> I64:
        """Return which text each token belongs to, shape (n_tokens,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.counts)


def tokenise(texts: Sequence[bytes], keys: TextKeys) -> Tokens:
    """Return the hashed tokens of `texts`, each as `normalise` gives it.

    A text's tokens and hashes do not depend on its neighbours in the batch.
    """
    raw = b"".join((_PAD, b"\x00".join(texts), bytes(1 + PADDING)))
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    spans = np.concatenate(([0], np.cumsum(sizes + 1))) + len(_PAD)
    kind = classes(raw, ascii_only=raw.isascii())
    edges = np.flatnonzero(kind[1:] != kind[:-1]) + 1
    edge_kind = kind[edges]
    inside = np.flatnonzero(edge_kind[2:]) + 2  # the first two edges are those of the padding's own `0`
    starts, ends, kinds = edges[inside], edges[inside + 1], edge_kind[inside]
    starts, ends, kinds = _cut_long(starts, ends, kinds)
    offsets = np.searchsorted(starts, spans)
    words = np.diff(offsets)
    place = np.arange(len(starts)) - np.repeat(offsets[:-1], words)
    if len(words) and int(words.max()) > HEAD_TOKENS + TAIL_TOKENS:
        kept = (place < HEAD_TOKENS) | (place >= np.repeat(words - TAIL_TOKENS, words))
        starts, ends, kinds = starts[kept], ends[kept], kinds[kept]
        offsets = np.concatenate(([0], np.cumsum(np.minimum(words, HEAD_TOKENS + TAIL_TOKENS))))
        place = np.arange(len(starts)) - np.repeat(offsets[:-1], np.diff(offsets))
    number = kinds == DIGIT
    buffer = np.frombuffer(raw, np.uint8)
    hashes = hash_spans(keys.token, buffer, np.where(number, _ZERO, starts), np.where(number, 1, ends - starts))
    return Tokens(
        hashes=hashes,
        offsets=offsets,
        starts=starts,
        ends=ends,
        kinds=kinds,
        place=place,
        words=words,
        buffer=buffer,
        spans=spans,
    )


def _cut_long(starts: I64, ends: I64, kinds: npt.NDArray[np.uint8]) -> tuple[I64, I64, npt.NDArray[np.uint8]]:
    sizes = ends - starts
    long = (sizes > TOKEN_BYTES) & (kinds != DIGIT)
    if not long.any():
        return starts, ends, kinds
    pieces = np.where(long, -(-sizes // TOKEN_BYTES), 1)
    first = np.cumsum(pieces) - pieces
    step = (np.arange(int(pieces.sum())) - np.repeat(first, pieces)) * TOKEN_BYTES
    cut_starts = np.repeat(starts, pieces) + step
    last = np.repeat(ends, pieces)
    cut_ends = np.where(np.repeat(long, pieces), np.minimum(cut_starts + TOKEN_BYTES, last), last)
    return cut_starts, cut_ends, np.repeat(kinds, pieces)


def is_single(kinds: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which tokens are a character of their own, shape (n_tokens,)."""
    return kinds >= SINGLE
