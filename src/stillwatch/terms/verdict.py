"""Evidence, campaigns and verdicts: what detection says, frozen, with its receipt.

Evidence is in nats, the natural log of an e-value against a null hypothesis stated in words.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one scenario or one test claims about one account or campaign."""

    scenario: str
    """Catalogue name, such as `S2`; honest explanations carry names such as `one_task`."""
    null: str
    """The null hypothesis in words."""
    log_e: float
    """Nats: natural log of the e-value; may be negative."""
    n: int
    """Sample size in the unit that is exchangeable."""
    unit: str
    """That unit: `account`, `session`, `request`, `pair`."""
    detail: dict[str, float | int | str]
    """The figures it was computed from, for the receipt."""
    clears: str = ""
    """What would clear it, in words; empty when nothing the account does can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Accounts acting together, with the evidence on time not used to link them."""

    id: str
    accounts: tuple[int, ...]
    """Account hashes, strongest first."""
    account_log_e: tuple[float, ...]
    """Evidence for each member's own part in the campaign, nats, same order."""
    families: tuple[str, ...]
    """Edge families that link the members: `content`, `payment`, `network`, `client`, `timing`, `work`."""
    log_e: float
    """The campaign's evidence: the least over the honest explanations, nats."""
    evidence: tuple[Evidence, ...]
    accused: bool
    requests: int
    first_seen: float
    last_seen: float
    tokens_in: int
    tokens_out: int
    harvest: int
    """Requests that carried the campaign's content."""

    def receipt(self) -> str:
        """Return the digest that pins this conclusion to its figures: 32 hex digits."""
        payload = json.dumps(asdict(self), sort_keys=True, default=str).encode()
        return hashlib.blake2b(payload, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountVerdict:
    """What is concluded about one account."""

    account: int
    log_e: float
    campaign: str | None
    accused: bool
    evidence: tuple[Evidence, ...]
    surface: str
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Everything one run of detection concluded, accused or not."""

    campaigns: tuple[Campaign, ...]
    """Every candidate that was looked at, strongest first."""
    accounts: tuple[AccountVerdict, ...]
    """Accused accounts first, then the honest ones that came closest."""
    q: float
    """False discovery rate promised over campaigns."""
    alpha: float
    """Chance that one honest account is accused on its own evidence."""
    looked_at: int
    """Hypotheses that e-BH counted."""
    calibrated: bool
    notes: tuple[str, ...]
    figures: dict[str, Any]
    """Sizes of the run: events, accounts, blocks, controls, spans in seconds since 1970."""
