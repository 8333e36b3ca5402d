"""Keys and canaries: epochs, doses and states; never a secret."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochLine:
    """One epoch of the marks' keys."""

    epoch: int
    since: float
    in_use: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryLine:
    """One canary: for whom and in which carrier, never its value."""

    id: str
    subject: str
    accounts: int
    template: str
    alternatives: int
    commitment: str
    """First 16 hex digits of the commitment."""
    made: float
    expires: float
    by: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseLine:
    """One treatment that a rule orders, and what it does."""

    rule: str
    treatment: str
    shadow: bool
    dose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPage:
    """Keys and canaries: epochs, doses, states; never a secret."""

    api_keys_good: int
    api_keys_ended: int
    api_keys_ending_soon: int
    sketch_epoch: int | None
    sketch_epoch_ends: float | None
    mark_epochs: list[EpochLine]
    canaries: list[CanaryLine]
    doses: list[DoseLine]
    vault: str
