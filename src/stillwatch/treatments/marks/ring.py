"""The mark's secrets, one epoch after the other, and every key that is drawn from them.

In: 32 random bytes an epoch. Out: `Ring`, `Epoch`, `TierKey`, and JSON bytes to keep them in.
An epoch's settings never change once it has marked text: a change is a new epoch, so that text can be read under what
it was written with. Accounts and campaigns appear as 16-byte tags that only the epoch's holder can link to a name.
Cost: one or two HMACs a key. Left to `app`: making the bytes, keeping the file, and who may read it.
Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
"""

import hashlib
import hmac
import json
import math
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from stillwatch.terms.errors import StillwatchError

SECRET_BYTES: Final = 32
TAG_BYTES: Final = 16
TIERS: Final = ("provider", "campaign", "account")
"""Tiers in the order of `Epoch.shares`."""
WIDEST: Final = {"green": 2, "gumbel": 4}
"""Greatest context width, by scheme. Narrow contexts are what a student learns."""
KINDS: Final = ("account", "campaign")
_VERSION: Final = 1
_STEEPEST: Final = 10.0


class TierKey(NamedTuple):
    """128 secret bits that mark the contexts of one tier: two numbers in [0, 2^64)."""

    a: int
    b: int

    @classmethod
    def from_bytes(cls, raw: bytes) -> "TierKey":
        """Read the key from the first 16 bytes, each half little end first."""
        return cls(int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:16], "little"))

    def __repr__(self) -> str:
        return "TierKey(secret)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One secret and the settings it marks with.

    Raises:
        StillwatchError: a field is out of range.
    """

    number: int
    """From 1 up, ascending within a ring."""
    secret: bytes = field(repr=False)
    """32 random bytes."""
    made: float
    """Seconds since 1970."""
    scheme: str = "green"
    """`green` (bias on half of the tokens) or `gumbel` (keyed draw)."""
    width: int = 1
    """Tokens before the marked one that choose its key stream: 1 or 2; up to 4 for `gumbel`."""
    shares: tuple[float, float, float] = (0.5, 0.25, 0.25)
    """Shares of contexts for provider, campaign and account; each at least 0, 1 together."""
    delta: float = 2.0
    """Nats added to a green token's logit, above 0, at most 10; `gumbel` does not use it."""
    spare: float = 1.0
    """Places whose likeliest token has at least this chance under the model are left unmarked; above 0, at most 1,
    where none is left. For `green` only."""
    vocab: int = 0
    """Tokens in the vocabulary the epoch is meant for; 0: whatever the engine's model has."""
    native_key: int = field(default=0, repr=False)
    """Key in [0, 2^64) of an engine's own mark that the provider tier is to equal; 0: none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", tuple(float(share) for share in self.shares))
        for name, fine, must in self._demands():
            if not fine:
                raise StillwatchError(f"mark epoch {self.number}, {name}: {must}.")

    def _demands(self) -> tuple[tuple[str, bool, str], ...]:
        widest = WIDEST.get(self.scheme, 0)
        shares = self.shares
        whole = len(shares) == 3 and min(shares) >= 0.0 and abs(sum(shares) - 1.0) <= 1e-9
        return (
            ("number", self.number >= 1, "must be a whole number from 1 up; let `Ring.rotated` count"),
            ("secret", len(self.secret) == SECRET_BYTES, f"must have {SECRET_BYTES} random bytes"),
            ("made", math.isfinite(self.made), "must be seconds since 1970"),
            ("scheme", widest > 0, f"must be one of {', '.join(WIDEST)}"),
            ("width", 1 <= self.width <= widest, f"is {self.width}; must lie from 1 to {widest} for {self.scheme}"),
            ("shares", whole, "must be three numbers of at least 0 that sum to 1: provider, campaign, account"),
            ("delta", 0.0 < self.delta <= _STEEPEST, f"is {self.delta}; must lie above 0, at most {_STEEPEST}"),
            ("spare", 0.0 < self.spare <= 1.0, f"is {self.spare}; must lie above 0, at most 1"),
            ("vocab", 0 <= self.vocab <= 2**24, f"is {self.vocab}; must lie from 0 to {2**24}"),
            ("native_key", 0 <= self.native_key < 2**64, "must lie from 0 to 2^64 - 1"),
        )

    @property
    def commitment(self) -> str:
        """SHA-256 in hex that binds the provider to this secret and these settings and shows nothing of the secret.

        May be published: who tries other widths or shares on a suspect later cannot say that they were those in use.
        """
        settings = {name: getattr(self, name) for name in sorted(self.__slots__) if name not in ("secret", "made")}
        return hashlib.sha256(
            b"stillwatch mark epoch\0" + self.secret + json.dumps(settings, sort_keys=True).encode()
        ).hexdigest()

    def tag(self, kind: str, name: str) -> bytes:
        """Return the 16-byte pseudonym of an account or a campaign in this epoch: all that an engine sees of it.

        Raises:
            ValueError: `kind` is neither `account` nor `campaign`.
        """
        if kind not in KINDS:
            raise ValueError(f"kind = {kind!r}: must be one of {', '.join(KINDS)}.")
        return self.subkey(f"tag {kind}", name.encode("utf-8", "surrogatepass"))[:TAG_BYTES]

    def provider_key(self) -> TierKey:
        """Return the key of contexts that everybody's text shares."""
        return TierKey.from_bytes(self.subkey("provider"))

    def campaign_key(self, tag: bytes) -> TierKey:
        """Return the key of a campaign's contexts; `tag` from `tag("campaign", ...)`."""
        return TierKey.from_bytes(self.subkey("campaign", tag))

    def account_key(self, tag: bytes) -> TierKey:
        """Return the key of an account's contexts; `tag` from `tag("account", ...)`."""
        return TierKey.from_bytes(self.subkey("account", tag))

    def subkey(self, purpose: str, data: bytes = b"") -> bytes:
        """Return 32 secret bytes for a purpose and what it is about; HMAC-SHA256."""
        return hmac.digest(self.secret, purpose.encode() + b"\0" + data, "sha256")


