"""The ledger's signing key: an Ed25519 key in a file of its owner, and the public half that anybody may have.

In: a path, or PEM. Out: signatures of 64 bytes. The private half is PKCS 8 in PEM, mode 0600, printed nowhere; the
public half is the PEM that `openssl pkeyutl -verify` takes.
Left to `checkpoint` and `envelope`: what is signed. Source: RFC 8032 (Ed25519), RFC 8410 (its PEM forms).
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch.terms.canon import sha256
from stillwatch.terms.errors import StillwatchError

PUBLIC_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half that checks."""

    raw: bytes
    """32 bytes."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the 32 bytes, 64 hex digits: what to compare over another channel."""
        return sha256(self.raw)

    @property
    def pem(self) -> bytes:
        """The key as OpenSSL reads it."""
        return Ed25519PublicKey.from_public_bytes(self.raw).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def holds(self, message: bytes, signature: bytes) -> bool:
        """Return whether the signature is this key's over the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The half that signs; its `repr` shows nothing."""

    _key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The other half."""
        return PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes; the same for the same message."""
        return self._key.sign(message)


def make_key(path: Path) -> SigningKey:
    """Make a key and write it to a new file, mode 0600.

    Raises:
        StillwatchError: the file is there already, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise StillwatchError(
            f"signing key {path}: {problem.strerror}; name a new file in a folder you may write."
        ) from None
    return SigningKey(key)


def read_key(path: Path) -> SigningKey:
    """Return the key in a file.

    Raises:
        StillwatchError: it cannot be read, others may read it, or it holds no such key; nothing of it is repeated.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise StillwatchError(f"signing key {path}: others may read it; make it yours alone with chmod 600.")
        content = path.read_bytes()
    except OSError as problem:
        raise StillwatchError(
            f"signing key {path}: {problem.strerror}; signing needs it. Put it back, or run where it is."
        ) from None
    try:
        found = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise StillwatchError(f"signing key {path}: holds no Ed25519 key; give the file that `ledger init` wrote.")
    return SigningKey(found)


def read_public(pem: bytes) -> PublicKey:
    """Return the public key of a PEM; only the one PEM that `PublicKey.pem` writes is taken.

    Raises:
        StillwatchError: it is none.
    """
    try:
        found = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        found = None
    if isinstance(found, Ed25519PublicKey):
        key = PublicKey(found.public_bytes_raw())
        if key.pem == pem:
            return key
    raise StillwatchError("public key: is no Ed25519 key in PEM, or was altered; take `public.pem` of the ledger.")
