"""API keys: made, revoked, replaced with an overlap, taken over from elsewhere.

In: the control records, the key secret, the time. Out: key records; a raw key only in `Issued.key`, once.
A raw key is hashed where it enters; it is in no record, message, log or `repr`.
Left to `controlnames`: what may be an account's name.
"""

import secrets
from dataclasses import dataclass, field, replace
from typing import Final

from stillwatch.app.control import Book
from stillwatch.app.controlnames import check_account, check_text
from stillwatch.terms.account import AccountRecord, KeyRecord, digest_of_hash, key_digest
from stillwatch.terms.errors import StillwatchError

PREFIX: Final = "sk-sw-"
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What a new key is for."""

    account: str
    label: str = ""
    expires: float | None = None
    """Seconds since 1970; None for a key that lasts until it is revoked."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A key that was just made: the only time that it can be read."""

    record: KeyRecord
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A key made elsewhere: its SHA-256, and whose it is."""

    account: str
    sha256: str = field(repr=False)
    """64 lower-case hex digits."""
    label: str = ""


def create_key(book: Book, secret: bytes, new: NewKey, now: float) -> Issued:
    """Make a key of 256 random bits for an account, which is made too where there is none.

    Raises:
        StillwatchError: the account's name or the label cannot be one, or the key would already have expired.
    """
    check_account(new.account)
    check_text("label", new.label, at_most=100)
    if new.expires is not None and new.expires <= now:
        raise StillwatchError("keys create: the key would have expired already; give a later time.")
    key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    record = KeyRecord(key_id=_new_id(), digest=key_digest(key, secret), account=new.account, label=new.label,
                       created=now, expires=new.expires)  # fmt: skip
    with book.changing():
        _ensure_account(book, new.account)
        book.put_key(record)
    return Issued(record, key)


def find_key(book: Book, key_id: str) -> KeyRecord:
    """Return the key of this id.

    Raises:
        StillwatchError: no key has it.
    """
    for record in book.keys():
        if record.key_id == key_id:
            return record
    shown = key_id if key_id.startswith("k_") and len(key_id) <= 40 else "(not shown: it could be a key)"
    raise StillwatchError(f"key {shown}: no key has this id; `stillwatch keys list` lists them.")


def id_of_raw(book: Book, secret: bytes, raw: str) -> str:
    """Return the id of a raw key, to revoke one that was found somewhere it should not be.

    Raises:
        StillwatchError: the key is none of ours.
    """
    digest = key_digest(raw.strip(), secret)
    for record in book.keys():
        if record.digest == digest:
            return record.key_id
    raise StillwatchError("this key is none of ours, under the present master key.")


def revoke_key(book: Book, key_id: str, now: float) -> KeyRecord:
    """Revoke a key for good; one that is revoked stays so, with its first date."""
    with book.changing():
        record = find_key(book, key_id)
        if record.revoked is None:
            record = replace(record, revoked=now)
            book.put_key(record)
    return record


def revoke_account(book: Book, account: str, now: float) -> tuple[KeyRecord, ...]:
    """Revoke every key of an account that is not revoked yet, and return them.

    Raises:
        StillwatchError: the account never had a key.
    """
    with book.changing():
        own = [key for key in book.keys() if key.account == account]
        if not own:
            raise StillwatchError(f"account {account}: has no keys; `stillwatch keys list` lists them.")
        return tuple(revoke_key(book, key.key_id, now) for key in own if key.revoked is None)


def rotate_key(book: Book, secret: bytes, key_id: str, *, overlap: float, now: float) -> Issued:
    """Make a key like an old one, which goes on working for `overlap` seconds, then lapses.

    The new key lasts as long from now as the old one was made to last. Raises:
        StillwatchError: no such key, or it is not good any more.
    """
    with book.changing():
        old = find_key(book, key_id)
        if not old.good_at(now):
            raise StillwatchError(f"key {key_id}: is revoked or expired; make a new one with `stillwatch keys create`.")
        until = None if old.expires is None else now + max(old.expires - old.created, overlap)
        issued = create_key(book, secret, NewKey(account=old.account, label=old.label, expires=until), now)
        end = now + max(overlap, 0.0)
        book.put_key(replace(old, expires=end if old.expires is None else min(end, old.expires)))
    return issued


def import_keys(book: Book, secret: bytes, given: tuple[Given, ...], now: float) -> tuple[int, int]:
    """Take over keys made elsewhere, all or none; return how many are new and how many were known.

    Raises:
        StillwatchError: a key belongs to another account here.
    """
    added = 0
    with book.changing():
        known = {record.digest: record for record in book.keys()}
        accounts = {record.account for record in book.accounts()}
        for number, item in enumerate(given, start=1):
            digest = digest_of_hash(item.sha256, secret)
            if digest not in known:
                if item.account not in accounts:
                    book.put_account(AccountRecord(account=item.account))
                    accounts.add(item.account)
                known[digest] = KeyRecord(key_id=_new_id(), digest=digest, account=item.account, label=item.label,
                                          created=now)  # fmt: skip
                book.put_key(known[digest])
                added += 1
            elif known[digest].account != item.account:
                raise StillwatchError(
                    f"keys import: key {number}, given for account {item.account}, belongs to account "
                    f"{known[digest].account}; one key has one account. Nothing was imported."
                )
    return added, len(given) - added


def _ensure_account(book: Book, account: str) -> None:
    if book.find_account(account) is None:
        book.put_account(AccountRecord(account=account))


def _new_id() -> str:
    return f"k_{secrets.token_hex(6)}"
