"""Draw sentences from the lexicon; make sure that a campaign's paraphrases share no five words in a row.

In: a kind of wording and a stream of chance. Out: sentences. `Unalike` remembers every five-word
shingle of a campaign and rejects a text that would repeat one.
Cost: 10 us a sentence; `Unalike` 60 bytes a word.
"""

import random
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from stillwatch.lab.traffic.lexicon import PATTERNS, SLOTS
from stillwatch.terms.errors import StillwatchError

SHINGLE: Final = 5
TRIES: Final = 400
STRICT: Final = 10
_WORD: Final = re.compile(r"\w+")
_SLOT: Final = re.compile(r"\{(\w+)\}")


class Wording:
    """One kind of wording, such as `reasoning` or `follow`."""

    def __init__(self, kind: str) -> None:
        self._patterns = PATTERNS[kind]

    def sentence(self, rng: random.Random) -> str:
        """Return one sentence; slots are filled independently."""
        return _SLOT.sub(lambda slot: rng.choice(SLOTS[slot[1]]), rng.choice(self._patterns))

    def paragraph(self, rng: random.Random, sentences: int) -> str:
        """Return `sentences` sentences of different patterns as far as there are patterns."""
        order = rng.sample(self._patterns, len(self._patterns))
        picked = (order * (1 + sentences // len(order)))[:sentences]
        return " ".join(_SLOT.sub(lambda slot: rng.choice(SLOTS[slot[1]]), pattern) for pattern in picked)


def words_of(text: str) -> list[str]:
    """Return the words of `text` in lower case, punctuation dropped."""
    return _WORD.findall(text.lower())


def shingles(text: str) -> set[str]:
    """Return the five-word shingles of `text`.

    >>> sorted(shingles("One, two three four five six"))
    ['one two three four five', 'two three four five six']
    """
    words = words_of(text)
    return {" ".join(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)}


class Draft(NamedTuple):
    """A request before it is accepted: our own words, the whole text, and the work that it quotes."""

    own: str
    text: str
    quoted: str


class Unalike:
    """Texts of one campaign of which no two share a five-word shingle outside the work they quote.

    Shingles that straddle the edge of the quoted work are kept apart too, as long as `STRICT` tries
    allow: tasks that begin alike make that impossible in the long run.
    """

    def __init__(self) -> None:
        self._own: set[str] = set()
        self._all: set[str] = set()

    def draw(self, attempt: Callable[[], Draft]) -> str:
        """Return the first text out of `attempt` that shares no shingle with those drawn before.

        Raises:
            StillwatchError: none of `TRIES` attempts was new; the campaign is too large for the lexicon.
        """
        for number in range(TRIES):
            draft = attempt()
            own = shingles(draft.own)
            if not self._own.isdisjoint(own):
                continue
            outside = shingles(draft.text) - shingles(draft.quoted)
            if number < STRICT and not self._all.isdisjoint(outside):
                continue
            self._own |= own
            self._all |= outside
            return draft.text
        raise StillwatchError(
            f"evasion E2: no new wording found after {len(self._own)} shingles; must be unlike all before.\n"
            "Plan fewer accounts or requests for this campaign."
        )
