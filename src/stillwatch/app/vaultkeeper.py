"""The watcher's hand on the vault: which answers are kept, and that keeping them never stops the intake.

In: exchanges as served, a group at a time. Out: records in the vault, and counts in `run/vault.json` for people. A
vault that fails loses what it was given, which is counted, and nothing else. Cost: 2 microseconds an exchange
that is not kept, nothing where the vault is off. Left to `store.vaultwriter`: files; to `app.vault`: reading.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.app.control import open_control
from stillwatch.app.state import master_key
from stillwatch.app.twinbooks import coin_key, commit_pairs
from stillwatch.app.vaultconfig import VaultConfig
from stillwatch.forensics.twins import PairDigests, coin
from stillwatch.policy.decisions import in_force
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.control import FILE_NAME, SqliteControl
from stillwatch.store.vaultkeys import key_name, read_public_text
from stillwatch.store.vaultseal import RecordHead, RecordText
from stillwatch.store.vaultwriter import VaultLimits, VaultRecord, VaultWriter
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.served import Served

VAULT: Final = "vault"
"""Name of the vault's folder in the state folder."""
STATUS_NAME: Final = "vault.json"
REQUEST_PURPOSE: Final = "vault request"
_SHARE_PURPOSE: Final = "vault share"
_SAY_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 60.0
_RETAIN_SECONDS: Final = 3_600.0
_DECIDED_SECONDS: Final = 5.0
_COMMIT_SECONDS: Final = 600.0
MarkEpoch = Callable[[float], int]
"""From an event time to the epoch of the mark that was in force; -1 for none."""


@dataclass(slots=True, kw_only=True)
class VaultStatus:
    """What the watcher's hand did since this watcher began; no text, no account."""

    at: float = 0.0
    """Wall time, seconds since 1970."""
    share: float = 0.0
    confirmed: bool = False
    key: str = ""
    """Name of the public key in the settings; empty where the vault is off."""
    retention_days: float = 0.0
    max_bytes: int = 0
    seen: int = 0
    """Answers looked at."""
    kept: int = 0
    by_share: int = 0
    """Of those kept, by `share`."""
    twins: bool = False
    """Whether some requests are answered twice."""
    pairs: int = 0
    """Pairs of answers kept."""
    committed: int = 0
    """Pairs that the ledger committed to."""
    repeated: int = 0
    """Given again after a stop, and not kept twice."""
    full: int = 0
    """Left out because the vault is full."""
    failed: int = 0
    """Lost because the vault could not be written."""
    problem: str = ""
    """Kind of the last failure."""
    dropped_segments: int = 0
    """Deleted when their time was over."""


def request_mark(key: bytes, request_id: str) -> bytes:
    """Return what stands for a request's id in the clear: 16 bytes."""
    return hashlib.blake2b(request_id.encode("utf-8", "surrogatepass"), key=key, digest_size=16).digest()


