"""The proxy of orders for `experts`: a file with the tokens of a small corpus, and mixing it into candidates.

In: texts and a tokeniser once, for `python -m stillwatch.engines.llamacpp.proxy TEXTS... --tokenizer FILE --out FILE`;
that file at the start of an engine; then candidates and the tokens so far. Out: candidates' mixed log-probabilities.
The file holds the texts as tokens, which is as good as the texts: make it of public ones, not of customers'.
Cost: 0.3 KB of memory a token of the corpus; 0.5 to 1 ms a step at a vocabulary of 49,152.
Left to `treatments.poe`: the proxy itself, and the product.
"""

import argparse
import sys
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stillwatch.engines.tokens import load_tokens
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.poe import NgramProxy, Proxy, product_of_candidates

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mixture:
    """What one answer is drawn from: the model and a proxy, weighed."""

    proxy: Proxy = field(repr=False)
    share: float
    """Weight of the proxy, from 0 to 1; 0 changes nothing."""

    def scores(self, ids: Ids, log_p: Floats, context: Ids, ends: Collection[int]) -> Floats:
        """Return log-probabilities of the candidates under the product, shape (k,).

        Candidates that the proxy cannot judge keep what the model gives them: tokens that end an answer, which a corpus
        does not hold, and tokens beyond its vocabulary. The others share what the model gives them together.

        Args:
            ids: Candidates, shape (k,).
            log_p: Nats under the model, over the whole vocabulary, shape (k,).
            context: Tokens of the prompt and the answer so far, shape (n,).
            ends: Tokens that end an answer.
        """
        judged = (ids < self.proxy.vocab) & ~np.isin(ids, [*ends])
        if self.share == 0.0 or not judged.any():
            return log_p
        mixed = product_of_candidates(ids[judged], log_p[judged], self.proxy, context, self.share)
        out = log_p.copy()
        out[judged] = mixed - np.logaddexp.reduce(mixed) + np.logaddexp.reduce(log_p[judged])
        return out


def load_proxy(path: Path) -> NgramProxy:
    """Return the proxy of a file that `main` made.

    Raises:
        StillwatchError: the file cannot be read, or is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            tokens, vocab = file["tokens"].astype(np.int64), int(file["vocab"])
    except OSError as problem:
        raise StillwatchError(
            f"proxy {path}: {problem.strerror or 'is no .npz file'}; give one that can be read."
        ) from None
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError):
        raise StillwatchError(
            f"proxy {path}: has no `tokens` and `vocab`; make it with `python -m stillwatch.engines.llamacpp.proxy`."
        ) from None
    if tokens.ndim != 1 or len(tokens) < 3 or not 0 <= int(tokens.min()) <= int(tokens.max()) < vocab:
        raise StillwatchError(
            f"proxy {path}: `tokens` must be a row of at least 3 ids from 0 to below `vocab` ({vocab}); make it again."
        )
    return NgramProxy(tokens, vocab)


def save_proxy(path: Path, tokens: Ids, vocab: int) -> None:
    """Write a file for `load_proxy`.

    Args:
        path: Of the file, as it is to be called.
        tokens: The corpus, shape (n,), values in [0, vocab).
        vocab: Size of the vocabulary.
    """
    with path.open("wb") as file:
        np.savez_compressed(file, tokens=tokens.astype(np.int32), vocab=np.int64(vocab))


def main(words: list[str] | None = None) -> int:
    """Make the file of a proxy; 0, or 2 where it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m stillwatch.engines.llamacpp.proxy", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("texts", nargs="+", type=Path, help="text files, UTF-8; public texts, not customers'")
    parser.add_argument("--tokenizer", required=True, type=Path, help="the model's tokenizer.json or .gguf file")
    parser.add_argument("--out", required=True, type=Path, help="file to write, .npz")
    asked = parser.parse_args(words)
    try:
        tokens = load_tokens(asked.tokenizer)
        found = np.concatenate(tokens.all_ids([_text(path) for path in asked.texts]))
        if len(found) < 3:
            raise StillwatchError("texts: have fewer than 3 tokens; give longer ones.")
        save_proxy(asked.out, found, tokens.vocabulary)
    except StillwatchError as problem:
        print(problem, file=sys.stderr)
        return 2
    except OSError as problem:
        print(f"{asked.out}: {problem.strerror}; name a file that can be written.", file=sys.stderr)
        return 2
    print(f"{asked.out}: {len(found):,} tokens of {len(asked.texts)} texts, vocabulary {tokens.vocabulary:,}.")
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as problem:
        raise StillwatchError(f"text {path}: {problem.strerror}; give a file that can be read.") from None
    except UnicodeDecodeError:
        raise StillwatchError(f"text {path}: is not UTF-8; convert it first.") from None


if __name__ == "__main__":
    sys.exit(main())
