"""Whether a wording stands at the front of the tokens held back, and whether its row's conditions hold there.

In: tokens with what was said before them. Out: how many tokens the wording takes, its row and which of the two it is;
or that it is too early to tell. Cost: a few look-ups, only at words that begin a wording.
Left to `sites`: tokens, and what becomes of them.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from stillwatch.treatments.surfaces.table import ENGLISH, ROWS, Row

WIDTH: Final = 2
"""Words before a site that make up its context."""
_WINDOW: Final = 24
"""Words looked back on to tell English; so many of `ENGLISH` must be among them:"""
_LEAST_ENGLISH: Final = 2
_BEFORE: Final = frozenset(("", " ", "\t", "\n", "(", "—"))
_BEHIND: Final = frozenset(".,;:!?)—\n\r \t")
_MORE: Final = (-1, None, 0)


@dataclass(slots=True)
class Token:
    """A piece of text that is whole: a word, spaces, or marks."""

    text: str
    prose: bool
    """It stands in plain prose."""
    start: bool
    """A word here begins a sentence."""
    clause: bool
    """A word here begins a sentence or follows a comma."""
    before: str
    """The character before it."""
    word: str
    """In small letters with straight apostrophes; empty where it is no word of prose."""
    fixed: bool = False
    """A row's condition looked at it: it stays, or the condition would read differently."""


BY_FIRST: Final[dict[str, list[tuple[tuple[str, ...], Row, int]]]] = {}
"""First word -> the wordings that begin with it, longest first: words, row, which of the two."""
for _row in ROWS:
    for _said, _words in enumerate(_row.pair):
        BY_FIRST.setdefault(_words[0], []).append((_words, _row, _said))
for _found in BY_FIRST.values():
    _found.sort(key=lambda entry: -len(entry[0]))
STARTS: Final = frozenset(word[:n] for word in BY_FIRST for n in range(1, len(word) + 1))
"""What a word may begin with that may become the first of a wording."""


class Front:
    """The tokens held back, and what was said before them."""

    __slots__ = ("apostrophe", "held", "prev", "raw", "words")

    def __init__(self) -> None:
        self.held: deque[Token] = deque()
        self.words: deque[str] = deque(maxlen=_WINDOW)
        """Words before, sites as `#` and their row's name."""
        self.raw: deque[str] = deque(maxlen=WIDTH)
        """The same words as they stand."""
        self.prev = ""
        """The word before, where only one space lies between."""
        self.apostrophe = ""
        """How the text last wrote a contraction; empty while it has none."""

    def note(self, word: str, raw: str) -> None:
        """Remember a word that goes out."""
        self.words.append(word)
        self.raw.append(raw)
        self.prev = word

    def match(self, found: list[tuple[tuple[str, ...], Row, int]], final: bool) -> tuple[int, Row | None, int]:
        """Return how many tokens from the front are a wording, of which row; -1: too early to tell.

        Args:
            found: Wordings that begin with the first token's word.
            final: No more tokens will come.
        """
        token = self.held[0]
        if token.before not in _BEFORE or not self._is_english():
            return 0, None, 0
        for words, row, said in found:
            length = self._spelt(words, final)
            if length < 0:
                return _MORE
            if length and self._cased(length, token.start) and self._fits(row, token):
                fits = self._followed(row, length, final)
                if fits is None:
                    return _MORE
                if fits:
                    return length, row, said
        return 0, None, 0

    def _is_english(self) -> bool:
        return sum(word in ENGLISH for word in self.words) >= _LEAST_ENGLISH

    def _spelt(self, words: tuple[str, ...], final: bool) -> int:
        """Return how many tokens `words` take from the front: 0 when others stand there, -1 when too few do."""
        held = self.held
        for i, word in enumerate(words):
            if 2 * i >= len(held):
                return 0 if final else -1
            if held[2 * i].word != word or (i and held[2 * i - 1].text != " "):
                return 0
        return 2 * len(words) - 1

    def _cased(self, length: int, start: bool) -> bool:
        """Small letters throughout, but for `I` and the first letter of a sentence."""
        first = self.held[0].text
        rest = first[1:] + "".join(self.held[i].text for i in range(1, length))
        if rest != rest.lower():
            return False
        return first[0].islower() or start or first.split("'")[0].split("’")[0] == "I"

    def _fits(self, row: Row, token: Token) -> bool:
        if (row.contraction and not self.apostrophe) or (row.adjacent and not self.prev):
            return False
        if (row.start and not token.start) or (row.clause and not token.clause):
            return False
        return (not row.prev or self.prev in row.prev) and self.prev not in row.not_prev

    def _followed(self, row: Row, length: int, final: bool) -> bool | None:
        """Return whether what follows lets the row stand; None while that is not there."""
        held = self.held
        if len(held) <= length:
            return (not (row.comma or row.word or row.following or row.digit)) if final else None
        behind = held[length].text
        if row.comma:
            return behind == ","
        if behind[0] not in _BEHIND:
            return False
        if not (row.word or row.following or row.not_following or row.digit):
            return True
        if behind != " ":
            return not (row.word or row.following or row.digit)
        if len(held) <= length + 1:
            return False if final else None
        held[length + 1].fixed = True
        return self._next(row, held[length + 1])

    def _next(self, row: Row, token: Token) -> bool:
        if row.digit:
            return token.prose and token.text.isdigit()
        word = token.word
        if not word and row.word:
            return False
        return (not row.following or word in row.following) and word not in row.not_following
