"""The evidence vault as people use it: keys made, headers listed, text read, records taken out, the log checked.

In: a state folder, and for reading the private key. Out: frozen records to print. Every read and every purge is on
disk in the read log before anything is shown or deleted, with who, why, when and which records.
Left to `vaultkeeper`: what is kept. Left to `store.vault*`: files.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from stillwatch.app.controlnames import check_account, check_text
from stillwatch.app.ledger import note
from stillwatch.app.state import has_key, master_key
from stillwatch.app.vaultkeeper import REQUEST_PURPOSE, VAULT, request_mark
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.vaultfiles import Placed, VaultSegment, read_segment, read_vault, segment_paths
from stillwatch.store.vaultkeys import key_name, make_private_key, public_of, public_text, read_private_key
from stillwatch.store.vaultlog import CheckedLog, ReadEntry, ReadLog
from stillwatch.store.vaultpurge import purge
from stillwatch.store.vaultseal import RecordHead, RecordText, VaultOpener
from stillwatch.terms.canon import sha256
from stillwatch.terms.errors import StillwatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultAsk:
    """Which records; every field narrows."""

    account: str = ""
    request_id: str = ""
    since: float = -math.inf
    """Event time, seconds since 1970."""
    until: float = math.inf
    why: str = ""
    """Kept for this reason: `share`, `confirmed` or `twin`."""

    def __post_init__(self) -> None:
        if self.account:
            check_account(self.account, "vault: --account")
        check_text("vault: --request", self.request_id, at_most=200)

    def takes(self, head: RecordHead, mark: bytes) -> bool:
        """Whether a record is meant; `mark` stands for the request asked for, empty for any."""
        return (
            (not self.account or head.account == self.account)
            and (not mark or head.id == mark)
            and self.since <= head.time < self.until
            and (not self.why or head.why == self.why)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads or deletes, and why."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        check_text("--by", self.by, at_most=100, needed=True)
        check_text("--reason", self.reason, at_most=1000, needed=True)


@dataclass(frozen=True, slots=True)
class Opened:
    """One record of which the text was read; None where it was altered."""

    head: RecordHead
    segment: str
    text: RecordText | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultHoldings:
    """What lies in the vault, without its text."""

    segments: int
    records: int
    bytes: int
    first: float | None
    """Event time of the first record, seconds since 1970; None where there is none."""
    last: float | None
    accounts: int
    by_why: dict[str, int]
    keys: tuple[str, ...]
    """Names of the keys that records are sealed to."""
    damaged: int
    """Records that were altered, and segments that end inside a frame, as a stop while writing leaves them."""
    reads: int
    purges: int
    last_read: float | None


def vault_folder(state: Path) -> Path:
    """Return where the vault lies, there or not."""
    return state / VAULT


def make_key(out: Path, state: Path, passphrase: str = "") -> tuple[str, str]:
    """Make a key pair; return the public key as text, and the pair's name.

    Raises:
        StillwatchError: the file is to lie in the state folder, is there already, or cannot be written.
    """
    if out.resolve().is_relative_to(state.resolve()):
        raise StillwatchError(
            f"key file {out}: lies in the state folder {state}, where the gateway could read it; keep it on another "
            "machine, or at least in another folder."
        )
    public = make_private_key(out, passphrase)
    return public_text(public), key_name(public)


def list_records(state: Path, ask: VaultAsk) -> list[tuple[VaultSegment, Placed]]:
    """Return the records meant, oldest first, by their headers alone.

    Raises:
        StillwatchError: the vault cannot be read.
    """
    mark = _mark(state, ask)
    try:
        found = [(s, p) for s in read_vault(vault_folder(state)) for p in s.records if ask.takes(p.head, mark)]
    except OSError as problem:
        raise StillwatchError(f"vault {vault_folder(state)}: {problem.strerror}; it must be readable.") from None
    return sorted(found, key=lambda pair: (pair[1].head.time, pair[0].name, pair[1].head.number))


def read_records(state: Path, ask: VaultAsk, reader: Reader, key: tuple[Path, str], now: float) -> Iterator[Opened]:
    """Yield the records meant with their text; the log says so before the first, and after the last how it ended.

    Args:
        state: The state folder, or a copy of it.
        ask: Which records; an account or a request must be named.
        reader: Who, and why.
        key: File of the private key, and its passphrase; empty for none.
        now: Seconds since 1970.

    Raises:
        StillwatchError: nobody is named, the key cannot be read or is another one, or the log cannot be written.
    """
    if not ask.account and not ask.request_id and ask.why != "twin":  # pairs are read as a whole, to be examined
        raise StillwatchError(
            "vault read: names nobody; give --account or --request, so that no more is read than needed."
        )
    private = read_private_key(*key)
    found = list_records(state, ask)
    log, mark = ReadLog(vault_folder(state)), _mark(state, ask)
    entry = ReadEntry(
        at=now, kind="read", by=reader.by, reason=reader.reason, uid=os.getuid(), account=ask.account,
        request=mark.hex(), since=_finite(ask.since), until=_finite(ask.until), key=key_name(public_of(private)),
        count=len(found), ids=tuple(placed.head.id.hex() for _, placed in found),
    )  # fmt: skip
    entry = log.add(entry)
    note(state, "vault.read", _entered(entry))
    shown, outcome = 0, "stopped before the end"
    try:
        openers: dict[str, VaultOpener] = {}
        for segment, placed in _in_file_order(found):
            if segment.name not in openers:
                openers[segment.name] = VaultOpener(private, segment.header)
            text = openers[segment.name].open(placed.clear, placed.head.number, segment.sealed(placed))
            shown += text is not None
            yield Opened(placed.head, segment.name, text)
        outcome = "complete" if shown == len(found) else f"{len(found) - shown} records were altered"
    except (OSError, StillwatchError) as problem:
        outcome = "another key" if isinstance(problem, StillwatchError) else f"{type(problem).__name__}"
        if isinstance(problem, OSError):
            raise StillwatchError(f"vault {vault_folder(state)}: {problem.strerror}; read again.") from None
        raise
    finally:
        log.add(ReadEntry(at=now, kind="ended", by=reader.by, reason="", uid=os.getuid(), of=entry.n, count=shown,
                          outcome=outcome))  # fmt: skip


def purge_records(state: Path, ask: VaultAsk, reader: Reader, now: float, *, everything: bool = False) -> int:
    """Delete the records meant; return how many. The log says so first.

    Raises:
        StillwatchError: nothing narrows what is meant and `everything` is not set, or the disk refuses.
    """
    if everything and ask != VaultAsk():
        raise StillwatchError("vault purge: --all means everything; leave out what narrows it, or leave out --all.")
    if not everything and ask == VaultAsk():
        raise StillwatchError("vault purge: says not what; give --account, --request, --until, or --all.")
    found = list_records(state, ask)
    if not found and not (everything and segment_paths(vault_folder(state))):
        return 0
    mark = _mark(state, ask)
    entry = ReadEntry(
        at=now, kind="purge", by=reader.by, reason=reader.reason, uid=os.getuid(), account=ask.account,
        request=mark.hex(), since=_finite(ask.since), until=_finite(ask.until), count=len(found),
    )  # fmt: skip
    note(state, "vault.purge", _entered(ReadLog(vault_folder(state)).add(entry)))
    try:
        return purge(vault_folder(state), lambda head: ask.takes(head, mark), everything=everything)
    except OSError as problem:
        raise StillwatchError(f"vault {vault_folder(state)}: {problem.strerror}; purge again.") from None


def check_log(state: Path, noted: str = "") -> CheckedLog:
    """Return the read log, checked in itself and against the segments.

    Raises:
        StillwatchError: it is there and cannot be read.
    """
    folder = vault_folder(state)
    return ReadLog(folder).check(((segment.name, segment.log_head) for segment in read_vault(folder)), noted)


def holdings(state: Path) -> VaultHoldings:
    """Return what lies in the vault.

    Raises:
        StillwatchError: it cannot be read.
    """
    folder = vault_folder(state)
    try:
        paths = segment_paths(folder)
        segments = [read_segment(path, whole=True) for path in paths]
        size = sum(path.stat().st_size for path in paths)
    except OSError as problem:
        raise StillwatchError(f"vault {folder}: {problem.strerror}; it must be readable.") from None
    whole = [segment for segment in segments if segment is not None]
    heads = [placed.head for segment in whole for placed in segment.records]
    entries = ReadLog(folder).check().entries
    reads = [entry for entry in entries if entry.kind == "read"]
    return VaultHoldings(
        segments=len(paths), records=len(heads), bytes=size, accounts=len({head.account for head in heads}),
        first=min((head.time for head in heads), default=None), last=max((head.time for head in heads), default=None),
        by_why={why: sum(head.why == why for head in heads) for why in ("share", "confirmed", "twin")},
        keys=tuple(sorted({segment.key for segment in whole})),
        damaged=len(segments) - len(whole) + sum(segment.torn + segment.damaged for segment in whole), reads=len(reads),
        purges=sum(entry.kind == "purge" for entry in entries), last_read=reads[-1].at if reads else None,
    )  # fmt: skip


def _in_file_order(found: list[tuple[VaultSegment, Placed]]) -> list[tuple[VaultSegment, Placed]]:
    """Return records as their keys follow one another; segments by their first record meant."""
    first: dict[str, int] = {}
    for place, (segment, _) in enumerate(found):
        first.setdefault(segment.name, place)
    return sorted(found, key=lambda pair: (first[pair[0].name], pair[1].head.number))


def _entered(entry: ReadEntry) -> dict[str, object]:
    """Return an entry of the read log as the ledger takes it: by digest, with who and why."""
    said = {"by": entry.by, "reason": entry.reason, "count": entry.count, "n": entry.n}
    return {**said, "sha256": sha256(msgspec.json.encode(entry))}


def _mark(state: Path, ask: VaultAsk) -> bytes:
    if not ask.request_id:
        return b""
    if not has_key(state):
        raise StillwatchError(f"state folder {state}: has no master.key, so no request can be found; give --account.")
    return request_mark(KeyRing(master_key(state)).lasting(REQUEST_PURPOSE), ask.request_id)


def _finite(moment: float) -> float | None:
    return moment if math.isfinite(moment) else None
