"""Where a process counts what accounts have used: with all others of the state folder, or alone where that fails.

In: the state folder's live parts, a secret, how many workers there are. Out: meters.
Left to `gateway.sharedmeters`: counting.
"""

from stillwatch.app.livefolder import LiveFolder
from stillwatch.gateway.meters import MemoryMeters, Meters
from stillwatch.gateway.sharedmeters import SharedMeters
from stillwatch.terms.errors import StillwatchError


def meters_of(folder: LiveFolder, secret: bytes, workers: int) -> Meters:
    """Return the meters of one of several workers.

    Args:
        folder: Of a state folder; made.
        secret: Secret of key digests.
        workers: How many there are.
    """
    try:
        return SharedMeters(folder.run / "meters", secret)
    except StillwatchError:  # a file system that cannot be mapped is no reason to serve nobody
        return MemoryMeters(1.0 / workers)
