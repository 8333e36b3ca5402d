"""The occasion of a treatment: all that one may know of the request it begins on.

In: what policy ordered, whose request it is, the secrets and settings of treatments, and what they remember.
Out: a frozen record without text. Left to `gateway`: filling it in.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stillwatch.treatments.config import TreatmentConfig
from stillwatch.treatments.memory import Memory

if TYPE_CHECKING:
    from stillwatch.treatments.canaries.draw import Canary
    from stillwatch.treatments.marks.signer import Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """One request about to be treated."""

    key: bytes = field(repr=False)
    """Secret of keyed treatments; the same for every worker, and for as long as errors must not average out."""
    request_id: str = ""
    account: str = ""
    campaign: str = ""
    """Campaign of the verdict in force; empty when there is none."""
    log_e: float = 0.0
    """Nats of that verdict."""
    model: str = ""
    endpoint: str = ""
    """One of `terms.event.ENDPOINTS`."""
    now: float = 0.0
    """Seconds since 1970."""
    marks: "Marks | None" = field(default=None, repr=False)
    """Keys of marks; None where there are none."""
    marked_endpoints: tuple[str, ...] = ("chat", "completions", "responses")
    """Endpoints whose requests may carry an order to the engine."""
    canaries: "tuple[Canary, ...]" = field(default=(), repr=False)
    """What is registered to be planted in this account's answers."""
    config: TreatmentConfig = field(default_factory=TreatmentConfig)
    memory: Memory = field(default_factory=Memory, repr=False)
    """What treatments of this worker remember from one request to the next."""
