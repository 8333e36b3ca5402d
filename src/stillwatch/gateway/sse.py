"""Event streams, cut at the ends of events whatever the network made of them.

In: chunks as they arrive: single bytes, split characters, CRLF, LF or CR. Out: the same bytes in whole events
(`Boundaries`), or each event edited (`EventEdits`). Whole events mean that a stream which breaks can still be ended
by a typed error, and that no client sees half an event.
Cost: a suffix test a chunk where chunks are whole events, as servers send them.
Source: WHATWG HTML, section 9.2 (server-sent events).
"""

import re
from collections.abc import Callable
from typing import Any, Final

from stillwatch.gateway.jsonbytes import read_json, write_json

_MOST_HELD: Final = 1 << 20
_ENDS: Final = (b"\n\n", b"\n\r\n", b"\r\r")
_BLANK: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_DONE: Final = (b"data: [DONE]", b"data:[DONE]")
_LINE: Final = re.compile(rb"\r\n|\n|\r")

Edit = Callable[[dict[str, Any]], tuple[dict[str, Any], ...]]
"""Takes the object of one event; returns what to send instead: the very object alone where nothing changes, others,
several, or none to leave the event out."""
Rest = Callable[[], tuple[dict[str, Any], ...]]
"""Returns what an edit still holds back, as events, once the stream is over."""


def _last_end(data: bytes, start: int) -> int:
    """Return the offset behind the last blank line of `data` from `start` on; 0 when there is none."""
    return max(found + len(end) if (found := data.rfind(end, start)) >= 0 else 0 for end in _ENDS)


class Boundaries:
    """Passes bytes on in whole events; comments, which keep connections alive, pass line by line."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return what can be passed on; bytes of an unfinished event wait."""
        held = self._held
        if not held and chunk.endswith(b"\n\n"):
            return chunk
        data = held + chunk if held else chunk
        cut = _last_end(data, max(0, len(held) - 3))
        while data[cut : cut + 1] == b":" and (line := data.find(b"\n", cut)) >= 0:
            cut = line + 1
        if len(data) - cut > _MOST_HELD:
            cut = len(data)
        self._held = data[cut:]
        return data[:cut]

    def end(self) -> bytes:
        """Return what still waits, as it came."""
        held, self._held = self._held, b""
        return held


class EventEdits:
    """Passes each event through an edit; events that it leaves alone keep their bytes."""

    __slots__ = ("_edit", "_held", "_rest", "_seen", "_word")

    def __init__(self, edit: Edit, *, word: bytes = b"", rest: Rest = tuple) -> None:
        """Take the edit, and what gives the rest at `[DONE]` or the end; only events that hold `word` are looked at."""
        self._edit = edit
        self._rest = rest
        self._word = word
        self._held = b""
        self._seen = 0

    def feed(self, chunk: bytes) -> bytes:
        """Return the finished events, edited."""
        data = self._held + chunk
        out: list[bytes] = []
        start = 0
        for match in _BLANK.finditer(data, max(0, self._seen - 3)):
            if match.end() == len(data) and data.endswith(b"\r"):
                break
            out.append(self._event(data[start : match.end()]))
            start = match.end()
        self._held = data[start:]
        self._seen = len(self._held)
        return b"".join(out)

    def end(self) -> bytes:
        """Return the last event where no blank line ended it, and what the edit held back."""
        held, self._held, self._seen = self._held, b"", 0
        last = self._event(held) if held else b""
        rest = self.rest()
        return last + b"\n\n" + rest if rest and last and not last.endswith(_ENDS) else last + rest

    def rest(self) -> bytes:
        """Return what the edit held back, in whole events: for streams that end or break without saying so."""
        return b"".join(_new_event(event) for event in self._rest())

    def _event(self, raw: bytes) -> bytes:
        if raw.startswith(_DONE):
            return self.rest() + raw
        if self._word and self._word not in raw:
            return raw
        return edit_event(raw, self._edit)


def edit_event(raw: bytes, edit: Edit) -> bytes:
    """Return one event with its JSON object edited; the very bytes where there is none or nothing changed."""
    lines = _LINE.split(raw)
    data = b"\n".join(_value(line) for line in lines if _is_data(line))
    if not data.startswith(b"{"):
        return raw
    try:
        before = read_json(data)
    except ValueError:
        return raw
    after = edit(before)
    if len(after) == 1 and after[0] is before:
        return raw
    return b"".join(raw if event is before else _with_data(raw, lines, event) for event in after)


def _new_event(event: dict[str, Any]) -> bytes:
    kind = event.get("type")
    named = b"event: %s\n" % kind.encode() if isinstance(kind, str) else b""
    return named + b"data: " + write_json(event) + b"\n\n"


def _is_data(line: bytes) -> bool:
    return line.startswith(b"data:") or line == b"data"


def _value(line: bytes) -> bytes:
    return line[6:] if line.startswith(b"data: ") else line[5:]


def _with_data(raw: bytes, lines: list[bytes], event: dict[str, Any]) -> bytes:
    """The event with another object in place of its data lines; other lines and the kind of line end stay.

    Where the event has a name, as Anthropic's and those of the responses API do, it is that of the object's type.
    """
    found = _LINE.search(raw)
    end = found.group() if found else b"\n"
    kind = event.get("type")
    named = b"event: " + kind.encode() if isinstance(kind, str) else b""
    others = [named if named and line.startswith(b"event:") else line for line in lines if line and not _is_data(line)]
    return end.join([*others, b"data: " + write_json(event), b"", b""])
