"""Which bytes of UTF-8 text separate words, join them, or stand alone.

In: a byte buffer. Out: one class a byte. Scripts written without spaces (Han, kana, hangul by
syllable, Thai, Lao, Khmer, Myanmar, emoji) give one token a character, so that a shingle there is a
run of characters. The ranges are written out, not read from `unicodedata`, so that a hash does not
change with the Python version.
Cost: 1 ns a byte of ASCII; about 20 ns a character beyond it.
"""

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]

SEPARATOR: Final = 0
LETTER: Final = 1
DIGIT: Final = 2
SINGLE: Final = 4
"""Own-token characters alternate between this class and the next, so that neighbours part."""

_SEPARATORS: Final = (
    (0x80, 0xA9), (0xAB, 0xB4), (0xB6, 0xB9), (0xBB, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7), (0x37E, 0x37E), (0x387, 0x387),
    (0x55A, 0x55F), (0x589, 0x58A), (0x5BE, 0x5BE), (0x5C0, 0x5C0), (0x5C3, 0x5C3), (0x5F3, 0x5F4), (0x600, 0x60F),
    (0x61B, 0x61F), (0x66A, 0x66D), (0x6D4, 0x6D4), (0x964, 0x965), (0x970, 0x970), (0xE3F, 0xE3F), (0xE4F, 0xE4F),
    (0xE5A, 0xE5B), (0x104A, 0x104F), (0x1680, 0x1680), (0x17D4, 0x17DB), (0x1800, 0x180E), (0x2000, 0x2BFF),
    (0x2E00, 0x2E7F), (0x3000, 0x3004), (0x3008, 0x3020), (0x3030, 0x3030), (0x303D, 0x303F), (0x30FB, 0x30FB),
    (0xFD3E, 0xFD3F), (0xFE10, 0xFE6F), (0xFEFF, 0xFEFF), (0xFF00, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40),
    (0xFF5B, 0xFF65), (0xFFE0, 0xFFFF),
)  # fmt: skip
"""Code points beyond ASCII that part words: punctuation, symbols, spaces (first, last)."""
_SINGLES: Final = ((0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3000, 0xDFFF))
"""Code points of the basic plane that are a token each; every four-byte character is one as well."""


def _ascii_table() -> bytes:
    table = bytearray(256)
    for byte in range(256):
        if byte >= 0x80 or chr(byte).isalpha():
            table[byte] = LETTER
        elif chr(byte).isdigit():
            table[byte] = DIGIT
    return bytes(table)


_ASCII: Final = _ascii_table()


@functools.cache
def _plane() -> U8:
    table = np.full(1 << 16, LETTER, np.uint8)
    for first, last in _SINGLES:
        table[first : last + 1] = SINGLE
    for first, last in _SEPARATORS:
        table[first : last + 1] = SEPARATOR
    return table


def classes(text: bytes, *, ascii_only: bool) -> U8:
    """Return the class of each byte of `text`, shape (len(text),).

    Args:
        text: UTF-8, lone surrogates allowed; every character whole.
        ascii_only: The caller knows that no byte is above 0x7F, which saves a look.
    """
    out = np.frombuffer(bytearray(text.translate(_ASCII)), np.uint8)
    if not ascii_only:
        _mark_beyond_ascii(np.frombuffer(text, np.uint8), out)
    return out


def _mark_beyond_ascii(raw: U8, out: U8) -> None:
    leads = np.flatnonzero(raw >= 0xC2)
    if not len(leads):
        return
    lead = raw[leads].astype(np.int64)
    size = 2 + (lead >= 0xE0) + (lead >= 0xF0)
    end = len(raw) - 1
    second = raw[np.minimum(leads + 1, end)] & 0x3F
    third = raw[np.minimum(leads + 2, end)] & 0x3F
    code = np.where(size == 2, (lead & 0x1F) << 6 | second, (lead & 0x0F) << 12 | second.astype(np.int64) << 6 | third)
    kind = np.where(size == 4, SINGLE, _plane()[code & 0xFFFF]).astype(np.uint8)
    single = kind == SINGLE
    kind[single] += (np.cumsum(single)[single] & 1).astype(np.uint8)
    changed = np.flatnonzero(kind != LETTER)
    for offset in range(4):
        here = changed[size[changed] > offset]
        out[leads[here] + offset] = kind[here]
