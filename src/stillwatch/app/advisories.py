"""What was pulled from the hub, as it lies in the state folder: advisories in one file, their tokens in blobs.

In: advisories. Out: the same, and a stamp that changes with each pull. A blob is named after its SHA-256 and checked
when it is read; the file is replaced whole, so that a reader sees one pull or the next. Left to `coalition pull`:
what is in force at the hub.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.gateway.published import replace_whole
from stillwatch.terms.coalition import TOKEN_BYTES, TOKEN_KINDS, Advisory
from stillwatch.terms.errors import StillwatchError

_VERSION: Final = 1


class _Kept(msgspec.Struct):
    id: str
    campaign: str
    organisation: str
    kind: str
    epoch: str
    valid_from: float
    valid_until: float
    digest: str
    revoked: bool = False
    disputed_by: tuple[str, ...] = ()


class _File(msgspec.Struct):
    version: int
    advisories: list[_Kept]


@dataclass(frozen=True, slots=True)
class PulledAdvisories:
    """`terms.coalition.Advisories` of a state folder."""

    state: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.state / "coalition" / "advisories.json"

    def stamp(self) -> str:
        """Return a text that changes whenever anything was pulled; empty where nothing ever was."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return ""
        return f"{status.st_mtime_ns}-{status.st_ino}-{status.st_size}"

    def all(self) -> tuple[Advisory, ...]:
        """Return every advisory that was pulled.

        Raises:
            StillwatchError: the file or a blob is damaged; nothing is taken then.
        """
        try:
            file = msgspec.json.decode(self.path.read_bytes(), type=_File)
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError) as problem:
            raise StillwatchError(
                f"{self.path}: cannot be read ({type(problem).__name__}); pull again with `stillwatch coalition pull`."
            ) from None
        if file.version != _VERSION:
            raise StillwatchError(f"{self.path}: of version {file.version}; must be {_VERSION}. Pull again.")
        return tuple(self._whole(kept) for kept in file.advisories)

    def put(self, advisories: Sequence[Advisory]) -> tuple[str, ...]:
        """Replace what was pulled by this; blobs that nothing names any more go.

        Returns:
            Ids of those left out because they are malformed: one member's mistake must not keep out another's warning.

        Raises:
            OSError: the folder cannot be written; the old file stays.
        """
        blobs = self.path.parent / "blobs"
        blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = []
        sound = [one for one in advisories if is_sound(one)]
        for one in sound:
            digest = hashlib.sha256(one.tokens).hexdigest()
            if not (blobs / digest).exists():
                replace_whole(blobs / digest, one.tokens)
            kept.append(_Kept(digest=digest, **{k: v for k, v in asdict(one).items() if k != "tokens"}))
        replace_whole(self.path, msgspec.json.encode(_File(_VERSION, kept)))
        named = {one.digest for one in kept}
        for path in blobs.iterdir():
            if path.name not in named:
                path.unlink(missing_ok=True)
        return tuple(one.id for one in advisories if one not in sound)

    def _whole(self, kept: _Kept) -> Advisory:
        path = self.path.parent / "blobs" / kept.digest
        try:
            tokens = path.read_bytes() if len(kept.digest) == 64 and kept.digest.isalnum() else b""
        except OSError as problem:
            raise StillwatchError(f"{path}: {problem.strerror}; pull again with `stillwatch coalition pull`.") from None
        if hashlib.sha256(tokens).hexdigest() != kept.digest:
            raise StillwatchError(f"{path}: is not what its name says; pull again with `stillwatch coalition pull`.")
        values = {name: getattr(kept, name) for name in kept.__struct_fields__ if name != "digest"}
        return Advisory(tokens=tokens, **values)


def is_sound(one: Advisory) -> bool:
    """Return whether an advisory can be matched: of a known kind, with distinct ascending tokens of 16 bytes."""
    tokens = one.split()
    ascending = all(a < b for a, b in itertools.pairwise(tokens))
    return one.kind in TOKEN_KINDS and bool(tokens) and len(one.tokens) % TOKEN_BYTES == 0 and ascending
