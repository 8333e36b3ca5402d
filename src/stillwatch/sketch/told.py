"""Tell what of a request was counted with an earlier request of the same account, and what is asked here.

In: exchanges in the order in which they came. Out: a `Newest` each, whose text holds everything that this account has
not been counted for. A chat sends its whole past with every request; a request that continues an earlier one is asked
for its new turns alone, and only one request may continue each. Whatever else stands in a history was made up, imported
or cut off by the log, so it is part of what is asked. What the decision rests on is a table of keyed digests in memory,
of fixed size, oldest out first: no text, and nothing on disk. Where it has forgotten, a history is counted once more.
The same request again is decided as it was the first time.
Cost: about 10 microseconds a request of one turn, 5 a kilobyte of history; 20 MB once it is full.
Left to `newest`: cutting a request into steps.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np

from stillwatch.sketch.aside import prose
from stillwatch.sketch.newest import Newest, Step, request_steps
from stillwatch.terms.exchange import Exchange

SLOTS: Final = 1 << 21
"""Digests that are remembered, some three for a request; a power of two."""
_WAYS: Final = 4
_MOST: Final = 255
_WORD: Final = (1 << 64) - 1
_DROPPED: Final = b" \t\r\n\x0b\x0c0123456789"
_ACCOUNTS: Final = 16_384
_ENDS: Final = 4_096
_SYSTEMS: Final = 1_024
_THOUGHT: Final = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


class Digests:
    """Keyed digest -> a number below 256, in a table of fixed size; what was put can be taken back until `settle`."""

    __slots__ = ("_keys", "_mask", "_next", "_undo", "_values")

    def __init__(self, slots: int) -> None:
        self._mask = slots // _WAYS - 1
        self._keys = np.zeros(slots, np.uint64).data
        self._values = bytearray(slots)
        self._next = bytearray(slots // _WAYS)
        self._undo: list[tuple[int, int, int, int]] = []

    def get(self, key: int) -> int:
        """Return the number kept under `key`, or -1."""
        place = self._find(key)
        return self._values[place] if place >= 0 else -1

    def put(self, key: int, value: int) -> None:
        """Keep `value` under `key`; a new key takes the place of the oldest of four."""
        self._put(self._find(key), key, value)

    def noted(self, key: int) -> None:
        """Keep 0 under `key` where there is nothing."""
        if self._find(key) < 0:
            self._put(-1, key, 0)

    def raised(self, key: int) -> None:
        """Add 1 to the number under `key`, from 0 where there is none; it stays below 256."""
        place = self._find(key)
        self._put(place, key, min(self._values[place] + 1, _MOST) if place >= 0 else 1)

    def _put(self, place: int, key: int, value: int) -> None:
        bucket = key & self._mask
        turn = self._next[bucket]
        if place < 0:
            place = bucket * _WAYS + turn % _WAYS
            self._next[bucket] = (turn + 1) & 255
        self._undo.append((place, self._keys[place], self._values[place], turn))
        self._keys[place], self._values[place] = key, value

    def settle(self) -> None:
        """Let what was put stay."""
        self._undo.clear()

    def undo(self) -> None:
        """Take back what was put since the last `settle`."""
        for place, key, value, turn in reversed(self._undo):
            self._keys[place], self._values[place] = key, value
            self._next[place // _WAYS] = turn
        self._undo.clear()

    def _find(self, key: int) -> int:
        first = (key & self._mask) * _WAYS
        row = self._keys[first : first + _WAYS].tolist()
        return first + row.index(key) if key in row else -1


class Told:
    """What accounts were counted for; belongs to one thread, as the `Reducer` that holds it."""

    def __init__(self, secret: bytes, slots: int = SLOTS) -> None:
        """Take a 32-byte key of its own, and the size of the table: a power of two, 4 or more."""
        self._secret = secret
        self._states = {
            purpose: hashlib.blake2b(key=secret, digest_size=8, person=purpose)
            for purpose in (b"account", b"text", b"answer")
        }
        self._systems: dict[str, int] = {}
        drawn = np.frombuffer(hashlib.blake2b(b"links", key=secret, digest_size=64).digest(), "<u8")
        self._odd = [int(number) | 1 for number in drawn]
        self._known = Digests(slots)
        self._accounts: dict[str, int] = {}

    def __repr__(self) -> str:
        return "Told()"

    @contextmanager
    def reading(self, exchanges: Sequence[Exchange]) -> Iterator[list[Newest]]:
        """Give what is asked in each exchange; where the work on it fails, nothing of it is remembered."""
        try:
            yield [self._read(exchange) for exchange in exchanges]
        except BaseException:
            self._known.undo()
            raise
        self._known.settle()

    def _read(self, exchange: Exchange) -> Newest:
        cut = request_steps(exchange)
        account = self._account(exchange.account)
        marks = [self._step(account, step) for step in cut.steps]
        last = cut.steps[-1]
        if len(marks) == 1 and not (last.said or exchange.tools or exchange.aside):
            found = self._beside(account, exchange, cut.system, marks[0]) if cut.system else ()
            self._remember(account, exchange, marks)
            return Newest(last.text, last.images, cut.system, cut.answers, cut.turns, "\n".join(found))
        before, images = self._earlier(account, cut.steps, marks)
        aside = self._beside(account, exchange, cut.system, marks[-1])
        closing = last.said if last.said and self._made_up(account, last.said, self._whole(marks)) else ""
        self._remember(account, exchange, marks)
        return Newest(
            text="\n".join(part for part in (last.text, closing) if part),
            before="\n".join(part for part in (*aside, *before) if part),
            images=(*last.images, *images),
            system=cut.system,
            answers=cut.answers,
            turns=cut.turns,
        )

    def _earlier(self, account: int, steps: Sequence[Step], marks: Sequence[int]) -> tuple[list[str], list[bytes]]:
        """Return the text and the images of earlier steps that no earlier request was counted for."""
        if len(steps) == 1:
            return [], []
        whole = self._whole(marks)
        counted = self._counted(marks, whole)
        new = len(steps) - 1 - counted
        texts: list[str] = []
        images: list[bytes] = []
        for number, step in enumerate(steps[:-1]):
            if number < new:
                texts.append(step.text)
                images += step.images
            if not step.said:
                continue
            if number < new:
                asked = self._made_up(account, step.said, whole)
            else:
                asked = self._altered(account, (marks[number], marks[number + 1]), step.said, whole)
            if asked:
                texts.append(step.said)
        self._known.put(whole, 1 + min(counted, _MOST - 1))
        return texts, images

    def _counted(self, marks: Sequence[int], whole: int) -> int:
        """Return how many steps before the newest were counted with earlier requests, the latest first."""
        known = self._known
        before = known.get(whole)
        if before > 0:
            return before - 1
        count = 0
        last = len(marks) - 2
        link = self._link(marks[last - 1], marks[last]) if last else 0
        if last and self._taken(link):
            self._taken(self._alone(marks[last]))  # the same request waited under both
            count = 2
            while count <= last and known.get(self._link(marks[last - count], marks[last - count + 1])) >= 0:
                count += 1
        elif self._taken(self._alone(marks[last])):
            count = 1
        return count

    def _taken(self, key: int) -> bool:
        """Take up one request that waits to be continued; False where none does."""
        waiting = self._known.get(key)
        if waiting > 0:
            self._known.put(key, waiting - 1)
        return waiting > 0

    def _made_up(self, account: int, said: str, whole: int) -> bool:
        """Return whether an answer in a request had not been given to the account when the request was first met."""
        key = self._mixed(13, whole, self._digest(b"answer", said))
        if self._known.get(key) >= 0:
            return True
        if self._issued(account, said):
            return False
        self._known.put(key, 0)
        return True

    def _altered(self, account: int, ends: tuple[int, int], said: str, whole: int) -> bool:
        """Return whether an answer between two counted steps is not the one given, and is met here for the first time.

        Where no answer of the account is told, none can be.
        """
        key = self._mixed(3, self._link(*ends), self._digest(b"answer", said))
        if self._known.get(key) < 0 and self._issued(account, said):
            return False
        return self._mine(key, whole, known=self._known.get(self._mixed(2, account, 0)) >= 0)

    def _issued(self, account: int, said: str) -> bool:
        """Return whether an answer was given to the account, with or without the thoughts at its start."""
        return any(self._known.get(self._answer(account, text)) >= 0 for text in _spellings(said))

    def _beside(self, account: int, exchange: Exchange, system: str, mark: int) -> list[str]:
        """Return what is asked beside the turns: new forms, and a new system text under a request sent before."""
        found: list[str] = []
        tag = self._alone(mark)
        if system and self._mine(self._system(account, system), tag, known=self._known.get(tag) >= 0):
            found.append(system)  # the same words again under another system text: that is where the question stands
        forms = exchange.tools + exchange.aside
        if not forms:
            return found
        flag, every = self._mixed(6, account, 0), self._text(7, account, forms)
        seen = self._known.get(flag) >= 0
        if self._mine(every, tag):  # else nothing in them is new
            leaves = [leaf for leaf in prose(exchange) if self._mine(self._text(8, account, leaf), tag, known=seen)]
            found += leaves
            if not seen:
                self._known.put(every, 0)
            self._known.put(flag, 0)
        return found

    def _mine(self, key: int, tag: int, *, known: bool = True) -> bool:
        """Return whether `key` is new and counts, or was new in this very request before; remember which.

        Args:
            key: What was met.
            tag: Digest of the request that meets it.
            known: Whether it counts where it is new.
        """
        met = self._known.get(key)
        if met < 0:
            self._known.put(key, 1 + tag % _MOST if known else 0)
            return known
        return met == 1 + tag % _MOST

    def _remember(self, account: int, exchange: Exchange, marks: Sequence[int]) -> None:
        known = self._known
        known.raised(self._alone(marks[-1]))
        if len(marks) > 1:
            known.raised(self._link(marks[-2], marks[-1]))
            for left, right in zip(marks[:-2], marks[1:-1], strict=True):
                known.noted(self._link(left, right))
        if exchange.answer:
            known.noted(self._mixed(2, account, 0))
            for text in _spellings(exchange.answer):
                known.noted(self._answer(account, text))

    def _account(self, name: str) -> int:
        found = self._accounts.get(name)
        if found is None:
            if len(self._accounts) >= _ACCOUNTS:
                self._accounts.clear()
            found = self._accounts[name] = self._digest(b"account", name)
        return found

    def _step(self, account: int, step: Step) -> int:
        mark = self._text(1, account, step.text)
        for image in step.images:
            ends = hashlib.blake2b(image[:_ENDS] + image[-_ENDS:], key=self._secret, digest_size=8).digest()
            mark = self._mixed(9, mark ^ len(image), int.from_bytes(ends, "little"))
        return mark

    def _alone(self, mark: int) -> int:
        return self._mixed(10, mark, 0)

    def _link(self, left: int, right: int) -> int:
        return self._mixed(11, left, right)

    def _whole(self, marks: Sequence[int]) -> int:
        whole = 0
        for mark in marks:
            whole = self._mixed(12, whole, mark)
        return whole

    def _answer(self, account: int, text: str) -> int:
        return self._text(4, account, text)

    def _text(self, kind: int, account: int, text: str) -> int:
        return self._mixed(kind, account, self._digest(b"text", text))

    def _mixed(self, kind: int, left: int, right: int) -> int:
        """Return a digest of two, which are secret themselves; never 0."""
        odd = self._odd
        value = (kind * odd[0] + left * odd[1] + (right ^ (right >> 31)) * odd[2]) & _WORD
        value = ((value ^ (value >> 32)) * odd[3]) & _WORD
        return (value ^ (value >> 29)) or 1

    def _digest(self, purpose: bytes, text: str) -> int:
        raw = text.encode("utf-8", "surrogatepass")
        state = self._states[purpose].copy()  # the key is hashed once, not for each text
        state.update(raw if purpose == b"account" else raw.translate(None, _DROPPED))
        return int.from_bytes(state.digest(), "little")

    def _system(self, account: int, text: str) -> int:
        """Return `_text` of a system text; the same few stand before most requests, so their digests are kept."""
        found = self._systems.get(text)
        if found is None:
            found = self._digest(b"text", text)
            if len(text) <= _ENDS:
                if len(self._systems) >= _SYSTEMS:
                    self._systems.clear()
                self._systems[text] = found
        return self._mixed(5, account, found)


def _spellings(said: str) -> tuple[str, ...]:
    """An answer as it came, and without the thoughts at its start, which clients leave out of the history."""
    if "</think>" not in said:
        return (said,)
    bare = _THOUGHT.sub("", said)
    return (said, bare) if bare != said and bare.strip() else (said,)
