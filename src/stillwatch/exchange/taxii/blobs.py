"""Token sets in the hub's file, named by their SHA-256.

In: bytes that are a set as `tokensets.pack` writes it. Out: the same. A set lives as long as an indicator that is
neither revoked nor expired names it, so what is withdrawn cannot be fetched any more. Left to `hub`: rights and
quotas.
"""

from typing import Final

from stillwatch.exchange.stix.stamps import of_seconds
from stillwatch.exchange.stix.tokensets import digest_of, is_packed
from stillwatch.exchange.taxii.hubfile import HubFile
from stillwatch.exchange.taxii.refusal import Refusal

UNNAMED_SECONDS: Final = 3_600.0
"""How long a set waits for the indicator that names it."""
_LIVE: Final = (
    "SELECT 1 FROM objects o WHERE o.digest = b.digest AND o.revoked = 0 AND (o.until IS NULL OR o.until > ?)"
    " AND o.version = (SELECT max(x.version) FROM objects x WHERE x.collection = o.collection AND x.id = o.id)"
)


class Blobs:
    """Every token set of a hub."""

    def __init__(self, file: HubFile) -> None:
        self._file = file

    def put(self, digest: str, body: bytes, organisation: str, now: float) -> bool:
        """Keep a set within `HubFile.writing`; return whether it is new.

        Raises:
            Refusal: 422, the bytes are no set, or not the one of this name.
        """
        if digest_of(body) != digest or not is_packed(body):
            raise Refusal(422, "The body must be sorted tokens of 16 bytes without repeats, named by their SHA-256.")
        if self.size(digest) is not None:
            return False
        self._file.rows("INSERT INTO blobs VALUES (?, ?, ?, ?, ?)", (digest, organisation, len(body), now, body))
        return True

    def size(self, digest: str) -> int | None:
        """Return the bytes of a set; None where there is none."""
        rows = self._file.rows("SELECT size FROM blobs WHERE digest = ?", (digest,))
        return rows[0][0] if rows else None

    def get(self, digest: str, now: float) -> bytes | None:
        """Return a set that an indicator in force names; None where there is none."""
        rows = self._file.rows(
            f"SELECT b.body FROM blobs b WHERE b.digest = ? AND EXISTS ({_LIVE})", (digest, of_seconds(now))
        )
        return bytes(rows[0][0]) if rows else None

    def sweep(self, now: float) -> int:
        """Delete, within `HubFile.writing`, the sets that nothing in force names, and return how many those were."""
        rows = self._file.rows(
            f"DELETE FROM blobs AS b WHERE b.made < ? AND NOT EXISTS ({_LIVE}) RETURNING digest",
            (now - UNNAMED_SECONDS, of_seconds(now)),
        )
        return len(rows)
