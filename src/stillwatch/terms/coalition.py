"""What providers tell one another: the port through which values become tokens that nobody can turn back.

In: a provider's own values (a payment reference, a device, an address, a band of a template). Out: tokens of 16
bytes, equal for equal values at every member within one epoch. Left to `exchange`: the notaries and the wire.
Source: RFC 9497, "Oblivious pseudorandom functions".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

TOKEN_KINDS: Final = ("payment", "device", "address", "template")
"""What a token can be of. Names, prices, volumes and countries are none."""
TOKEN_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class TokenInput:
    """One value to be blinded; it never leaves the provider in the clear and is kept out of every `repr`."""

    kind: str
    """One of `TOKEN_KINDS`."""
    value: bytes = field(repr=False)
    """Canonical bytes of the value."""


class Tokeniser(Protocol):
    """Two notaries in series, seen from a member."""

    @property
    def epoch(self) -> str:
        """Name of the key epoch in force; tokens of two epochs never match."""
        ...

    def tokens(self, inputs: Sequence[TokenInput]) -> list[bytes]:
        """Return one token of `TOKEN_BYTES` for each input, in their order.

        Raises:
            StillwatchError: a notary is away, over the member's budget, or its proof fails.
        """
        ...
