"""A text -> 32 bands of MinHash: the public, specified way in which members compare templates.

In: a text, in memory only. Out: 32 band values for the oblivious function, or none for a text that is too short. Equal
bands mean equal rows of four permutations each; at a Jaccard similarity s of the 3-word shingles, a band is equal with
chance s^4, and three of 32 with 99.1 % at s = 0.7 and 0.2 % at s = 0.3. A paraphrase shares no shingles and no bands.
This is a wire format with test vectors (docs/reference/tokens.md); no library's default enters it.
Cost: about 7 microseconds a word. Source: Broder 1997; the finaliser of MurmurHash3 (public domain).
"""

import hashlib
import re
import unicodedata
from functools import cache
from typing import Final

import numpy as np

from stillwatch.sketch.anchors import mix
from stillwatch.sketch.siphash import U64
from stillwatch.terms.coalition import TokenInput

BANDS: Final = 32
ROWS: Final = 4
PERMUTATIONS: Final = BANDS * ROWS
SHINGLE_WORDS: Final = 3
LEAST_WORDS: Final = 8
"""Words a text must have to be compared; shorter ones are said by everybody."""
MOST_WORDS: Final = 4096
_PERSON: Final = b"stillwatch mh 1"
_WORD: Final = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]|[^\\W_\u3040-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+"
)
"""A run of letters and digits; of scripts written without spaces, Chinese and kana, each character."""


def words_of(text: str) -> list[str]:
    """Return the words of a text: NFKC, case folded, runs of letters and digits; at most `MOST_WORDS`.

    >>> words_of("Solve step-by-step: ＡＢＣ 数学")
    ['solve', 'step', 'by', 'step', 'abc', '数', '学']
    """
    folded = unicodedata.normalize("NFKC", text[: 64 * MOST_WORDS]).casefold()
    return _WORD.findall(folded)[:MOST_WORDS]


def shingle_hashes(text: str) -> U64:
    """Return the hashes of a text's distinct runs of three words, shape (n,); none below `LEAST_WORDS` words."""
    words = words_of(text)
    if len(words) < LEAST_WORDS:
        return np.zeros(0, np.uint64)
    runs = {"\x1f".join(words[at : at + SHINGLE_WORDS]) for at in range(len(words) - SHINGLE_WORDS + 1)}
    digests = b"".join(
        hashlib.blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8, person=_PERSON).digest() for run in runs
    )
    return np.frombuffer(digests, "<u8").astype(np.uint64)


@cache
def _seeds() -> U64:
    digests = (hashlib.blake2b(i.to_bytes(2, "little"), digest_size=8, person=_PERSON) for i in range(PERMUTATIONS))
    return np.array([int.from_bytes(d.digest(), "little") for d in digests], np.uint64)


def signature(text: str) -> U64:
    """Return the least hash of a text under each permutation, shape (128,); of shape (0,) for a short text.

    Permutation i maps x to the finaliser of MurmurHash3 of (x xor seed i), which is one to one on 64 bits.
    """
    hashes = shingle_hashes(text)
    if not len(hashes):
        return hashes
    least = np.full(PERMUTATIONS, np.uint64(0xFFFF_FFFF_FFFF_FFFF))
    for at in range(0, len(hashes), 512):
        part = hashes[at : at + 512]
        np.minimum(least, mix(part[:, None] ^ _seeds()[None, :]).min(axis=0), out=least)
    return least


def template(text: str) -> list[TokenInput]:
    """Return the 32 bands of a text, in order; none for a text of fewer than `LEAST_WORDS` words.

    Band i is `mhb:1:`, the byte i, and rows 4i to 4i + 3 as 64-bit numbers, least significant byte first.
    """
    least = signature(text)
    rows = least.astype("<u8").tobytes()
    return [
        TokenInput("template", b"mhb:1:" + bytes([band]) + rows[8 * ROWS * band : 8 * ROWS * (band + 1)])
        for band in range(BANDS if len(least) else 0)
    ]
