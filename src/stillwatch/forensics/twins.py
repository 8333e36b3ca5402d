"""Two answers to one request: which of them a coin gives to the caller, and what commits to both.

In: the secret of the coins, a request's id, the two answers. Out: the coin; the pair's digests. Answers are first and
second in the order in which they were asked for; only the coin says which was served.
Cost: a hash. Left to `gateway.twins`: drawing. Left to `exams.withheld`: the test.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from stillwatch.terms.canon import canonical, sha256


def coin(secret: bytes, request_id: str) -> bool:
    """Return whether the second of two answers to a request is the one to serve; fair to all who lack the secret."""
    return bool(hmac.digest(secret, b"stillwatch withheld\0" + request_id.encode(), hashlib.sha256)[0] & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDigests:
    """A pair by digests alone; each is salted, so that nobody can try guesses of a text."""

    id: str
    """Of the request."""
    nonce: str
    """Random, hex; kept with the answers and nowhere else until the pair is examined."""
    request: str
    """SHA-256 of nonce and request, 64 hex digits."""
    first: str
    second: str

    @classmethod
    def of(cls, request_id: str, nonce: bytes, request: bytes, answers: tuple[bytes, bytes]) -> "PairDigests":
        """Return the digests of a pair; `answers` are first and second, empty where one did not come whole."""
        request_, first, second = (sha256(nonce + one) for one in (request, *answers))
        return cls(id=request_id, nonce=nonce.hex(), request=request_, first=first, second=second)

    @classmethod
    def read(cls, row: Mapping[str, object]) -> "PairDigests":
        """Return the digests in a row of losses.

        Raises:
            KeyError: one is missing.
        """
        return cls(id=str(row["id"]), nonce=str(row["nonce"]), request=str(row["request"]),
                   first=str(row["first_sha256"]), second=str(row["second_sha256"]))  # fmt: skip

    def row(self) -> dict[str, str]:
        """Return the digests as a row of losses has them."""
        return {"id": self.id, "nonce": self.nonce, "request": self.request, "first_sha256": self.first,
                "second_sha256": self.second}  # fmt: skip

    @property
    def whole(self) -> tuple[bool, bool]:
        """Whether first and second are answers, and not the place of one that did not come whole."""
        nothing = sha256(bytes.fromhex(self.nonce))
        return self.first != nothing, self.second != nothing

    @property
    def digest(self) -> str:
        """What is committed to; 64 hex digits."""
        return sha256(canonical(asdict(self)))
