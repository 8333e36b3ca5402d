"""A second implementation of RFC 9497 on ristretto255, modes 0 and 1, on libsodium by `rbcl`.

For tests alone: written from the RFC's pseudocode, it shares no code with `voprf`. Scalars and elements are bytes.
"""

import hashlib
import secrets

import rbcl

ORDER = 2**252 + 27742317777372353535851937790883648493
SUITE = b"ristretto255-SHA512"
GENERATOR = rbcl.crypto_scalarmult_ristretto255_base((1).to_bytes(32, "little"))


def context(mode: int) -> bytes:
    return b"OPRFV1-" + bytes([mode]) + b"-" + SUITE


def expand(message: bytes, dst: bytes, length: int) -> bytes:
    """RFC 9380, expand_message_xmd with SHA-512."""
    prime = dst + bytes([len(dst)])
    first = hashlib.sha512(bytes(128) + message + length.to_bytes(2, "big") + b"\x00" + prime).digest()
    block, out = hashlib.sha512(first + b"\x01" + prime).digest(), b""
    number = 1
    while True:
        out += block
        if len(out) >= length:
            return out[:length]
        number += 1
        mixed = bytes(a ^ b for a, b in zip(first, block, strict=True))
        block = hashlib.sha512(mixed + bytes([number]) + prime).digest()


def hash_to_group(message: bytes, mode: int) -> bytes:
    return rbcl.crypto_core_ristretto255_from_hash(expand(message, b"HashToGroup-" + context(mode), 64))


def hash_to_scalar(message: bytes, mode: int, dst: bytes | None = None) -> bytes:
    wide = expand(message, dst or b"HashToScalar-" + context(mode), 64)
    return (int.from_bytes(wide, "little") % ORDER).to_bytes(32, "little")


def short(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def times(scalar: bytes, element: bytes) -> bytes:
    return rbcl.crypto_scalarmult_ristretto255(scalar, element)


def plus(one: bytes, other: bytes) -> bytes:
    return rbcl.crypto_core_ristretto255_add(one, other)


def derive(seed: bytes, info: bytes, mode: int) -> tuple[bytes, bytes]:
    """DeriveKeyPair: secret and public key."""
    for counter in range(256):
        secret = hash_to_scalar(seed + short(info) + bytes([counter]), mode, b"DeriveKeyPair" + context(mode))
        if any(secret):
            return secret, times(secret, GENERATOR)
    raise AssertionError("no key")


def blind(value: bytes, scalar: bytes, mode: int) -> bytes:
    return times(scalar, hash_to_group(value, mode))


def finalize(value: bytes, scalar: bytes, evaluated: bytes) -> bytes:
    inverse = rbcl.crypto_core_ristretto255_scalar_invert(scalar)
    return hashlib.sha512(short(value) + short(times(inverse, evaluated)) + b"Finalize").digest()


def output(value: bytes, secret: bytes, mode: int) -> bytes:
    """Evaluate: the output of a value in the clear."""
    point = times(secret, hash_to_group(value, mode))
    return hashlib.sha512(short(value) + short(point) + b"Finalize").digest()


def _composites(public: bytes, blinded: list[bytes], evaluated: list[bytes]) -> tuple[bytes, bytes]:
    seed = hashlib.sha512(short(public) + short(b"Seed-" + context(1))).digest()
    weights = [
        hash_to_scalar(short(seed) + at.to_bytes(2, "big") + short(c) + short(d) + b"Composite", 1)
        for at, (c, d) in enumerate(zip(blinded, evaluated, strict=True))
    ]
    m, z = times(weights[0], blinded[0]), times(weights[0], evaluated[0])
    for weight, c, d in list(zip(weights, blinded, evaluated, strict=True))[1:]:
        m, z = plus(m, times(weight, c)), plus(z, times(weight, d))
    return m, z


def _challenge(public: bytes, m: bytes, z: bytes, t2: bytes, t3: bytes) -> bytes:
    return hash_to_scalar(b"".join(map(short, (public, m, z, t2, t3))) + b"Challenge", 1)


def prove(secret: bytes, public: bytes, blinded: list[bytes], evaluated: list[bytes], r: bytes | None = None) -> bytes:
    """GenerateProof: challenge and answer, 64 bytes."""
    r = r or (secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "little")
    m, z = _composites(public, blinded, evaluated)
    c = _challenge(public, m, z, times(r, GENERATOR), times(r, m))
    s = (int.from_bytes(r, "little") - int.from_bytes(c, "little") * int.from_bytes(secret, "little")) % ORDER
    return c + s.to_bytes(32, "little")


def proves(public: bytes, blinded: list[bytes], evaluated: list[bytes], proof: bytes) -> bool:
    """VerifyProof."""
    c, s = proof[:32], proof[32:]
    m, z = _composites(public, blinded, evaluated)
    t2 = plus(times(s, GENERATOR), times(c, public))
    t3 = plus(times(s, m), times(c, z))
    return _challenge(public, m, z, t2, t3) == c
