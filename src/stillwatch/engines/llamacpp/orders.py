"""From the order that travels with a request to what chooses the tokens of its answer.

In: the file with the keys of marks, and the parsed body. Out: a `Chooser`, or None where there is no good order; and
counts of both, with why not. Left to `ringfile`: the keys, which may be rotated at any time.
"""

import logging
from collections import Counter
from typing import Any

from stillwatch.engines.llamacpp.favoured import Chooser, chooser
from stillwatch.engines.ringfile import RingFile
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.order import FIELD, NAME

_log = logging.getLogger(__name__)


class Orders:
    """Reads orders under the keys in one file."""

    def __init__(self, ring: RingFile, spare: float = 1.0) -> None:
        """Take the keys, and how sure a model must be for a place to be left alone."""
        self._ring, self._spare = ring, spare
        self.counts: Counter[str] = Counter()
        """Answers marked, and orders that were not followed, by why not."""

    def mark_of(self, body: dict[str, Any]) -> Chooser | None:
        """Return what chooses the answer's tokens; None where the request has no order, or none that is good."""
        given = body.get(FIELD)
        text = given.get(NAME) if isinstance(given, dict) else None
        if text is None:
            return None
        try:
            return chooser(self._ring.read(text), self._spare)
        except StillwatchError as problem:
            self.missed("bad order", str(problem))
            return None

    def missed(self, why: str, detail: str = "") -> None:
        """Count an order that was not followed; why is logged once each."""
        if not self.counts[why]:
            _log.warning("an answer goes out unmarked: %s. %s Said once; counted from here on.", why, detail)
        self.counts[why] += 1


def without_order(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body without the order; the same object where it has none."""
    given = body.get(FIELD)
    if not isinstance(given, dict) or NAME not in given:
        return body
    rest = {name: value for name, value in given.items() if name != NAME}
    kept = {name: value for name, value in body.items() if name != FIELD}
    return {**kept, FIELD: rest} if rest else kept
