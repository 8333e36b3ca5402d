"""Back a state folder up while it is used: a gateway's, a hub's or a notary's.

In: the state folder and a new place. Out: a folder or a tar file that `restore` takes. SQLite files are copied by
SQLite, each in one consistent state; of live events those that the store held when asked. Left out: scans, which
their logs make again, what running processes say of themselves, and what a copy must not outlive (`statecopies`).
Cost: a second, and with events about 0.2 ms an event.
"""

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from stillwatch import __version__
from stillwatch.app.bundle import FILES, FORMAT, Manifest, entry_of, is_tar, seal
from stillwatch.app.control import open_control
from stillwatch.app.ledgerpack import PACKED_LEDGER, pack_ledger
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.markring import marked_in, ring_path
from stillwatch.app.servedindex import PACKED_NAME, pack_served
from stillwatch.app.statecopies import SECRETS, copy_others, has_secret
from stillwatch.app.twinbooks import COINS, PAIRS
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import Journal, Window

_EVENTS_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """What `stillwatch backup` was asked."""

    state: Path
    target: Path
    """New folder, or new file that ends in `.tar`."""
    config: Path | None = None
    """Settings file to take along."""
    events: bool = True
    """Take the events of live traffic along."""
    now: float = 0.0


def back_up(request: BackupRequest) -> Manifest:
    """Write a backup, whole or not at all, and return what it holds.

    Raises:
        StillwatchError: there is nothing to back up, the target is there already, the control file is damaged, or
            the disk refuses.
    """
    state, target = request.state, request.target
    if not has_secret(state):
        raise StillwatchError(
            f"state folder {state}: has neither {' nor '.join(SECRETS)}, so there is nothing to back up; name another."
        )
    if target.exists() and (is_tar(target) or not target.is_dir() or any(target.iterdir())):
        raise StillwatchError(f"backup {target}: is there already; name a new folder, or a new .tar file.")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        for name in ("live", "marks", "twins"):
            (draft / name).mkdir(mode=0o700, parents=True)
        draft.chmod(0o700)
        counts = _gather(request, draft)
        files = {name: entry_of(draft / name) for name in FILES if (draft / name).is_file()}
        manifest = Manifest(format=FORMAT, made_by=__version__, made_at=request.now, files=files, counts=counts)
        seal(draft, manifest, target)
    except OSError as problem:
        raise StillwatchError(f"backup {target}: {problem.strerror}; nothing was left behind.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def _gather(request: BackupRequest, draft: Path) -> dict[str, int]:
    state, live = request.state, LiveFolder(request.state)
    pairs = [*((state / name, name) for name in (*SECRETS, COINS, PAIRS)), (live.published, "published.json"),
             (live.tally, "live/tally.json"), (ring_path(state), "marks/ring.json")]  # fmt: skip
    if request.config is not None:
        pairs.append((request.config, "settings.toml"))
    for source, name in pairs:
        if source.is_file():
            shutil.copyfile(source, draft / name)
    if marked := marked_in(state):
        (draft / "marks" / "marked-all.jsonl").write_bytes(b"".join(msgspec.json.encode(m) + b"\n" for m in marked))
    pack_served(state, draft / PACKED_NAME)
    pack_ledger(state, draft / PACKED_LEDGER)
    counts = copy_others(state, draft)
    if (state / "control.sqlite").is_file():
        with open_control(state, new=False) as book:
            book.check()
            book.copy_to(draft / "control.sqlite")
            counts = {"keys": len(book.keys()), "accounts": len(book.accounts()), "decisions": len(book.decisions()),
                      "appeals": len(book.appeals()), **counts}  # fmt: skip
    if request.events and live.store.is_dir():
        counts["events"] = _take_events(live.store, draft / "live")
    return counts


def _take_events(folder: Path, into: Path) -> int:
    from stillwatch.store.eventfiles import write_events
    from stillwatch.store.serve import connect

    store = connect(folder)
    try:
        names = {epoch: store.names(_accounts(store, epoch)[0]) for epoch in store.epochs()}
        (into / "names.json").write_bytes(msgspec.json.encode({str(e): list(n.items()) for e, n in names.items()}))
        return write_events(_batches(store), into / "events.parquet")
    finally:
        store.close()


def _batches(store: Journal) -> Iterator[EventArray]:
    """Yield every event, some accounts at a time, about `_EVENTS_AT_ONCE` at once."""
    for epoch in store.epochs():
        accounts, requests = _accounts(store, epoch)
        for part in np.split(accounts, np.flatnonzero(np.diff(np.cumsum(requests) // _EVENTS_AT_ONCE)) + 1):
            if len(part):
                yield store.events(part, Window(epoch=epoch))


def _accounts(store: Journal, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    roll = store.rollup(Window(epoch=epoch))
    return np.ascontiguousarray(roll["account"]), roll["n_requests"].astype(np.int64)
