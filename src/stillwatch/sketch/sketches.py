"""Compute the text part of the edge sketch for a batch of texts.

In: normalised texts and a few counts taken before normalising. Out: rows of `SKETCH_DTYPE`.
The batch is cut into pieces that fit the processor's cache; a row does not depend on the cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.anchors import bottom_k, content, edges, halves, shingles
from stillwatch.sketch.asks import asks
from stillwatch.sketch.epochkeys import EpochHasher
from stillwatch.sketch.layout import lines, skeletons
from stillwatch.sketch.newest import Newest
from stillwatch.sketch.projection import MOST_TEXTS, project
from stillwatch.sketch.style import style
from stillwatch.sketch.text import clip, normalise, tokenise
from stillwatch.terms.event import SKETCH_DTYPE

SKETCH_VERSION: Final = 1
PIECE_BYTES: Final = 128 * 1024
_UPPER: Final = bytes(range(65, 91))


@dataclass(frozen=True, slots=True)
class Prepared:
    """One text ready to be cut into tokens, with what lower-casing would lose."""

    lower: bytes = field(repr=False)
    upper: int
    questions: int
    feeds: int


def prepare(text: str, raw: bytes) -> Prepared:
    """Return `text` normalised, its middle left out when it is very long.

    Args:
        text: The new text of a request.
        raw: The same in UTF-8.
    """
    part = clip(text)
    if part is not text:
        raw = part.encode("utf-8", "surrogatepass")
    lower = raw.lower() if len(raw) == len(part) else normalise(part)
    return Prepared(lower, len(raw) - len(raw.translate(None, _UPPER)), lower.count(b"?"), lower.count(b"\n"))


def pieces(texts: Sequence[Prepared]) -> Iterator[slice]:
    """Yield consecutive slices of `texts`, each of about 128 KiB or one text."""
    low, size = 0, 0
    for place, text in enumerate(texts):
        if place > low and (size + len(text.lower) > PIECE_BYTES or place - low >= MOST_TEXTS):
            yield slice(low, place)
            low, size = place, 0
        size += len(text.lower)
    if low < len(texts):
        yield slice(low, len(texts))


def sketch_texts(texts: Sequence[Prepared], hasher: EpochHasher) -> npt.NDArray[Any]:
    """Return the text fields of each sketch, the others zero; shape (n_texts,), `SKETCH_DTYPE`."""
    out = np.zeros(len(texts), SKETCH_DTYPE)
    for piece in pieces(texts):
        _fill(out[piece], texts[piece], hasher)
    return out


def sketch_asked(parts: Sequence[Newest], raws: Sequence[bytes], hasher: EpochHasher) -> npt.NDArray[Any]:
    """Return the text fields of each request's sketch: of all that is asked in it.

    Where something stands before or beside the new turns, half of the anchors are those of the new turns, so that
    neither part can be hidden by making the other long.

    Args:
        parts: What is asked.
        raws: The new turns in UTF-8.
        hasher: Keys of the epoch.
    """
    texts = [_prepared(part, raw) for part, raw in zip(parts, raws, strict=True)]
    out = sketch_texts(texts, hasher)
    rows = [row for row, part in enumerate(parts) if part.before and part.text]
    if rows:
        before = [parts[row].before for row in rows]
        sides = [(text, text.encode("utf-8", "surrogatepass")) for text in before]
        sides += [(parts[row].text, raws[row]) for row in rows]
        anchors = sketch_texts([prepare(text, raw) for text, raw in sides], hasher)["anchors"]
        out["anchors"][rows] = halves(anchors[: len(rows)], anchors[len(rows) :])
    return out


def _prepared(part: Newest, raw: bytes) -> Prepared:
    return prepare(part.whole, part.whole.encode("utf-8", "surrogatepass")) if part.before else prepare(part.text, raw)


def _fill(out: npt.NDArray[Any], texts: Sequence[Prepared], hasher: EpochHasher) -> None:
    keys = hasher.text
    tokens = tokenise([text.lower for text in texts], keys)
    found = lines(tokens)
    out["version"] = SKETCH_VERSION
    out["anchors"] = bottom_k(*shingles(tokens, keys))
    out["head"], out["tail"] = edges(tokens, keys)
    out["skeleton"] = skeletons(tokens, found, keys)
    out["content"] = content(tokens, keys)
    out["projection"] = project(tokens, keys)
    counts = np.array([(text.upper, text.questions, text.feeds) for text in texts], np.int64)
    out["style"] = style(tokens, found, counts[:, 0], counts[:, 1], counts[:, 2])
    out["asks"] = asks(tokens, hasher.asks, keys)
    out["words"] = tokens.words
