"""Opened keys of marks: what a stranger needs to count green tokens, and no more.

In: the reveal of kind `mark-context`, whose facts are the epoch's settings, and reveals of kind `mark-key` of the same
epoch, whose facts are `tier` and `name`. Out: digests, tiers and keys.
The epoch's own secret is never among them: from it every other account's key would follow.
Cost: one table of the vocabulary. Left to `app.committed`: making reveals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from stillwatch.terms.canon import number
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import WHOLE
from stillwatch.terms.reveal import Reveal
from stillwatch.treatments.marks.gumbel import ALPHA, pair_of_keys
from stillwatch.treatments.marks.prf import U64, ContextTable, IntArray
from stillwatch.treatments.marks.ring import TIERS, Epoch, TierKey
from stillwatch.treatments.marks.tiers import ACCOUNT, CAMPAIGN, PROVIDER, tiers_of

KEY, CONTEXT = "mark-key", "mark-context"
"""Kinds of reveal."""
_NO_SECRET: Final = bytes(32)


class OpenedKey(NamedTuple):
    """One key that marks, and whose."""

    tier: str
    name: str
    """Account or campaign; empty for the provider."""
    key: TierKey
    native: int = 0
    """Key of an engine's own mark that draws in the place of `key`; 0: none."""

    @property
    def subject(self) -> str:
        """As findings name it; the provider's key is about nobody in particular."""
        return f"{self.tier} {self.name}" if self.name else WHOLE


@dataclass(frozen=True, slots=True)
class OpenedMarks:
    """One epoch, opened; shows no key."""

    epoch: Epoch
    """Settings of the epoch, with zeros for its secret."""
    table: ContextTable = field(repr=False)
    keys: tuple[OpenedKey, ...] = field(repr=False)
    alpha: float = 0.0
    """For keyed draws: share of draws under the second key."""

    @classmethod
    def of(cls, reveals: Sequence[Reveal]) -> "OpenedMarks":
        """Read reveals of one epoch.

        Raises:
            StillwatchError: the key of contexts, keys of marks or facts are missing, or there are two epochs.
        """
        try:
            (context,) = [one for one in reveals if one.item.kind == CONTEXT]
            marks = [one for one in reveals if one.item.kind == KEY]
            facts = context.facts
            if not marks or any(one.facts["epoch"] != facts["epoch"] for one in marks):
                raise ValueError
            provider, campaign, account = (number(share) for share in _texts(facts["shares"]))
            epoch = Epoch(
                number=int(str(facts["epoch"])), secret=_NO_SECRET, made=0.0, scheme=str(facts["scheme"]),
                width=int(str(facts["width"])), vocab=int(str(facts["vocab"])), delta=number(str(facts["delta"])),
                shares=(provider, campaign, account),
            )  # fmt: skip
            table = ContextTable.of_key(bytes.fromhex(context.secret), epoch.width, epoch.vocab)
            keys = tuple(
                OpenedKey(
                    str(one.facts["tier"]), str(one.facts["name"]), TierKey.from_bytes(bytes.fromhex(one.secret)),
                    int(str(one.facts.get("native_key", "0"))),
                )
                for one in marks
            )  # fmt: skip
            alpha = number(str(facts.get("mixing", repr(ALPHA)))) if epoch.scheme == "gumbel" else 0.0
            if not 0.0 <= alpha <= 1.0:
                raise ValueError
        except (KeyError, ValueError, TypeError):
            raise StillwatchError(
                "openings of a mark: must be the key of contexts and keys of marks of one epoch, with its vocabulary; "
                "see `stillwatch ledger`."
            ) from None
        if any(key.tier not in TIERS for key in keys):
            raise StillwatchError(f"openings of a mark: must be of tiers {', '.join(TIERS)}.")
        return cls(epoch, table, keys, alpha)

    @property
    def drawn(self) -> bool:
        """Whether tokens were drawn by key, and not made likelier by it."""
        return self.epoch.scheme == "gumbel"

    def draws(self, key: OpenedKey) -> tuple[int, int]:
        """Return the first and the second key of draws under an opened key."""
        return pair_of_keys(key.native or key.key.a, self.alpha)

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


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return tuple(str(one) for one in value)
