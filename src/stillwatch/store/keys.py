"""Which column each kind of key stands in, for the engine and for NumPy alike.

In: a kind of `KEY_KINDS`, an `EventArray`. Out: SQL for that key, or (row, key) pairs.
A key of 0 means that the source did not say and is never shared. Left to `questions`: counting.
"""

import numpy as np
import numpy.typing as npt

from stillwatch.terms.event import SKETCH_DTYPE, EventArray
from stillwatch.terms.ports import kind_index

U64 = npt.NDArray[np.uint64]

_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_STEP = np.uint64(0x9E3779B97F4A7C15)
_SKETCH_KINDS = ("head", "tail", "skeleton", "system", "tools", "content")
_LISTS = {"anchor": "anchors", "system_anchor": "system_anchors"}
"""Kinds of which one event carries several keys -> the column of the sketch that lists them."""


def key_expression(kind: str, part: str = "") -> str:
    """Return the SQL whose value is the key, one row a key.

    Args:
        kind: One of `KEY_KINDS`; `anchor` and `system_anchor` give one row an anchor.
        part: Condition on `x` that narrows to some of the keys. It is applied to the list before it
            is unfolded, which spares copying the other columns for each anchor that is left out.

    Raises:
        StillwatchError: `kind` is none of `KEY_KINDS`.
    """
    kind_index(kind)
    condition = f"x != 0 AND {part}" if part else "x != 0"
    keys = f"`{_LISTS[kind]}`" if kind in _LISTS else f"[`{kind}`]"
    return f"arrayJoin(arrayFilter(x -> {condition}, {keys}))"


def keys_per_event(kind: str) -> int:
    """Return how many keys of this kind one event carries at most."""
    return int(SKETCH_DTYPE[_LISTS[kind]].shape[0]) if kind in _LISTS else 1


def event_keys(events: EventArray, kind: str) -> tuple[npt.NDArray[np.intp], U64]:
    """Return every key the events carry.

    Args:
        events: Shape (n_events,).
        kind: One of `KEY_KINDS`.

    Returns:
        Row of the event and the key it carries, both of shape (n_keys,); keys of 0 are left out.
    """
    kind_index(kind)
    if kind in _LISTS:
        values = np.ascontiguousarray(events["sketch"][_LISTS[kind]])
        rows, places = np.nonzero(values)
        return rows, values[rows, places]
    if kind == "client":
        flat = client_keys(events)
    elif kind in _SKETCH_KINDS:
        flat = np.ascontiguousarray(events["sketch"][kind])
    else:
        flat = np.ascontiguousarray(events[kind])
    rows = np.flatnonzero(flat)
    return rows, flat[rows]


def client_keys(events: EventArray) -> U64:
    """Return one hash for what a client's software looks like: SDK, TLS and parameters together.

    Returns:
        Shape (n_events,); 0 where the source said none of the three.
    """
    mixed = np.zeros(len(events), np.uint64)
    said = np.zeros(len(events), bool)
    for name in ("sdk", "tls", "parameters"):
        part = np.ascontiguousarray(events[name])
        said |= part != 0
        mixed = _scramble(mixed ^ part)
    return np.where(said, np.maximum(mixed, np.uint64(1)), np.uint64(0))


def holders(events: EventArray) -> U64:
    """Return who answers for each event: the organisation, or the account where there is none."""
    return np.where(events["organisation"] != 0, events["organisation"], events["account"])


def _scramble(values: U64) -> U64:
    """Spread every bit over the word (the finaliser of SplitMix64, Steele et al. 2014)."""
    values = values + _STEP
    values = (values ^ (values >> np.uint64(30))) * _MIX[0]
    values = (values ^ (values >> np.uint64(27))) * _MIX[1]
    return values ^ (values >> np.uint64(31))
