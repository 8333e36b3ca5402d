"""Settings of treatments, section `[treatments]` of the settings file; frozen and checked when built."""

import math
from dataclasses import dataclass, replace

from stillwatch.terms.checks import check_range
from stillwatch.treatments.privacybudget import epsilon_of, rho_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentConfig:
    """Section `[treatments]`: how treatments work where a rule orders them; it switches none on."""

    remembered_accounts: int = 20_000
    """Accounts of which treatments that count or learn remember something, at least 1; the longest unheard of goes."""
    canary_by_prompt: bool = True
    """Whether `canary` may add lines to the system prompt; off for models that take none: then it only edits names."""
    logprobs_top: int = 5
    """For `logprobs`: alternatives that a position may have; 0 to 20, and 0 leaves the drawn token's own."""
    logprobs_a_day: float = 50_000.0
    """For `logprobs`: different (prompt, token) pairs of which an account may have probabilities in a day; 0: none."""
    dose_nats: float = 9.21
    """For `dose`: nats of the verdict from which answers lose exactness, in full at twice that; above 0."""
    dose_prompts: float = 1_000.0
    """For `dose`: different prompts from which answers lose exactness, in full at a hundred times that; above 0."""
    privacy_epsilon: float = 8.0
    """For `privacy`: epsilon of an account and day, at `privacy_delta`; above 0."""
    privacy_delta: float = 1e-6
    """For `privacy`: delta of an account and day; between 0 and 1."""
    privacy_noise: float = 10.0
    """For `privacy`: standard deviation of the noise, in reaches; above 0. One release costs 1/(2 noise^2) of rho."""
    privacy_reach: float = 0.1
    """For `privacy`: nats by which log-probabilities of two models may differ at a position (L2); above 0."""
    privacy_vector_reach: float = 0.002
    """For `privacy`: distance (L2) of two models' embeddings, clipped to length 1, or of their scores; above 0."""
    experts_share: float = 0.1
    """For `experts`: weight of the proxy in what the engine draws from; 0 to 1."""

    def for_one_of(self, workers: int) -> "TreatmentConfig":
        """Return the settings of one worker of several: each counts for itself, so each may give its share of a day."""
        rho = rho_of(self.privacy_epsilon, self.privacy_delta) / workers
        share = epsilon_of(rho, self.privacy_delta)
        return replace(self, logprobs_a_day=self.logprobs_a_day / workers, privacy_epsilon=share)

    def __post_init__(self) -> None:
        check_range("treatments.remembered_accounts", self.remembered_accounts, low=0, high=math.inf)
        for name in ("dose_nats", "dose_prompts", "privacy_epsilon", "privacy_noise", "privacy_reach",
                     "privacy_vector_reach"):  # fmt: skip
            check_range(f"treatments.{name}", getattr(self, name), low=0.0, high=math.inf)
        check_range("treatments.logprobs_top", self.logprobs_top, low=-1, high=21)
        check_range("treatments.logprobs_a_day", self.logprobs_a_day, low=-1e-9, high=math.inf)
        check_range("treatments.privacy_delta", self.privacy_delta, low=0.0, high=1.0)
        check_range("treatments.experts_share", self.experts_share, low=-1e-9, high=1.0 + 1e-9)
