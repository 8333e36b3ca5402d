"""Texts that are to be read for marks: plain files, JSON lines, stored answers, token ids.

In: files. Out: texts and token lists, in memory alone; no message names their content. A plain file is one text; of
JSON, an object with `text`, an answer of OpenAI's or Anthropic's wire, or an object with `tokens`, one a line or one a
file; of `.npy`, whole numbers, one text a row.
Left to `readmarks`: tokenising and reading.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from stillwatch.terms.errors import StillwatchError

JSON_ENDINGS: Final = (".json", ".jsonl", ".ndjson")
SHAPES: Final = "`text`, `tokens`, or an answer of OpenAI's or Anthropic's wire"
_MOST_TOKEN: Final = 2**63 - 1
Ids = NDArray[np.int64]


@dataclass(slots=True)
class Given:
    """What was given to read."""

    texts: list[str] = field(default_factory=list, repr=False)
    tokens: list[Ids] = field(default_factory=list, repr=False)


def read_given(files: tuple[Path, ...]) -> Given:
    """Read every file.

    Raises:
        StillwatchError: one cannot be read, or is not what its ending says.
    """
    given = Given()
    for path in files:
        try:
            if path.suffix == ".npy":
                given.tokens.extend(_rows(path))
            elif path.suffix in JSON_ENDINGS:
                for found in _objects(path):
                    _take(found, given)
            else:
                given.texts.append(path.read_text("utf-8"))
        except OSError as problem:
            raise StillwatchError(f"{path}: {problem.strerror}; give a file that can be read.") from None
        except UnicodeDecodeError:
            raise StillwatchError(f"{path}: is no UTF-8 text; convert it, or give token ids as .npy.") from None
    return given


def _rows(path: Path) -> Iterator[Ids]:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: a header may claim any size
    except (ValueError, EOFError):
        raise StillwatchError(f"{path}: is no .npy file of whole numbers.") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "iu" or found.ndim not in (1, 2):
        raise StillwatchError(f"{path}: must be whole numbers in one or two dimensions, a text a row.")
    if found.dtype.kind == "u" and found.size and int(found.max()) > _MOST_TOKEN:
        raise StillwatchError(f"{path}: holds {int(found.max())}, which is no token id.")
    for row in np.atleast_2d(found):
        ids = row.astype(np.int64)
        yield ids[ids >= 0]  # rows of unequal length are filled up with -1


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    raw = path.read_bytes()
    try:
        whole = orjson.loads(raw)
        found = whole if isinstance(whole, list) else [whole]
        where = [f"{path}"] * len(found)
    except ValueError:
        lines = [(number, line) for number, line in enumerate(raw.split(b"\n"), 1) if line.strip()]
        where = [f"{path}, line {number}" for number, _ in lines]
        found = [_parsed(line, at) for (_, line), at in zip(lines, where, strict=True)]
    for one, at in zip(found, where, strict=True):
        if not isinstance(one, dict) or not _texts(one) and "tokens" not in one:
            raise StillwatchError(f"{at}: has no text to read; must be an object with {SHAPES}.")
        yield one


def _parsed(line: bytes, where: str) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        raise StillwatchError(f"{where}: is no JSON; must be an object with {SHAPES}.") from None


def _take(found: dict[str, Any], given: Given) -> None:
    tokens = found.get("tokens")
    if tokens is None:
        given.texts.extend(_texts(found))
        return
    if not isinstance(tokens, list) or not all(type(token) is int and abs(token) <= _MOST_TOKEN for token in tokens):
        raise StillwatchError(f"`tokens`: must be a list of whole numbers, up to {_MOST_TOKEN}.")
    given.tokens.append(np.array(tokens, dtype=np.int64))


def _texts(found: dict[str, Any]) -> list[str]:
    """Return every text of one object; an answer's choices are texts of their own."""
    if isinstance(found.get("text"), str):
        return [found["text"]]
    inner = found.get("response")
    if isinstance(inner, dict):
        body = inner.get("body")
        return _texts(body if isinstance(body, dict) else inner)
    choices = [choice for choice in _list(found.get("choices")) if isinstance(choice, dict)]
    if choices:
        messages = [choice["message"] if isinstance(choice.get("message"), dict) else {} for choice in choices]
        said = [one.get("content", choice.get("text")) for one, choice in zip(messages, choices, strict=True)]
        return [text for text in said if isinstance(text, str)]
    blocks = found.get("content") if "content" in found else found.get("output")
    if isinstance(blocks, str):
        return [blocks]
    parts = [part for block in _list(blocks) if isinstance(block, dict)
             for part in (_list(block.get("content")) or [block]) if isinstance(part, dict)]  # fmt: skip
    joined = "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    return [joined] if joined else []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
