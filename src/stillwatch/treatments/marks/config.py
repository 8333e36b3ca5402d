"""Settings of the mark in the choice of tokens, section `[mark]`; frozen and checked when built.

They are used when an epoch is made (`stillwatch watermark keys new`, `rotate`) and stay with it, so that what was
marked can be read after they changed. `order_seconds` and `endpoints` hold for the running gateway.
"""

import math
from dataclasses import dataclass

from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.ring import WIDEST


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkConfig:
    """Section `[mark]`: the mark that engines put into the choice of tokens; a rule must order it."""

    scheme: str = "green"
    """`green`: half of all tokens are made likelier, which works at any temperature. `gumbel`: a keyed draw, which
    leaves each token's chance as it is and needs a temperature above 0."""
    width: int = 1
    """Tokens before a position that choose its keys: 1 or 2 for `green`, 1 to 4 for `gumbel`."""
    delta: float = 2.0
    """For `green`: how much likelier, as an addition to the logit; above 0, at most 4."""
    spare: float = 0.8
    """For `green`: a place is left alone where the model gives its likeliest token at least this chance; above 0, at
    most 1 for no such place. There a mark says little and spoils much: code, JSON, copied names."""
    provider_share: float = 0.5
    """Share of contexts that carry the provider's key; the three shares sum to 1."""
    campaign_share: float = 0.25
    """Share of contexts that carry the campaign's key."""
    account_share: float = 0.25
    """Share of contexts that carry the account's key."""
    vocabulary: int = 49_152
    """Tokens that the model knows, at least 256."""
    native_key: int = 0
    """For `gumbel`: key of vLLM's own watermark for the provider's share, below 2^64; 0 for one of the epoch's own."""
    order_seconds: float = 600.0
    """How long an engine takes a signed order for good, in seconds; above 0. Longer than requests wait in queues."""
    endpoints: tuple[str, ...] = ("chat", "completions", "responses")
    """Endpoints whose requests carry an order, in the field `vllm_xargs`; an upstream that does not know the field may
    refuse it."""

    def __post_init__(self) -> None:
        if self.scheme not in WIDEST:
            raise StillwatchError(f"mark.scheme = {self.scheme!r}: must be one of {', '.join(WIDEST)}.")
        check_range("mark.width", self.width, low=0, high=WIDEST[self.scheme] + 1)
        check_range("mark.delta", self.delta, low=0.0, high=4.0 + 1e-9)
        check_range("mark.spare", self.spare, low=0.0, high=1.0 + 1e-9)
        check_range("mark.vocabulary", self.vocabulary, low=255, high=1 << 24)
        check_range("mark.native_key", self.native_key, low=-1, high=1 << 64)
        check_range("mark.order_seconds", self.order_seconds, low=0.0, high=math.inf)
        shares = self.shares
        if min(shares) < 0.0 or abs(sum(shares) - 1.0) > 1e-9:
            raise StillwatchError(
                f"mark.provider_share, campaign_share and account_share = {', '.join(map(str, shares))}: each must be "
                f"0 or more, and they must sum to 1; they sum to {sum(shares):g}."
            )

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of provider, campaign and account."""
        return (self.provider_share, self.campaign_share, self.account_share)
