"""Read lines of keys made elsewhere: CSV of `account,key[,label]`, each key hashed as it is read.

In: lines. Out: accounts with the SHA-256 of their keys. No message repeats what stands in a line.
"""

import csv
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from stillwatch.app.controlnames import check_account, check_text
from stillwatch.app.keys import Given
from stillwatch.terms.errors import StillwatchError

SHORTEST: Final = 16
"""Fewest characters of a raw key; a shorter one could be guessed."""
LONGEST: Final = 512
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_RAW: Final = re.compile(rf"[\x21-\x7e]{{{SHORTEST},{LONGEST}}}")
_HEADS: Final = ("account", "account_id", "user_id")


@dataclass(frozen=True, slots=True)
class KeyLines:
    """What was read."""

    given: tuple[Given, ...] = field(repr=False)
    raw: int
    """Lines with a key itself."""
    hashed: int
    """Lines with a SHA-256."""


def read_key_lines(lines: Iterable[str], *, hex_is_raw: bool = False) -> KeyLines:
    """Read the lines; empty ones, comments (`#`) and a heading are passed over.

    Args:
        lines: CSV lines.
        hex_is_raw: Values of 64 hex digits are keys themselves, not hashes.

    Raises:
        StillwatchError: a line is wrong; it is named by its number alone.
    """
    given: dict[str, Given] = {}
    hashed = raw = 0
    try:
        for number, cells in enumerate(csv.reader(lines), start=1):
            cells = [cell.strip() for cell in cells]
            if not any(cells) or cells[0].startswith("#") or (not given and cells[0].lower() in _HEADS):
                continue
            is_hash = not hex_is_raw and len(cells) > 1 and _HASH.fullmatch(cells[1]) is not None
            item = _given(cells, is_hash, f"keys import: line {number}")
            if given.setdefault(item.sha256, item).account != item.account:
                raise StillwatchError(f"keys import: line {number}: the key stands for another account further up.")
            hashed, raw = hashed + is_hash, raw + (not is_hash)
    except (csv.Error, UnicodeDecodeError):
        raise StillwatchError("keys import: not CSV in UTF-8; give lines of `account,key[,label]`.") from None
    if not given:
        raise StillwatchError("keys import: no keys in it; give lines of `account,key[,label]`.")
    return KeyLines(tuple(given.values()), raw, hashed)


def _given(cells: list[str], is_hash: bool, where: str) -> Given:
    if len(cells) not in (2, 3):
        raise StillwatchError(f"{where}: {len(cells)} columns; must be account,key or account,key,label.")
    account, key, label = (*cells, "")[:3]
    if _HASH.fullmatch(account):
        raise StillwatchError(f"{where}: the first column looks like a key or its hash; it must be the account.")
    check_account(account, where)
    check_text(f"{where}: label", label, at_most=100)
    if is_hash:
        return Given(account=account, sha256=key.lower(), label=label)
    if not _RAW.fullmatch(key):
        raise StillwatchError(
            f"{where}: the key must have {SHORTEST} to {LONGEST} printable ASCII characters without spaces, or be a "
            "SHA-256 of 64 hex digits. Other hashes (bcrypt, HMAC under a secret, masked keys) cannot be taken over: "
            "give those accounts new keys with `stillwatch keys create`."
        )
    return Given(account=account, sha256=hashlib.sha256(key.encode("ascii")).hexdigest(), label=label)
