"""What the ledger commits to of twin answers: the secret of the coins before the first falls, then every pair.

In: the state folder, and headers of the vault. Out: `twins/coins.json` and `twins/pairs.jsonl`, digests alone;
`Reveal`s, of which the ledger keeps the digests. Pairs are committed to in numbered batches, each whole: who would
leave pairs out at an examination must leave a batch unopened, and a dossier with such a gap is rejected.
Left to `vaultkeeper`: when. Left to `app.ledger`: logging.
"""

import hashlib
import hmac
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.app.state import has_key, master_key
from stillwatch.gateway.published import replace_whole
from stillwatch.ledger.folder import LedgerFolder
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.vaultfiles import read_vault
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.reveal import Reveal, committed

COINS: Final = "twins/coins.json"
PAIRS: Final = "twins/pairs.jsonl"
KIND, GROUP = "withheld", "twins"
_PURPOSE: Final = "withheld coins"


class _Coins(msgspec.Struct, frozen=True):
    made: float
    """Seconds since 1970."""
    number: int = 1


class Batch(msgspec.Struct, frozen=True):
    """Pairs that are committed to together."""

    number: int
    """From 1, without gaps."""
    at: float
    pairs: tuple[str, ...]
    """Digests, hex, ascending."""


def coin_key(ring: KeyRing) -> bytes:
    """Return the secret of the coins; nothing else follows from it, so that it may be opened."""
    return ring.lasting(_PURPOSE)


def begin_twins(state: Path, now: float) -> None:
    """Commit to the coins, once, before a worker tosses one.

    Raises:
        StillwatchError: there is no ledger, or it cannot be written.
    """
    ledger = _ledger(state)
    if ledger is None:
        raise StillwatchError(
            "vault.twins: needs a ledger that commits to the coins before they fall; make it with `stillwatch ledger "
            "init`, or turn vault.twins and vault.twins_confirmed off."
        )
    if not (state / COINS).is_file():
        master_key(state)
        (state / COINS).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_whole(state / COINS, msgspec.json.encode(_Coins(made=now)))
    ledger.commit(one.item for one in twin_reveals(state))


def commit_pairs(state: Path, vault: Path, now: float) -> int:
    """Commit to the pairs in the vault that no batch has yet; return how many there were.

    Raises:
        StillwatchError, OSError: there is no ledger, or something cannot be read or written; nothing is lost by it.
    """
    held = batches(state)
    known = {pair for batch in held for pair in batch.pairs}
    there = {placed.head.pair.hex() for segment in read_vault(vault) for placed in segment.records if placed.head.pair}
    fresh = tuple(sorted(there - known))
    ledger = _ledger(state)
    if ledger is None:
        raise StillwatchError("twins: there is no ledger to commit to them.")
    if fresh:
        _append(state / PAIRS, msgspec.json.encode(Batch(len(held) + 1, now, fresh)) + b"\n")
    if held or fresh:
        ledger.commit(one.item for one in twin_reveals(state))
    return len(fresh)


def batches(state: Path) -> list[Batch]:
    """Return the batches in their order; a line that a stop cut short is not one.

    Raises:
        StillwatchError: a line was altered.
    """
    try:
        raw = (state / PAIRS).read_bytes()
    except FileNotFoundError:
        return []
    try:
        found = [msgspec.json.decode(line, type=Batch) for line in raw[: raw.rfind(b"\n") + 1].splitlines()]
    except msgspec.MsgspecError:
        raise StillwatchError(f"{PAIRS}: a line was altered; put the file back from a backup.") from None
    if [one.number for one in found] != list(range(1, len(found) + 1)):
        raise StillwatchError(f"{PAIRS}: a line is missing or stands twice; put the file back from a backup.")
    return found


def twin_reveals(state: Path) -> Iterator[Reveal]:
    """Yield the secret of the coins and every batch, ready to be committed to; none where twins were never on."""
    if not (state / COINS).is_file() or not has_key(state):
        return
    ring = KeyRing(master_key(state))
    key = ring.lasting("withheld commitments")  # not that of the coins: those are opened before later batches are
    yield committed((KIND, "coins 1", GROUP), coin_key(ring), {}, _derived(key, "coins 1 nonce").hex())
    for batch in batches(state):
        name = f"pairs {batch.number}"
        yield committed((KIND, name, GROUP), _derived(key, name), {"pairs": batch.pairs},
                        _derived(key, f"{name} nonce").hex())  # fmt: skip


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, b"stillwatch twins\0" + purpose.encode(), hashlib.sha256)


def _ledger(state: Path) -> LedgerFolder | None:
    from stillwatch.app.ledger import find_ledger

    return find_ledger(state)


def _append(path: Path, line: bytes) -> None:
    """Add one line, cutting off before it what a stop left of another; on disk when the call returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
        whole = file.read()
        file.truncate(whole.rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
