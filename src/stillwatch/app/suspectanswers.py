"""A suspect's answers from a file, one JSON object a line; nothing of them is kept or repeated.

In: a file of rows `{"probe": NAME, "answer": TEXT}`, or with `"log_p": {VALUE: NUMBER}` beside or instead. Out: the
answers by probe. Errors name lines, never what they say.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import orjson

from stillwatch.forensics.canaries import Answered
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.canaries import TEMPLATES

_LARGEST: Final = 64 << 20


def read_answers(path: Path) -> dict[str, Answered]:
    """Return what a suspect answered, by probe.

    Raises:
        StillwatchError: the file cannot be read, is too large, holds a line that is no such row, or names no probe.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise StillwatchError(f"answers {path.name}: has more than {_LARGEST >> 20} MiB; that is no such file.")
        lines = path.read_bytes().splitlines()
    except OSError as problem:
        raise StillwatchError(f"answers {path.name}: {problem.strerror}.") from None
    known = {form.name for form in TEMPLATES}
    texts: dict[str, list[str]] = defaultdict(list)
    logs: dict[str, dict[str, float]] = defaultdict(dict)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _row(line)
        probe = row.get("probe") if row else None
        if row is None or probe not in known:
            raise StillwatchError(
                f"answers {path.name}, line {number}: must be a JSON object with a `probe` of `stillwatch canary "
                "probes` and its `answer`, or `log_p`."
            )
        if "answer" in row:
            texts[probe].append(row["answer"])
        logs[probe].update(row.get("log_p", {}))
    return {name: Answered(texts=tuple(texts[name]), log_p=logs[name]) for name in {*texts, *logs}}


def _row(line: bytes) -> dict[str, Any] | None:
    """Return a row of the right shape; None for anything else."""
    try:
        row = orjson.loads(line)
    except ValueError:
        return None
    if type(row) is not dict or type(row.get("probe")) is not str or not ("answer" in row or "log_p" in row):
        return None
    logs = row.get("log_p", {})
    numbers = type(logs) is dict and all(type(value) in (int, float) for value in logs.values())
    return row if numbers and type(row.get("answer", "")) is str else None
