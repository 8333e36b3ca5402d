"""Values that wait in memory to be made tokens: bounded, the telling ones first, templates only once they repeat.

In: `Seen` values from the intake. Out: batches for whoever asks the notaries. No I/O; a lock, since two threads meet
here. A value that does not fit is left out and counted; it comes again with the account's next request.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from stillwatch.app.tokenvalues import Seen
from stillwatch.terms.coalition import TOKEN_KINDS, TokenInput

_MOST_BANDS: Final = 100_000
"""Bands that are watched for repetition; beyond, the one not seen for longest is forgotten."""
_MOST_SEEN: Final = 500_000


@dataclass(slots=True)
class Waiting:
    """One value, and every account and text that it was seen in."""

    input: TokenInput
    mark: bytes = field(repr=False)
    holders: dict[tuple[str, bytes], None] = field(default_factory=dict, repr=False)
    """(account, group), each once."""


class TokenQueue:
    """The values of one watcher."""

    def __init__(self, most: int, repeats: int) -> None:
        """Take the most values that may wait, and in how many texts a band must be seen before it counts."""
        self._most, self._repeats = most, repeats
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[bytes, Waiting]] = {kind: {} for kind in TOKEN_KINDS}
        self._bands: OrderedDict[bytes, tuple[int, Waiting]] = OrderedDict()
        self._seen: set[tuple[str, bytes, bytes]] = set()
        self.left_out = 0
        """Values that did not fit."""

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def put(self, values: Iterable[Seen]) -> None:
        """Take values in; those that this process handled before at the same account are passed over."""
        with self._lock:
            for one in values:
                if (one.account, one.mark, one.group) not in self._seen or self._rare(one):
                    self._put(one)

    def take(self, most: int) -> list[Waiting]:
        """Return up to `most` values, payment first, templates last; they are gone from here."""
        with self._lock:
            found: list[Waiting] = []
            for queue in self._waiting.values():
                for mark in list(queue)[: most - len(found)]:
                    found.append(queue.pop(mark))
            return found

    def put_back(self, values: Iterable[Waiting]) -> None:
        """Take values again that could not be made tokens; they go to the end."""
        with self._lock:
            for one in values:
                there = self._waiting[one.input.kind].setdefault(one.mark, one)
                there.holders.update(one.holders)

    def forget(self) -> None:
        """Forget what was handled: an epoch ended, and every value is to be made a token anew."""
        with self._lock:
            self._seen.clear()

    def _rare(self, one: Seen) -> bool:
        """Whether it is a band that was seen, but not often enough yet."""
        return one.mark in self._bands and self._bands[one.mark][0] < self._repeats

    def _put(self, one: Seen) -> None:
        kind = one.input.kind
        queue = self._waiting[kind]
        there = queue.get(one.mark)
        if there is not None:
            there.holders[one.account, one.group] = None
        elif kind == "template":
            self._repeat(one)
        elif len(self) >= self._most:
            self.left_out += 1
            return
        else:
            queue[one.mark] = Waiting(one.input, one.mark, {(one.account, one.group): None})
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen.add((one.account, one.mark, one.group))

    def _repeat(self, one: Seen) -> None:
        """Count a band; once it repeats it waits with everybody that it was seen at, and later ones wait at once."""
        count, waiting = self._bands.pop(one.mark, (0, Waiting(one.input, one.mark)))
        waiting.holders[one.account, one.group] = None
        count += 1
        if count >= self._repeats:
            if len(self) < self._most:
                self._waiting["template"][one.mark] = waiting
                waiting = Waiting(one.input, one.mark)
            else:
                self.left_out += 1
                count = self._repeats - 1
        self._bands[one.mark] = (count, waiting)
        if len(self._bands) > _MOST_BANDS:
            self._bands.popitem(last=False)
