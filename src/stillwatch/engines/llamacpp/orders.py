"""From the order that travels with a request to what chooses the tokens of its answer.

In: the file with the keys of marks, a proxy where the engine has one, and the parsed body. Out: `Followed`, or None
where there is no good order; and counts of both, with why not.
Left to `ringfile`: the keys, which may be rotated at any time.
"""

import logging
from collections import Counter
from typing import Any, NamedTuple

from stillwatch.engines.llamacpp.favoured import Chooser, chooser
from stillwatch.engines.llamacpp.proxy import Mixture
from stillwatch.engines.ringfile import RingFile
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.order import FIELD, NAME
from stillwatch.treatments.poe import Proxy

_log = logging.getLogger(__name__)


class Followed(NamedTuple):
    """How one answer is drawn on order."""

    mark: Chooser
    mixture: Mixture | None
    """None for the model alone."""


class Orders:
    """Reads orders under the keys in one file."""

    def __init__(self, ring: RingFile, proxy: Proxy | None = None) -> None:
        """Take the keys, and what orders with a share of a proxy are followed with."""
        self._ring, self._proxy = ring, proxy
        self.counts: Counter[str] = Counter()
        """Answers marked, and orders that were not followed, by why not."""

    def followed(self, body: dict[str, Any]) -> Followed | None:
        """Return how the answer is drawn; None where the request has no order, or none that is good."""
        given = body.get(FIELD)
        text = given.get(NAME) if isinstance(given, dict) else None
        if text is None:
            return None
        try:
            ordered = self._ring.ordered(text)
        except StillwatchError as problem:
            self.missed("bad order", str(problem))
            return None
        return Followed(chooser(ordered.mark), self._mixture(ordered.proxy_share))

    def _mixture(self, share: float) -> Mixture | None:
        if share == 0.0:
            return None
        if self._proxy is None:
            self._count("no proxy", "an order asks for a share of a proxy: the answer is only marked. Give --proxy.")
            return None
        return Mixture(self._proxy, share)

    def missed(self, why: str, detail: str = "") -> None:
        """Count an order that was not followed; why is logged once each."""
        self._count(why, f"an answer goes out unmarked: {why}. {detail}")

    def _count(self, why: str, said: str) -> None:
        if not self.counts[why]:
            _log.warning("%s Said once; counted from here on.", said)
        self.counts[why] += 1


def without_order(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body without the order; the same object where it has none."""
    given = body.get(FIELD)
    if not isinstance(given, dict) or NAME not in given:
        return body
    rest = {name: value for name, value in given.items() if name != NAME}
    kept = {name: value for name, value in body.items() if name != FIELD}
    return {**kept, FIELD: rest} if rest else kept
