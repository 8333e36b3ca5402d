"""Sign-ins that failed: each further try has to wait longer, by name and by address.

In: a name, an address, the time. Out: seconds to wait. Failures are forgotten after an hour; a success forgets a
name's. Kept in memory, bounded; many people may stand behind one address, so that an address may fail more often. Of
IPv6 whole networks (/64) are counted: whoever has one has them all.
"""

import ipaddress
import threading
from collections import OrderedDict
from typing import Final

FREE_BY_NAME: Final = 5
FREE_BY_ADDRESS: Final = 30
LONGEST_WAIT: Final = 900.0
MEMORY_SECONDS: Final = 3_600.0
MOST: Final = 20_000


class Throttle:
    """Failures by name and address."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def begin(self, name: str, address: str, now: float) -> tuple[float, int]:
        """Begin a try, which counts as a failure until `succeeded`: tries at the same moment do not pass together.

        Returns:
            How long it has to wait, seconds, and then it was not counted; 0 where it may go on. And how many tries of
            the name failed in a row, this one among them.
        """
        place = _place(address)
        with self._lock:
            wait = max(self._left(f"n {name}", FREE_BY_NAME, now), self._left(place, FREE_BY_ADDRESS, now))
            if wait > 0.0:
                return wait, 0
            counts = [self._count(key, now) for key in (f"n {name}", place)]
            while len(self._failed) > MOST:
                self._failed.popitem(last=False)
            return 0.0, counts[0]

    def succeeded(self, name: str, address: str) -> None:
        """Forget a name's failures, and take this try off the address's."""
        place = _place(address)
        with self._lock:
            self._failed.pop(f"n {name}", None)
            count, at = self._failed.get(place, (0, 0.0))
            if count > 0:
                self._failed[place] = (count - 1, at)

    def _count(self, key: str, now: float) -> int:
        count, at = self._failed.pop(key, (0, now))
        count = 1 if now - at > MEMORY_SECONDS else count + 1
        self._failed[key] = (count, now)
        return count

    def _left(self, key: str, free: int, now: float) -> float:
        count, at = self._failed.get(key, (0, now))
        if count < free or now - at > MEMORY_SECONDS:
            return 0.0
        return max(0.0, at + min(2.0 ** (count - free), LONGEST_WAIT) - now)


def _place(address: str) -> str:
    """Return what an address is counted by: itself, or of IPv6 its /64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"a {address}"
    if found.version == 4 or found.ipv4_mapped is not None:
        return f"a {found}"
    return f"a {ipaddress.ip_network((int(found), 64), strict=False)}"
