r"""Checkpoint: the signed statement that a log had so many entries and this root.

In: name of the log, number of entries, root, key. Out: a signed note, in the one form in which it is taken back.
A log may not sign two roots for one number of entries; who holds two such notes has proved that it did.
Left to `stamps`: when it was. Source: C2SP `tlog-checkpoint` and `signed-note` (Ed25519, algorithm 0x01).

>>> Checkpoint(origin="example.org/log", size=1, root=bytes(32)).text.split(b"\n")[:2]
[b'example.org/log', b'1']
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stillwatch.ledger.merkle import HASH_BYTES
from stillwatch.ledger.signing import SIGNATURE_BYTES, PublicKey, SigningKey
from stillwatch.terms.errors import StillwatchError

_DASH: Final = "\u2014"
_ED25519: Final = b"\x01"
_HINT_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of a log."""

    origin: str
    """Name of the log, without blanks and plus signs."""
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n".encode()


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint with its signatures."""

    checkpoint: Checkpoint
    signatures: tuple[tuple[str, bytes], ...]
    """Name and, in that order, 4 bytes of hint and the signature."""

    def to_bytes(self) -> bytes:
        """Return the note as it is kept and given away."""
        lines = "".join(f"{_DASH} {name} {_b64(raw)}\n" for name, raw in self.signatures)
        return self.checkpoint.text + b"\n" + lines.encode()

    def signature_of(self, key: PublicKey, name: str = "") -> bytes:
        """Return the 64 bytes that `key` signed with, after checking them; `name` is the log's where it is empty.

        Raises:
            StillwatchError: it did not sign this.
        """
        signer = name or self.checkpoint.origin
        hint = key_hint(signer, key)
        for by, raw in self.signatures:
            signature = raw[_HINT_BYTES:]
            if by == signer and raw[:_HINT_BYTES] == hint and key.holds(self.checkpoint.text, signature):
                return signature
        raise StillwatchError(f"checkpoint of {self.checkpoint.size} entries: is not signed by the key of {signer}.")


def key_hint(name: str, key: PublicKey) -> bytes:
    """Return the 4 bytes by which a note tells keys of one name apart."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.raw).digest()[:_HINT_BYTES]


def verifier_key(name: str, key: PublicKey) -> str:
    """Return the key as witnesses and other programs that read notes take it."""
    return f"{name}+{key_hint(name, key).hex()}+{_b64(_ED25519 + key.raw)}"


def signed(checkpoint: Checkpoint, key: SigningKey) -> Note:
    """Return the note of a checkpoint."""
    raw = key_hint(checkpoint.origin, key.public) + key.sign(checkpoint.text)
    return Note(checkpoint, ((checkpoint.origin, raw),))


def read_note(raw: bytes) -> Note:
    """Return the note that `raw` is; its signatures are not checked.

    Raises:
        StillwatchError: it is none, or not in the form in which it was written.
    """
    try:
        text, _, tail = raw.decode("utf-8").partition("\n\n")
        origin, size, root = text.split("\n")
        checkpoint = Checkpoint(origin=origin, size=int(size), root=base64.b64decode(root, validate=True))
        note = Note(checkpoint, tuple(_signature(line) for line in tail.removesuffix("\n").split("\n")))
        if note.to_bytes() == raw and len(checkpoint.root) == HASH_BYTES and checkpoint.size >= 0 and good_name(origin):
            return note
    except (ValueError, binascii.Error):
        pass
    raise StillwatchError("checkpoint: is no signed note, or was altered; take it as the log wrote it.")


def good_name(name: str) -> bool:
    """Return whether a log or witness may be called so."""
    return bool(name) and name.isprintable() and not set(name) & set(" +")


def _signature(line: str) -> tuple[str, bytes]:
    dash, name, encoded = line.split(" ")
    raw = base64.b64decode(encoded, validate=True)
    if dash != _DASH or not good_name(name) or len(raw) < _HINT_BYTES + SIGNATURE_BYTES:
        raise ValueError
    return name, raw


def _b64(raw: bytes | Sequence[int]) -> str:
    return base64.b64encode(bytes(raw)).decode()
