"""Where bad rows are written down: file, line and reason, never the row.

In: reasons. Out: a JSONL file, made when the first bad row comes. Cost: a buffered write a bad row.
"""

from pathlib import Path
from types import TracebackType
from typing import IO

import orjson


class Quarantine:
    """Sink for bad rows; a context manager, so that nothing is lost when a scan stops early."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: IO[bytes] | None = None

    def add(self, file: str, line: int, reason: str) -> None:
        """Write one bad row down.

        Args:
            file: The log file, as the user named it; bytes of its name that are no text are spelt out.
            line: Line, row or item in it, from 1.
            reason: Which field, what was found and what it must be; without any of the row's text.
        """
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("wb")
        row = {"file": _spelt(file), "line": line, "reason": _spelt(reason)}
        self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        self.count += 1

    def close(self) -> None:
        """Flush and close the file, if there is one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> "Quarantine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _spelt(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
