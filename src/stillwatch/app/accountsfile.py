"""A provider's own export of accounts -> values for tokens: JSON Lines, read in memory, never copied.

In: lines of `{"account": "...", "payment": [...], "device": [...], "address": [...], "template": [...]}`; each kind may
be left out, be one text or a list; of `template` each text is a whole prompt. Out: `Seen` values, and counts of what
was no value. No message repeats a value. Left to `coalitionmatch`: making tokens.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from stillwatch.app.controlnames import check_account
from stillwatch.app.tokenvalues import Seen, ValueReader
from stillwatch.exchange.notary.values import address, device, payment
from stillwatch.terms.coalition import TOKEN_KINDS, TokenInput
from stillwatch.terms.errors import InputTooBad, StillwatchError

_LONGEST_LINE: Final = 16_777_216
_MAKERS: Final[Mapping[str, Callable[[str], TokenInput]]] = {"payment": payment, "device": device, "address": address}


@dataclass(slots=True)
class Export:
    """One file as it is read."""

    reader: ValueReader
    accounts: int = 0
    values: int = 0
    passed_over: int = 0
    """Values that are none, such as a private address or a short text."""

    def read(self, lines: Iterable[str]) -> Iterator[Seen]:
        """Yield every value, in order.

        Raises:
            InputTooBad: a line is no such object; it is named by its number alone.
        """
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            account, given = _line(line, number)
            self.accounts += 1
            for kind, texts in given:
                for text in texts:
                    yield from self._values(account, kind, text)

    def _values(self, account: str, kind: str, text: str) -> Iterator[Seen]:
        found = list(self.reader.bands(account, text)) if kind == "template" else self._one(account, kind, text)
        self.values += len(found)
        self.passed_over += not found
        yield from found

    def _one(self, account: str, kind: str, text: str) -> list[Seen]:
        try:
            made = _MAKERS[kind](text)
        except StillwatchError:
            return []
        return [Seen(account, made, self.reader.mark(made))]


def _line(line: str, number: int) -> tuple[str, list[tuple[str, list[str]]]]:
    """Return the account of a line, and its texts by kind."""
    where = f"accounts file: line {number}"
    try:
        value: Any = msgspec.json.decode(line) if len(line) <= _LONGEST_LINE else None
    except (msgspec.MsgspecError, UnicodeError):
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("account"), str):
        raise InputTooBad(f'{where}: must be an object with "account"; see docs/reference/tokens.md.')
    unknown = sorted(set(value) - {"account", *TOKEN_KINDS})
    if unknown:
        raise InputTooBad(f"{where}: has other fields than account, {', '.join(TOKEN_KINDS)}; leave them out.")
    check_account(value["account"], where)
    given = []
    for kind in TOKEN_KINDS:
        texts = value.get(kind, [])
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputTooBad(f"{where}: {kind} must be a text or a list of texts.")
        given.append((kind, texts))
    return value["account"], given
