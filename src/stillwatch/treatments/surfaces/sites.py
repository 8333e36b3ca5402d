"""Sites of a text: places in its prose where one of two wordings of a row stands.

In: a text in pieces, and a `Choose`. Out: the text with each site worded as chosen. The writer and the reader run
this very class: a site, its row and its context are the same whichever wording stands there, so that the reader sees
the sites that the writer saw. For that, what was said at earlier sites enters contexts as the row's name, and the
word that a row's condition looked at is never part of a site itself.
Held back: a word that may begin a wording, until it is whole and, where its row asks for that, the next word is too.
Everything else goes out as it comes. Cost: see bench/marks/surface.py. Left to `choice`: choosing.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from stillwatch.treatments.surfaces.front import BY_FIRST, STARTS, WIDTH, Front, Token
from stillwatch.treatments.surfaces.scanner import TOKEN, Scanner
from stillwatch.treatments.surfaces.table import Row

_CONTRACTED: Final = re.compile(r"n't$|'(?:re|ll|ve|m|d)$|^(?:it|that|there|here|what|let|he|she|who)'s$")
_APOSTROPHES: Final = str.maketrans("’", "'")


class Site(NamedTuple):
    """One place with two wordings."""

    row: Row
    said: int
    """Which wording stands there, 0 or 1."""
    context: tuple[str, ...]
    """The `WIDTH` words before, in small letters; fewer at the start of a text."""
    before: str
    """The same words and the wording, as they stand, for comparing with other texts."""


Choose = Callable[[Site], int]
"""Returns which wording is to stand at a site."""


class Sites:
    """Passes one text on, reworded at its sites."""

    def __init__(self, choose: Choose) -> None:
        """Take what chooses; it is asked once for each site, in the order of the text."""
        self._choose = choose
        self._scanner = Scanner()
        self._tail = ""
        self._early = 0
        self._front = Front()
        self._out: list[str] = []
        self._begins, self._after_comma = True, False
        self._before = ""

    def feed(self, text: str) -> str:
        """Take the next piece; return what can go out."""
        data = self._tail + text
        at, end = 0, len(data)
        while at < end:
            match = TOKEN.match(data, at)
            assert match is not None
            to = match.end()
            if to == end or (data[to] in "'’" and to + 1 == end and data[at].isalpha()):
                break
            self._token(match.group(), data[to])
            at = to
        self._tail = data[at:]
        return self._flushed(self._ahead())

    def end(self) -> str:
        """Return the rest."""
        tail, self._tail = self._tail, ""
        at = 0
        while at < len(tail):
            match = TOKEN.match(tail, at)
            assert match is not None
            at = match.end()
            self._token(match.group(), tail[at : at + 1])
        self._settle(final=True)
        return self._flushed("")

    def _ahead(self) -> str:
        """Return as much of the tail as no site can reach; it goes out before it is looked at."""
        if self._front.held:
            return ""
        for at, character in enumerate(self._tail):
            if character.isalpha():
                word = self._tail[at:].lower().translate(_APOSTROPHES)
                return self._tail[:at] if word in STARTS or word.rstrip("'") in STARTS else self._tail
        return self._tail

    def _flushed(self, ahead: str) -> str:
        done = "".join(self._out)
        self._out = []
        out = done[self._early :]
        if len(done) < self._early:
            self._early -= len(done)
            rest, self._early = ahead[self._early :], max(self._early, len(ahead))
            return rest
        self._early = len(ahead)
        return out + ahead

    def _token(self, text: str, behind: str) -> None:
        prose = self._scanner.take(text, behind)
        word = text.lower().translate(_APOSTROPHES) if prose and text[0].isalpha() else ""
        if self._front.held or word in BY_FIRST:
            begins = self._begins
            self._front.held.append(Token(text, prose, begins, begins or self._after_comma, self._before, word))
            self._settle(final=False)
        else:
            self._pass(text, word)
        if word or text[0].isalnum():
            self._begins = self._after_comma = False
        elif text in ".!?\n" or (text == ":" and behind.isspace()):
            self._begins = True
        elif text == ",":
            self._after_comma = True
        self._before = text[-1]

    def _settle(self, *, final: bool) -> None:
        """Let tokens go from the front until one has to wait."""
        held = self._front.held
        while held:
            token = held[0]
            word = token.word
            found = BY_FIRST.get(word) if not token.fixed else None
            length, row, said = self._front.match(found, final) if found else (0, None, 0)
            if length < 0:
                return
            if row is None:
                self._pass(held.popleft().text, word)
            else:
                self._reword(row, said, [held.popleft() for _ in range(length)])

    def _pass(self, text: str, word: str) -> None:
        self._out.append(text)
        if word:
            self._front.note(word, word)
            if "'" in word and _CONTRACTED.search(word):
                self._front.apostrophe = "’" if "’" in text else "'"
        elif text != " ":
            self._front.prev = ""

    def _reword(self, row: Row, said: int, tokens: list[Token]) -> None:
        text = "".join(token.text for token in tokens)
        words = tuple(self._front.words)[-WIDTH:]
        site = Site(row, said, words, " ".join((*self._front.raw, " ".join(row.pair[said]))))
        chosen = self._choose(site)
        self._out.append(text if chosen == said else self._written(row.pair[chosen], text))
        self._front.note("#" + row.name, row.pair[said][-1])

    def _written(self, words: tuple[str, ...], before: str) -> str:
        after = " ".join(words)
        if self._front.apostrophe:
            after = after.replace("'", self._front.apostrophe)
        first = after[0]
        return (first.upper() if before[0].isupper() else first) + after[1:]


def sites_of(text: str) -> list[Site]:
    """Return the sites of a text in their order."""
    found: list[Site] = []

    def note(site: Site) -> int:
        found.append(site)
        return site.said

    sites = Sites(note)
    sites.feed(text)
    sites.end()
    return found
