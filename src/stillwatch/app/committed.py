"""What the ledger commits to: keys of marks, epoch by epoch and account by account, and canaries.

In: the ring and who was marked; canary records and their secret. Out: `Reveal` records, of which the ledger keeps the
digests of the items until one is shown. The nonce of each comes from the secret that it belongs to, so that nothing
has to be kept beside ring and master key to open a commitment years later.
Cost: three HMACs a key. Left to `app.ledger`: logging. Left to whoever reveals: an epoch that was opened is burnt.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator

from stillwatch.terms.canary import CanaryRecord
from stillwatch.terms.reveal import Facts, Reveal, committed
from stillwatch.treatments.canaries import drawn, opening_of
from stillwatch.treatments.marks.ring import Epoch, Ring
from stillwatch.treatments.marks.signer import Marked

_KEY_BYTES = 16


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
        yield _key(epoch, "provider", "", epoch.subkey("provider"))
        for kind, name in sorted(names.get(epoch.number, ())):
            yield _key(epoch, kind, name, epoch.subkey(kind, epoch.tag(kind, name)))


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


def epoch_of(reveal: Reveal) -> Epoch:
    """Return the epoch that a `mark-epoch` reveal opens."""
    facts = {name: str(value) for name, value in reveal.facts.items()}
    provider, campaign, account = (float(share) for share in facts["shares"].split("/"))
    return Epoch(
        number=int(facts["number"]), secret=bytes.fromhex(reveal.secret), made=float(facts["made"]),
        scheme=facts["scheme"], width=int(facts["width"]), shares=(provider, campaign, account),
        delta=float(facts["delta"]), spare=float(facts["spare"]), vocab=int(facts["vocab"]),
        native_key=int(facts["native_key"]),
    )  # fmt: skip


def _epoch(epoch: Epoch) -> Reveal:
    name = ("mark-epoch", f"epoch {epoch.number}", "epoch")
    return committed(name, epoch.secret, _settings(epoch), _nonce(epoch, name[1]))


def _key(epoch: Epoch, group: str, who: str, secret: bytes) -> Reveal:
    tag = epoch.tag(group, who).hex() if who else ""
    ident = f"epoch {epoch.number} {group}{' ' + tag if tag else ''}"
    facts = {**_settings(epoch), "tier": group, "name": who, "tag": tag, "context": epoch.subkey("context").hex()}
    return committed(("mark-key", ident, group), secret[:_KEY_BYTES], facts, _nonce(epoch, ident))


def _settings(epoch: Epoch) -> dict[str, str | int]:
    return {
        "number": epoch.number, "made": repr(epoch.made), "scheme": epoch.scheme, "width": epoch.width,
        "shares": "/".join(repr(share) for share in epoch.shares), "delta": repr(epoch.delta),
        "spare": repr(epoch.spare), "vocab": epoch.vocab, "native_key": str(epoch.native_key),
    }  # fmt: skip


def _nonce(epoch: Epoch, ident: str) -> str:
    return epoch.subkey("ledger nonce", ident.encode()).hex()
