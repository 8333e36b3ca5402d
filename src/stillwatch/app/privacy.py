"""What is held of one account, given out or cut loose: answers to a person's request under data-protection law.

In: a state folder and an account. Out: a folder with everything that bears the account's name, or a record of what
was destroyed, what lapses by itself and what stays, each with why. Events stay, under a mask that nobody can tell or
rebuild once the account's own key is destroyed (`accountkeys`); they go with their partition.
Left to `vault`: text, which only the holder of the private key can read. Left to a person: whether a request is right.
Source: Regulation (EU) 2016/679, Articles 15, 17 and 20.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from stillwatch.app.accountkeys import held_as
from stillwatch.app.claims import claims_of
from stillwatch.app.control import Book
from stillwatch.app.controlnames import check_account
from stillwatch.app.keys import revoke_account
from stillwatch.app.ledger import entries_about, note
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.recognition import forget_tokens, tokens_held
from stillwatch.app.servedindex import forget_served
from stillwatch.app.state import master_key
from stillwatch.app.subjects import matching
from stillwatch.app.vault import Reader, VaultAsk, list_records, purge_records
from stillwatch.policy.decisions import in_force
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.eventfiles import write_events
from stillwatch.store.serve import connect
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import Journal, Window

_FILES = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was given out."""

    folder: Path
    events: int
    """Rows; an event in the overlap of two key epochs is two."""
    vault_records: int
    """Records in the vault, whose headers are given; their text is with the holder of the private key."""
    records: int
    """Keys, decisions, appeals and grants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What became of what was held of one account."""

    account: str
    destroyed: tuple[str, ...]
    lapses: tuple[str, ...]
    """Goes by itself, and when."""
    stays: tuple[str, ...]
    """Stays, and why."""


