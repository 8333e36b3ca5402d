"""Desk: keys, accounts, decisions, verdicts, rules and limits in one worker's memory.

In: a `Control`, the file of published verdicts, the policy, the key secret. Out: what `gateway.ports.Desk` states.
Keys fail closed: unknown, or the control records unread for too long, is nobody. All else fails open: the
request is allowed, and `counters` says so. No body is seen here; no key is kept, logged or counted.
Cost: `caller` and `action` a few microseconds each. Left to `refresh`: looking for changes; after `start` a
thread calls it each second. All other calls come from one thread, the worker's.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stillwatch.gateway.dpop import Shown
from stillwatch.gateway.grants import Grants, granted_caller
from stillwatch.gateway.meters import MemoryMeters, Meters
from stillwatch.gateway.ports import Caller, Refusal
from stillwatch.gateway.published import read_published
from stillwatch.gateway.refusal import over_the_limit, turned_away
from stillwatch.gateway.view import Judgement, View, caller_of
from stillwatch.gateway.warned import WarnedView
from stillwatch.policy.buckets import Rate, rate_of
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decide import decide, severest
from stillwatch.policy.standing import appeal_key, standing_of
from stillwatch.terms.account import Control, key_digest
from stillwatch.terms.action import ALLOW, Action, Standing, Subject
from stillwatch.terms.canary import CanaryRecord

LONGEST_KEY: Final = 512
"""Characters beyond which a secret is nobody's, without being hashed."""
MOST_ORDERS: Final = 20_000
"""Actions kept ready; beyond, all are forgotten and decided anew. Callers choose the model names."""
LONGEST_MODEL: Final = 256
"""Characters of a model's name beyond which its action is decided anew each time: callers choose them."""
ORDER_SECONDS: Final = 1.0
"""How long an action is kept ready; a verdict takes effect, or lapses, at most this much late."""
CLOCK_LEAP: Final = 60.0
"""Seconds that the clock may run backwards before buckets start anew."""
REFRESH_SECONDS: Final = 1.0


