"""The desk's word on one call: whose key, which action, whether its buckets hold; and what it cost in the end.

Keys fail closed: no answer about a key is 503. Everything else fails open and is counted.
Cost: five calls into memory. Left to `passage`: acting on it.
"""

import time
from fnmatch import fnmatchcase
from typing import Final

from stillwatch.gateway.call import Call, Scope
from stillwatch.gateway.dpop import Shown
from stillwatch.gateway.errors import Fault, TurnedAway, fault_of
from stillwatch.gateway.identity import Heads
from stillwatch.gateway.metrics import Metrics
from stillwatch.gateway.notes import Notes
from stillwatch.gateway.ports import Caller, Desk, Refusal
from stillwatch.gateway.usage import guessed, read_usage
from stillwatch.terms.action import ALLOW, Standing

_NO_KEY: Final = Fault(
    status=401,
    code="missing_api_key",
    message="No API key was sent. Send it as `Authorization: Bearer KEY` or as `x-api-key: KEY`.",
)
_BAD_KEY: Final = Fault(
    status=401,
    code="invalid_api_key",
    message="The API key is not valid: unknown, expired or revoked. Check it, or ask the provider for a new one.",
)
_NOT_READY: Final = Fault(
    status=503, code="not_ready", message="Keys cannot be checked at the moment. Try again shortly.", retry_after=2.0
)
_NOT_COVERED: Final = Fault(
    status=403, code="insufficient_scope", message="The grant does not cover this model. Ask one that it names."
)
_HEAD: Final = 8_192
_TAIL: Final = 4_096


def _endpoint(call: Call) -> str:
    """What rules call the endpoint: a stored answer is fetched under those of the endpoint that made it."""
    return "responses" if call.route.kind == "stored" else call.route.endpoint


class Orders:
    """Asks the desk, and goes on without it where that is right."""

    def __init__(self, desk: Desk, metrics: Metrics, notes: Notes, public_url: str = "") -> None:
        self._desk = desk
        self._public_url = public_url
        self._metrics = metrics
        self._notes = notes

    def ready(self) -> bool:
        """Return whether keys can be checked."""
        try:
            return self._desk.ready(time.time())
        except Exception as error:
            self._notes.failure("keys_failed", error)
            return False

    def caller_of(self, heads: Heads, scope: Scope) -> Caller:
        """Return who sent a request: the holder of its key, or of the grant that it shows.

        Raises:
            TurnedAway: nobody (401), the grant is used up (403), or keys cannot be checked at the moment (503).
        """
        if heads.auth != "dpop":
            return self.caller(heads.secret)
        if not self.ready():
            raise TurnedAway(_NOT_READY)
        try:
            found = self._desk.granted(shown_of(heads, scope, self._public_url), time.time())
        except Exception as error:
            self._notes.failure("keys_failed", error)
            raise TurnedAway(_NOT_READY) from None
        if isinstance(found, Refusal):
            raise TurnedAway(fault_of(found))
        return found

    def caller(self, secret: str) -> Caller:
        """Return whose key `secret` is.

        Raises:
            TurnedAway: nobody's (401), or keys cannot be checked at the moment (503).
        """
        if not self.ready():
            raise TurnedAway(_NOT_READY)
        if not secret:
            raise TurnedAway(_NO_KEY)
        try:
            caller = self._desk.caller(secret, time.time())
        except Exception as error:
            self._notes.failure("keys_failed", error)
            raise TurnedAway(_NOT_READY) from None
        if caller is None:
            raise TurnedAway(_BAD_KEY)
        return caller

    def standing(self, caller: Caller) -> Standing:
        """Return what the account is told of itself."""
        return self._desk.standing(caller, time.time())

    def weigh(self, call: Call, caller: Caller) -> None:
        """Set the action for `call`.

        Raises:
            TurnedAway: the action is to challenge or to refuse, or the caller's grant does not cover the model.
        """
        now = time.time()
        model = call.asked.model if call.asked is not None else ""
        if caller.models and not any(fnmatchcase(model, pattern) for pattern in caller.models):
            raise TurnedAway(_NOT_COVERED)
        try:
            action = call.action = self._desk.action(caller, model, _endpoint(call), now)
            refusal = self._desk.refusal(caller, action, now) if action.bites else None
        except Exception as error:
            call.action = ALLOW
            self._passed_over("action", error)
            return
        if refusal is not None:
            raise TurnedAway(fault_of(refusal))

    def admit(self, call: Call, caller: Caller) -> None:
        """Take `call` out of the account's buckets.

        Raises:
            TurnedAway: they are empty.
        """
        tokens = call.asked.tokens if call.asked is not None else 0
        try:
            refusal = self._desk.admit(caller, call.action, tokens, time.time())
        except Exception as error:
            self._passed_over("admit", error)
            return
        if refusal is not None:
            raise TurnedAway(fault_of(refusal))
        call.admitted = tokens

    def settle(self, call: Call) -> None:
        """Correct the account's buckets by what `call` cost; an answer without success cost nothing."""
        caller = call.caller
        if caller is None or call.admitted < 0 or call.route.kind != "model":
            return
        try:
            used = self._used(call) if call.answered else 0
            self._desk.settle(caller, call.admitted, used, time.time())
        except Exception as error:
            self._passed_over("settle", error)

    def _used(self, call: Call) -> int:
        request_bytes = len(call.plain or b"")
        if call.asked is not None and call.asked.background:
            return call.admitted  # usage stands only in what is fetched later, so the estimate holds
        if call.coding:
            return guessed(request_bytes, call.size, streamed=call.streamed)
        kept = call.kept()
        usage = read_usage(kept[:_HEAD], call.tail or kept[-_TAIL:])
        if usage.tokens_in < 0 and usage.tokens_out < 0:
            return guessed(request_bytes, call.size, streamed=call.streamed)
        return max(0, usage.tokens_in) + max(0, usage.tokens_out)

    def _passed_over(self, stage: str, error: Exception) -> None:
        self._metrics.failed_open[stage] += 1
        self._notes.failure("failed_open", error, stage=stage)


def shown_of(heads: Heads, scope: Scope, public_url: str) -> Shown:
    """Return what a request shows of a grant.

    Args:
        heads: Its headers.
        scope: Its ASGI scope.
        public_url: Scheme and host as callers know the gateway; empty to compare with the request's own `Host`,
            and with no scheme, since something in front may have ended TLS.
    """
    path = scope["raw_path"].decode("ascii", "replace")
    return Shown(
        token=heads.secret, proof=heads.proof, method=scope["method"], url=public_url, host=heads.host, path=path
    )