def export_account(book: Book, state: Path, account: str, out: Path) -> Exported:
    """Write everything that is held under an account's name into a new folder, readable by its owner only.

    Raises:
        StillwatchError: the account is not known, or the folder is there already.
    """
    check_account(account)
    held = _held(book, state, account)
    if not any(held.values()):
        raise StillwatchError(f"account {account}: nothing is held under this name in {state}.")
    try:
        out.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise StillwatchError(f"folder {out}: is there already; name a new one.") from None
    heads = [_head(placed.head) for _, placed in list_records(state, VaultAsk(account=account))]
    events = _write_events(state, account, out / "events.jsonl")
    _write(out / "account.json", held)
    _write(out / "vault.json", heads)
    _write(
        out / "about.json", {"account": account, "events": events, "of_events": _ABOUT_EVENTS, "of_vault": _ABOUT_VAULT}
    )
    records = sum(len(held[name]) for name in ("keys", "decisions", "appeals", "grants"))
    return Exported(folder=out, events=events, vault_records=len(heads), records=records)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What is to be erased."""

    account: str
    reader: Reader
    """Who erases, and why."""
    despite: bool = False
    """Although a claim against the account is open."""


def erase_account(book: Book, state: Path, ask: Erasure, now: float) -> Erased:
    """Destroy what ties an account to what is held of it, and say what remains.

    Args:
        book: The control records.
        state: The state folder.
        ask: Whose, by whom and why.
        now: Seconds since 1970.

    Raises:
        StillwatchError: nothing is held, or a verdict or an appeal is open and `despite` is not set.
    """
    account = ask.account
    check_account(account)
    if not any(_held(book, state, account).values()) and not list_records(state, VaultAsk(account=account)):
        raise StillwatchError(f"account {account}: nothing is held under this name in {state}.")
    standing = _open_claim(book, state, account, now)
    if standing and not ask.despite:
        raise StillwatchError(
            f"account {account}: {standing}; erasing now would take its evidence away, from it as well as from you. "
            "Close it first, or give --despite where the law demands it."
        )
    note(state, "privacy.erase", {"by": ask.reader.by, "reason": ask.reader.reason})
    destroyed = [f"{purge_records(state, VaultAsk(account=account), ask.reader, now)} records of the vault"]
    forget_served(state, account)
    destroyed.append("contexts that it was served with a mark")
    destroyed.append(f"{forget_tokens(state, account)} tokens that it carried")
    destroyed += _forget_names(state, account)
    destroyed += _end_keys(book, account, now)
    if book.destroy_account(account):
        destroyed.append("its own key, by which its events could be told; its record; what it wrote in appeals")
    stays = (*_stays(book, account), *_told(state, account))
    return Erased(account=account, destroyed=tuple(destroyed), lapses=_LAPSES, stays=stays)


_ABOUT_EVENTS = (
    "One line a request, as the published schema of events describes it: times, lengths, counts, and keyed hashes. The "
    "hashes are pseudonymous: whoever holds the state's key can test a guess."
)
_ABOUT_VAULT = (
    "Headers of what the vault keeps. The text can be read by the holder of the private key: `stillwatch vault read`."
)
_LAPSES = (
    "Events, under a mask that nobody can tell any more: with their partition, after watch.keep_days.",
    "Its name in the files of the store, which answers with it no more: within ten minutes of the store's being open.",
    "A published verdict, if there is one: when it is over, by its own date.",
    "Backups made earlier: with the backup; a backup holds the account's key as it was.",
)


def _held(book: Book, state: Path, account: str) -> dict[str, Any]:
    record = book.find_account(account)
    used = book.grant_use()
    keys = [asdict(key) for key in book.keys() if key.account == account]
    return {
        "record": asdict(record) if record is not None else None,
        "keys": [{name: value for name, value in key.items() if name != "digest"} for key in keys],
        "decisions": [{**asdict(d), "accounts": [account]} for d in book.decisions() if account in d.accounts],
        "appeals": [asdict(appeal) for appeal in book.appeals() if appeal.account == account],
        "grants": [{**asdict(g), "used": used.get(g.id, 0)} for g in book.grants() if g.account == account],
        "verdicts": [asdict(c) for c in matching(claims_of(state), account) if c.kind == "account"],
        "tokens": tokens_held(state, account),
        "live": account in book.account_keys(),
        "ledger": [asdict(one) for one in entries_about(state, account)],
    }  # fmt: skip


def _open_claim(book: Book, state: Path, account: str, now: float) -> str:
    decided = in_force(book.decisions(), now).get(account)
    if decided is not None and decided.verb == "confirm":
        return "a person confirmed a verdict on it, which is in force"
    if any(appeal.account == account and appeal.state == "open" for appeal in book.appeals()):
        return "an appeal of it is open"
    if decided is None and any(c.accused and now < c.expires for c in matching(claims_of(state), account)):
        return "a verdict on it waits for a person"
    return ""


def _stays(book: Book, account: str) -> tuple[str, ...]:
    said = []
    if any(account in d.accounts for d in book.decisions()):
        said.append("Decisions on it, with its name: records of what was done to it and by whom, for legal claims.")
    if any(grant.account == account for grant in book.grants()):
        said.append("Grants to it: contracts. Requests under a grant can still be told by its id.")
    if any(account in canary.accounts for canary in book.canaries()):
        said.append("The register of canaries, with its name: evidence for legal claims.")
    said.append("The audit trail, with its name: what was done to it and by whom; never beside a key's id.")
    return (*said, "Hashes of its API keys, revoked and without its name, so that a key that is found stays refused.")


def _told(state: Path, account: str) -> Iterator[str]:
    about = entries_about(state, account)
    if about:
        indices = ", ".join(str(one.index) for one in about)
        yield f"What the ledger's entries {indices} say of it, for legal claims; `stillwatch ledger forget` drops it."


def _end_keys(book: Book, account: str, now: float) -> list[str]:
    """Revoke the account's keys and take its name off them: events bear the hash of a key's id as well."""
    own = [key for key in book.keys() if key.account == account]
    if not own:
        return []
    revoked = revoke_account(book, account, now)
    nobody = f"erased-{secrets.token_hex(8)}"
    for key in book.keys():
        if key.account == account:
            book.put_key(replace(key, account=nobody, label=""))
    return [f"the use of its API keys ({len(revoked)} revoked now), and its name on them"]


def _journal(state: Path) -> Journal | None:
    folder = LiveFolder(state).store
    return connect(folder) if folder.is_dir() else None


def _write_events(state: Path, account: str, path: Path) -> int:
    store = _journal(state)
    if store is None:
        return 0
    try:
        n = write_events(_events(store, state, account), path)
    finally:
        store.close()
    if path.exists():
        path.chmod(_FILES)
    return n


def _events(store: Journal, state: Path, account: str) -> Iterator[EventArray]:
    ring = KeyRing(master_key(state))
    for epoch in store.epochs():
        asked = np.array(held_as(state, ring.for_epoch(epoch), account), np.uint64)
        found = store.events(asked, Window(epoch=epoch))
        if len(found):
            yield found


def _forget_names(state: Path, account: str) -> list[str]:
    store = _journal(state)
    if store is None:
        return []
    ring = KeyRing(master_key(state))
    try:
        asked = {h for epoch in store.epochs() for h in held_as(state, ring.for_epoch(epoch), account)}
        store.forget_names(np.array(sorted(asked), np.uint64))
    finally:
        store.close()
    return ["its name beside its events"]


def _head(head: Any) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(head).items()}


def _write(path: Path, value: Any) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILES), "wb") as out:
        out.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY, default=str) + b"\n")
