"""Honest documents in tokens, for measurements of marks.

In: a data folder, or none for the packaged sample. Out: token arrays, the size of the vocabulary, what they are.
Texts are answers and prompts that people and models wrote without any mark of ours; repeats within a text stay.
Tokens are the embedded teacher's where its file and `tokenizers` are installed, else words, numbered as they come.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stillwatch.lab.teacher import model_file
from stillwatch.lab.traffic.sources import FolderSources, PackagedSources, Sources
from stillwatch.terms.errors import StillwatchError

WORDS_VOCAB = 49_152
LEAST_CHARACTERS = 150
PACKAGED = (
    "koala_arena", "oasst", "gsm8k_solutions", "gsm8k_train", "mmlu", "math_cot", "roleplay", "agents", "seeds",
    "humaneval", "toolformer", "eval_suites", "gsm8k_test",
)  # fmt: skip
FULL = ("sharegpt_answers", "dolly", "alpaca", "instructwild", *PACKAGED)


@dataclass(frozen=True)
class Documents:
    """Texts as token numbers below `vocab`."""

    tokens: list[npt.NDArray[np.int64]]
    vocab: int
    source: str


def documents(data: Path | None, most: int = 10_000) -> Documents:
    """Return up to `most` documents; fewer where there are no more."""
    place: Sources = FolderSources(data) if data else PackagedSources()
    texts: list[str] = []
    for source in FULL if data else PACKAGED:
        for row in place.rows(source):
            texts += [text for text in strings(row) if len(text) >= LEAST_CHARACTERS]
        if len(texts) >= most:
            break
    texts = list(dict.fromkeys(texts))[:most]
    tokens, vocab, kind = encoded(texts)
    return Documents(tokens, vocab, f"{place.name}, {len(tokens):,} documents, {kind}")


def strings(value: Any) -> Iterator[str]:
    """Yield every text inside a row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def encoded(texts: list[str]) -> tuple[list[npt.NDArray[np.int64]], int, str]:
    """Return the texts in tokens, the vocabulary's size, and which tokens they are."""
    file = model_file()
    if file is not None:
        try:
            from stillwatch.engines.tokens import load_tokens

            tokens = load_tokens(file)
            return tokens.all_ids(texts), tokens.vocabulary, "SmolLM2 tokens"
        except (StillwatchError, ImportError):
            pass
    numbers: dict[str, int] = {}
    found = [
        np.array([numbers.setdefault(word, len(numbers)) for word in re.findall(r"\w+|[^\w\s]", text)], np.int64)
        for text in texts
    ]
    return [one % WORDS_VOCAB for one in found], WORDS_VOCAB, "words"
