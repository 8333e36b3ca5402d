"""Tokenisers: text to the token ids that a model would read, and back, without the model.

In: a `tokenizer.json`, or a GGUF file with a byte-level BPE whose way of cutting words is known here. Out: `Tokens`.
Text is taken as text: what looks like a control token in it is none, as in an answer.
Cost: 0.3 s to load, 1 M tokens/s. Needs the package `tokenizers`, and nothing that it requires.
Left to `forensics`: reading marks. Source: llama.cpp `src/llama-vocab.cpp`, pre-tokeniser `smollm`, to which the
tests hold this equal.
"""

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.engines.gguf import read_facts
from stillwatch.terms.errors import StillwatchError

KNOWN: Final = ("smollm",)
"""Pre-tokenisers of GGUF files that are known here: they cut every digit off, and then as GPT-2 does."""
USER_DEFINED: Final = 4
"""Kind of token in a GGUF file that is found in text as it stands."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One tokeniser."""

    name: str
    """Of the file."""
    vocabulary: int
    """Token ids lie below it."""
    _inner: Any = field(repr=False)

    def ids(self, text: str) -> NDArray[np.int64]:
        """Return the tokens of a text, without any at its beginning or end that the text does not have."""
        return np.array(self._inner.encode(text, add_special_tokens=False).ids, dtype=np.int64)

    def all_ids(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Return the tokens of each text."""
        found = self._inner.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(one.ids, dtype=np.int64) for one in found]

    def text(self, ids: Iterable[int]) -> str:
        """Return the text of tokens; bytes that are no character become U+FFFD."""
        return str(self._inner.decode([int(token) for token in ids], skip_special_tokens=False))


def load_tokens(path: Path) -> Tokens:
    """Return the tokeniser of a `tokenizer.json` or a GGUF file.

    Raises:
        StillwatchError: `tokenizers` is not installed, the file cannot be read, or its tokeniser is of a kind that is
            not known here.
    """
    library = _library()
    if path.suffix == ".gguf":
        inner = _from_gguf(library, path)
    else:
        try:
            inner = library.Tokenizer.from_str(path.read_text("utf-8"))
        except OSError as problem:
            raise StillwatchError(f"tokeniser {path}: {problem.strerror}; give a file that can be read.") from None
        except Exception:  # the library raises bare Exception, and says where in the file; that could be anything
            raise StillwatchError(f"tokeniser {path}: is no tokenizer.json; give one, or a .gguf file.") from None
        inner.encode_special_tokens = True  # what an answer spells out is text, not a control token
        inner.no_truncation()
        inner.no_padding()
    return Tokens(path.name, inner.get_vocab_size(with_added_tokens=True), inner)


def missing() -> str:
    """Return why no tokeniser can be loaded, in words; empty when one can."""
    try:
        _library()
    except StillwatchError as problem:
        return str(problem)
    return ""


def _library() -> Any:
    try:
        return importlib.import_module("tokenizers")
    except ImportError:
        raise StillwatchError(
            "reading text needs the package `tokenizers`: pip install --no-deps tokenizers; token ids can be read "
            "without it."
        ) from None


def _from_gguf(library: Any, path: Path) -> Any:
    facts = read_facts(path)
    model, cut = facts.get("tokenizer.ggml.model"), facts.get("tokenizer.ggml.pre")
    if model != "gpt2" or cut not in KNOWN:
        raise StillwatchError(
            f"tokeniser of {path}: model {model!r}, pre-tokeniser {cut!r}; known here are byte-level BPE with "
            f"{', '.join(KNOWN)}. Give the model's tokenizer.json instead."
        )
    try:
        words: list[str] = facts["tokenizer.ggml.tokens"]
        merges = [tuple(line.split(" ", 1)) for line in facts["tokenizer.ggml.merges"]]
        inner = library.Tokenizer(library.models.BPE({word: i for i, word in enumerate(words)}, merges))
        kinds = zip(words, facts.get("tokenizer.ggml.token_type", ()), strict=False)
        own = [
            library.AddedToken(word, normalized=False, special=False) for word, kind in kinds if kind == USER_DEFINED
        ]
    except Exception:  # the library raises bare Exception; and the lists may be none, or of anything
        raise StillwatchError(f"tokeniser of {path}: words and merges do not fit; fetch the file again.") from None
    steps = library.pre_tokenizers
    inner.pre_tokenizer = steps.Sequence(
        [steps.Digits(individual_digits=True), steps.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    inner.decoder = library.decoders.ByteLevel()
    inner.add_tokens(own)
    return inner
