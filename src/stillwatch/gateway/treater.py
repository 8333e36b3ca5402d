"""The treater: from the action for one request to the treatments at work on it.

In: settings and secrets, once; then an action and whose request it is. Out: a treatment, or None.
A treatment that cannot begin is passed over: the answer goes out untreated, and that is counted by the caller.
Cost: nothing where no action bites. Left to `treatments`: what is done.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stillwatch.gateway.call import Call
from stillwatch.treatments import Occasion, Treatment, for_action
from stillwatch.treatments.config import TreatmentConfig
from stillwatch.treatments.memory import Memory

if TYPE_CHECKING:
    from stillwatch.treatments.canaries.draw import Canary
    from stillwatch.treatments.marks.signer import Marks

_BY_KEYS: Final = frozenset(("watermark", "surface", "experts"))
"""Treatments that use keys of marks; keys that cannot be read cost no other."""


def _no_keys() -> "Marks | None":
    return None


def _no_canaries(account: str, now: float) -> "tuple[Canary, ...]":
    return ()


@dataclass(frozen=True, slots=True)
class Marking:
    """Keys of marks as a worker finds them."""

    keys: "Callable[[], Marks | None]" = _no_keys
    """Returns the current keys; None where there are none."""
    endpoints: tuple[str, ...] = ("chat", "completions", "responses")
    """Endpoints whose requests may carry an order to the engine."""


class Treater:
    """Begins treatments under one configuration; one a worker, since it holds what treatments remember."""

    def __init__(
        self,
        key: bytes,
        config: TreatmentConfig | None = None,
        *,
        marking: Marking | None = None,
        canaries: "Callable[[str, float], tuple[Canary, ...]]" = _no_canaries,
    ) -> None:
        """Take what does not change from one request to the next.

        Args:
            key: Secret of keyed treatments, the same in every worker.
            config: Section `[treatments]`.
            marking: Keys of marks and where they are used; None where nothing is marked.
            canaries: Returns what is registered to be planted in an account's answers at a time.
        """
        self._key = key
        self._canaries = canaries
        self._marking = marking if marking is not None else Marking()
        self._config = config if config is not None else TreatmentConfig()
        self._memory = Memory(self._config.remembered_accounts)

    def begin(self, call: Call, now: float) -> Treatment | None:
        """Return the treatment that a call's action orders; None when it orders none.

        Args:
            call: With its caller, its action and what it asks for.
            now: Seconds since 1970.

        Raises:
            StillwatchError: the action names a treatment that does not exist.
        """
        action, caller, asked = call.action, call.caller, call.asked
        if not action.bites or not action.treatments or caller is None:
            return None
        occasion = Occasion(
            key=self._key, request_id=call.request_id, account=caller.owner or caller.account, campaign=action.campaign,
            log_e=action.log_e, model=asked.model if asked is not None else "", endpoint=call.route.endpoint, now=now,
            marks=self._marking.keys() if _BY_KEYS.intersection(action.treatments) else None,
            marked_endpoints=self._marking.endpoints,
            canaries=self._canaries(caller.account, now) if "canary" in action.treatments else (),
            config=self._config, memory=self._memory,
        )  # fmt: skip
        return for_action(action, occasion)
