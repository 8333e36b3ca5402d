"""Who holds a key, what people decided, and what was appealed: the control records.

Frozen; no secret among them: a key is kept as a keyed hash of itself. Left to `store.control`: keeping them.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from stillwatch.terms.canary import CanaryRegistry
from stillwatch.terms.grant import GrantRegistry


def key_digest(key: str, secret: bytes) -> str:
    """Return what is kept of an API key: HMAC-SHA-256 of the key's SHA-256 under `secret`, 64 hex digits.

    The inner hash is the plain one that other gateways keep, so that keys can be taken over from them
    without knowing the keys (`digest_of_hash`). Lone surrogates are kept as they are. Cost: 2 microseconds.
    """
    return digest_of_hash(hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest(), secret)


def digest_of_hash(sha256: str, secret: bytes) -> str:
    """Return what is kept of an API key of which only the SHA-256 is known, in 64 lower-case hex digits.

    >>> digest_of_hash(hashlib.sha256(b"sk-1").hexdigest(), b"s") == key_digest("sk-1", b"s")
    True
    """
    return hmac.digest(secret, sha256.encode("ascii"), "sha256").hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """One API key, as its keyed hash."""

    key_id: str
    """Public id, such as `k_4f2a...`."""
    digest: str
    """What `key_digest` makes of the key under the gateway's key secret, 64 hex digits."""
    account: str
    label: str = ""
    created: float
    """Seconds since 1970 (likewise below)."""
    expires: float | None = None
    revoked: float | None = None

    def good_at(self, now: float) -> bool:
        """Whether the key may be used at `now`."""
        return self.revoked is None and (self.expires is None or now < self.expires)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """One account and what was agreed with it."""

    account: str
    organisation: str = ""
    plan: str = ""
    payment: str = ""
    """Payment token, never a card number."""
    country: str = ""
    """Country of the contract, ISO 3166; used by legal rules only."""
    unmodified: bool = False
    workload: str = ""
    """Declared workload; empty when none."""
    workload_tokens: int = 0
    """Tokens a day that the declared workload may use."""
    verified: tuple[str, ...] = ()
    """What it proved of itself: among `contact`, `payment`, `organisation`, `workload`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person said of a verdict."""

    id: int = 0
    subject: str
    """Account id or campaign id."""
    kind: str
    """`account` or `campaign`."""
    accounts: tuple[str, ...]
    """Accounts that it holds for, as they stood when it was made."""
    verb: str
    """One of `terms.action.VERBS`."""
    by: str
    reason: str
    at: float
    expires: float
    """Every decision ends; seconds since 1970."""
    receipt: str = ""
    """Receipt of the verdict that was decided on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """An account's objection, and how it ended."""

    id: str
    account: str
    opened: float
    state: str
    """`open`, `granted` or `refused`."""
    statement: str = ""
    answered: float | None = None
    by: str = ""
    reason: str = ""


class Control(CanaryRegistry, GrantRegistry, Protocol):
    """Control records, shared by processes; a change is durable when the call returns."""

    def generation(self) -> int:
        """Return a number that changes whenever anything was changed by any process; cheap to ask each second."""
        ...

    def keys(self) -> tuple[KeyRecord, ...]:
        """Return every key, revoked ones too, oldest first."""
        ...

    def put_key(self, record: KeyRecord) -> None:
        """Keep a key; one with the same digest is replaced."""
        ...

    def accounts(self) -> tuple[AccountRecord, ...]:
        """Return every account, by id."""
        ...

    def put_account(self, record: AccountRecord) -> None:
        """Keep an account; one with the same id is replaced."""
        ...

    def decisions(self) -> tuple[Decision, ...]:
        """Return every decision, oldest first."""
        ...

    def add_decision(self, decision: Decision) -> int:
        """Keep a decision for ever; return its id."""
        ...

    def appeals(self) -> tuple[Appeal, ...]:
        """Return every appeal, oldest first."""
        ...

    def put_appeal(self, appeal: Appeal) -> None:
        """Keep an appeal; one with the same id is replaced."""
        ...

    def account_keys(self) -> Mapping[str, str]:
        """Return the key that stands in each account's pseudonyms, 32 hex digits; those without one are left out."""
        ...

    def add_account_keys(self, keys: Mapping[str, str]) -> None:
        """Keep keys of accounts that have none yet; the others stay as they were. Does not change the generation."""
        ...

    def destroy_account(self, account: str) -> bool:
        """Forget an account's key, its record and what it wrote in appeals; return whether there was any of it."""
        ...

    def close(self) -> None:
        """Let go of the file; twice does no harm."""
        ...
