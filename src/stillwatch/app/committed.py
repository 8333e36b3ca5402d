"""What the ledger commits to: keys of marks, epoch by epoch and account by account, and canaries.

In: the ring and who was marked; canary records and their secret. Out: `Reveal` records, of which the ledger keeps the
digests of the items until one is shown. The nonce of each comes from the secret that it belongs to, so that nothing
has to be kept beside ring and master key to open a commitment years later.
Cost: three HMACs a key. Left to `app.ledger`: logging. Left to whoever reveals: keys of one
epoch can be opened without its secret; an epoch whose secret was opened is burnt.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator

from stillwatch.terms.canary import CanaryRecord
from stillwatch.terms.reveal import Facts, Reveal, committed
from stillwatch.treatments.canaries import drawn, opening_of
from stillwatch.treatments.marks.gumbel import ALPHA, mixing
from stillwatch.treatments.marks.ring import Epoch, Ring
from stillwatch.treatments.marks.signer import Marked


def mark_reveals(ring: Ring, marked: Iterable[Marked]) -> Iterator[Reveal]:
    """Yield each epoch, its provider's key, and the key of every account and campaign that was marked in it."""
    names: dict[int, set[tuple[str, str]]] = {}
    for one in marked:
        found = names.setdefault(one.epoch, set())
        found.add(("account", one.account))
        if one.campaign:
            found.add(("campaign", one.campaign))
    for epoch in ring.epochs:
        yield _epoch(epoch)
        yield _context(epoch)
        yield _key(epoch, "provider", "")
        for kind, name in sorted(names.get(epoch.number, ())):
            yield _key(epoch, kind, name)


def canary_reveal(record: CanaryRecord, secret: bytes) -> Reveal:
    """Return a canary with its value, ready to be committed to.

    Args:
        record: As it is registered, commitment included.
        secret: The canary secret.

    Raises:
        StillwatchError: the record's commitment does not hold.
    """
    found, opening = drawn(record, secret), opening_of(record, secret)
    facts: Facts = {
        "subject": record.subject, "kind": record.kind, "accounts": record.accounts, "template": record.template,
        "template_sha256": found.template.digest, "alternatives": found.alternatives, "index": found.index,
        "value": found.value, "nonce": record.nonce, "commitment": record.commitment,
    }  # fmt: skip
    group = hmac.digest(secret, b"ledger subject\0" + record.subject.encode("utf-8", "surrogatepass"), "sha256")
    nonce = hashlib.sha256(b"ledger nonce\0" + bytes.fromhex(opening)).hexdigest()
    return committed(("canary", record.id, f"subject {group.hex()[:16]}"), bytes.fromhex(opening), facts, nonce)


def _epoch(epoch: Epoch) -> Reveal:
    name = ("mark-epoch", f"epoch {epoch.number}", "epoch")
    facts = {**_settings(epoch), "made": repr(epoch.made), "native_key": str(epoch.native_key)}
    return committed(name, epoch.secret, facts, _nonce(epoch, name[1]))


def _context(epoch: Epoch) -> Reveal:
    """Return the key that turns contexts into digests; with it alone no green token can be told."""
    name = ("mark-context", f"epoch {epoch.number} context", "context")
    facts = {**_settings(epoch), "tier": "context"}
    if epoch.scheme == "gumbel" and mixing(epoch) != ALPHA:
        facts["mixing"] = repr(mixing(epoch))
    return committed(name, epoch.subkey("context"), facts, _nonce(epoch, name[1]))


def _key(epoch: Epoch, tier: str, who: str) -> Reveal:
    tag = epoch.tag(tier, who) if who else b""
    ident = f"epoch {epoch.number} {tier} {tag.hex()}".strip()
    facts: dict[str, str | int | tuple[str, ...]] = {"epoch": epoch.number, "tier": tier, "name": who}
    if epoch.native_key and tier == "provider":
        facts["native_key"] = str(epoch.native_key)  # what draws in the place of the provider's own
    return committed(("mark-key", ident, tier), epoch.subkey(tier, tag), facts, _nonce(epoch, ident))


def _settings(epoch: Epoch) -> dict[str, str | int | tuple[str, ...]]:
    return {
        "epoch": epoch.number, "scheme": epoch.scheme, "width": epoch.width, "delta": repr(epoch.delta),
        "shares": tuple(repr(share) for share in epoch.shares), "spare": repr(epoch.spare), "vocab": epoch.vocab,
    }  # fmt: skip


def _nonce(epoch: Epoch, ident: str) -> str:
    return epoch.subkey("ledger nonce", ident.encode()).hex()
