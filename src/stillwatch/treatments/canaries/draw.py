"""Draw: the secret alternatives of a canary, its value, and the commitment that binds both.

In: a record and the canary secret. Out: a `Canary`. Alternatives are a keyed subset of the template's pool, fixed by
subject and template; the value is drawn among them by the nonce, which is random and came last. The commitment is
HMAC-SHA-256 under a key of its own, so that one canary can be opened to a third party and no other with it.
Cost: about 0.1 milliseconds. Left to the caller: fresh random nonces, and keeping the record before anything is served.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from stillwatch.terms.canary import CanaryRecord
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.canaries.table import template
from stillwatch.treatments.canaries.template import Template

FEWEST: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A canary ready to be planted or read."""

    id: str
    template: Template
    alternatives: tuple[str, ...] = field(repr=False)
    """All values that could have been drawn; the others are the controls."""
    index: int = field(repr=False)
    """Which of them was."""

    @property
    def value(self) -> str:
        """The value drawn."""
        return self.alternatives[self.index]


def drawn(record: CanaryRecord, secret: bytes) -> Canary:
    """Return what a record stands for.

    Args:
        record: The record; its commitment may still be empty while it is being made.
        secret: The canary secret, 32 bytes.

    Raises:
        StillwatchError: there is no such template, it has too few values, or the commitment is not that of the record:
            it was altered, or made under another master key or with another text of the template.
    """
    form = template(record.template)
    if not FEWEST <= record.alternatives <= len(form.pool):
        raise StillwatchError(
            f"canary {record.id}: {record.alternatives} alternatives; {form.name} has {FEWEST} to {len(form.pool)}."
        )
    ranked = sorted(form.pool, key=lambda value: _mac(secret, "alternative", record.subject, form.name, value))
    chosen = tuple(ranked[: record.alternatives])
    index = int.from_bytes(_mac(secret, "value", *_fixed(record, form))[:16], "big") % record.alternatives
    found = Canary(id=record.id, template=form, alternatives=chosen, index=index)
    if record.commitment and not hmac.compare_digest(record.commitment, commitment_of(record, found, secret)):
        raise StillwatchError(
            f"canary {record.id}: its commitment does not hold; the record was altered, or belongs to another master "
            "key. It is neither planted nor tested."
        )
    return found


def commitment_of(record: CanaryRecord, canary: Canary, secret: bytes) -> str:
    """Return the commitment to a canary's value, 64 hex digits."""
    key = bytes.fromhex(opening_of(record, secret))
    return _mac(key, "commitment", *_fixed(record, canary.template), canary.value, *canary.alternatives).hex()


def opening_of(record: CanaryRecord, secret: bytes) -> str:
    """Return the key that opens this commitment, and no other, to whoever is to check it; 64 hex digits."""
    return _mac(secret, "opening", record.id, record.nonce).hex()


def _fixed(record: CanaryRecord, form: Template) -> tuple[str, ...]:
    for_whom = (record.id, record.kind, record.subject, str(len(record.accounts)), *record.accounts)
    return (*for_whom, form.name, form.digest, str(record.alternatives), record.nonce)


def _mac(key: bytes, purpose: str, *parts: str) -> bytes:
    """HMAC over parts that cannot run into one another: each is preceded by its length."""
    said = [part.encode("utf-8", "surrogatepass") for part in (f"stillwatch canary {purpose}", *parts)]
    return hmac.digest(key, b"".join(len(part).to_bytes(4, "big") + part for part in said), hashlib.sha256)
