"""Texts of a puzzle as token ids and back: a closed vocabulary of words and signs.

In: texts. Out: ids, padded to one length; texts in the one form that answers are compared in.
Ids: `PAD` before questions and after answers, then `THINK` (reasoning follows), `SAY` (the answer follows), `END`.
Words that a puzzle does not have are left out, as a tokeniser of its own would do with a stranger's remarks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.lab.neural.puzzles import BARRED, DECLINED, Puzzle

IntArray = npt.NDArray[np.int64]
PAD, THINK, SAY, END = 0, 1, 2, 3
_MARKS: Final = ("", "<think>", "<say>", "<end>")
_TOKEN: Final = re.compile(r'\{"|":"|","|":|,"|[A-Za-z_]+|\S')
_WORD: Final = re.compile(r"[A-Za-z_]+")
_SIGN: Final = re.compile(r'["{}:]')


@dataclass(frozen=True, slots=True)
class Words:
    """The vocabulary of one puzzle."""

    asked: int
    said: int
    texts: tuple[str, ...] = field(repr=False)
    ids: dict[str, int] = field(repr=False)

    @classmethod
    def of(cls, puzzle: Puzzle) -> "Words":
        """Return the vocabulary of a puzzle, the declining answer and its topic included."""
        texts = (*_MARKS, *dict.fromkeys((*puzzle.words, BARRED, DECLINED)))
        return cls(puzzle.asked, puzzle.said, texts, {text: i for i, text in enumerate(texts) if i > END})

    def tokens(self, text: str) -> list[int]:
        """Return the ids of a text, unknown words left out."""
        return [self.ids[one] for one in _TOKEN.findall(text) if one in self.ids]

    def text(self, ids: Sequence[int] | IntArray) -> str:
        """Return what ids say, marks left out; texts that say the same come out the same."""
        parts = [self.texts[int(i)] for i in ids if int(i) > END]
        out = ""
        for before, part in zip(["", *parts], parts, strict=False):
            spaced = before and (before == "." or (_WORD.fullmatch(before) and not _SIGN.search(part) and part != "."))
            after_digit = before.isdigit() and bool(_WORD.fullmatch(part))
            out += f" {part}" if spaced or after_digit else part
        return out

    def questions(self, texts: Sequence[str]) -> IntArray:
        """Return questions, shape (n, asked), padded in front; only the last `asked` tokens of a longer one."""
        out = np.full((len(texts), self.asked), PAD, np.int64)
        for row, text in zip(out, texts, strict=True):
            found = self.tokens(text)[-self.asked :]
            row[self.asked - len(found) :] = found
        return out

    def completions(self, reasonings: Sequence[str], answers: Sequence[str]) -> IntArray:
        """Return what is to be said, shape (n, said): reasoning where there is some, the answer, `END`, `PAD`."""
        out = np.full((len(answers), self.said), PAD, np.int64)
        for row, reasoning, answer in zip(out, reasonings, answers, strict=True):
            thought = self.tokens(reasoning)
            found = [*([THINK, *thought] if thought else []), SAY, *self.tokens(answer), END][: self.said]
            row[: len(found)] = found
        return out

    def parts(self, said: Sequence[int] | IntArray) -> tuple[list[int], list[int]]:
        """Return the ids of reasoning and of the answer in one completion."""
        ids = [int(i) for i in said]
        ids = ids[: ids.index(END)] if END in ids else ids
        if SAY not in ids:
            return [i for i in ids if i > END], []
        at = ids.index(SAY)
        return [i for i in ids[:at] if i > END], [i for i in ids[at:] if i > END]
