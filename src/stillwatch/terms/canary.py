"""Canaries as they are registered: a harmless free choice, drawn and committed to before it is served.

In: nothing. Out: `CanaryRecord`, which holds neither the value nor the alternatives: both come from the canary
secret, so that who copies the control file alone learns no value. Left to `treatments.canaries`: drawing and planting.
Left to `store.control`: keeping records, which can only be added and retired.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRecord:
    """One canary: for whom, in which carrier, and the commitment to its value."""

    id: str
    """Public id, such as `cn_4f2a...`."""
    subject: str
    """Account or campaign that it was planned for; the accounts of a campaign share its value."""
    kind: str
    """`account` or `campaign`."""
    accounts: tuple[str, ...]
    """Accounts whose answers carry it."""
    template: str
    """Name of the carrier."""
    alternatives: int
    """Number of alternatives that the value was drawn from, at least 2."""
    nonce: str
    """What the value was drawn with, after all of the above was fixed; 32 hex digits."""
    commitment: str
    """HMAC-SHA-256 of all of the above and the value, 64 hex digits."""
    made: float
    """Seconds since 1970 (likewise below)."""
    expires: float
    by: str
    """Who approved it."""
    reason: str
    decision: int
    """Id of the confirmation that it was planned under."""
    retired: float | None = None
    retired_by: str = ""

    def good_at(self, now: float) -> bool:
        """Whether it may be planted at `now`."""
        return self.retired is None and self.made <= now < self.expires


class CanaryRegistry(Protocol):
    """Canaries ever registered; durable when the call returns, shared by processes."""

    def canaries(self) -> tuple[CanaryRecord, ...]:
        """Return every canary, retired and expired ones too, oldest first."""
        ...

    def add_canary(self, record: CanaryRecord) -> None:
        """Keep a canary for ever; an id that is there already is refused."""
        ...

    def add_canaries(self, records: Sequence[CanaryRecord]) -> None:
        """Keep several; an id that is there already is refused."""
        ...

    def retire_canary(self, canary: str, at: float, by: str) -> None:
        """Plant a canary no more; it stays on record, and one that was retired stays as it was."""
        ...
