"""Seeded chance: every draw of the composer comes from a stream that a seed and labels name.

In: a seed and labels. Out: a private `random.Random`, or a token. Equal labels give equal draws in
every process, and what one account draws never shifts what another draws. Cost: 10 us a stream.
"""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def _digest(seed: int, labels: tuple[str | int, ...]) -> bytes:
    return hashlib.blake2b("\x1f".join([str(seed), *map(str, labels)]).encode(), digest_size=32).digest()


def dice(seed: int, *labels: str | int) -> random.Random:
    """Return the stream that `seed` and `labels` name.

    >>> dice(1, "chat", 7).random() == dice(1, "chat", 7).random()
    True
    """
    return random.Random(int.from_bytes(_digest(seed, labels)[:16], "big"))


def token(seed: int, *labels: str | int, digits: int = 16) -> str:
    """Return `digits` (at most 64) hex digits that look random and hold nothing of the labels."""
    return _digest(seed, ("token", *labels)).hex()[:digits]


def heavy(rng: random.Random, *, median: float, spread: float, low: int, high: int) -> int:
    """Return a whole number from a log-normal law, clipped to `low`..`high`; `spread` is in nats."""
    return int(min(high, max(low, round(median * 2.718281828459045 ** rng.gauss(0.0, spread)))))


def shuffled(rng: random.Random, items: Sequence[T]) -> list[T]:
    """Return the items in a drawn order; the argument stays as it is."""
    copy = list(items)
    rng.shuffle(copy)
    return copy
