"""What treatments remember of an account from one request to the next: bounded, in one worker's memory.

In: an account and what a treatment keeps of it. Out: that again. The account that was longest unheard of goes
first. Left to each treatment: what it keeps, which must be small and hold no text.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

Kept = TypeVar("Kept")


class Memory:
    """A bounded table of (treatment, account)."""

    def __init__(self, most: int = 20_000) -> None:
        """Keep at most `most` entries."""
        self._most = most
        self._entries: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def of(self, treatment: str, account: str, new: Callable[[], Kept]) -> Kept:
        """Return what `treatment` keeps of `account`, made by `new` where it keeps nothing yet."""
        key = (treatment, account)
        found: Kept | None = self._entries.get(key)
        if found is None:
            found = self._entries[key] = new()
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)
        else:
            self._entries.move_to_end(key)
        return found
