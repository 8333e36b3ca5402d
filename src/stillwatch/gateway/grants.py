"""Requests under a grant: whose licence it is, what is left of it, and what it covers.

In: what a request shows, the grants as they were read. Out: a `Caller`, or why the request is turned away.
Use is written to the control file behind the scenes, about once a second; a worker that is killed forgets at most
what it counted since. Workers see each other's use as late as that, so a grant can be overdrawn by that much.
Left to `dpop`: signatures. Left to `policy`: everything else; a grant frees from refusal alone.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stillwatch.gateway.dpop import NotProven, ProofCheck, Shown
from stillwatch.gateway.ports import Caller, Refusal
from stillwatch.terms.action import DISTILLATION
from stillwatch.terms.grant import GrantRecord, GrantRegistry


class Grants:
    """Grants in one worker's memory. `check` and `spend` come from the worker's thread, `refresh` from another."""

    def __init__(self, issuer: Any, audience: str) -> None:
        self._proofs = ProofCheck(issuer, audience)
        self._records: Mapping[str, GrantRecord] = {}
        self._used: Mapping[str, int] = {}
        self._pending: Counter[str] = Counter()
        self._lock = threading.Lock()

    def refresh(self, registry: GrantRegistry, *, changed: bool) -> None:
        """Write use that was counted, and read again what others wrote.

        Args:
            registry: The control records.
            changed: Whether the records themselves may have changed.
        """
        with self._lock:
            pending, self._pending = self._pending, Counter()
            held = dict(pending)
        done = 0
        try:
            for grant, tokens in held.items():
                registry.add_grant_use(grant, tokens)
                done += 1
        finally:
            with self._lock:
                for grant in list(held)[done:]:
                    self._pending[grant] += held[grant]
        if changed:
            self._records = {record.id: record for record in registry.grants()}
        if self._records:
            self._used = registry.grant_use()

    def left(self, grant: str) -> int:
        """Return the tokens left under a grant, as far as this worker knows; 0 for none such."""
        record = self._records.get(grant)
        return 0 if record is None else record.tokens - self._used.get(grant, 0) - self._pending[grant]

    def check(self, shown: Shown, now: float) -> tuple[GrantRecord | None, Refusal | None]:
        """Return the grant that a request is under, or why it is turned away; one of both.

        Args:
            shown: What the request shows.
            now: Seconds since 1970.
        """
        try:
            claims = self._proofs.check(shown, now)
        except NotProven as problem:
            return None, Refusal(status=401, code=problem.code, message=str(problem))
        record = self._records.get(str(claims["jti"]))
        if record is None or not record.good_at(now) or record.account != claims["sub"]:
            message = "The grant was revoked, has ended, or is not known here. Ask the provider for its state."
            return None, Refusal(status=401, code="invalid_token", message=message)
        if self.left(record.id) <= 0:
            message = f"The tokens of grant {record.id} are used up. Ask the provider for another grant."
            return None, Refusal(status=403, code="grant_exhausted", message=message)
        return record, None

    def spend(self, grant: str, tokens: int) -> None:
        """Take tokens off a grant."""
        if tokens > 0:
            with self._lock:
                self._pending[grant] += tokens


def granted_caller(caller: Caller, record: GrantRecord) -> Caller:
    """Return the caller for requests under a grant: the account, with the grant's models, workload and mark."""
    return replace(
        caller, key_id=record.id, workload=DISTILLATION, grant=record.id, owner=record.owner, models=record.models
    )
