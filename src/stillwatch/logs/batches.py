"""Both files of a batch, brought together by `custom_id`.

In: files whose rows are batch requests or batch results. Out: for each file of requests the files of results that
answer it; and, when it is read, the results by their id.
Cost: one extra pass over batch files to see their ids (8 bytes each), and the results in memory while their
requests are read. Ids such as `request-1` come back in every batch: the file that shares most ids wins, then the
one whose name is most alike.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from stillwatch.logs.content import parsed
from stillwatch.logs.documents import rows_of
from stillwatch.logs.importer import Row
from stillwatch.terms.errors import StillwatchError

MAX_RESULTS = 512 << 20
"""Largest file of results that is held in memory, in bytes on disk."""


def batch_side(row: Row) -> str:
    """Return `requests` or `results` for a line of a batch file, else an empty string."""
    inner = row.get("requests")
    if type(inner) is list and inner and type(inner[0]) is dict:
        row = inner[0]
    if "custom_id" not in row:
        return ""
    if type(parsed(row.get("body"))) is dict or type(parsed(row.get("params"))) is dict:
        return "requests"
    return "results" if "response" in row or "result" in row else ""


def pair_files(requests: Sequence[Path], results: Sequence[Path]) -> dict[Path, Path]:
    """Return file of results -> file of requests that it answers; results that answer none are left out."""
    if not requests or not results:
        return {}
    asked = {path: _ids(path) for path in requests}
    pairs: dict[Path, Path] = {}
    for answers in results:
        ids = _ids(answers)
        ranked = [
            ((len(asked[path] & ids), path.parent == answers.parent, _alike(path, answers)), path) for path in requests
        ]
        best = max(ranked)[1]
        if asked[best] & ids:
            pairs[answers] = best
    return pairs


def _alike(one: Path, other: Path) -> int:
    """Length of what two names share from either end: `b7_input` and `b7_output`."""
    head = os.path.commonprefix([one.name, other.name])
    tail = os.path.commonprefix([one.stem[::-1], other.stem[::-1]])
    return len(head) + len(tail)


def _ids(path: Path) -> set[int]:
    return {hash(row["custom_id"]) for row in _lines(path) if type(row.get("custom_id")) is str}


def _lines(path: Path) -> Iterable[Row]:
    for _, row in rows_of(path):
        if type(row) is dict:
            yield row


def load_results(paths: Iterable[Path]) -> dict[str, Row]:
    """Return the result rows of `paths` by their `custom_id`.

    Raises:
        StillwatchError: a file is larger than `MAX_RESULTS`.
    """
    found: dict[str, Row] = {}
    for path in paths:
        size = path.stat().st_size
        if size > MAX_RESULTS:
            raise StillwatchError(
                f"{path}: batch results of {size >> 20} MB; at most {MAX_RESULTS >> 20} MB can be joined with their "
                "requests. Split both files by custom_id, or scan the requests alone."
            )
        for row in _lines(path):
            if type(row.get("custom_id")) is str:
                found[row["custom_id"]] = row
    return found
