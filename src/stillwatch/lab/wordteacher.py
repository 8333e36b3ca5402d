"""A teacher of text without torch: an interpolated trigram over words, drawn from in batches, with a hook for marks.

In: texts, a vocabulary size. Out: token ids, and the teacher's logits at any context.
    teacher = WordTeacher.of(word_ids(corpus_texts(), 2048), 2048)
    harvest = teacher.sample(500, 200, rng, hook=GreenRows(marks, 2048))      # (500, 200)
Words are cut at spaces, numbers and signs count as words; what is not among the likeliest is token 0 and is never
drawn. Interpolation after Witten and Bell. Its text has no meaning; its entropy is 2.5 nats a token on the packaged
texts (a million words), more than a large model's, so that a mark has more room than it would have there.
Cost: 1 s to make; 50,000 tokens a second on one core at a vocabulary of 2,048.
Source: Witten and Bell 1991, "The zero-frequency problem".
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from stillwatch.lab.traffic.sources import FolderSources, PackagedSources, Sources

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
OTHER: Final = 0
"""Stands for every word that is not in the vocabulary."""
TEXTS: Final = (
    "agents", "alpaca", "banking", "clinc", "codealpaca", "dolly", "eval_suites", "gsm8k_solutions", "gsm8k_test",
    "gsm8k_train", "humaneval", "instructwild", "koala_arena", "math_cot", "mmlu", "oasst", "restaurant", "roleplay",
    "seeds", "sharegpt_answers", "toolformer",
)  # fmt: skip
"""Sources whose texts are read, by name; those a place lacks are left out."""
_WORD: Final = re.compile(r"[A-Za-z]+|[0-9]|[^\sA-Za-z0-9]")
_LEAST: Final = 1e-9


class Hook(Protocol):
    """Changes the teacher's logits before a token is drawn, or draws it."""

    def __call__(self, logits: FloatArray, said: IntArray, rows: IntArray) -> IntArray | None:
        """Change `logits`, shape (n, vocab), in place, or return the tokens drawn, shape (n,).

        Args:
            logits: Log-probabilities of the next token.
            said: What each text said so far, shape (n, t).
            rows: Which text of the whole sample each row is, shape (n,).
        """
        ...


def corpus_texts(folder: Path | None = None) -> Iterator[str]:
    """Yield the texts of the packaged sample, or of a data folder, each line of prose as it stands."""
    sources: Sources = PackagedSources() if folder is None else FolderSources(folder)
    for name in TEXTS:
        for row in sources.rows(name):
            yield from _strings(row)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def word_ids(texts: Iterable[str], vocab: int) -> IntArray:
    """Return texts as one array of token ids: the `vocab` - 1 likeliest words by rank from 1, all others `OTHER`."""
    said = [word for text in texts for word in (*_WORD.findall(text.lower()), "\n")]
    known = {word: rank for rank, (word, _) in enumerate(Counter(said).most_common(vocab - 1), start=1)}
    return np.fromiter((known.get(word, OTHER) for word in said), np.int64, len(said))


def frequent_words(texts: Iterable[str], most: int) -> list[str]:
    """Return the likeliest words of letters alone, likeliest first."""
    said = Counter(word for text in texts for word in re.findall(r"[a-z]+", text.lower()))
    return [word for word, _ in said.most_common(most)]


