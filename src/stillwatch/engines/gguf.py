"""Read the facts at the head of a GGUF file: its tokeniser among them. Tensors are not touched.

In: a file. Out: its key-value pairs. Cost: 0.1 s and 30 MB for a vocabulary of 50,000.
Left to `tokens`: what the pairs mean. Source: the GGUF specification of ggml, versions 2 and 3, little-endian.
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO, Final

from stillwatch.terms.errors import StillwatchError

MAGIC: Final = b"GGUF"
PLAIN: Final = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q", 12: "<d"}
TEXT: Final = 8
ARRAY: Final = 9
MOST: Final = 1 << 26
"""Entries or bytes that one value may have; a damaged file could claim more than there is memory."""


def read_facts(path: Path) -> dict[str, Any]:
    """Return the key-value pairs of a GGUF file: numbers, texts and lists of them.

    Raises:
        StillwatchError: it cannot be read, or it is no GGUF file of version 2 or 3.
    """
    try:
        with path.open("rb") as file:
            magic, version = file.read(4), _plain(file, 4)
            if magic != MAGIC or version not in (2, 3):
                raise StillwatchError(f"model file {path}: is no GGUF file of version 2 or 3; give one, or a "
                                      "tokenizer.json.")  # fmt: skip
            _plain(file, 10)  # tensors
            return {_text(file): _value(file, _plain(file, 4)) for _ in range(_size(file))}
    except OSError as problem:
        raise StillwatchError(f"model file {path}: {problem.strerror}; give a file that can be read.") from None
    except (struct.error, ValueError, KeyError, RecursionError, OverflowError):
        raise StillwatchError(f"model file {path}: ends too early or is damaged; fetch it again.") from None


def _plain(file: BinaryIO, kind: int) -> Any:
    form = PLAIN[kind]
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _size(file: BinaryIO) -> int:
    size: int = _plain(file, 10)
    if size > MOST:
        raise ValueError("size")
    return size


def _text(file: BinaryIO) -> str:
    return file.read(_size(file)).decode()


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == TEXT:
        return _text(file)
    if kind != ARRAY:
        return _plain(file, kind)
    inner, count = _plain(file, 4), _size(file)
    if inner in (TEXT, ARRAY):
        return [_value(file, inner) for _ in range(count)]
    form = PLAIN[inner]
    width = struct.calcsize(form)
    raw = file.read(width * count)
    if len(raw) != width * count:
        raise ValueError("short")
    return [one for (one,) in struct.iter_unpack(form, raw)]
