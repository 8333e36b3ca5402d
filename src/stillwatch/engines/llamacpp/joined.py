"""The text of one answer, put together from the bytes of its tokens, and ended where a stop text begins.

In: bytes of one token after another. Out: text that may go to the caller. What could be the beginning of a stop text,
or of a character, is held back until it is clear; joined, the text does not depend on how tokens were cut.
"""

import codecs
from dataclasses import dataclass, field


@dataclass(slots=True)
class Joined:
    """Text of one answer."""

    stops: tuple[str, ...] = field(default=(), repr=False)
    stopped: bool = False
    """A stop text was reached; nothing more comes."""
    _held: str = field(default="", repr=False)
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"), repr=False
    )

    def add(self, piece: bytes) -> str:
        """Return what may go out after one more token.

        >>> joined = Joined(("END",))
        >>> joined.add(b"one E"), joined.add(b"N"), joined.add(b"Dless"), joined.stopped
        ('one ', '', '', True)
        """
        return self._release(self._decoder.decode(piece), last=False)

    def end(self) -> str:
        """Return what was held back, at the end of the answer."""
        return "" if self.stopped else self._release(self._decoder.decode(b"", True), last=True)

    def _release(self, more: str, *, last: bool) -> str:
        text = self._held + more
        found = [at for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = 0 if last else max((_overlap(text, stop) for stop in self.stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of `text` could begin `stop`."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-size:]):
            return size
    return 0
