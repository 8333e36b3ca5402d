"""The keyed constants that hashing text needs, expanded once an epoch.

In: `EpochKeys`. Out: `TextKeys`: SipHash keys, odd multipliers, and the keyed table of asks.
Cost: about 45 KB and 2 ms an epoch. Never kept on disk.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from stillwatch.sketch.keys import EpochKeys
from stillwatch.sketch.siphash import U64, SipKey

SHINGLE: Final = 5
"""Tokens in a shingle."""
EDGE: Final = 6
"""Tokens in `head` and in `tail`."""
HEAD_TOKENS: Final = 4096
TAIL_TOKENS: Final = 512
"""Tokens read from the start of a text, and then from its end."""
PHRASE: Final = 6
"""Longest phrase among the asks, tokens."""


@dataclass(frozen=True, slots=True)
class TextKeys:
    """Secret constants of one epoch, for `reduce` and the files that it calls."""

    token: SipKey
    final: SipKey
    layout: SipKey
    shingle: U64 = field(repr=False)
    """Odd multipliers, shape (SHINGLE,)."""
    edge: U64 = field(repr=False)
    """Odd multipliers, shape (EDGE,)."""
    phrase: U64 = field(repr=False)
    """Odd multipliers, shape (PHRASE,)."""
    place: U64 = field(repr=False)
    """Odd multipliers by place in the text, shape (HEAD_TOKENS + TAIL_TOKENS,)."""
    salt: U64 = field(repr=False)
    """Odd multipliers and masks of the projection, shape (4,)."""


def derive_text_keys(keys: EpochKeys) -> TextKeys:
    """Return the text keys of one epoch; the same epoch always gives the same."""
    return TextKeys(
        token=SipKey.from_bytes(keys.subkey("text.token")),
        final=SipKey.from_bytes(keys.subkey("text.final")),
        layout=SipKey.from_bytes(keys.subkey("text.layout")),
        shingle=_odd(keys, "text.shingle", SHINGLE),
        edge=_odd(keys, "text.edge", EDGE),
        phrase=_odd(keys, "text.phrase", PHRASE),
        place=_odd(keys, "text.place", HEAD_TOKENS + TAIL_TOKENS),
        salt=_odd(keys, "text.projection", 4),
    )


def derive_system_keys(keys: EpochKeys, text: TextKeys) -> TextKeys:
    """Return `text` with other keys for tokens and shingles: system anchors and a user's anchors never mix."""
    return replace(
        text,
        token=SipKey.from_bytes(keys.subkey("system.token")),
        shingle=_odd(keys, "system.shingle", SHINGLE),
    )


def _odd(keys: EpochKeys, purpose: str, n: int) -> U64:
    return np.frombuffer(keys.stream(purpose, 8 * n), "<u8").astype(np.uint64) | np.uint64(1)
