"""The answers of `EventSource`, asked of the SQL engine.

In: windows and queries. Out: structured arrays, in the order that `terms.ports` states.
Cost: memory of one query under the engine's caps; questions that would need more run in passes.
Left to `clickhouse`: writing.
"""

from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.store import questions
from stillwatch.store.columns import flat, to_events, to_records
from stillwatch.store.engine import Engine
from stillwatch.store.keys import keys_per_event
from stillwatch.terms.event import EVENT_DTYPE, EventArray
from stillwatch.terms.ports import (
    CARRIER_DTYPE,
    KEY_DTYPE,
    MOST_COMMON_FIELDS,
    ROLLUP_DTYPE,
    CarrierArray,
    KeyArray,
    KeyList,
    RollupArray,
    SharedQuery,
    Span,
    Window,
    kind_index,
)

_STATE_BYTES: Final = 64
"""Memory of one key or one event while it is grouped, measured where grouping went to disk."""
_SORT_COPIES: Final = 3
"""How often the engine holds an event while it sorts."""


class Answers:
    """Everything detection asks, over the whole ingests up to `last_ingest`."""

    def __init__(self, engine: Engine, last_ingest: int) -> None:
        self._engine = engine
        self._last_ingest = last_ingest

    def epochs(self) -> tuple[int, ...]:
        """Return the key epochs that hold events, ascending."""
        sql = f"SELECT DISTINCT `epoch` FROM events WHERE `ingest` <= {self._last_ingest} ORDER BY `epoch`"
        return tuple(int(epoch) for epoch in flat(self._engine.rows(sql), "epoch"))

    def span(self, epoch: int | None = None) -> Span:
        """Return what is held of `epoch`; of the newest when None."""
        if epoch is None:
            held = self.epochs()
            epoch = held[-1] if held else 0
        row = self._engine.rows(
            "SELECT min(`time`) AS first, max(`time`) AS last, count() AS n, uniqExact(`account`) AS accounts "
            f"FROM events WHERE {self._within(Window(epoch=epoch))}"
        ).to_pylist()[0]
        if not row["n"]:
            return Span(epoch=epoch, first=0.0, last=0.0, n_events=0, n_accounts=0)
        return Span(epoch=epoch, first=row["first"], last=row["last"], n_events=row["n"], n_accounts=row["accounts"])

    def rollup(self, window: Window) -> RollupArray:
        """Return one row for each account with a request in the window."""
        where = self._within(window)
        passes = self._passes(where, 1)
        found = [self._rollup(f"{where} AND {part}", window) for part in _parts("`account`", passes)]
        rows = np.concatenate(found)
        return rows[np.argsort(rows["account"], kind="stable")]

    def shared_keys(self, query: SharedQuery) -> KeyArray:
        """Return the keys that the asked number of holders carried in the window."""
        where = self._within(query.window)
        found = []
        for kind in sorted(set(query.kinds), key=kind_index):
            passes = [
                self._engine.rows(questions.shared_keys(query, kind, where, part))
                for part in _parts("x", self._passes(where, keys_per_event(kind)))
            ]
            rows = to_records(pa.concat_tables(passes), KEY_DTYPE, kind=kind_index(kind))
            found.append(rows[np.argsort(rows["key"], kind="stable")])
        return np.concatenate(found) if found else np.zeros(0, KEY_DTYPE)

    def popularity(self, kind: str, keys: KeyList, window: Window) -> KeyArray:
        """Return the counts for these keys, whoever carried them; keys never carried are left out."""
        number = kind_index(kind)
        with self._engine.scratch(np.unique(keys)) as scratch:
            table = self._engine.rows(questions.popularity(kind, self._within(window), scratch))
        return to_records(table, KEY_DTYPE, kind=number)

    def carriers(self, kind: str, keys: KeyList, window: Window) -> CarrierArray:
        """Return who carried these keys in the window, one row a (key, account)."""
        number = kind_index(kind)
        with self._engine.scratch(np.unique(keys)) as scratch:
            table = self._engine.rows(questions.carriers(kind, self._within(window), scratch))
        return to_records(table, CARRIER_DTYPE, kind=number)

    def events(self, accounts: KeyList, window: Window) -> EventArray:
        """Return these accounts' events in the window, ordered by (time, account, event_id)."""
        where, wanted = self._within(window), np.unique(accounts)
        found = [self._events(part, where) for part in np.array_split(wanted, self._pieces(wanted, where))]
        if len(found) == 1:
            return found[0]
        events = np.concatenate(found)
        found.clear()
        return events[np.lexsort((events["event_id"], events["account"], events["time"]))]

    def _events(self, accounts: KeyList, where: str) -> EventArray:
        with self._engine.scratch(accounts) as scratch:
            return to_events(self._engine.rows(questions.events(where, scratch)))

    def _pieces(self, accounts: KeyList, where: str) -> int:
        """Return in how many pieces these accounts' events can be sorted within the memory cap."""
        with self._engine.scratch(accounts) as scratch:
            asked = f"SELECT count() AS n FROM events WHERE `account` IN (SELECT `key` FROM {scratch}) AND {where}"
            n = int(flat(self._engine.rows(asked), "n")[0])
        held = n * EVENT_DTYPE.itemsize * _SORT_COPIES
        return min(1 + held // (self._engine.caps.memory_bytes // 2), max(len(accounts), 1))

    def _rollup(self, where: str, window: Window) -> RollupArray:
        table = self._engine.rows(questions.totals(where, window.block_seconds))
        rows = to_records(table, ROLLUP_DTYPE, **dict.fromkeys(MOST_COMMON_FIELDS, 0))
        for field in MOST_COMMON_FIELDS:
            said = self._engine.rows(questions.most_common(field, where))
            rows[field][np.searchsorted(rows["account"], flat(said, "account"))] = flat(said, "value")
        return rows

    def _within(self, window: Window) -> str:
        return questions.within(window, self._last_ingest)

    def _passes(self, where: str, keys_per_row: int) -> int:
        """Return in how many passes a grouping keeps to half the memory cap, where it would go to disk."""
        n = int(flat(self._engine.rows(f"SELECT count() AS n FROM events WHERE {where}"), "n")[0])
        return 1 + n * keys_per_row * _STATE_BYTES // (self._engine.caps.memory_bytes // 2)


def _parts(name: str, passes: int) -> list[str]:
    """Return conditions that cut hashes into `passes` parts; by their low bits, since anchors are the least of many."""
    return [f"{name} % {passes} = {i}" for i in range(passes)] if passes > 1 else ["1"]