@dataclass(slots=True)
class VaultKeeper:
    """Gives answers to the vault, as the settings say; made whether it is on or not, since old records must go."""

    state: Path
    config: VaultConfig
    mark_epoch: MarkEpoch = lambda _: -1
    status: VaultStatus = field(default_factory=VaultStatus)
    _request_key: bytes = field(default=b"", repr=False)
    _coin_key: bytes = field(default=b"", repr=False)
    _share_key: bytes = field(default=b"", repr=False)
    _writer: VaultWriter | None = None
    _book: SqliteControl | None = None
    _confirmed: frozenset[str] = frozenset()
    _decided_at: float = -1e9
    _said_at: float = -1e9
    _retained_at: float = -1e9
    _committed_at: float = -1e9

    def __post_init__(self) -> None:
        ring, config = KeyRing(master_key(self.state)), self.config
        self._request_key, self._share_key = ring.lasting(REQUEST_PURPOSE), ring.lasting(_SHARE_PURPOSE)
        self._coin_key = coin_key(ring)
        public = read_public_text(config.public_key) if config.public_key else b""
        limits = VaultLimits(retention_days=config.retention_days, max_bytes=config.max_bytes)
        self._writer = VaultWriter(self.state / VAULT, public, limits)
        self.status = VaultStatus(
            share=config.share, confirmed=config.confirmed, key=key_name(public) if config.wanted else "",
            retention_days=config.retention_days, max_bytes=config.max_bytes, twins=config.wants_twins,
        )  # fmt: skip

    def keep(self, served: Sequence[Served], now: float) -> None:
        """Keep of a group what is to be kept; never raises.

        Args:
            served: The group, as it came.
            now: Wall time, seconds since 1970.
        """
        chosen: list[VaultRecord] = []
        try:
            if self.config.wanted:
                chosen = self._chosen(served, now)
            if chosen and self._writer is not None:
                done = self._writer.keep(chosen, now)
                self.status.kept += done.kept
                self.status.pairs += sum(1 for one in chosen[: done.kept] if one.head.pair)
                self.status.repeated += done.repeated
                self.status.full += done.full
        except Exception as problem:  # whatever it is, the intake goes on; the words of it might quote what was kept
            self.status.failed += max(1, len(chosen))
            self.status.problem = type(problem).__name__
        self.tend(now)

    def tend(self, now: float) -> None:
        """Delete what is too old, and say what was done, each now and then; never raises."""
        clock = time.monotonic()
        try:
            if clock - self._retained_at >= _RETAIN_SECONDS and self._writer is not None:
                self._retained_at = clock
                self.status.dropped_segments += self._writer.retain(now)
            if self.config.wants_twins and clock - self._committed_at >= _COMMIT_SECONDS:
                self._committed_at = clock
                self._commit(now)
            if clock - self._said_at >= (_SAY_SECONDS if self.config.wanted else _IDLE_SECONDS):
                self._said_at = clock
                self.say(now)
        except Exception as problem:
            self.status.problem = type(problem).__name__

    def _commit(self, now: float) -> None:
        """Commit to the pairs that are new; a ledger that refuses is said, and asked again later."""
        try:
            self.status.committed += commit_pairs(self.state, self.state / VAULT, now)
        except (OSError, StillwatchError) as problem:
            self.status.problem = type(problem).__name__

    def say(self, now: float) -> None:
        """Write the status.

        Raises:
            OSError: the disk refuses.
        """
        self.status.at = now
        draft = self.state / "run" / f".{STATUS_NAME}"
        draft.parent.mkdir(mode=0o700, exist_ok=True)
        draft.write_bytes(msgspec.json.encode(self.status))
        draft.replace(draft.with_name(STATUS_NAME))

    def close(self) -> None:
        """Say what was done, and let go of the files; never raises."""
        self._said_at = self._committed_at = -1e9
        self.tend(time.time())
        if self._writer is not None:
            self._writer.close()
        if self._book is not None:
            self._book.close()

    def _chosen(self, served: Sequence[Served], now: float) -> list[VaultRecord]:
        confirmed = self._decided(now) if self.config.confirmed else frozenset()
        chosen = []
        for one in served:
            if one.kind == "twin" and self.config.wants_twins:
                chosen.append(self._pair(one))
            if not one.answer or one.kind != "wire":
                continue
            self.status.seen += 1
            why = "confirmed" if one.account in confirmed else "share" if self._drawn(one.request_id) else ""
            if why:
                self.status.by_share += why == "share"
                chosen.append(self._record(one, why))
        return chosen

    def _drawn(self, request_id: str) -> bool:
        """Whether chance, which only the master key knows, takes this one; never more than the share of those seen."""
        share = self.config.share
        if share <= 0.0 or self.status.by_share + 1 > share * self.status.seen:
            return False
        digest = hashlib.blake2b(request_id.encode("utf-8", "surrogatepass"), key=self._share_key, digest_size=8)
        return int.from_bytes(digest.digest(), "little") < share * 2.0**64

    def _record(self, one: Served, why: str) -> VaultRecord:
        head = RecordHead(
            number=0, time=one.time, id=request_mark(self._request_key, one.request_id), account=one.account,
            action=one.action, treatments=one.treatments, why=why, epoch=self.mark_epoch(one.time),
            request_bytes=len(one.request), answer_bytes=len(one.answer),
        )  # fmt: skip
        text = RecordText(
            request_id=one.request_id, endpoint=one.endpoint, status=one.status, streamed=one.streamed,
            request=one.request, answer=one.answer,
        )  # fmt: skip
        return VaultRecord(head=head, text=text)

    def _pair(self, one: Served) -> VaultRecord:
        """Return the record of a pair: both answers, and in the clear what commits to them."""
        nonce = secrets.token_bytes(16)
        served_second = coin(self._coin_key, one.request_id)
        answers = (one.twin, one.answer) if served_second else (one.answer, one.twin)
        pair = PairDigests.of(one.request_id, nonce, one.request, answers).digest
        found = self._record(one, "twin")
        return VaultRecord(
            head=msgspec.structs.replace(found.head, pair=bytes.fromhex(pair)),
            text=msgspec.structs.replace(found.text, twin=one.twin, nonce=nonce),
        )  # fmt: skip

    def _decided(self, now: float) -> frozenset[str]:
        """Return the accounts under a verdict that a person confirmed and has not taken back."""
        clock = time.monotonic()
        if clock - self._decided_at < _DECIDED_SECONDS:
            return self._confirmed
        self._confirmed = frozenset()
        if self._book is None and (self.state / FILE_NAME).exists():
            self._book = open_control(self.state, new=False)
        if self._book is not None:
            force = in_force(self._book.decisions(), now)
            self._confirmed = frozenset(a for a, d in force.items() if d.verb == "confirm" and d.receipt)
        self._decided_at = clock
        return self._confirmed
