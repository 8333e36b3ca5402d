"""Ask flags: does the text ask to see reasoning, to grade, to rewrite, or to answer inside tags?

In: `Tokens`. Out: bits in the order of `terms.event.ASKS`, shape (n_texts,).
Phrases are found by their tokens' keyed hashes, in one look-up for the whole batch. A weak hint:
teachers, students and editors use these words every day, so no verdict rests on them.
Cost: about 1 microsecond a text. Left to `parameters`: asks that stand outside the text.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.phrases import PHRASES, TAG_NAMES
from stillwatch.sketch.siphash import I64, U64
from stillwatch.sketch.text import Tokens, normalise, tokenise
from stillwatch.sketch.textkeys import PHRASE, TextKeys
from stillwatch.terms.event import ASKS

_FILTER_BITS: Final = 13
_TAG_END: Final = ord(">")


def bit_of(ask: str) -> int:
    """Return the bit that stands for `ask`, a name in `ASKS`."""
    return 1 << ASKS.index(ask)


@dataclass(frozen=True, slots=True)
class AskTable:
    """The phrases under one epoch's key."""

    opening: npt.NDArray[np.bool_] = field(repr=False)
    """By the low bits of a token's hash: may it open a phrase? Shape (2 ** 13,)."""
    forms: U64 = field(repr=False)
    """Multilinear forms of the phrases, ascending, shape (n_phrases,)."""
    bits: npt.NDArray[np.uint16]
    """Bit of each phrase, shape (n_phrases,)."""
    names: U64 = field(repr=False)
    """Hashes of the tag names, ascending."""


def derive_ask_table(keys: TextKeys) -> AskTable:
    """Return the table of asks under `keys`."""
    phrases = [(phrase, bit_of(ask)) for ask, group in PHRASES.items() for phrase in group]
    cut = tokenise([normalise(phrase) for phrase, _ in phrases], keys)
    forms: dict[int, int] = {}
    openings = [int(cut.hashes[low]) for low in cut.offsets[:-1]]
    for (low, high), (_, bit) in zip(zip(cut.offsets[:-1], cut.offsets[1:], strict=True), phrases, strict=True):
        form = int(np.sum(cut.hashes[low:high] * keys.phrase[: high - low], dtype=np.uint64))
        forms[form] = forms.get(form, 0) | bit
    names = np.sort(tokenise([name.encode() for name in TAG_NAMES], keys).hashes)
    opening = np.zeros(1 << _FILTER_BITS, bool)
    opening[[value & ((1 << _FILTER_BITS) - 1) for value in (*openings, *names.tolist())]] = True
    ordered = sorted(forms)
    return AskTable(opening, np.array(ordered, np.uint64), np.array([forms[f] for f in ordered], np.uint16), names)


def asks(tokens: Tokens, table: AskTable, keys: TextKeys) -> npt.NDArray[np.uint16]:
    """Return the ask bits of each text, shape (n_texts,)."""
    out = np.zeros(len(tokens.counts), np.uint16)
    low_bits = tokens.hashes.astype(np.uint16)
    low_bits &= (1 << _FILTER_BITS) - 1
    here = np.flatnonzero(table.opening[low_bits])
    if not len(here):
        return out
    rows = np.searchsorted(tokens.offsets, here, side="right") - 1
    room = tokens.offsets[rows + 1] - here
    form = np.zeros(len(here), np.uint64)
    for step in range(PHRASE):
        alive = room > step
        here, rows, room, form = here[alive], rows[alive], room[alive], form[alive]
        form = form + tokens.hashes[here + step] * keys.phrase[step]
        found, where = _look_up(table.forms, form)
        np.bitwise_or.at(out, rows[found], table.bits[where[found]])
        if step == 0:
            is_name, _ = _look_up(table.names, tokens.hashes[here])
            tagged = is_name & (tokens.buffer[tokens.ends[here]] == _TAG_END)
            np.bitwise_or.at(out, rows[tagged], np.uint16(bit_of("tags")))
    return out


def _look_up(table: U64, values: U64) -> tuple[npt.NDArray[np.bool_], I64]:
    where = np.minimum(np.searchsorted(table, values), len(table) - 1)
    return table[where] == values, where