@dataclass(frozen=True, slots=True)
class Ring:
    """Epochs in ascending order of number, at least one; the last marks, all read.

    Raises:
        StillwatchError: no epoch, or numbers out of order.

    >>> ring = Ring.new(bytes(32), 0.0, delta=1.5).rotated(bytes(range(32)), 60.0)
    >>> ring.current.number, ring.current.delta, Ring.from_json(ring.to_json()) == ring
    (2, 1.5, True)
    >>> "secret" in repr(ring)
    False
    """

    epochs: tuple[Epoch, ...]

    def __post_init__(self) -> None:
        numbers = [epoch.number for epoch in self.epochs]
        if not numbers or any(late <= early for early, late in zip(numbers, numbers[1:], strict=False)):
            raise StillwatchError(
                f"mark ring: has epochs {numbers}; must have at least one, in ascending order.\n"
                "Make one with `stillwatch watermark keys new`, or put the file back from a backup."
            )

    @classmethod
    def new(cls, secret: bytes, now: float, **settings: Any) -> "Ring":
        """Return a ring with one epoch, number 1; `settings` are fields of `Epoch`."""
        return cls((Epoch(number=1, secret=secret, made=now, **settings),))

    def rotated(self, secret: bytes, now: float, **settings: Any) -> "Ring":
        """Return the ring with one epoch more, which takes the settings of the last except for those given.

        Raises:
            StillwatchError: the secret is that of an epoch before.
        """
        if any(hmac.compare_digest(secret, epoch.secret) for epoch in self.epochs):
            raise StillwatchError("mark ring: the new epoch's secret was used before; draw new random bytes.")
        last = self.current
        return Ring((*self.epochs, replace(last, number=last.number + 1, secret=secret, made=now, **settings)))

    @property
    def current(self) -> Epoch:
        """The epoch that marks."""
        return self.epochs[-1]

    def epoch(self, number: int) -> Epoch:
        """Return the epoch of that number.

        Raises:
            StillwatchError: the ring has none.
        """
        for epoch in self.epochs:
            if epoch.number == number:
                return epoch
        raise StillwatchError(
            f"mark epoch {number}: the ring has {', '.join(str(epoch.number) for epoch in self.epochs)} only.\n"
            "Give gateway and engine the same ring file; `stillwatch watermark keys list` shows what one holds."
        )

    def to_json(self) -> bytes:
        """Return the ring with its secrets as UTF-8 JSON; keep it as you keep private keys."""
        epochs = [
            {**{name: getattr(epoch, name) for name in Epoch.__slots__}, "secret": epoch.secret.hex()}
            for epoch in self.epochs
        ]
        return json.dumps({"version": _VERSION, "epochs": epochs}, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, raw: bytes) -> "Ring":
        """Read what `to_json` wrote.

        Raises:
            StillwatchError: it is not that; nothing of the content is shown.
        """
        try:
            read = json.loads(raw)
            if read["version"] != _VERSION:
                raise ValueError
            epochs = tuple(_epoch(one) for one in read["epochs"])
        except (ValueError, TypeError, KeyError, AttributeError):
            raise StillwatchError(
                f"mark ring: is no ring of version {_VERSION}.\nPut the file back from a backup; text marked "
                "under a lost ring cannot be read."
            ) from None
        return cls(epochs)


def _epoch(read: dict[str, Any]) -> Epoch:
    numbers = {name: int(read[name]) for name in ("number", "width", "vocab", "native_key")}
    reals = {name: float(read[name]) for name in ("made", "delta", "spare")}
    provider, campaign, account = read["shares"]
    secret, scheme = bytes.fromhex(read["secret"]), str(read["scheme"])
    return Epoch(secret=secret, scheme=scheme, shares=(provider, campaign, account), **numbers, **reals)  # type: ignore[arg-type]
