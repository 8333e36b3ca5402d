"""Reduce exchanges to events: the last step that sees text.

In: `Exchange` records, in memory. Out: rows of `EVENT_DTYPE`, hashed under their key epoch.
One request is a batch of one, so the gateway and a scan of its log give the same bytes.
Cost: about 40 microseconds a request of 370 characters in batches of 1,000; 1.5 ms alone; 15 MB.
Left to `keys`: the epochs. Left to `store`: keeping events.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Final, TypeVar

import numpy as np

from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.agent import sdk_class
from stillwatch.sketch.epochkeys import EpochHasher
from stillwatch.sketch.images import image_hash
from stillwatch.sketch.keys import KeyRing, epoch_of
from stillwatch.sketch.newest import Newest
from stillwatch.sketch.parameters import canonical, parameter_asks
from stillwatch.sketch.siphash import U64
from stillwatch.sketch.sketches import sketch_asked
from stillwatch.sketch.systems import fill_systems
from stillwatch.sketch.told import Told
from stillwatch.terms.event import ENDPOINTS, FINISHES, N_CHAIN, N_IMAGES, EventArray, empty_events
from stillwatch.terms.exchange import Exchange

V = TypeVar("V")

KEPT_EPOCHS: Final = 4
_REMEMBERED: Final = 65_536
_LONGEST_REMEMBERED: Final = 1024
_ENDPOINT: Final = {name: number for number, name in enumerate(ENDPOINTS)}
_FINISH: Final = {name: number for number, name in enumerate(FINISHES)} | {
    word: FINISHES.index(name)
    for name, words in {
        "stop": ("end_turn", "stop_sequence", "eos", "completed", "complete"),
        "length": ("max_tokens", "max_output_tokens", "model_length"),
        "tool": ("tool_calls", "tool_use", "function_call"),
        "refusal": ("content_filter", "safety"),
        "error": ("failed", "cancelled"),
    }.items()
    for word in words
}
_HASHED: Final = ("account", "organisation", "plan", "key_id", "tls", "payment", "session", "model")


class Reducer:
    """Turns exchanges into events; holds keys, tables and remembered short strings, never long text."""

    def __init__(self, keys: KeyRing, addresses: AddressTable) -> None:
        self._keys = keys
        self._addresses = addresses
        self._epochs: dict[int, EpochHasher] = {}
        self._event_key = keys.lasting("event_id")
        self._told = Told(keys.lasting("told"))
        self._places: dict[str, tuple[int, int, str]] = {}
        self._agents: dict[str, str] = {}
        self._parameters: dict[str, tuple[str, int]] = {}
        self.refused_images = 0
        """Images since the start that were malformed, too large or of another format."""

    def reduce(self, exchanges: Sequence[Exchange], epoch: int | None = None) -> EventArray:
        """Return one event for each exchange, in order.

        Args:
            exchanges: Any number, in the order in which they came; how they are split over calls of one reducer
                changes no bit of any row.
            epoch: Hash all under this epoch; None hashes each under the epoch of its own time.

        Returns:
            Events, shape (n,).
        """
        with self._told.reading(exchanges) as parts:
            return self._rows(exchanges, parts, epoch)

    def reduce_all(self, exchanges: Sequence[Exchange]) -> EventArray:
        """Return `reduce(exchanges)`, then the events in an overlap once more under the previous epoch.

        The second row of an event has the same `event_id` and another `epoch`; shape (n + n_overlap,).
        """
        with self._told.reading(exchanges) as parts:
            rows = [self._rows(exchanges, parts, None)]
            previous: dict[int, list[int]] = {}
            for number, exchange in enumerate(exchanges):
                for epoch in self._keys.epochs_for(exchange.time)[1:]:
                    previous.setdefault(epoch, []).append(number)
            for epoch in sorted(previous):
                chosen = previous[epoch]
                rows.append(self._rows([exchanges[i] for i in chosen], [parts[i] for i in chosen], epoch))
        return np.concatenate(rows)

    def _rows(self, exchanges: Sequence[Exchange], parts: Sequence[Newest], epoch: int | None) -> EventArray:
        events = empty_events(len(exchanges))
        if not len(exchanges):
            return events
        own = [epoch_of(x.time) if epoch is None else epoch for x in exchanges]
        if min(own) == max(own):
            self._fill(events, exchanges, parts, own[0])
            return events
        for number in sorted(set(own)):
            rows = [row for row, of in enumerate(own) if of == number]
            part = empty_events(len(rows))
            self._fill(part, [exchanges[row] for row in rows], [parts[row] for row in rows], number)
            events[rows] = part
        return events

    def _hasher(self, epoch: int) -> EpochHasher:
        found = self._epochs.get(epoch)
        if found is None:
            if len(self._epochs) >= KEPT_EPOCHS:
                self._epochs.pop(next(iter(self._epochs)))
            found = self._epochs[epoch] = EpochHasher(self._keys, epoch)
        return found

    def _fill(self, events: EventArray, exchanges: Sequence[Exchange], parts: Sequence[Newest], epoch: int) -> None:
        hasher = self._hasher(epoch)
        raws = [part.text.encode("utf-8", "surrogatepass") for part in parts]
        answers = [x.answer.encode("utf-8", "surrogatepass") for x in exchanges]
        events["epoch"] = epoch
        events["event_id"] = _u64(
            self._event_id(x, part, raw, answer)
            for x, part, raw, answer in zip(exchanges, parts, raws, answers, strict=True)
        )
        self._fill_plain(events, exchanges, parts)
        self._fill_hashed(events, exchanges, hasher)
        sketch = events["sketch"]
        sketch[...] = sketch_asked(parts, raws, hasher)
        parameters = [self._parameter(x) for x in exchanges]
        events["parameters"] = _hashes(hasher, "parameters", [text for text, _ in parameters])
        sketch["asks"] |= np.array([bits for _, bits in parameters], np.uint16)
        self._fill_carried(events, parts, answers, hasher)
        sketch["tools"] = _hashes(hasher, "tools", [x.tools for x in exchanges])

    def _event_id(self, exchange: Exchange, part: Newest, raw: bytes, answer: bytes) -> int:
        account = exchange.account.encode("utf-8", "surrogatepass")
        session = exchange.session.encode("utf-8", "surrogatepass")
        shape = struct.pack("<d4Q", exchange.time, len(account), len(session), len(raw), len(answer))
        digest = hashlib.blake2b(b"".join((shape, account, session, raw, answer)), key=self._event_key, digest_size=8)
        for image in part.images:
            digest.update(image)
        return int.from_bytes(digest.digest(), "little") or 1

    def _fill_plain(self, events: EventArray, exchanges: Sequence[Exchange], parts: Sequence[Newest]) -> None:
        events["time"] = [x.time for x in exchanges]
        events["latency"] = [x.latency for x in exchanges]
        events["turns"] = [min(part.turns, 65_535) for part in parts]
        events["tokens_in"] = [_whole(x.tokens_in, -1, 2**31 - 1) for x in exchanges]
        events["tokens_out"] = [_whole(x.tokens_out, -1, 2**31 - 1) for x in exchanges]
        events["status"] = [_whole(x.status, 0, 65_535) for x in exchanges]
        events["endpoint"] = [_ENDPOINT.get(x.endpoint, 0) for x in exchanges]
        events["finish"] = [_FINISH.get(x.finish, 0) for x in exchanges]

    def _fill_hashed(self, events: EventArray, exchanges: Sequence[Exchange], hasher: EpochHasher) -> None:
        for name in _HASHED:
            events[name] = _hashes(hasher, name, list(map(attrgetter(name), exchanges)))
        events["sdk"] = _hashes(hasher, "sdk", [self._agent(x.agent) for x in exchanges])
        places = self._place([x.address for x in exchanges])
        events["asn"] = [asn for asn, _, _ in places]
        events["address_kind"] = [kind for _, kind, _ in places]
        events["network"] = _hashes(hasher, "network", [network for _, _, network in places])

    def _fill_carried(
        self, events: EventArray, parts: Sequence[Newest], answers: Sequence[bytes], hasher: EpochHasher
    ) -> None:
        sketch = events["sketch"]
        sketch["issued"] = _u64(map(hasher.answer, answers))
        fill_systems(sketch, [part.system for part in parts], hasher)
        for row, part in enumerate(parts):
            if part.answers:
                carried = [hasher.answer(text.encode("utf-8", "surrogatepass")) for text in part.answers[-N_CHAIN:]]
                sketch["chain"][row, : len(carried)] = carried
            if part.images:
                hashes = [image_hash(image, hasher.image) for image in part.images[:N_IMAGES]]
                self.refused_images += hashes.count(0)
                sketch["images"][row, : len(hashes)] = hashes

    def _agent(self, agent: str) -> str:
        return _remember(self._agents, agent, sdk_class)

    def _parameter(self, exchange: Exchange) -> tuple[str, int]:
        given = exchange.parameters
        if not given:
            return "", 0
        key = repr(tuple(given.items()))
        return _remember(self._parameters, key, lambda _: (canonical(given), parameter_asks(given)))

    def _place(self, addresses: Sequence[str]) -> list[tuple[int, int, str]]:
        if len(self._places) > _REMEMBERED:
            self._places.clear()
        new = list({address for address in addresses if address not in self._places})
        if new:
            asns, kinds, networks = self._addresses.lookup(new)
            self._places.update(zip(new, zip(asns.tolist(), kinds.tolist(), networks, strict=True), strict=True))
        return [self._places[address] for address in addresses]


def _remember(memory: dict[str, V], key: str, compute: Callable[[str], V]) -> V:
    if key in memory:
        return memory[key]
    value = compute(key)
    if len(key) <= _LONGEST_REMEMBERED:
        if len(memory) >= _REMEMBERED:
            memory.clear()
        memory[key] = value
    return value


def _hashes(hasher: EpochHasher, purpose: str, values: Sequence[str]) -> U64:
    return np.array(list(map(hasher.by_purpose[purpose].__getitem__, values)), np.uint64)


def _u64(values: Iterable[int]) -> U64:
    return np.array(list(values), np.uint64)


def _whole(value: int, low: int, high: int) -> int:
    return low if value < low else min(value, high)