@dataclass(frozen=True, slots=True, eq=False)
class WordTeacher:
    """Trigrams, bigrams and unigrams, each smoothed with the next."""

    vocab: int
    bigrams: FloatArray = field(repr=False)
    """Probabilities of the next token by the last one, smoothed; shape (vocab, vocab)."""
    keys: IntArray = field(repr=False)
    """Contexts of two tokens that were seen, as a * vocab + b, rising."""
    starts: IntArray = field(repr=False)
    """Where each context's tokens begin; one more at the end."""
    tokens: IntArray = field(repr=False)
    counts: FloatArray = field(repr=False)

    @classmethod
    def of(cls, ids: IntArray, vocab: int) -> "WordTeacher":
        """Return the teacher of a text, shape (n,), ids below `vocab`; `OTHER` breaks it."""
        pairs = np.zeros((vocab, vocab), np.float32)
        np.add.at(pairs, (ids[:-1], ids[1:]), 1.0)
        pairs[OTHER] = 0.0
        pairs[:, OTHER] = 0.0
        single = pairs.sum(0) + _LEAST
        single[OTHER] = 0.0
        single /= single.sum()
        kinds = (pairs > 0).sum(1, keepdims=True)
        bigrams = (pairs + np.maximum(kinds, 1) * single) / (pairs.sum(1, keepdims=True) + np.maximum(kinds, 1))
        a, b, c = ids[:-2], ids[1:-1], ids[2:]
        whole = (a != OTHER) & (b != OTHER) & (c != OTHER)
        grams, counts = np.unique((a[whole] * vocab + b[whole]) * vocab + c[whole], return_counts=True)
        keys, starts = np.unique(grams // vocab, return_index=True)
        return cls(
            vocab, bigrams.astype(np.float32), keys, np.append(starts, len(grams)).astype(np.int64), grams % vocab,
            counts.astype(np.float32),
        )  # fmt: skip

    def logits(self, contexts: npt.ArrayLike) -> FloatArray:
        """Return the log-probabilities of the token after each context, shape (n, vocab); -inf for `OTHER`.

        Args:
            contexts: Token ids, shape (n, k) with k at least 2; the last two count.
        """
        last = np.asarray(contexts, np.int64)[:, -2:]
        out = self.bigrams[last[:, 1]]
        wanted = last[:, 0] * self.vocab + last[:, 1]
        found = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        rows = np.flatnonzero(self.keys[found] == wanted)
        first, sizes = self.starts[found[rows]], np.diff(self.starts)[found[rows]]
        row = np.repeat(rows, sizes)
        entry = np.repeat(first - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))
        totals = np.zeros(len(out), np.float32)
        np.add.at(totals, row, self.counts[entry])
        kinds = np.zeros(len(out), np.float32)
        kinds[rows] = sizes
        share = np.ones(len(out), np.float32)
        share[rows] = kinds[rows] / (totals[rows] + kinds[rows])
        out *= share[:, None]
        out[row, self.tokens[entry]] += self.counts[entry] / (totals + kinds)[row]
        with np.errstate(divide="ignore"):
            np.log(out, out=out)
        return out

    def sample(
        self, n: int, length: int, rng: np.random.Generator, *, hook: Hook | None = None,
        prompts: npt.ArrayLike | None = None,
    ) -> IntArray:  # fmt: skip
        """Return `n` texts of `length` tokens, shape (n, length), prompts left out.

        Args:
            n: Texts, drawn independently at temperature 1.
            length: Tokens of each.
            rng: Chance of the draws.
            hook: Marks; it sees the texts in blocks, place by place.
            prompts: Token ids that texts go on from, shape (n, k), k at least 2; left out, two random words.
        """
        given = rng.integers(1, self.vocab, size=(n, 2)) if prompts is None else np.asarray(prompts, np.int64)
        out = np.empty((n, length), np.int64)
        for first in range(0, n, _BLOCK):
            rows = np.arange(first, min(n, first + _BLOCK))
            text = np.concatenate((given[rows, -2:], np.empty((len(rows), length), np.int64)), axis=1)
            for place in range(length):
                logits = self.logits(text[:, place : place + 2])
                chosen = hook(logits, text[:, 2 : place + 2], rows) if hook is not None else None
                text[:, place + 2] = drawn(logits, rng) if chosen is None else chosen
            out[rows] = text[:, 2:]
        return out


_BLOCK: Final = 256


def drawn(logits: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return a token drawn from each row of logits, shape (n,); they need not be normalised."""
    weights = np.exp(logits - logits.max(1, keepdims=True))
    mass = np.cumsum(weights, axis=1, dtype=np.float32)
    wanted = rng.random((len(mass), 1), dtype=np.float32) * mass[:, -1:]
    return np.asarray(np.minimum((mass <= wanted).sum(1), logits.shape[1] - 1), np.int64)
