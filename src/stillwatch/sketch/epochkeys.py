"""Everything one epoch's hashing needs at hand, with short strings remembered.

In: a `KeyRing` and an epoch. Out: `EpochHasher`.
Cost: 2 ms to build; at most 65,536 remembered strings a purpose, none longer than 128 characters.
Left to `systems`: what a system text comes to.
"""

import hashlib
from typing import Final

from stillwatch.sketch.asks import derive_ask_table
from stillwatch.sketch.images import derive_image_key
from stillwatch.sketch.keys import KeyRing, hash_bytes
from stillwatch.sketch.textkeys import derive_system_keys, derive_text_keys

REMEMBERED: Final = 65_536
LONGEST_REMEMBERED: Final = 128
PURPOSES: Final = (
    "account", "organisation", "plan", "key_id", "network", "sdk", "tls", "payment", "session", "model", "parameters",
    "system", "tools",
)  # fmt: skip
_BLANKS: Final = b" \t\r\n\x0b\x0c"
_BLANKS_AND_DIGITS: Final = _BLANKS + b"0123456789"


class Remembered(dict[str, int]):
    """Keyed hash of a string for one purpose; `remembered[value]` computes what is not yet known."""

    def __init__(self, subkey: bytes) -> None:
        super().__init__()
        self.subkey = subkey

    def __missing__(self, value: str) -> int:
        hashed = hash_bytes(self.subkey, value.encode("utf-8", "surrogatepass"))
        if len(value) <= LONGEST_REMEMBERED:
            if len(self) >= REMEMBERED:
                self.clear()
            self[value] = hashed
        return hashed

    def __repr__(self) -> str:
        return f"Remembered({len(self)} strings)"


class EpochHasher:
    """The keys of one epoch, expanded; built once and kept by `Reducer`."""

    def __init__(self, ring: KeyRing, epoch: int) -> None:
        keys = ring.for_epoch(epoch)
        self.epoch = epoch
        self.by_purpose = {purpose: Remembered(keys.subkey(purpose)) for purpose in PURPOSES}
        self.text = derive_text_keys(keys)
        self.system_text = derive_system_keys(keys, self.text)
        self.systems: dict[bytes, tuple[int, bytes]] = {}
        """Keyed digest of a system text -> its hash and its anchors, filled and bounded by `systems`."""
        self.asks = derive_ask_table(self.text)
        self.image = derive_image_key(keys)
        self._answer = keys.subkey("answer")
        self._system = keys.subkey("system")
        self._seen_system = keys.subkey("system.seen")

    def answer(self, text: bytes) -> int:
        """Return the hash of an answer, white space aside; the same whether issued or carried back."""
        return hash_bytes(self._answer, text.translate(None, _BLANKS)) if text else 0

    def system(self, text: bytes) -> int:
        """Return the hash of a system prompt, white space and digits (dates, counters) aside."""
        return (hash_bytes(self._system, text.translate(None, _BLANKS_AND_DIGITS)) or 1) if text else 0

    def seen_system(self, text: bytes) -> bytes:
        """Return the 16-byte keyed digest under which a system text is remembered; in memory only."""
        return hashlib.blake2b(text, key=self._seen_system, digest_size=16).digest()
