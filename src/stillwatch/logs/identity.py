"""Who asked, from where and when: the names in `aliases`, looked for where logs put them.

In: a row. Out: slot -> value, the strongest name first, then the outermost place.
Cost: one pass over the row's keys and those of its places, about 40 ns a key.
A raw API key never leaves here: a digest takes its place.
"""

import hashlib
import re
from typing import Any

from stillwatch.logs.aliases import INNER, place_of, slot_of
from stillwatch.logs.content import parsed
from stillwatch.logs.importer import Row

Found = dict[str, Any]
"""Slot -> value as the row has it."""

RAW_KEY_HEADS = (
    "sk-",
    "sk_",
    "pk-",
    "pk_",
    "rk_",
    "Bearer ",
    "bearer ",
    "Basic ",
    "gsk_",
    "xai-",
    "hf_",
    "AIza",
    "AKIA",
    "eyJ",
    "ghp_",
    "r8_",
    "nvapi-",
    "pplx-",
    "csk-",
    "fw_",
    "key-",
)
"""How API keys and bearer tokens begin."""

_HASH = re.compile(r"(?:[a-z0-9]+[:_-])?(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{128})\Z")
"""SHA-256 or SHA-512 in hex; shorter ones are digested, since some providers' raw keys are 32 hex digits."""
_KEY_ID = re.compile(r"(?:key|apikey|ak|id)?[_-]?[A-Za-z0-9]{1,16}\Z")
_HIDDEN_NAMES = frozenset({"api_key", "apikey", "user_api_key", "x_api_key", "authorization", "virtual_key", "token"})
_ID_SLOTS = ("account", "end_user", "organisation", "session", "key", "payment")
_MAX_PLACES = 24


def digest_of(secret: str) -> str:
    """Return a BLAKE2b digest that stands for a raw key: the same key gives the same digest."""
    bare = secret.removeprefix("Bearer ").removeprefix("bearer ").strip()
    return "key-" + hashlib.blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def safe_id(value: Any) -> str:
    """Return an id as text, with a digest in place of what looks like a raw key; empty for other types.

    >>> safe_id(42), safe_id("sk-abc")[:4]
    ('42', 'key-')
    """
    kind = type(value)
    if kind is str:
        value = value.strip()
        return digest_of(value) if value.startswith(RAW_KEY_HEADS) and not _is_digest(value) else value
    return str(value) if kind is int else str(int(value)) if kind is float and value.is_integer() else ""


def _is_digest(value: str) -> bool:
    """`key-` and 32 hex digits is what this module writes itself, so that it is not digested twice."""
    return value.startswith("key-") and len(value) == 36


def identify(row: Row) -> Found:
    """Return what the row says of who, where and when, by slot; keys are digested."""
    found: Found = {}
    ranks: dict[str, tuple[int, int]] = {}
    queue: list[tuple[Row, bool]] = [(row, False)]
    for order, (place, inner) in enumerate(queue):
        for name, value in place.items():
            if value is None or value == "":
                continue
            kind = type(value)
            if kind is dict or (kind is str and value[0] == "{"):
                _enter(name, value, inner, queue)
            hit = slot_of(name)
            if hit is None:
                continue
            slot, rank = hit
            if inner and slot == "account":
                slot = "end_user"
            mark = (rank // 1000, order * 100 + rank % 1000)
            if slot in ranks and ranks[slot] <= mark:
                continue
            value = _scalar(slot, name, value)
            if value is not None:
                found[slot] = value
                ranks[slot] = mark
    return found


def _enter(name: str, value: Any, inner: bool, queue: list[tuple[Row, bool]]) -> None:
    place = place_of(name)
    if not place or len(queue) >= _MAX_PLACES:
        return
    value = parsed(value)
    if type(value) is dict:
        queue.append((value, inner or place in INNER))


def _scalar(slot: str, name: str, value: Any) -> Any:
    """Return what may stand for the slot: an id out of an object, the first of a list, a digest for a key."""
    kind = type(value)
    if kind is str:
        if slot == "key":
            return _key(name, value)
        return None if value[:1] == "{" else value
    if kind is dict:
        value = value.get("id", value.get(f"{slot}_id")) if slot in _ID_SLOTS else None
        return value if type(value) in (str, int) and value != "" else None
    if kind is list:
        return value[0] if value and type(value[0]) is str and slot in ("address", "agent", "finish") else None
    return value if kind is not bool else None


def _key(name: str, value: str) -> str:
    """A key under a name that may hold it raw is kept only where it is plainly a hash or a short id."""
    value = value.strip()
    folded = name.lower().replace("-", "_")
    if any(folded.endswith(hidden) for hidden in _HIDDEN_NAMES) and not _HASH.match(value) and not _KEY_ID.match(value):
        return digest_of(value)
    return safe_id(value)
