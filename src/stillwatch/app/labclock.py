"""Policy and treatments on the lab's time: what the gateway asks with the wall's clock is answered at event time.

In: the desk and the treater that the product runs, and the lab's clock. Out: the same, asked at another moment. Nothing
else is changed, so that a rule, a limit, a day's budget and a decision last as long as they say, in event time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from stillwatch.gateway.call import Call
from stillwatch.gateway.desk import MemoryDesk
from stillwatch.gateway.dpop import Shown
from stillwatch.gateway.ports import Caller, Refusal
from stillwatch.gateway.treater import Treater
from stillwatch.terms.action import Action, Standing
from stillwatch.treatments import Treatment

Clock = Callable[[], float]


@dataclass(slots=True)
class LabDesk:
    """`gateway.ports.Desk` at event time."""

    desk: MemoryDesk
    clock: Clock
    orders: dict[str, int] = field(default_factory=dict)
    """Kind of action, with `shadow:` before it when only recorded -> requests that it was ordered for."""

    def caller(self, secret: str, now: float) -> Caller | None:
        """Return who holds this key."""
        return self.desk.caller(secret, self.clock())

    def granted(self, shown: Shown, now: float) -> Caller | Refusal:
        """Return who asks under the grant that a request shows."""
        return self.desk.granted(shown, self.clock())

    def holder(self, account: str, key_id: str = "") -> Caller:
        """Return the caller that stands for an account."""
        return self.desk.holder(account, key_id)

    def ready(self, now: float) -> bool:
        """Return whether keys can be trusted."""
        return self.desk.ready(self.clock())

    def action(self, caller: Caller, model: str, endpoint: str, now: float) -> Action:
        """Return what policy orders."""
        action = self.desk.action(caller, model, endpoint, self.clock())
        name = f"shadow:{action.kind}" if action.shadow else action.kind
        self.orders[name] = self.orders.get(name, 0) + 1
        return action

    def admit(self, caller: Caller, action: Action, tokens: int, now: float) -> Refusal | None:
        """Take one request out of the account's buckets, or say why not."""
        return self.desk.admit(caller, action, tokens, self.clock())

    def settle(self, caller: Caller, estimated: int, used: int, now: float) -> None:
        """Correct the token bucket."""
        self.desk.settle(caller, estimated, used, self.clock())

    def refusal(self, caller: Caller, action: Action, now: float) -> Refusal | None:
        """Return how a biting action is said to the caller."""
        return self.desk.refusal(caller, action, self.clock())

    def standing(self, caller: Caller, now: float) -> Standing:
        """Return what the account is told of itself."""
        return self.desk.standing(caller, self.clock())


class LabTreater(Treater):
    """A treater for which it is event time: days of budgets are days of the lab."""

    def __init__(self, inner: Treater, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def begin(self, call: Call, now: float) -> Treatment | None:
        """Return the treatment that a call's action orders."""
        return self._inner.begin(call, self._clock())
