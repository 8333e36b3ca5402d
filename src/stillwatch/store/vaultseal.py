"""Records of the evidence vault, sealed so that the process that wrote them cannot read them again.

In: a public key and records; or a private key and frames. Out: frames; or the text. Each segment has an ephemeral key
pair, whose private half is gone once the segment's key is derived; that key moves on after each record by a one-way
step, so that who takes the watcher's memory later finds no key of an earlier record. A record's clear header is
authenticated with it and with the segment's. Cost: 30 microseconds a record and 8 a KB, its share of the disk included.
Left to `vaultfiles`: files. What is not promised: who wrote a record, since anyone may seal to a public key.
Source: RFC 7748 (X25519), RFC 5869 (HKDF), RFC 8439 (ChaCha20-Poly1305); the step is HMAC-SHA-256.
"""

import hmac
import os
import struct
import zlib
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from stillwatch.store.vaultkeys import key_name
from stillwatch.terms.errors import StillwatchError

MAGIC: Final = b"SWVLT\x00\x01\n"
SEGMENT: Final = struct.Struct("<8s32s16s8s32sd")
"""Magic, ephemeral public key, salt, name of the recipient's key, head of the read log, seconds since 1970."""
FRAME: Final = struct.Struct("<III")
"""Bytes of the header, bytes of the sealed text, CRC-32 of both."""
MOST_RECORDS: Final = 1 << 20
"""Records of one segment; a frame that says a higher number is damage."""
_NONCE: Final = bytes(12)
"""Every record has a key of its own, so that the nonce may stay."""
_SUITE: Final = b"stillwatch vault 1"


class RecordHead(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What of a record stands in the clear: no text."""

    number: int
    """Within its segment, from 0."""
    time: float
    """Event time, seconds since 1970."""
    id: bytes
    """Keyed digest of the request's id, 16 bytes."""
    account: str
    action: str
    """Kind of the action in force, with `shadow:` in front when only recorded."""
    treatments: str
    """Names of treatments, joined by `+`."""
    why: str
    """`share`, `confirmed`, or `twin` where the record holds two answers."""
    epoch: int
    """Epoch of the mark; -1 where there is none."""
    request_bytes: int
    answer_bytes: int
    pair: bytes = b""
    """For `twin`: what commits to the pair, 32 bytes."""


class RecordText(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What is sealed."""

    request_id: str
    endpoint: str
    status: int
    streamed: bool
    request: bytes
    answer: bytes
    """For a twin: as served; empty where that did not come whole."""
    twin: bytes = b""
    """The answer that nobody got."""
    nonce: bytes = b""
    """What the pair's digests are salted with."""

    def __repr__(self) -> str:
        return "RecordText(...)"


def pack_frame(head: bytes, sealed: bytes) -> bytes:
    """Return a frame of a header and what is sealed."""
    return FRAME.pack(len(head), len(sealed), zlib.crc32(sealed, zlib.crc32(head))) + head + sealed


class VaultSealer:
    """Seals the records of one segment; holds no key of a record that was sealed."""

    def __init__(self, public: bytes, log_head: bytes, now: float) -> None:
        """Take the recipient's public key, the head of the read log (32 bytes each) and the time."""
        ephemeral, salt = X25519PrivateKey.generate(), os.urandom(16)
        own = ephemeral.public_key().public_bytes_raw()
        self.header = SEGMENT.pack(MAGIC, own, salt, bytes.fromhex(key_name(public)), log_head, now)
        try:
            shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError:
            raise StillwatchError(
                "vault.public_key: is no usable key; make one with `stillwatch vault keygen`."
            ) from None
        self._chain = _first(shared, salt, own + public)
        self.next = 0
        """Number of the next record."""

    def seal(self, head: RecordHead, text: RecordText) -> bytes:
        """Return the frame of one record, whose number must be `next`."""
        key, self._chain = _step(self._chain)
        self.next += 1
        clear = msgspec.msgpack.encode(head)
        return pack_frame(
            clear, ChaCha20Poly1305(key).encrypt(_NONCE, msgspec.msgpack.encode(text), self.header + clear)
        )


class VaultOpener:
    """Opens the records of one segment with the private key; records must be asked for in their order."""

    def __init__(self, private: X25519PrivateKey, header: bytes) -> None:
        """Take the private key and the segment's header.

        Raises:
            StillwatchError: the segment was sealed to another key.
        """
        _, own, salt, named, _, _ = SEGMENT.unpack(header)
        public = private.public_key().public_bytes_raw()
        if named.hex() != key_name(public):
            raise StillwatchError(
                f"vault: sealed to key {named.hex()}, and the key given is {key_name(public)}; give the private key "
                "that was made with that public key."
            )
        try:
            shared = private.exchange(X25519PublicKey.from_public_bytes(own))
        except ValueError:
            shared = b""  # a header that was altered: its records will not open
        self._header = header
        self._chain = _first(shared, salt, own + public)
        self._at = 0

    def open(self, clear: bytes, number: int, sealed: bytes) -> RecordText | None:
        """Return the text of a record; None where it, its header or its segment's was altered."""
        if not self._at <= number < MOST_RECORDS:
            return None
        key = b""
        while self._at <= number:
            key, self._chain = _step(self._chain)
            self._at += 1
        try:
            plain = ChaCha20Poly1305(key).decrypt(_NONCE, sealed, self._header + clear)
            return msgspec.msgpack.decode(plain, type=RecordText)
        except (InvalidTag, msgspec.MsgspecError, ValueError):
            return None


def _first(shared: bytes, salt: bytes, parties: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=_SUITE + parties).derive(shared)


def _step(chain: bytes) -> tuple[bytes, bytes]:
    """Return the key of this record, and the chain from which this one cannot be told."""
    return hmac.digest(chain, b"record", "sha256"), hmac.digest(chain, b"next", "sha256")
