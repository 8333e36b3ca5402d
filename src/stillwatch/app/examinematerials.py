"""From a transcript to the materials that exams take: tokens, answers, what a reference expects, probabilities.

In: rows of a transcript, a tokeniser, a reference model. Out: bytes. Nothing here looks at a key.
Cost: the reference's, one pass over the text in windows of `WINDOW` tokens.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.forensics.exams.given import packed
from stillwatch.suspects.local import TokenModel
from stillwatch.suspects.transcript import Row
from stillwatch.terms.errors import StillwatchError

WINDOW: Final = 32
"""Tokens before a place that a reference is shown."""
BATCH: Final = 512
Tokenise = Callable[[str], Sequence[int]]
Rows = Iterable[Row]


def tokens_of(rows: Rows, tokenise: Tokenise | None) -> bytes:
    """Return answers and prompts in tokens, one document a line.

    Raises:
        StillwatchError: a row has no token ids, and there is no tokeniser.
    """
    out = []
    for row in rows:
        answer, prompt = list(row.reply.tokens), list(row.prompt_tokens)
        if not answer and row.reply.text:
            answer = _ids(row.reply.text, tokenise)
        if not prompt and row.prompt:
            prompt = _ids(row.prompt, tokenise)
        out.append(json.dumps({"answer": answer, "prompt": prompt}, separators=(",", ":")).encode() + b"\n")
    return b"".join(out)


def answers_of(rows: Rows) -> bytes:
    """Return answers by probe; `canary` and `identity` take them."""
    said = [{"probe": row.probe, "answer": row.reply.text} for row in rows]
    return b"".join(json.dumps(one, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for one in said)


def expected_of(tokens: bytes, reference: TokenModel, *, width: int, temperature: float = 1.0) -> bytes:
    """Return how often a reference expects each token after each context, on the places of a suspect's text.

    Args:
        tokens: From `tokens_of`.
        reference: Whose probabilities.
        width: Tokens of a context.
        temperature: The suspect's; the reference is set to the same.
    """
    windows, contexts = _places(tokens, width)
    total: dict[tuple[int, ...], npt.NDArray[np.float64]] = {}
    for first in range(0, len(windows), BATCH):
        part = _padded(windows[first : first + BATCH])
        logits = np.asarray(reference.logits(part), np.float64) / temperature
        chance = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        for context, row in zip(contexts[first : first + BATCH], chance, strict=True):
            total[context] = total[context] + row if context in total else row
    keys = sorted(total)
    counts = np.stack([total[key] for key in keys]) if keys else np.zeros((0, 1))
    kept = counts > 1e-6
    row, token = np.nonzero(kept)
    held = np.array(keys, np.int64).reshape(len(keys), width)
    return packed(contexts=held[row], tokens=token.astype(np.int64), counts=counts[kept])


def logprobs_of(rows: Rows, reference: TokenModel, *, width: int) -> bytes:
    """Return probabilities of suspect and reference at the first place of each answer, for prompts in token ids.

    Raises:
        StillwatchError: a row has no token ids, or tells nothing.
    """
    held = [row for row in rows if row.reply.told and len(row.prompt_tokens) >= width]
    if not held:
        raise StillwatchError("probes: none has token ids and was told probabilities; ask with `tokens` and `top`.")
    told = min(len(row.reply.told[0]) for row in held)
    contexts = np.array([row.prompt_tokens[: -width - 1 : -1] for row in held], np.int64)
    try:
        tokens = np.array([[int(word) for word, _ in row.reply.told[0][:told]] for row in held], np.int64)
    except (ValueError, OverflowError):
        raise StillwatchError(
            "probabilities: the suspect names tokens by their text, not by their ids; only a model at hand tells ids."
        ) from None
    suspect = np.array([[value for _, value in row.reply.told[0][:told]] for row in held])
    logits = np.asarray(reference.logits(_padded([list(row.prompt_tokens)[-WINDOW:] for row in held])), np.float64)
    log_r = np.take_along_axis(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True), tokens, axis=1)
    return packed(contexts=contexts, tokens=tokens, suspect=suspect, reference=log_r)


def _places(tokens: bytes, width: int) -> tuple[list[list[int]], list[tuple[int, ...]]]:
    """Return for each place what came before it, and its context, the token just before first."""
    windows, contexts = [], []
    for line in tokens.splitlines():
        row = json.loads(line)
        answer, before = row["answer"], row.get("prompt", [])
        shown = {tuple(before[i - width : i][::-1]) for i in range(width, len(before) + 1)}
        whole = before + answer
        for place in range(width, len(answer)):
            context = tuple(answer[place - width : place][::-1])
            if context not in shown:  # as the exams leave them out
                windows.append(whole[max(0, len(before) + place - WINDOW) : len(before) + place])
                contexts.append(context)
    return windows, contexts


def _padded(windows: Sequence[list[int]]) -> npt.NDArray[np.int64]:
    """Return windows of one length; short ones repeat their first token, which says least."""
    longest = max(len(one) for one in windows)
    return np.array([[one[0]] * (longest - len(one)) + one for one in windows], np.int64)


def _ids(text: str, tokenise: Tokenise | None) -> list[int]:
    if tokenise is None:
        raise StillwatchError(
            "tokeniser: the suspect gives no token ids; name the marked model's `tokenizer` in the plan."
        )
    # A suspect may answer with half a character, which no tokeniser takes.
    return [int(one) for one in tokenise(text.encode("utf-8", "replace").decode("utf-8"))]
