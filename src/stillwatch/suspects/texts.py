"""A suspect of which there are only texts: a folder of text files, or of JSON lines, or one such file.

In: a path. Out: replies in a fixed order. The folder is a stranger's: links are not followed, and no text or row is
read that is larger than any answer. JSON lines hold `answer`, `text`, `content`, `completion` or `output`, or
`tokens` as token ids; a `prompt` beside it is kept apart, since what stands in a prompt proves nothing.
Cost: one pass. Errors name file and line, never what they say. Left to `ask`: the transcript.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from stillwatch.suspects.suspect import Reply
from stillwatch.terms.errors import StillwatchError

FIELDS: Final = ("answer", "text", "content", "completion", "output")
PLAIN: Final = (".txt", ".md")
ROWS: Final = (".jsonl", ".ndjson")
MOST_BYTES: Final = 64 << 20
"""Of one text file, and of one row."""


@dataclass(frozen=True, slots=True)
class Held:
    """One text with the question that it answered, where that is known."""

    id: str
    prompt: str
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSuspect:
    """Texts at one path."""

    path: Path
    access: str = "texts"

    @property
    def name(self) -> str:
        """Of file or folder."""
        return self.path.name

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    def held(self) -> Iterator[Held]:
        """Yield the texts, files by name and rows in order.

        Raises:
            StillwatchError: there is no such path, no text in it, or a row without text.
        """
        found = False
        for file in self._files():
            relative = file.name if file == self.path else str(file.relative_to(self.path))
            if file.suffix in PLAIN:
                found = True
                with file.open("rb") as text:
                    yield Held(relative, "", Reply(text=_plain(_bounded(text, relative))))
                continue
            with file.open("rb") as rows:
                for number, line in enumerate(_lines(rows, relative), 1):
                    if line.strip():
                        found = True
                        yield _row(line, f"{relative}:{number}")
        if not found:
            raise StillwatchError(f"suspect {self.name}: holds no text; give {', '.join((*PLAIN, *ROWS))} files.")

    def _files(self) -> list[Path]:
        if self.path.is_file() and self.path.suffix in (*PLAIN, *ROWS):
            return [self.path]
        if not self.path.is_dir():
            raise StillwatchError(f"suspect {self.path}: must be a folder, or a file {', '.join((*PLAIN, *ROWS))}.")
        found = sorted(file for file in self.path.rglob("*") if file.suffix in (*PLAIN, *ROWS))
        for file in found:
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                raise StillwatchError(
                    f"suspect {self.name}: {file.name} is a link or no plain file, and could stand for anything of "
                    "this machine; take it out."
                )
        return [file for file in found if file.is_file()]


def _plain(content: bytes) -> str:
    """Return a text as a text file is read: UTF-8, any line ending one line feed."""
    return content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    while line := file.readline(MOST_BYTES + 1):
        if len(line) > MOST_BYTES:
            raise StillwatchError(f"suspect text {name}: has a row of more than {MOST_BYTES >> 20} MiB; cut it up.")
        yield line


def _bounded(file: BinaryIO, name: str) -> bytes:
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise StillwatchError(f"suspect text {name}: has more than {MOST_BYTES >> 20} MiB; cut it into several files.")
    return content


def _row(line: bytes, where: str) -> Held:
    try:
        row: Any = json.loads(line)
        prompt = str(row.get("prompt", ""))
        if isinstance(row.get("tokens"), list):
            return Held(where, prompt, Reply(tokens=tuple(int(one) for one in row["tokens"])))
        text = next(row[name] for name in FIELDS if isinstance(row.get(name), str))
    except (ValueError, AttributeError, StopIteration, TypeError, OverflowError, RecursionError):
        raise StillwatchError(
            f"suspect text {where}: must be a JSON object with one of {', '.join(FIELDS)}, or `tokens`."
        ) from None
    return Held(where, prompt, Reply(text=text))
