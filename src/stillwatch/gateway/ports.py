"""What the data plane asks of the rest: who calls, what policy orders, where the event goes.

Every call returns at once from memory; none waits for disk, network or a verdict.
"""

from dataclasses import dataclass, field
from typing import Protocol

from stillwatch.gateway.dpop import Shown
from stillwatch.terms.action import Action, Standing
from stillwatch.terms.served import Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who holds the key of a request; kept in memory for as long as the key is good, so built once a key."""

    account: str
    key_id: str
    organisation: str = ""
    plan: str = ""
    payment: str = field(default="", repr=False)
    country: str = ""
    unmodified: bool = False
    workload: str = ""
    grant: str = ""
    """Id of the grant that the request is under; empty for none."""
    owner: str = ""
    """Name whose key marks the answers; empty for the account's."""
    models: tuple[str, ...] = ()
    """Models that the request may ask, as patterns; empty for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is turned away before it goes upstream, in terms both wires can say."""

    status: int
    code: str
    """Machine-readable, such as `invalid_api_key`, `rate_limit_exceeded`, `step_up_required`, `account_suspended`."""
    message: str
    """For a person: what happened, what to do; never the scenario."""
    retry_after: float | None = None
    """Seconds; None says that trying again does not help (`x-should-retry: false`)."""
    appeal: str = ""


class Desk(Protocol):
    """In-memory view of keys, accounts, decisions, verdicts, rules and limits; refreshed behind the scenes."""

    def caller(self, secret: str, now: float) -> Caller | None:
        """Return who holds this key; None when it is unknown, revoked or expired. Keys fail closed."""
        ...

    def granted(self, shown: Shown, now: float) -> Caller | Refusal:
        """Return who asks under the grant that a request shows, or why it does not count. Fails closed, as keys do."""
        ...

    def holder(self, account: str, key_id: str = "") -> Caller:
        """Return the caller that stands for an account whose key somebody else has checked, known here or not."""
        ...

    def ready(self, now: float) -> bool:
        """Return whether keys were ever loaded and are not too old to be trusted."""
        ...

    def action(self, caller: Caller, model: str, endpoint: str, now: float) -> Action:
        """Return what policy orders; `ALLOW` when policy fails (metered)."""
        ...

    def admit(self, caller: Caller, action: Action, tokens: int, now: float) -> Refusal | None:
        """Take one request and about `tokens` tokens out of the account's buckets, or say why not."""
        ...

    def settle(self, caller: Caller, estimated: int, used: int, now: float) -> None:
        """Correct the token bucket and the workload quota once the answer's usage is known."""
        ...

    def refusal(self, caller: Caller, action: Action, now: float) -> Refusal | None:
        """Return how a biting `challenge` or `refuse` is said to the caller; None for other actions."""
        ...

    def standing(self, caller: Caller, now: float) -> Standing:
        """Return what the account is told of itself."""
        ...


class Recorder(Protocol):
    """Where exchanges go after the answer."""

    def record(self, served: Served) -> bool:
        """Take one exchange without blocking; False when it was dropped, which is counted."""
        ...
