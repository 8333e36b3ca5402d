"""Settings of the evidence vault and of the served-context index, section `[vault]`; frozen and checked when built."""

from dataclasses import dataclass
from typing import Final

from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError

MOST_SHARE: Final = 0.01
"""Largest share of answers whose text may be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultConfig:
    """Section `[vault]`: the one place where text may be kept, sealed to a key that the gateway has not."""

    public_key: str = ""
    """Public key that `stillwatch vault keygen` printed; the private one belongs on another machine. Needed where
    `share` is above 0 or `confirmed` is true."""
    share: float = 0.0
    """Share of answers whose text is kept, chosen by a keyed hash of the request's id; from 0 to 0.01."""
    confirmed: bool = False
    """Keep the text of accounts under a verdict that a person confirmed, for as long as that decision holds."""
    retention_days: float = 30.0
    """How long records are kept, in days; from 1 to 366. They go by days, the whole day when its first hour is that
    old."""
    max_bytes: int = 1_073_741_824
    """Most bytes that the vault takes on disk, at least 1,048,576; what would pass that is left out and counted."""
    twins: float = 0.0
    """Share of requests that are answered twice for the exam `withheld-sample`: a coin says which answer the caller
    gets, and both are kept; from 0 to 0.01, with `share` at most 0.01. One more upstream request each."""
    twins_confirmed: bool = False
    """Answer every request of accounts under a verdict that a person confirmed twice, and keep both answers."""
    twins_a_day: int = 1_000
    """Most requests answered twice in a day, UTC, at least 1; each worker has its part, and counts from its start."""
    twins_busy: int = 16
    """A worker answers none twice while it has more requests than this under way, at least 1."""
    served_contexts: bool = False
    """Keep keyed digests of the token contexts that marked accounts were served; no text, and apart from the vault."""
    tokenizer: str = ""
    """File with the model's tokeniser, for `served_contexts`: a `tokenizer.json` or a GGUF model."""
    max_contexts: int = 1_000_000
    """Most contexts kept of one account under one epoch's keys, at least 1,000; beyond, a keyed sample of them."""

    def __post_init__(self) -> None:
        check_range("vault.retention_days", self.retention_days, low=1.0 - 1e-9, high=366.0 + 1e-9)
        check_range("vault.max_bytes", self.max_bytes, low=(1 << 20) - 1, high=1 << 50)
        check_range("vault.max_contexts", self.max_contexts, low=999, high=1 << 28)
        for name in ("twins_a_day", "twins_busy"):
            check_range(f"vault.{name}", getattr(self, name), low=0, high=1 << 30)
        if not 0.0 <= self.share <= MOST_SHARE:
            raise StillwatchError(
                f"vault.share = {self.share}: must lie from 0 to {MOST_SHARE}; the vault keeps the text of at most 1 % "
                "of answers.\nRun `stillwatch config explain vault.share` for what it changes."
            )
        if not 0.0 <= self.twins <= MOST_SHARE - self.share + 1e-12:
            raise StillwatchError(
                f"vault.twins = {self.twins}: must lie from 0 to {MOST_SHARE}, and with vault.share not pass it; the "
                "vault keeps the text of at most 1 % of answers.\nRun `stillwatch config explain vault.twins` for what "
                "it changes."
            )
        if self.wanted and not self.public_key:
            raise StillwatchError(
                "vault.public_key is empty: vault.share, vault.confirmed and vault.twins need it. Make a key with "
                "`stillwatch vault keygen --out FILE` on another machine, and give the public key that it prints."
            )
        if self.public_key:
            from stillwatch.store.vaultkeys import read_public_text

            read_public_text(self.public_key)
        if self.served_contexts and not self.tokenizer:
            raise StillwatchError("vault.tokenizer is empty: vault.served_contexts needs the file of a tokeniser.")

    @property
    def wanted(self) -> bool:
        """Whether any text is to be kept."""
        return self.share > 0.0 or self.confirmed or self.wants_twins

    @property
    def wants_twins(self) -> bool:
        """Whether some requests are answered twice."""
        return self.twins > 0.0 or self.twins_confirmed
