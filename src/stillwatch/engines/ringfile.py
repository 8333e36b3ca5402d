"""The ring of marks as an engine sees it: a file that a gateway may replace at any time.

In: a path, signed orders. Out: marks, or None with the reason counted. Cost: one `stat` a second, one HMAC an order.
Nothing in a request can name a key: an order says which epoch, account and campaign, and only who has the ring can
sign one. Left to `treatments.marks`: what an order says.
"""

import logging
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.gumbel import GumbelMark
from stillwatch.treatments.marks.order import read_order
from stillwatch.treatments.marks.ring import Ring

RING_VARIABLE: Final = "STILLWATCH_MARK_RING"
"""Environment variable with the path of the ring, for engines that are started by others."""
LOOK_SECONDS: Final = 1.0
Mark = GreenMark | GumbelMark
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ordered:
    """What a signed order asks of an engine."""

    mark: Mark
    proxy_share: float
    """Weight of a proxy in what is drawn from, from 0 to 1; 0 for none."""


class RingFile:
    """Reads orders under the ring in one file."""

    def __init__(self, path: Path) -> None:
        """Take the path; the file is read when the first order comes."""
        self.path = path
        self.missed: Counter[str] = Counter()
        """Orders that were not followed, by why."""
        self._ring: Ring | None = None
        self._stamp: tuple[int, int] | None = None
        self._looked = float("-inf")

    @classmethod
    def from_environment(cls) -> "RingFile":
        """Return the ring that `STILLWATCH_MARK_RING` names.

        Raises:
            StillwatchError: the variable is not set.
        """
        path = os.environ.get(RING_VARIABLE, "")
        if not path:
            raise StillwatchError(
                f"{RING_VARIABLE} is not set: it must hold the path of the gateway's marks/ring.json. "
                "Set it where the engine is started."
            )
        return cls(Path(path))

    def mark(self, order: object) -> Mark | None:
        """Return the mark that a signed order asks for; None, logged once and counted, where it does not read.

        For engines without a proxy: where the order asks for a share of one too, that is counted as `no proxy`.
        """
        try:
            ordered = self.ordered(order)
        except StillwatchError as problem:
            self._missed(str(problem).split(":")[0], f"an answer goes out unmarked: {problem}")
            return None
        if ordered.proxy_share > 0.0:
            self._missed("no proxy", "an order asks for a proxy, which this engine has not; the answer is only marked.")
        return ordered.mark

    def _missed(self, why: str, said: str) -> None:
        if not self.missed[why]:
            _log.warning("%s Said once; counted from here on.", said)
        self.missed[why] += 1

    def read(self, order: object) -> Mark:
        """Return the mark that a signed order asks for.

        Raises:
            StillwatchError: there is no ring, or the order is not good under it.
        """
        return self.ordered(order).mark

    def ordered(self, order: object) -> Ordered:
        """Return all that a signed order asks for.

        Raises:
            StillwatchError: there is no ring, or the order is not good under it.
        """
        ring = self._current()
        read = read_order(str(order), ring, time.time())
        epoch = ring.epoch(read.epoch)
        mark: Mark = GumbelMark(epoch, read) if epoch.scheme == "gumbel" else GreenMark(epoch, read)
        return Ordered(mark, read.proxy_share)

    def _current(self) -> Ring:
        now = time.monotonic()
        if self._ring is None or now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()
        if self._ring is None:
            raise StillwatchError(
                "mark ring: the engine has none. Give it the file that `stillwatch watermark keys new` made."
            )
        return self._ring

    def _look(self) -> None:
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                self._ring = Ring.from_json(self.path.read_bytes())
                self._stamp = stamp
        except (OSError, StillwatchError):
            # While the file is away or damaged, the ring read last goes on; without one the caller says so.
            self._stamp = None
