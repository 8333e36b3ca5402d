"""What providers tell one another: the ports through which values become tokens, and warnings become matches.

In: a provider's own values (a payment reference, a device, an address, a band of a template). Out: tokens of 16
bytes, equal for equal values at every member within one epoch, and advisories: what one organisation tells of one
campaign that a person confirmed. Frozen; no value in the clear outlives `TokenInput`.
Left to `exchange`: the notaries and the wire. Left to `policy.coalition`: what a match is worth.
Source: RFC 9497, "Oblivious pseudorandom functions".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

TOKEN_KINDS: Final = ("payment", "device", "address", "template")
"""What a token can be of. Names, prices, volumes and countries are none."""
TOKEN_BYTES: Final = 16
CROWD_KINDS: Final = frozenset(("address", "template"))
"""Kinds that many honest accounts can share: published only where `LEAST_CROWD` accounts of one campaign do."""
LEAST_CROWD: Final = 20
"""Fewest accounts of one campaign behind a published token of `CROWD_KINDS`."""
BANDS_NEEDED: Final = 3
"""Bands of one text that must be equal for a template to match, of 32."""


@dataclass(frozen=True, slots=True)
class TokenInput:
    """One value to be blinded; it never leaves the provider in the clear and is kept out of every `repr`."""

    kind: str
    """One of `TOKEN_KINDS`."""
    value: bytes = field(repr=False)
    """Canonical bytes of the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """What one organisation tells of one campaign: its tokens of one kind, made within one epoch."""

    id: str
    """Id of the indicator that carried it; a new version of it has the same id."""
    campaign: str
    """Id of the campaign that it speaks of."""
    organisation: str
    """The verified legal organisation that published it: what corroboration is counted by, never its accounts."""
    kind: str
    """One of `TOKEN_KINDS`."""
    epoch: str
    """Key epoch of its tokens, as `Tokeniser.epoch` names it; others never match."""
    tokens: bytes = field(repr=False)
    """Tokens of `TOKEN_BYTES` each, ascending, one after the other."""
    valid_from: float
    """Seconds since 1970 (likewise below)."""
    valid_until: float
    revoked: bool = False
    disputed_by: tuple[str, ...] = ()
    """Verified organisations that disagree with it; one is enough to take it out of force until it is settled."""

    def in_force(self, now: float) -> bool:
        """Whether it may be matched at `now`: begun, not over, not revoked, not disputed."""
        return not self.revoked and not self.disputed_by and self.valid_from <= now < self.valid_until

    def split(self) -> list[bytes]:
        """Return its tokens one by one."""
        return [self.tokens[at : at + TOKEN_BYTES] for at in range(0, len(self.tokens), TOKEN_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One account of this provider that carries one token."""

    account: str
    kind: str
    token: bytes
    group: bytes = b""
    """For `template`: the text that the band is of, as a keyed mark of 8 bytes; empty for other kinds."""
    seen: float = 0.0
    """When it was last seen, seconds since 1970."""


class Tokeniser(Protocol):
    """Two notaries in series, seen from a member."""

    @property
    def epoch(self) -> str:
        """Name of the key epoch in force; tokens of two epochs never match.

        Raises:
            StillwatchError: a notary cannot be asked, or what it says of its keys does not hold.
        """
        ...

    def tokens(self, inputs: Sequence[TokenInput]) -> list[bytes]:
        """Return one token of `TOKEN_BYTES` for each input, in their order.

        Raises:
            StillwatchError: a notary is away, over the member's budget, or its proof fails.
        """
        ...


class TokenIndex(Protocol):
    """Which account of this provider carries which tokens; it holds no value in the clear."""

    def publishable(self, accounts: Sequence[str], epoch: str) -> Mapping[str, bytes]:
        """Return what may be published of a campaign: kind -> tokens, ascending, one after the other.

        Of `CROWD_KINDS` only tokens that at least `LEAST_CROWD` of the accounts carry, and that next to nobody else
        does; kinds without tokens are left out.

        Args:
            accounts: The campaign's accounts, by id.
            epoch: Key epoch in force.
        """
        ...

    def holdings(self, kind: str, epoch: str, tokens: Sequence[bytes]) -> tuple[Holding, ...]:
        """Return every account that carries one of these tokens."""
        ...

    def accounts(self, epoch: str) -> int:
        """Return how many accounts carry any token of an epoch."""
        ...


class Advisories(Protocol):
    """What this member has pulled, as it stands."""

    def stamp(self) -> str:
        """Return a text that changes whenever anything was pulled, revoked or disputed; cheap to ask."""
        ...

    def all(self) -> tuple[Advisory, ...]:
        """Return every advisory that was pulled, out of force too."""
        ...
