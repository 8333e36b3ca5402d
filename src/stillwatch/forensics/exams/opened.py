"""Opened keys of marks: what a stranger needs to count green tokens, and no more.

In: reveals of kind `mark-key`, one of them the key of contexts. Out: digests, tiers and keys of one epoch.
The epoch's own secret is never among them: from it every other account's key would follow.
Facts of every reveal: `epoch`, `tier` (`context`, `provider`, `campaign`, `account`), `name` of the account or
campaign. Facts of the context key beside: `scheme`, `width`, `vocab`, `delta` and the three `shares`, numbers as text.
Cost: one table of the vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from stillwatch.terms.canon import number
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.reveal import Reveal, committed
from stillwatch.treatments.marks.prf import U64, ContextTable, IntArray
from stillwatch.treatments.marks.ring import TIERS, Epoch, TierKey
from stillwatch.treatments.marks.tiers import ACCOUNT, CAMPAIGN, PROVIDER, tiers_of

CONTEXT: Final = "context"
_NO_SECRET: Final = bytes(32)


class OpenedKey(NamedTuple):
    """One key that marks, and whose."""

    tier: str
    name: str
    """Account or campaign; empty for the provider."""
    key: TierKey

    @property
    def subject(self) -> str:
        """As findings name it."""
        return f"{self.tier} {self.name}" if self.name else self.tier


@dataclass(frozen=True, slots=True)
class OpenedMarks:
    """One epoch, opened; shows no key."""

    epoch: Epoch
    """Settings of the epoch, with zeros for its secret."""
    table: ContextTable = field(repr=False)
    keys: tuple[OpenedKey, ...] = field(repr=False)

    @classmethod
    def of(cls, reveals: Sequence[Reveal]) -> "OpenedMarks":
        """Read reveals of one epoch.

        Raises:
            StillwatchError: the key of contexts is missing, there are two epochs, or facts are missing.
        """
        try:
            by_tier = [(str(one.facts["tier"]), one) for one in reveals]
            (context,) = [one for tier, one in by_tier if tier == CONTEXT]
            epochs = {int(str(one.facts["epoch"])) for one in reveals}
            (number_of,) = epochs
            provider, campaign, account = (number(str(share)) for share in _texts(context.facts["shares"]))
            epoch = Epoch(
                number=number_of, secret=_NO_SECRET, made=0.0, scheme=str(context.facts["scheme"]),
                width=int(str(context.facts["width"])), vocab=int(str(context.facts["vocab"])),
                delta=number(str(context.facts["delta"])), shares=(provider, campaign, account),
            )  # fmt: skip
            table = ContextTable.of_key(bytes.fromhex(context.secret), epoch.width, epoch.vocab)
            keys = tuple(
                OpenedKey(tier, str(one.facts.get("name", "")), TierKey.from_bytes(bytes.fromhex(one.secret)))
                for tier, one in by_tier
                if tier != CONTEXT
            )
        except (KeyError, ValueError, TypeError):
            raise StillwatchError(
                "openings of a mark: must hold the key of contexts and its settings, and keys of one epoch only."
            ) from None
        if any(key.tier not in TIERS for key in keys):
            raise StillwatchError(f"openings of a mark: a tier must be one of {', '.join(TIERS)}.")
        return cls(epoch, table, keys)

    def tiers(self, digests: U64) -> IntArray:
        """Return the tier of each context."""
        return tiers_of(digests, self.epoch).astype("int64")

    def ways(self, key: OpenedKey) -> tuple[tuple[int, ...], ...]:
        """Return the sets of tiers whose contexts may carry this key, each to be tried."""
        if key.tier == TIERS[PROVIDER]:
            return ((PROVIDER,),)
        if key.tier == TIERS[CAMPAIGN]:
            return ((CAMPAIGN,),)
        return ((ACCOUNT,), (CAMPAIGN, ACCOUNT)) if self.epoch.shares[CAMPAIGN] > 0.0 else ((ACCOUNT,),)


def openings(epoch: Epoch, named: Sequence[tuple[str, str]], nonce: str, *, vocab: int = 0) -> tuple[Reveal, ...]:
    """Return the reveals of an epoch's context key and of the keys named, ready to be committed to.

    Args:
        epoch: With its secret.
        named: Tier and name of each; the provider's name is empty.
        nonce: Hex of 32 bytes that only the epoch's holder can make.
        vocab: Tokens in the vocabulary, where the epoch leaves it open.
    """
    facts: dict[str, str | int | tuple[str, ...]] = {
        "epoch": epoch.number, "tier": CONTEXT, "scheme": epoch.scheme, "width": epoch.width,
        "vocab": epoch.vocab or vocab, "delta": repr(epoch.delta), "shares": tuple(repr(s) for s in epoch.shares),
    }  # fmt: skip
    name = ("mark-key", f"epoch {epoch.number} {CONTEXT}", CONTEXT)
    out = [committed(name, epoch.subkey("context"), facts, nonce)]
    for tier, who in named:
        tag = epoch.tag(tier, who) if who else b""
        secret = epoch.subkey(tier, tag)
        ident = f"epoch {epoch.number} {tier} {tag.hex()}".strip()
        out.append(
            committed(("mark-key", ident, tier), secret, {"epoch": epoch.number, "tier": tier, "name": who}, nonce)
        )
    return tuple(out)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return tuple(str(one) for one in value)
