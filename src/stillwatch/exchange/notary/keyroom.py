"""A notary's secrets on disk: its lasting identity, and one seed for each epoch that has not ended.

In: a folder and the clock. Out: signed epoch keys, and the keys themselves for evaluating. A seed is drawn when its
epoch begins, so that nobody can be made to give it up before; it is overwritten and deleted when the epoch ends, so
that nobody can be made to give it up after. Files are readable by their owner only.
Left to the operator: that no copy of the folder is kept. A journalling or copying file system, a snapshot and a
worn-levelled disk can keep what was overwritten: see docs/howto/notary.md.
"""

import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stillwatch.exchange.notary.blind import SEED_BYTES, NotaryKey
from stillwatch.exchange.notary.epochs import EpochKey, epoch_at, statement
from stillwatch.terms.errors import StillwatchError

IDENTITY: Final = "identity.key"
_SEED_NAME: Final = re.compile(r"epoch-(\d{1,9})\.seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """What a rotation did."""

    number: int
    """Epoch in force."""
    made: bool
    """Whether its key was drawn now."""
    destroyed: tuple[int, ...]
    """Epochs whose keys are gone now."""


@dataclass(slots=True)
class KeyRoom:
    """The secrets in one folder."""

    folder: Path
    _keys: dict[int, NotaryKey] = field(default_factory=dict, repr=False)

    @classmethod
    def make(cls, folder: Path, now: float) -> "KeyRoom":
        """Make a new identity and the key of the epoch in force.

        Raises:
            StillwatchError: there is an identity already, or the folder cannot be written.
        """
        room = cls(folder)
        if (folder / IDENTITY).exists():
            raise StillwatchError(f"notary {folder}: has an identity already; members pinned it. Name another folder.")
        room._write(IDENTITY, secrets.token_bytes(32))
        room.turn(now)
        return room

    @classmethod
    def open(cls, folder: Path) -> "KeyRoom":
        """Open a folder that `make` made.

        Raises:
            StillwatchError: there is no identity in it, or it is damaged.
        """
        room = cls(folder)
        room._identity()
        return room

    @property
    def identity(self) -> bytes:
        """Ed25519 public key that members pin, 32 bytes."""
        return self._identity().public_key().public_bytes_raw()

    def turn(self, now: float, *, leap: bool = False) -> Turned:
        """Destroy the keys of epochs that ended, and draw that of the epoch in force if there is none.

        Args:
            now: Seconds since 1970.
            leap: Pass over whole epochs: a person says that the clock is right. Otherwise a clock that jumps would
                destroy a key that is still in force.

        Raises:
            StillwatchError: whole epochs would be passed over, or the folder cannot be read or written.
        """
        number, destroyed, there = epoch_at(now), [], sorted(self._numbers())
        if there and number > there[-1] + 1 and not leap:
            raise StillwatchError(
                f"notary {self.folder}: the clock says epoch {number}, and the last key is of epoch {there[-1]}. If "
                "the clock is right, run `stillwatch notary rotate`, which destroys that key; otherwise set the clock."
            )
        for old in there:
            if old < number:
                self._destroy(old)
                destroyed.append(old)
        made = number not in there
        if made:
            self._write(_name(number), secrets.token_bytes(SEED_BYTES))
        return Turned(number=number, made=made, destroyed=tuple(destroyed))

    def key(self, number: int) -> NotaryKey:
        """Return the key of an epoch.

        Raises:
            StillwatchError: there is none, or not any more.
        """
        if number not in self._keys:
            self._keys = {number: NotaryKey(self._read(_name(number)))}
        return self._keys[number]

    def epoch_key(self, number: int) -> EpochKey:
        """Return what this notary says of its key of an epoch, signed.

        Raises:
            StillwatchError: there is no such key.
        """
        public = self.key(number).public
        return EpochKey(number=number, public=public, signature=self._identity().sign(statement(number, public)))

    def _identity(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._read(IDENTITY))

    def _numbers(self) -> set[int]:
        try:
            found = (_SEED_NAME.fullmatch(path.name) for path in self.folder.iterdir())
            return {int(match[1]) for match in found if match}
        except OSError as problem:
            raise self._failed(problem) from None

    def _destroy(self, number: int) -> None:
        path = self.folder / _name(number)
        self._keys.pop(number, None)
        try:
            with path.open("r+b") as file:
                file.write(secrets.token_bytes(SEED_BYTES))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            self._sync()
        except OSError as problem:
            raise self._failed(problem) from None

    def _read(self, name: str) -> bytes:
        try:
            content = (self.folder / name).read_bytes()
        except FileNotFoundError:
            raise StillwatchError(
                f"notary {self.folder}: has no {name}. `stillwatch notary init` makes a notary; keys of epochs that "
                "ended are destroyed and do not come back."
            ) from None
        except OSError as problem:
            raise self._failed(problem) from None
        if len(content) != SEED_BYTES:
            raise StillwatchError(f"notary {self.folder}: {name} has {len(content)} bytes; must be {SEED_BYTES}.")
        return content

    def _write(self, name: str, content: bytes) -> None:
        """Create a file whole and new, for its owner only."""
        draft = self.folder / f".{name}.{secrets.token_hex(4)}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, self.folder / name)  # fails where another process was first, whose key then holds
            self._sync()
        except FileExistsError:
            pass
        except OSError as problem:
            raise self._failed(problem) from None
        finally:
            draft.unlink(missing_ok=True)

    def _sync(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _failed(self, problem: OSError) -> StillwatchError:
        return StillwatchError(f"notary {self.folder}: {problem.strerror}; give a folder that you own.")


def _name(number: int) -> str:
    return f"epoch-{number}.seed"
