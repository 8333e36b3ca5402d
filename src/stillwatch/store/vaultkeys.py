"""The vault's key pair: the public half as text for the settings file, the private half as a file kept elsewhere.

In: nothing, or a text, or a file. Out: X25519 keys. A public key is `swv1-` and base64url of its 32 bytes and four of
their digest, so that a slip of the pen is told. A private key is PKCS 8 in PEM, encrypted where a passphrase is given.
Left to `vaultseal`: using them. No message repeats what stands in a key file.
Source: RFC 7748 (X25519), RFC 5958 (PKCS 8).
"""

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from stillwatch.terms.errors import StillwatchError

PUBLIC_BYTES: Final = 32
PREFIX: Final = "swv1-"
MOST_PASSPHRASE: Final = 1023
"""Bytes; OpenSSL takes no more."""
_CHECK_BYTES: Final = 4


def public_text(public: bytes) -> str:
    """Return a public key of 32 bytes as the settings file spells it.

    >>> read_public_text(public_text(bytes(range(32)))) == bytes(range(32))
    True
    """
    return PREFIX + base64.urlsafe_b64encode(public + _check(public)).decode().rstrip("=")


def read_public_text(text: str) -> bytes:
    """Return the 32 bytes of a public key.

    Raises:
        StillwatchError: the text is none, or was mistyped.
    """
    raw = b""
    if text.startswith(PREFIX):
        spelt = text[len(PREFIX) :]
        try:
            raw = base64.b64decode(spelt + "=" * (-len(spelt) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
    public = raw[:PUBLIC_BYTES]
    if len(raw) != PUBLIC_BYTES + _CHECK_BYTES or raw[PUBLIC_BYTES:] != _check(public):
        raise StillwatchError(
            f"vault.public_key: is no public key of a vault, or was mistyped; it must begin with {PREFIX} and is "
            "printed by `stillwatch vault keygen`."
        )
    return public


def key_name(public: bytes) -> str:
    """Return 16 hex digits that stand for a key pair."""
    return hashlib.blake2b(public, digest_size=8, person=b"stillwatch vault").hexdigest()


def public_of(private: X25519PrivateKey) -> bytes:
    """Return the 32 bytes of the public half."""
    return private.public_key().public_bytes_raw()


def make_private_key(path: Path, passphrase: str = "") -> bytes:
    """Make a key pair, write its private half to a new file readable by its owner only, and return the public half.

    Raises:
        StillwatchError: the file is there already, or cannot be written, or the passphrase is too long.
    """
    if len(passphrase.encode()) > MOST_PASSPHRASE:
        raise StillwatchError(f"passphrase: has more than {MOST_PASSPHRASE:,} bytes; give a shorter one.")
    private = X25519PrivateKey.generate()
    content = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption(),
    )
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise StillwatchError(
            f"key file {path}: {problem.strerror}; name a new file in a folder you may write."
        ) from None
    return public_of(private)


def is_locked(path: Path) -> bool:
    """Return whether a private key's file wants a passphrase.

    Raises:
        StillwatchError: the file cannot be read.
    """
    return b"ENCRYPTED" in _content(path)[:64]


def read_private_key(path: Path, passphrase: str = "") -> X25519PrivateKey:
    """Return the private key in a file.

    Raises:
        StillwatchError: the file cannot be read, holds no such key, or the passphrase does not open it.
    """
    content = _content(path)
    try:
        found = serialization.load_pem_private_key(content, passphrase.encode() or None)
    except TypeError:
        found = None
        if not passphrase:
            raise StillwatchError(f"key file {path}: is locked; give its passphrase.") from None
    except (ValueError, UnsupportedAlgorithm):
        found = None
        if passphrase and is_locked(path):
            raise StillwatchError(f"key file {path}: the passphrase does not open it; try again.") from None
    if not isinstance(found, X25519PrivateKey):
        raise StillwatchError(
            f"key file {path}: holds no private key of a vault, or needs no passphrase; give the file that "
            "`stillwatch vault keygen` wrote."
        )
    return found


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise StillwatchError(f"key file {path}: {problem.strerror}; give a readable file.") from None


def _check(public: bytes) -> bytes:
    return hashlib.blake2b(public, digest_size=_CHECK_BYTES, person=b"sw vault check").digest()
