"""Which contexts a marked account was served: noted by the watcher, looked up when a student is examined.

In: exchanges as served, a tokeniser, the keys of marks. Out: keyed digests in `marks/served`, and counts. No text.
An answer counts when its action ordered the watermark and an epoch's keys were there. What fails is counted and lost.
Cost: about 3 microseconds a token, most of it the tokeniser's. Left to `treatments.marks.served`: what is kept.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from stillwatch.app.markring import load_ring, ring_path
from stillwatch.app.settings import Settings
from stillwatch.app.vaultmarks import mark_epochs
from stillwatch.gateway.published import replace_whole
from stillwatch.logs.served import read_served
from stillwatch.store.servedindex import ServedIndex, ServedPart
from stillwatch.terms.served import Served
from stillwatch.treatments.marks.prf import U64, ContextTable
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.served import ServedContexts, Tokeniser, served_contexts

STATUS_NAME: Final = "served.json"
PACKED_NAME: Final = "marks/served.index"
"""The index as one file, in a backup."""
_FOLD_SECONDS: Final = 3_600.0
_SAY_SECONDS: Final = 5.0


@dataclass(slots=True, kw_only=True)
class ServedStatus:
    """What was noted since this watcher began; no text, no account."""

    at: float = 0.0
    answers: int = 0
    """Marked answers whose contexts were noted."""
    full: int = 0
    """Left out because the index is full."""
    failed: int = 0
    """Lost because text, keys or disk failed."""
    problem: str = ""
    """Kind of the last failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCount:
    """What one account was served under one epoch's keys."""

    epoch: int
    contexts: int
    """Distinct contexts kept."""
    estimate: float
    """Distinct contexts served, estimated where only a sample is kept."""


def served_folder(state: Path) -> Path:
    """Return where the index lies, there or not."""
    return state / "marks" / "served"


@dataclass(slots=True)
class ServedKeeper:
    """Notes the contexts of marked answers."""

    state: Path
    index: ServedIndex
    tokeniser: Tokeniser
    vocabulary: int
    """Tokens that the tokeniser knows."""
    epoch_at: Callable[[float], int]
    status: ServedStatus = field(default_factory=ServedStatus)
    _tables: dict[int, tuple[Epoch, ContextTable]] = field(default_factory=dict, repr=False)
    _folded_at: float = field(default_factory=time.monotonic)
    _said_at: float = -1e9

    def keep(self, served: Sequence[Served], now: float) -> None:
        """Note a group; never raises."""
        found: dict[tuple[int, bytes], list[U64]] = {}
        answers = 0
        for one in served:
            if not marked(one):
                continue
            try:
                answers += self._note(one, found)
            except Exception as problem:  # the words of it might quote the answer
                self.status.failed += 1
                self.status.problem = type(problem).__name__
        try:
            parts = [ServedPart(epoch, tag, np.unique(np.concatenate(d))) for (epoch, tag), d in found.items()]
            self.status.full += self.index.add(parts)
            self.status.answers += answers
        except Exception as problem:
            self.status.failed += answers
            self.status.problem = type(problem).__name__
        self.tend(now)

    def tend(self, now: float) -> None:
        """Fold and say what is due; never raises."""
        clock = time.monotonic()
        try:
            if clock - self._folded_at >= _FOLD_SECONDS:
                self._folded_at = clock
                self.index.fold()
            if clock - self._said_at >= _SAY_SECONDS:
                self._said_at = clock
                self.status.at = now
                replace_whole(self.state / "run" / STATUS_NAME, msgspec.json.encode(self.status))
        except Exception as problem:
            self.status.problem = type(problem).__name__

    def close(self) -> None:
        """Fold what is new; never raises."""
        self._folded_at = self._said_at = -1e9
        self.tend(time.time())

    def _note(self, one: Served, found: dict[tuple[int, bytes], list[U64]]) -> int:
        number = self.epoch_at(one.time)
        text = read_served(one).answer
        if number < 0 or not text:
            return 0
        if number not in self._tables:
            epoch = load_ring(self.state).epoch(number)
            self._tables[number] = epoch, ContextTable.of(epoch, epoch.vocab or self.vocabulary)
        epoch, table = self._tables[number]
        contexts = served_contexts(table, self.tokeniser(text))
        found.setdefault((number, epoch.tag("account", one.account)), []).append(contexts)
        return 1


def marked(one: Served) -> bool:
    """Whether an answer went out with the order to mark its wording."""
    return one.status == 200 and bool(one.answer) and "watermark" in one.treatments.split("+")


def served_keeper(
    state: Path, settings: Settings, wall_of: Callable[[float], float] | None = None
) -> ServedKeeper | None:
    """Return what notes served contexts; None where the settings do not want it.

    Raises:
        StillwatchError: there is no such tokeniser.
    """
    config = settings.vault
    if not config.served_contexts:
        return None
    from stillwatch.engines.tokens import load_tokens

    tokens = load_tokens(Path(config.tokenizer))
    index = ServedIndex(served_folder(state), most=config.max_contexts)
    return ServedKeeper(state, index, tokens.ids, tokens.vocabulary, mark_epochs(state, wall_of))


def served_of(state: Path, epoch: int, account: str) -> ServedContexts:
    """Return the contexts that an account was served under one epoch's keys, for a reader.

    Raises:
        StillwatchError: there are no keys of that epoch, or the file is damaged.
    """
    tag = load_ring(state).epoch(epoch).tag("account", account)
    return ServedIndex(served_folder(state)).load(epoch, tag)


def served_counts(state: Path, account: str) -> tuple[ServedCount, ...]:
    """Return what an account was served, by epoch; epochs without any are left out.

    Raises:
        StillwatchError: there are no keys of marks, or a file is damaged.
    """
    found = []
    for epoch in load_ring(state).epochs:
        served = served_of(state, epoch.number, account)
        if len(served):
            found.append(ServedCount(epoch=epoch.number, contexts=len(served), estimate=served.estimate))
    return tuple(found)


def pack_served(state: Path, target: Path) -> int:
    """Write the whole index into one new file, for a backup; return how many accounts and epochs, 0 where none is.

    Raises:
        StillwatchError, OSError: a file is damaged, or the disk refuses.
    """
    return ServedIndex(served_folder(state)).pack(target) if served_folder(state).is_dir() else 0


def unpack_served(state: Path) -> None:
    """Take in the file that a backup put into the state folder, if there is one, and delete it.

    Raises:
        StillwatchError, OSError: it is damaged, or the disk refuses.
    """
    packed = state / PACKED_NAME
    if packed.is_file():
        ServedIndex(served_folder(state)).unpack(packed)
        packed.unlink()


def forget_served(state: Path, account: str) -> None:
    """Drop what an account was served under every epoch's keys.

    Raises:
        StillwatchError: there are no keys of marks.
    """
    if not ring_path(state).exists():
        return
    index = ServedIndex(served_folder(state))
    for epoch in load_ring(state).epochs:
        index.forget(epoch.number, epoch.tag("account", account))
