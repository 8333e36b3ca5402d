"""The one place a kind of plugin is registered: ordered, explicit, typed.

In: the kind's name and its entries. Out: iteration in that order and look-up by name.
Nothing registers on import: a room writes its entries down in one line.
"""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from stillwatch.terms.errors import StillwatchError


class Named(Protocol):
    """What every plugin has: a name that is unique within its kind."""

    @property
    def name(self) -> str:
        """Short lower-case name, as commands and reports print it."""
        ...


P = TypeVar("P", bound=Named)


class Catalog(Generic[P]):
    """Every plugin of one kind, in the order that commands and reports list them.

    >>> from types import SimpleNamespace as N
    >>> [p.name for p in Catalog("importer", N(name="openai"), N(name="litellm"))]
    ['openai', 'litellm']
    """

    def __init__(self, kind: str, *entries: P) -> None:
        names = [entry.name for entry in entries]
        if len(set(names)) != len(names):
            raise StillwatchError(f"catalogue of {kind}s: a name stands twice in {names}; names must be unique.")
        self.kind = kind
        self._entries = {entry.name: entry for entry in entries}

    def __iter__(self) -> Iterator[P]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def names(self) -> list[str]:
        """Return the names, in catalogue order."""
        return list(self._entries)

    def get(self, name: str) -> P:
        """Return the entry called `name`.

        Raises:
            StillwatchError: there is none; the message lists those there are.
        """
        try:
            return self._entries[name]
        except KeyError:
            known = ", ".join(self._entries)
            raise StillwatchError(f"{self.kind} {name!r}: unknown; must be one of {known}.") from None