class MemoryDesk:
    """`gateway.ports.Desk` in memory."""

    def __init__(
        self, control: Control, published: Path, policy: PolicyConfig, secret: bytes,
        meters: Meters | None = None,
    ) -> None:  # fmt: skip
        """Nothing is read before `refresh` or `start`.

        Args:
            control: Keys, accounts and decisions.
            published: File of published verdicts; no file means no verdicts.
            policy: Rules and limits.
            secret: Secret of key digests; that of appeal ids is derived from it.
            meters: Where use is counted; None for this worker's memory, as if there were no other worker.
        """
        self.grants: Grants | None = None
        """Checks grants; None where none can be used."""
        self.counters: Counter[str] = Counter()
        """What failed and what was turned away, by name."""
        self._control, self._published, self._policy = control, published, policy
        self._secret = secret
        self._appeals = appeal_key(secret)
        self._view, self._judgement = View(), Judgement()
        self._warned = WarnedView(published.with_name("warned.json"))
        self._read_at: float | None = None
        self._orders: dict[tuple[str, str, str], tuple[Action, float]] = {}
        self.meters: Meters = MemoryMeters() if meters is None else meters
        self._part = self.meters.part
        self._rates: dict[tuple[str, float], Rate] = {}
        self._latest = float("-inf")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # ---- behind the scenes ----

    def start(self, clock: Callable[[], float] = time.time) -> None:
        """Refresh now, and each second from a thread until `stop`; `clock` is the one that `now` comes from."""
        self.refresh(clock())
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(clock,), name="desk", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; twice does no harm."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
            self._thread = None

    def refresh(self, now: float) -> None:
        """Read again what changed; what cannot be read is counted, and the last state stays."""
        changed = False
        try:
            if self._control.generation() != self._view.generation:
                self._view, changed = View.of(self._control), True
            self._read_at = now
            if self.grants is not None:
                self.grants.refresh(self._control, changed=changed)
        except Exception:  # whatever ails the file, a worker goes on with what it knows
            self.counters["control_unread"] += 1
        try:
            changed |= self._refresh_judgement()
        except Exception:
            self.counters["verdicts_unread"] += 1
        try:
            changed |= self._warned.refresh()
        except Exception:
            self.counters["warnings_unread"] += 1
        if changed:
            self._orders = {}

    def verdict_age(self, now: float) -> float | None:
        """Return the seconds since the verdicts in use were published; None when there are none."""
        return now - self._judgement.made_at if self._judgement.generation >= 0 else None

    @property
    def verdict_generation(self) -> int:
        """Number of the published verdicts in use; -1 when there are none."""
        return self._judgement.generation

    def _run(self, clock: Callable[[], float]) -> None:
        while not self._stop.wait(REFRESH_SECONDS):
            self.refresh(clock())

    def _refresh_judgement(self) -> bool:
        try:
            status = self._published.stat()
        except FileNotFoundError:
            gone, self._judgement = self._judgement.stamp is not None, Judgement()
            return gone
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._judgement.stamp:
            return False
        found = read_published(self._published)
        self._judgement = Judgement(
            stamp=stamp, generation=found.generation, made_at=found.made_at, held=dict(found.held)
        )
        return True

    # ---- on the way of a request ----

    def caller(self, secret: str, now: float) -> Caller | None:
        """Return who holds this key; None when it is unknown, revoked or expired, or keys are too old to trust."""
        if not self.ready(now) or not 0 < len(secret) <= LONGEST_KEY:
            return None
        holder = self._view.holders.get(key_digest(secret, self._secret))
        if holder is None or now >= holder.until:
            self.counters["keys_refused"] += 1
            return None
        return holder.caller

    def granted(self, shown: Shown, now: float) -> Caller | Refusal:
        """Return who asks under the grant that a request shows, or why it does not count."""
        if self.grants is None:
            return Refusal(status=401, code="invalid_token", message="Grants cannot be used here; send an API key.")
        record, refusal = self.grants.check(shown, now)
        if record is None or refusal is not None:
            self.counters["grants_refused"] += 1
            return refusal or Refusal(status=401, code="invalid_token", message="The grant is not known here.")
        return granted_caller(self.holder(record.account), record)

    def holder(self, account: str, key_id: str = "") -> Caller:
        """Return the caller that stands for an account whose key somebody else has checked."""
        return caller_of(account, key_id, self._view.accounts.get(account))

    def ready(self, now: float) -> bool:
        """Return whether keys were ever loaded and are not too old to be trusted."""
        return self._read_at is not None and now - self._read_at <= self._policy.key_max_age_seconds

    def action(self, caller: Caller, model: str, endpoint: str, now: float) -> Action:
        """Return what policy orders; `ALLOW` when policy fails, which is counted."""
        orders = self._orders  # taken before the view: what is decided on an old view goes to the old orders
        key = (caller.owner or caller.account, model, endpoint)
        ready = orders.get(key)
        if ready is not None and now < ready[1]:
            return ready[0]
        try:
            action = self._decide(caller, model, endpoint, now)
        except Exception:
            self.counters["policy_failed"] += 1
            return ALLOW
        if len(model) > LONGEST_MODEL:
            return action
        if len(orders) >= MOST_ORDERS:
            orders.clear()
        orders[key] = (action, now + ORDER_SECONDS)
        return action

    def admit(self, caller: Caller, action: Action, tokens: int, now: float) -> Refusal | None:
        """Take one request and about `tokens` tokens out of the account's buckets, or say why not."""
        rate = self._rate(caller.plan, action.rate_share if action.bites else 1.0)
        if not rate.limited:
            return None
        if now < self._latest - CLOCK_LEAP:
            self.meters.restart(now)
            self._latest = now
        self._latest = max(self._latest, now)
        wait = self.meters.take(caller.account, rate, tokens, now)
        if self.meters.dropped:
            self.counters["meters_dropped"] = self.meters.dropped
        if wait <= 0.0:
            return None
        self.counters["over_the_limit"] += 1
        return over_the_limit(rate, wait, part=self._part, slowed=action.bites and action.kind == "slow")

    def settle(self, caller: Caller, estimated: int, used: int, now: float) -> None:
        """Correct the token bucket and the workload quota once the answer's usage is known."""
        self.meters.settle(caller.account, used - estimated, now)
        if caller.grant and self.grants is not None:
            self.grants.spend(caller.grant, used)
        elif caller.workload:
            self.meters.spend_workload(caller.account, used, now)

    def refusal(self, caller: Caller, action: Action, now: float) -> Refusal | None:
        """Return how a biting `challenge` or `refuse` is said to the caller; None for other actions."""
        if action.kind not in ("challenge", "refuse") or not action.bites:
            return None
        self.counters[f"told_{action.kind}"] += 1
        return turned_away(caller.account, action, self._appeals)

    def standing(self, caller: Caller, now: float) -> Standing:
        """Return what the account is told of itself; good standing when policy fails, which is counted."""
        try:
            return standing_of(self._subject(caller, "", "", now), self._policy, now, self._appeals)
        except Exception:
            self.counters["standing_failed"] += 1
            return Standing(state="good", reason="none")

    def confirmed(self, account: str, now: float) -> bool:
        """Return whether a person confirmed a verdict on an account, with evidence, and it is in force."""
        found = self._view.decided.get(account)
        return found is not None and found.verb == "confirm" and bool(found.receipt) and now < found.expires

    def canaries(self, account: str) -> tuple[CanaryRecord, ...]:
        """Return the canaries of an account as this worker has read them; expired ones may be among them."""
        return self._view.canaries.get(account, ())

    def _decide(self, caller: Caller, model: str, endpoint: str, now: float) -> Action:
        account = caller.account
        idle = not any(account in known for known in (self._judgement.held, self._view.decided, self._warned.by))
        if idle and self._policy.needs_verdict:
            return ALLOW
        subject = self._subject(caller, model, endpoint, now)
        if not model:  # a stored answer, or a server's own choice: whichever model it is, no rule is walked around
            return severest(subject, self._policy, now, endpoint=endpoint)[1]
        return decide(subject, self._policy, now)

    def _subject(self, caller: Caller, model: str, endpoint: str, now: float) -> Subject:
        view, account = self._view, caller.account
        record, decided = view.accounts.get(account), view.decided.get(account)
        quota = record.workload_tokens * self._part if record is not None else 0.0
        return Subject(
            account=account, organisation=caller.organisation, plan=caller.plan, model=model, endpoint=endpoint,
            country=caller.country, unmodified=caller.unmodified, workload=caller.workload,
            quota_left=bool(caller.grant) or (quota > 0.0 and self.meters.workload_left(account, quota, now)),
            verified=record.verified if record is not None else (),
            held=self._judgement.held.get(account), warned=self._warned.by.get(account),
            decided=decided.verb if decided is not None else "",
            decided_at=decided.at if decided is not None else 0.0,
            decision_expires=decided.expires if decided is not None else 0.0,
        )  # fmt: skip

    def _rate(self, plan: str, keeps: float) -> Rate:
        rate = self._rates.get((plan, keeps))
        if rate is None:
            rate = self._rates[plan, keeps] = rate_of(plan, self._policy, keeps=keeps, part=self._part)
        return rate
