"""Envelope: a signed statement about files by their digests, in a form that other tools check too.

In: names and digests, a kind of statement with what it says, a key. Out: a DSSE envelope around an in-toto Statement,
as canonical JSON; and its pre-authentication bytes, over which plain OpenSSL checks the signature.
Source: DSSE 1.0.2 (secure-systems-lab/dsse), in-toto Statement v1.

>>> pre_authentication(b"hi")[:40]
b'DSSEv1 28 application/vnd.in-toto+json 2'
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stillwatch.ledger.signing import PublicKey, SigningKey
from stillwatch.terms.canon import canonical, read_canonical
from stillwatch.terms.errors import StillwatchError

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATES: Final = "urn:stillwatch:"
"""What every kind of statement begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A file that a statement is about."""

    name: str
    digest: Mapping[str, str]
    """`sha256` to 64 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is said of which files."""

    _type: str = STATEMENT_TYPE
    subject: tuple[Subject, ...]
    predicateType: str  # noqa: N815 - the name that the format gives it
    predicate: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signature:
    keyid: str
    sig: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    payload: str
    payloadType: str  # noqa: N815
    signatures: tuple[_Signature, ...]


def statement(digests: Mapping[str, str], kind: str, says: Mapping[str, Any]) -> Statement:
    """Return a statement.

    Args:
        digests: SHA-256 in hex by name.
        kind: Such as `dossier/v1`.
        says: What canonical JSON takes.
    """
    subject = tuple(Subject(name=name, digest={"sha256": digests[name]}) for name in sorted(digests))
    return Statement(subject=subject, predicateType=PREDICATES + kind, predicate=says)


def pre_authentication(payload: bytes) -> bytes:
    """Return the bytes that are signed for a payload."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def sealed(said: Statement, key: SigningKey) -> bytes:
    """Return the envelope of a statement, signed."""
    payload = canonical(said)
    signature = key.sign(pre_authentication(payload))
    return canonical(
        _Envelope(
            payload=base64.b64encode(payload).decode(),
            payloadType=PAYLOAD_TYPE,
            signatures=(_Signature(keyid=key.public.fingerprint, sig=base64.b64encode(signature).decode()),),
        )
    )


def opened(envelope: bytes, key: PublicKey, kind: str) -> Statement:
    """Return the statement in an envelope, after checking signature, kind and form.

    Raises:
        StillwatchError: the key did not sign it, it is of another kind, or it was altered.
    """
    payload, signature = parts(envelope)
    if not key.holds(pre_authentication(payload), signature):
        raise StillwatchError(f"envelope of {kind}: is not signed by the key {key.fingerprint[:16]}, or was altered.")
    if read_canonical(envelope, _Envelope, f"envelope of {kind}").signatures[0].keyid != key.fingerprint:
        raise StillwatchError(f"envelope of {kind}: names another key than the one that signed it.")
    said = read_canonical(payload, Statement, f"statement of {kind}")
    if said._type != STATEMENT_TYPE or said.predicateType != PREDICATES + kind:
        raise StillwatchError(f"envelope of {kind}: holds {said.predicateType}.")
    return said


def parts(envelope: bytes) -> tuple[bytes, bytes]:
    """Return payload and signature of an envelope with one signature, unchecked.

    Raises:
        StillwatchError: it is none.
    """
    read = read_canonical(envelope, _Envelope, "envelope")
    try:
        payload = base64.b64decode(read.payload, validate=True)
        signature = base64.b64decode(read.signatures[0].sig, validate=True)
        again = base64.b64encode(payload).decode(), base64.b64encode(signature).decode()
    except (binascii.Error, ValueError, IndexError):
        again = "", ""
    if again != (read.payload, read.signatures[0].sig if read.signatures else "") or len(read.signatures) != 1:
        raise StillwatchError("envelope: is not in the form in which it was written.")
    if read.payloadType != PAYLOAD_TYPE:
        raise StillwatchError(f"envelope: payload of type {read.payloadType[:60]!r}; must be {PAYLOAD_TYPE}.")
    return payload, signature
