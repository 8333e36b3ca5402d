"""Bytes to numbered lines: encodings told apart, giants and cuts reported, memory bounded.

In: chunks of bytes. Out: (line number from 1, line as UTF-8 bytes) or (line number, `Fault`).
Cost: one split a chunk; the longest line held is `MAX_LINE`.
"""

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stillwatch.logs.compressed import CutOff

MAX_LINE = 64 << 20
"""Longest line that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row could not be read; never its text."""

    reason: str
    rest: bytes = field(default=b"", repr=False)
    """What was read of the line before compressed data were cut off; for documents that are one line."""


Line = tuple[int, bytes | Fault]


def utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks as UTF-8 without a byte order mark; UTF-16 is told by its mark and recoded."""
    decoder: codecs.IncrementalDecoder | None = None
    first = True
    for chunk in chunks:
        if first and chunk:
            first = False
            if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                decoder = codecs.getincrementaldecoder("utf-16")("replace")
            else:
                chunk = chunk.removeprefix(codecs.BOM_UTF8)
        yield decoder.decode(chunk).encode("utf-8", "replace") if decoder else chunk


def numbered(chunks: Iterable[bytes]) -> Iterator[Line]:
    """Yield the lines with their numbers; a line over `MAX_LINE` and a cut in compressed data become faults.

    The line that a cut leaves unfinished is given with the cut's reason.
    """
    number = 1
    pieces: list[bytes] = []
    held = 0
    cut = ""
    try:
        for chunk in utf8(chunks):
            lines = chunk.split(b"\n")
            for line in lines[:-1]:
                if held:
                    whole = _whole(pieces, line, held)
                    pieces, held = [], 0
                    yield number, whole
                else:
                    yield number, line
                number += 1
            held += len(lines[-1])
            if held <= MAX_LINE:
                if lines[-1]:
                    pieces.append(lines[-1])
            else:
                pieces.clear()
    except CutOff as error:
        cut = str(error)
    if cut:
        yield number, Fault(cut, b"".join(pieces))
    elif held > MAX_LINE:
        yield number, _GIANT
    elif pieces:
        yield number, b"".join(pieces)


_GIANT = Fault(f"line is longer than {MAX_LINE >> 20} MB; such rows are not read")


def _whole(pieces: list[bytes], line: bytes, held: int) -> bytes | Fault:
    return _GIANT if held + len(line) > MAX_LINE else b"".join([*pieces, line])
