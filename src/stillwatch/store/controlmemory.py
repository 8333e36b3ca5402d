"""The control records in memory: for tests, and what `control` must agree with.

In: control records. Out: the same. Nothing is kept; one process, any number of threads.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Self

from stillwatch.terms.account import AccountRecord, Appeal, Decision, KeyRecord
from stillwatch.terms.canary import CanaryRecord
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.grant import GrantRecord


class MemoryControl:
    """`terms.account.Control` in memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._generation = 1
        self._keys: dict[str, KeyRecord] = {}
        self._accounts: dict[str, AccountRecord] = {}
        self._decisions: tuple[Decision, ...] = ()
        self._appeals: dict[str, Appeal] = {}
        self._canaries: dict[str, CanaryRecord] = {}
        self._grants: dict[str, GrantRecord] = {}
        self._grant_use: dict[str, int] = {}
        self._account_keys: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def generation(self) -> int:
        """Return a number that grows with every change."""
        with self._lock:
            return self._generation

    def keys(self) -> tuple[KeyRecord, ...]:
        """Return every key, revoked ones too, oldest first."""
        with self._lock:
            return tuple(sorted(self._keys.values(), key=lambda key: (key.created, key.key_id)))

    def put_key(self, record: KeyRecord) -> None:
        """Keep a key; one with the same digest is replaced. A key id that another key has is refused."""
        with self.changing():
            if len(record.digest) != 64:
                raise StillwatchError("control: a digest has 64 hex digits; nothing was changed.")
            if any(key.key_id == record.key_id and key.digest != record.digest for key in self._keys.values()):
                raise StillwatchError(f"control: key id {record.key_id} is another key's; nothing was changed.")
            self._keys = {**self._keys, record.digest: record}
            self._generation += 1

    def accounts(self) -> tuple[AccountRecord, ...]:
        """Return every account, by id."""
        with self._lock:
            return tuple(self._accounts[name] for name in sorted(self._accounts))

    def find_account(self, account: str) -> AccountRecord | None:
        """Return one account; None where there is none of this id."""
        with self._lock:
            return self._accounts.get(account)

    def put_account(self, record: AccountRecord) -> None:
        """Keep an account; one with the same id is replaced."""
        with self.changing():
            self._accounts = {**self._accounts, record.account: record}
            self._generation += 1

    def decisions(self) -> tuple[Decision, ...]:
        """Return every decision, oldest first."""
        with self._lock:
            return self._decisions

    def add_decision(self, decision: Decision) -> int:
        """Keep a decision for ever and return its id; the id that it came with does not count."""
        with self.changing():
            number = len(self._decisions) + 1
            self._decisions = (*self._decisions, replace(decision, id=number))
            self._generation += 1
            return number

    def appeals(self) -> tuple[Appeal, ...]:
        """Return every appeal, oldest first."""
        with self._lock:
            return tuple(sorted(self._appeals.values(), key=lambda appeal: (appeal.opened, appeal.id)))

    def put_appeal(self, appeal: Appeal) -> None:
        """Keep an appeal; one with the same id is replaced."""
        with self.changing():
            self._appeals = {**self._appeals, appeal.id: appeal}
            self._generation += 1

    def canaries(self) -> tuple[CanaryRecord, ...]:
        """Return every canary, retired and expired ones too, oldest first."""
        with self._lock:
            return tuple(self._canaries.values())

    def add_canary(self, record: CanaryRecord) -> None:
        """Keep a canary for ever; an id that is there already is refused."""
        with self.changing():
            if record.id in self._canaries:
                raise StillwatchError(f"control: canary {record.id} is there already; nothing was changed.")
            self._canaries = {**self._canaries, record.id: record}
            self._generation += 1

    def add_canaries(self, records: Sequence[CanaryRecord]) -> None:
        """Keep several canaries."""
        for record in records:
            self.add_canary(record)

    def retire_canary(self, canary: str, at: float, by: str) -> None:
        """Plant a canary no more; one that was retired before, or is not there, stays as it was."""
        with self.changing():
            found = self._canaries.get(canary)
            if found is not None and found.retired is None:
                self._canaries = {**self._canaries, canary: replace(found, retired=at, retired_by=by)}
                self._generation += 1

    def grants(self) -> tuple[GrantRecord, ...]:
        """Return every grant, ended ones too, oldest first."""
        with self._lock:
            return tuple(sorted(self._grants.values(), key=lambda grant: (grant.issued, grant.id)))

    def add_grant(self, record: GrantRecord) -> None:
        """Keep a grant for ever; an id that is there already is refused."""
        with self.changing():
            if record.id in self._grants:
                raise StillwatchError(f"control: grant {record.id} is there already; nothing was changed.")
            self._grants = {**self._grants, record.id: record}
            self._generation += 1

    def revoke_grant(self, grant: str, at: float, by: str) -> None:
        """End a grant; one that was revoked before, or is not there, stays as it was."""
        with self.changing():
            found = self._grants.get(grant)
            if found is not None and found.revoked is None:
                self._grants = {**self._grants, grant: replace(found, revoked=at, revoked_by=by)}
                self._generation += 1

    def grant_use(self) -> dict[str, int]:
        """Return the tokens used under each grant; those without use are left out."""
        with self._lock:
            return dict(self._grant_use)

    def add_grant_use(self, grant: str, tokens: int) -> None:
        """Add to the tokens used under a grant; does not change the generation."""
        with self.changing():
            self._grant_use = {**self._grant_use, grant: self._grant_use.get(grant, 0) + tokens}

    def account_keys(self) -> dict[str, str]:
        """Return the key that stands in each account's pseudonyms; those without one are left out."""
        with self._lock:
            return dict(self._account_keys)

    def add_account_keys(self, keys: Mapping[str, str]) -> None:
        """Keep keys of accounts that have none yet; the others stay as they were. Does not change the generation."""
        with self.changing():
            self._account_keys = {**keys, **self._account_keys}

    def destroy_account(self, account: str) -> bool:
        """Forget an account's key, its record and what it wrote in appeals; return whether there was any of it."""
        with self.changing():
            own = {name: one for name, one in self._appeals.items() if one.account == account}
            known = account in self._account_keys or account in self._accounts or bool(own)
            self._account_keys = {name: key for name, key in self._account_keys.items() if name != account}
            self._accounts = {name: one for name, one in self._accounts.items() if name != account}
            self._appeals = {**self._appeals, **{name: replace(one, statement="") for name, one in own.items()}}
            self._generation += known
            return known

    @contextmanager
    def changing(self) -> Iterator[Self]:
        """Make all changes within one whole: all of them or none. May be nested."""
        with self._lock:
            before = {name: value for name, value in vars(self).items() if name != "_lock"}
            try:
                yield self
            except BaseException:
                vars(self).update(before)
                raise

    def close(self) -> None:
        """Let go; twice does no harm."""
