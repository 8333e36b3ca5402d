"""RFC 9497's verifiable oblivious function on ristretto255, wrapped so that nothing a peer sends can end a process.

In: values, and bytes that come from somebody else. Out: blinded elements, evaluations with their proof, outputs of 64
bytes; or `StillwatchError`. The library panics on a wrong proof with an exception that is no `Exception`; here it is
one. Wire of a batch: blinded elements of 32 bytes one after the other; back, a proof of 64 bytes and the evaluated
elements in the same order. Cost: about 65 microseconds to blind, 100 to evaluate, 190 to check and finish.
Source: RFC 9497, ristretto255-SHA512, mode 1 (VOPRF); voprf 0.2.0.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from voprf import ristretto

from stillwatch.terms.errors import StillwatchError

ELEMENT_BYTES: Final = 32
PROOF_BYTES: Final = 64
SEED_BYTES: Final = 32
MOST_ELEMENTS: Final = 1024
"""Elements in one batch, at most; the format allows 65,535."""
_KEY_INFO: Final = b"stillwatch notary epoch"
_OWN: Final = (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)


@dataclass(frozen=True, slots=True)
class Blinded:
    """A batch on its way to a notary, and what only this side knows of it."""

    wire: bytes
    """Blinded elements; uniform whatever was blinded."""
    clients: tuple[ristretto.Client, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.clients)


def blind(values: Sequence[bytes]) -> Blinded:
    """Return the values blinded, each under a fresh random scalar.

    Args:
        values: 1 to `MOST_ELEMENTS` byte strings of 1 to 65,535 bytes.

    Raises:
        StillwatchError: there are none or too many, or one is empty or too long.
    """
    _check_count(len(values))
    with _guarded("values to be blinded: one is empty, too long, or no byte string"):
        pairs = [ristretto.Client.blind(value) for value in values]
        return Blinded(b"".join(element.serialize() for _, element in pairs), tuple(client for client, _ in pairs))


def finish(blinded: Blinded, reply: bytes, public_key: bytes) -> list[bytes]:
    """Check a notary's proof, unblind, and return outputs of 64 bytes in the order of the values.

    Args:
        blinded: What was sent.
        reply: Proof and evaluated elements, as they came.
        public_key: The key that the notary is held to, 32 bytes.

    Raises:
        StillwatchError: the reply is short, long or malformed, or was not made under that key.
    """
    expected = PROOF_BYTES + ELEMENT_BYTES * len(blinded)
    if len(reply) != expected:
        raise StillwatchError(
            f"notary: answered {len(reply)} bytes to {len(blinded)} elements; must be {expected}. Nothing was used."
        )
    with _guarded("notary: its answer is malformed, or does not prove the key that it is held to. Nothing was used"):
        key = ristretto.PublicKey.deserialize(public_key)
        output = ristretto.VerifiableBatchOutput.deserialize(reply)
        found = ristretto.Client.finalize_batch(list(blinded.clients), output, key)
    if len(found) != len(blinded):
        raise StillwatchError("notary: its answer holds another number of elements. Nothing was used.")
    return found


class NotaryKey:
    """One notary's secret of one epoch."""

    __slots__ = ("_evaluator", "public")

    def __init__(self, seed: bytes) -> None:
        """Derive the key pair from 32 secret bytes, as RFC 9497's `DeriveKeyPair` does.

        Raises:
            StillwatchError: the seed is not of 32 bytes.
        """
        if len(seed) != SEED_BYTES:
            raise StillwatchError(f"notary key: seed of {len(seed)} bytes; must be {SEED_BYTES}.")
        with _guarded("notary key: cannot be derived from its seed"):
            self._evaluator = ristretto.Evaluator.from_seed(seed, _KEY_INFO)
            self.public = self._evaluator.public_key.serialize()

    def __repr__(self) -> str:
        return f"NotaryKey({self.public.hex()[:16]})"

    def evaluate(self, blinded: bytes) -> bytes:
        """Return proof and evaluated elements for blinded ones.

        Args:
            blinded: 1 to `MOST_ELEMENTS` elements of 32 bytes.

        Raises:
            StillwatchError: the length is wrong, or an element is no group element or the identity.
        """
        if len(blinded) % ELEMENT_BYTES:
            raise StillwatchError(f"batch: {len(blinded)} bytes; must be a multiple of {ELEMENT_BYTES}.")
        _check_count(len(blinded) // ELEMENT_BYTES)
        with _guarded("batch: an element is malformed"):
            elements = [
                ristretto.BlindedInput.deserialize(blinded[at : at + ELEMENT_BYTES])
                for at in range(0, len(blinded), ELEMENT_BYTES)
            ]
            return self._evaluator.evaluate_batch(elements).serialize()

    def output(self, value: bytes) -> bytes:
        """Return the output of 64 bytes for a value in the clear: what whoever holds this key can compute alone.

        Raises:
            StillwatchError: the value is empty or too long.
        """
        with _guarded("value: is empty or too long"):
            return self._evaluator.evaluate_known_input(value)


def check_public(public_key: bytes) -> None:
    """Raise unless bytes are a public key.

    Raises:
        StillwatchError: they are not.
    """
    with _guarded("notary: its public key is malformed"):
        ristretto.PublicKey.deserialize(public_key)


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_ELEMENTS:
        raise StillwatchError(f"batch: {count} elements; must be 1 to {MOST_ELEMENTS}.")


@contextmanager
def _guarded(said: str) -> Iterator[None]:
    """Turn whatever the library raises into one error that quotes nothing; a panic is a `BaseException` only."""
    try:
        yield
    except _OWN:
        raise
    except BaseException:
        raise StillwatchError(f"{said}.") from None
