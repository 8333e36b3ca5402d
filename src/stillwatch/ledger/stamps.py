"""Timestamps by a third party: that a file was there at a time, said by somebody who gains nothing by it.

In: the file's bytes. Out: a request, and of the answer the time that it states, after checking it against the
authority's root certificates. Nothing is asked of anybody unless an address was given.
Cost: milliseconds, and one request of about 100 bytes where an authority is asked.
Left to `openssl`: checking the same answer a second time with other code. Source: RFC 3161.
"""

import http.client
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from stillwatch.terms.errors import StillwatchError

TIMEOUT_SECONDS: Final = 30.0
MOST_BYTES: Final = 1 << 20
_GRANTED: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What an authority said of a file."""

    at: datetime
    """UTC."""
    by: str
    """Subject of the certificate that signed, or of the first root where the answer has none."""


def request_for(content: bytes) -> bytes:
    """Return a timestamp request (DER) for a file, with a nonce, asking for the authority's certificate."""
    request = TimestampRequestBuilder().data(content).hash_algorithm(HashAlgorithm.SHA256).build()
    return bytes(request.as_bytes())


def ask(url: str, request: bytes) -> bytes:
    """Send a request to an authority and return its answer (DER), unchecked.

    Raises:
        StillwatchError: the address is none, or the authority does not answer with a timestamp.
    """
    if not url.startswith(("http://", "https://")):
        raise StillwatchError(f"timestamp authority {url[:80]!r}: must be an address that begins with http.")
    wanted = urllib.request.Request(url, data=request, headers={"Content-Type": "application/timestamp-query"})
    try:
        with urllib.request.urlopen(wanted, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - http alone, checked above
            content: bytes = answer.read(MOST_BYTES + 1)
    except (http.client.HTTPException, OSError, ValueError) as problem:
        raise StillwatchError(
            f"timestamp authority {url[:80]}: {type(problem).__name__}; the checkpoint is kept. Ask again later, or "
            "take the .tsq file to another authority and bring its answer with `stillwatch ledger stamp`."
        ) from None
    return content


def read_roots(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of an authority; roots, and those between if there are any.

    Raises:
        StillwatchError: there is none.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except Exception:  # the parser has more kinds of refusal than it names, and each means the same here
        raise StillwatchError(
            "timestamp roots: hold no certificate in PEM; take the file from the authority."
        ) from None


def plain_roots(pem: bytes) -> bytes:
    """Return the certificates of an authority in the one form in which they are kept: nothing between them.

    Raises:
        StillwatchError: there is none.
    """
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in read_roots(pem))


def check(response: bytes, content: bytes, roots: Sequence[x509.Certificate]) -> Stamp:
    """Return the time that an authority states of a file.

    Args:
        response: The answer, DER.
        content: The file.
        roots: The authority's certificates, as `read_roots` gives them.

    Raises:
        StillwatchError: it is no answer, was refused, is of another file, or is not signed under these roots.
    """
    found = _decoded(response)
    try:
        builder = VerifierBuilder(roots=[one for one in roots if one.issuer == one.subject])
        for one in roots:
            if one.issuer == one.subject:
                one.verify_directly_issued_by(one)  # else its signature could be any bytes
            else:
                builder = builder.add_intermediate_certificate(one)
        builder.build().verify_message(found, content)
        return Stamp(at=found.tst_info.gen_time.astimezone(UTC), by=_signer(found, roots))
    except Exception as problem:  # certificates are parsed no sooner than they are looked at, with refusals of any kind
        said = str(problem) if isinstance(problem, VerificationError) else type(problem).__name__
        raise StillwatchError(f"timestamp: does not hold ({said}).") from None


def _decoded(response: bytes) -> TimeStampResponse:
    try:
        found = decode_timestamp_response(response)
        if found.status == _GRANTED and bytes(found.as_bytes()) == response:
            return found
    except Exception:
        found = None
    raise StillwatchError("timestamp: is no answer that grants one, or was altered; ask the authority again.")


def _signer(found: TimeStampResponse, roots: Sequence[x509.Certificate]) -> str:
    for der in found.signed_data.certificates:
        return x509.load_der_x509_certificate(der).subject.rfc4514_string()
    return roots[0].subject.rfc4514_string()
