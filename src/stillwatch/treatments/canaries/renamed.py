"""Renamed: an answer's own stand-in name, such as Alice, becomes the canary's, where it is free to.

In: pieces of one answer's text as they come. Out: the same text, but for one name. The name must be one of the usual
stand-ins of the canary's gender, which the caller did not use and which the answer brings in by itself ("Suppose Alice
buys ..."), without a surname; then it is that of nobody. Once taken up, it is written so to the end, except in
quotations and code; a name that first shows in any other way is left alone for good.
Nothing is taken up in an answer that begins like data, or once a word of it bears on health, law, money or code.
The joined text does not depend on how the pieces were cut. Cost: text waits behind a capital for at most `AHEAD`
characters.
"""

import re
from collections.abc import Sequence
from typing import Final

from stillwatch.treatments.canaries.ground import harmful

AHEAD: Final = 40
"""Characters behind the beginning of a name that are looked at before it is written."""
_BEHIND: Final = 64
STAND_INS: Final = {
    "f": "Alice Sarah Emily Emma Jane Mary Anna Lisa Maria Sophia Olivia Susan Laura Julia Maya Lily Rachel Jessica "
         "Jenny Mia Ava Clara Kate Amy".split(),
    "m": "John Bob Tom James David Michael Mike Jack Peter Paul Ben Daniel Ryan Kevin Steve Liam Noah Ethan Lucas "
         "Henry Leo Tim Jim Jake".split(),
}  # fmt: skip
"""Names that models bring in for nobody in particular."""
_BRINGS_IN: Final = re.compile(
    r"(?:^|[\s(])(?:suppose|imagine|assume|picture|meet|say|consider|for example,|for instance,|let's say|let us say)"
    r"(?: that)? $|(?:woman|man|girl|boy|person|student|teacher|baker|farmer|friend|child|shopper|traveler|traveller)"
    r"(?: named| called|,) $",
    re.IGNORECASE,
)
_GOES_ON: Final = re.compile(r"(?:['’]s)?(?:[,;:]?\s+(?!in [A-Z])[a-z0-9]|[.!?](?:\s|$)|\s*$)")
_SURNAME: Final = re.compile(r" [A-Z][a-z]")
_DATA: Final = re.compile(r"\s*[\[{<`|#>$]")
_WORDS: Final = re.compile(r"[^\W\d_]+")
_CAPITAL: Final = re.compile(r"[A-Z]")
_QUOTED: Final = re.compile(r"^\s*>")


class Renamed:
    """One answer's text on its way, under one canary."""

    def __init__(self, value: str, gender: str, request: str) -> None:
        """Take the canary's name and gender, and the request's text, whose names stay."""
        known = set(_WORDS.findall(request))
        names = [name for name in STAND_INS[gender] if name not in known]
        self._next = re.compile(rf"(?<![\w@/.\-])(?:{'|'.join(names)})(?!\w)|[\"`\n“”«»]") if names else None
        self._value = value
        self._held, self._behind, self._line, self._word = "", "", "", ""
        self._taken, self._given = "", set(known)
        self._quoted = self._code = self._fenced = False
        self._barred, self._begun = value in known, False

    def feed(self, text: str) -> str:
        """Return what can be written of the text so far."""
        self._held += text
        return self._written(last=False)

    def end(self) -> str:
        """Return what is left."""
        return self._written(last=True)

    def _written(self, *, last: bool) -> str:
        if self._next is None:
            held, self._held = self._held, ""
            return held
        before = self._behind[-1:]
        text = before + self._held  # the pattern looks one character back
        out: list[str] = []
        at = len(before)
        safe = len(text) if last else self._safe(text)
        for match in self._next.finditer(text, at):
            if match.start() >= safe:
                break
            out.append(self._passed(text[at : match.start()]))
            found, at = match.group(), match.end()
            ahead = text[at : match.start() + AHEAD]
            out.append(self._mark(found) if len(found) == 1 else self._name(found, ahead))
        out.append(self._passed(text[at : max(at, safe)]))
        self._held = text[max(at, safe) :]
        return "".join(out)

    @staticmethod
    def _safe(text: str) -> int:
        """Return how much of the text can be settled: up to a capital that is too near the end."""
        near = max(0, len(text) - AHEAD)
        capital = _CAPITAL.search(text, near)
        return capital.start() if capital else len(text)

    def _passed(self, text: str) -> str:
        """Note original text that goes by."""
        if not self._begun and text.strip():
            self._begun = True
            self._barred |= _DATA.match(text) is not None
        *whole, self._word = re.split(r"[\W\d_]+", self._word + text)
        self._barred |= harmful(frozenset(map(str.lower, filter(None, whole))))
        self._behind = (self._behind + text)[-_BEHIND:]
        self._line = (self._line + text)[:8] if len(self._line) < 8 else self._line
        return text

    def _mark(self, char: str) -> str:
        self._passed(char)
        if char == "\n":
            self._line, self._quoted, self._code = "", False, False
        elif char == "`":
            if self._behind.endswith("```"):
                self._fenced, self._code, self._barred = not self._fenced, False, True
            else:
                self._code = not self._code
        elif char in "“«":
            self._quoted = True
        elif char in "”»":
            self._quoted = False
        else:
            self._quoted = not self._quoted
        return char

    def _name(self, name: str, ahead: str) -> str:
        outside = not (self._quoted or self._code or self._fenced or _QUOTED.match(self._line))
        if not self._taken and name not in self._given:
            if outside and not self._barred and _BRINGS_IN.search(self._behind) and _GOES_ON.match(ahead):
                self._taken = name
            self._given.add(name)
        self._passed(name)
        return self._value if name == self._taken and outside and not _SURNAME.match(ahead) else name


class Each:
    """Several such edits, one after the other."""

    def __init__(self, edits: Sequence[Renamed]) -> None:
        """Take them in order."""
        self._edits = edits

    def feed(self, text: str) -> str:
        """Return what can be written of the text so far."""
        for edit in self._edits:
            text = edit.feed(text)
        return text

    def end(self) -> str:
        """Return what is left."""
        text = ""
        for edit in self._edits:
            text = edit.feed(text) + edit.end()
        return text
