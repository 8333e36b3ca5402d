"""A first mapping file for a log that nobody has described: names compared, shapes of values weighed.

In: a path. Out: TOML for `--mapping`, with comments that say why and what was not found.
Cost: the first rows only. The comments show names of columns, counts and lengths, never a value.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from stillwatch.logs.aliases import slot_of, text_slot_of
from stillwatch.logs.content import parsed
from stillwatch.logs.documents import rows_of
from stillwatch.logs.importer import EARLIEST, Row
from stillwatch.logs.mapping import FIELDS
from stillwatch.logs.moments import as_told, to_seconds
from stillwatch.terms.errors import StillwatchError

PROBE_ROWS = 200
_DEPTH = 4
_MAX_COLUMNS = 400
_FORMS = (
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%Y%m%d %H%M%S",
    "%Y%m%d%H%M%S",
)
_ASKED = ("account", "time", "messages", "prompt", "request", "answer", "key", "payment", "address", "agent", "tls")


@dataclass(frozen=True, slots=True)
class _Column:
    """One column's shape over the first rows."""

    path: str
    filled: int
    distinct: int
    length: float
    """Mean length of its values as text, in characters."""
    times: int
    """Values that are times after 2014."""
    forms: tuple[str, ...]
    """`strptime` formats that read every value, where it is not understood without one."""
    chats: int
    """Values that are lists of turns."""
    order: int


def propose_mapping(path: str | Path) -> str:
    """Return a mapping file for the log at `path`, as TOML.

    Raises:
        StillwatchError: the file cannot be opened, or none of its first rows can be read.
    """
    path = Path(path)
    try:
        rows = [row for _, row in islice(rows_of(path), PROBE_ROWS) if isinstance(row, dict)]
    except OSError as error:
        raise StillwatchError(f"{path}: cannot be read ({error.strerror}); check the path.") from None
    if not rows:
        raise StillwatchError(
            f"{path}: none of its first {PROBE_ROWS} rows can be read; must be CSV, JSONL or Parquet."
        )
    columns = _columns(rows)
    by_name = _by_name(columns)
    by_shape = _by_shape(columns, by_name, len(rows))
    return "\n".join(_written(path.name, by_name, by_shape, len(rows))) + "\n"


def _leaves(row: Row, head: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        path = f"{head}{name}"
        if len(path) > 120 or not path.isprintable():
            continue  # no name: texts have been seen as keys
        inner = parsed(value)
        if type(inner) is dict and depth < _DEPTH and inner:
            yield path, inner
            yield from _leaves(inner, path + ".", depth + 1)
        elif value is not None and value != "":
            yield path, inner


def _columns(rows: Sequence[Row]) -> list[_Column]:
    values: dict[str, list[Any]] = {}
    for row in rows:
        for path, value in _leaves(row):
            if path in values or len(values) < _MAX_COLUMNS:
                values.setdefault(path, []).append(value)
    return [_shape(path, found, order) for order, (path, found) in enumerate(values.items())]


def _shape(path: str, values: list[Any], order: int) -> _Column:
    texts = [str(value) for value in values]
    seconds = [to_seconds(value) for value in values]
    times = sum(second is not None and EARLIEST < second < 4e9 for second in seconds)
    forms = () if times else tuple(form for form in _FORMS if all(as_told(text, form=form) for text in texts))
    return _Column(
        path=path,
        filled=len(values),
        distinct=len(set(texts)),
        length=sum(map(len, texts)) / len(texts),
        times=times,
        forms=forms,
        chats=sum(_is_chat(value) for value in values),
        order=order,
    )


def _is_chat(value: Any) -> bool:
    return type(value) is list and bool(value) and type(value[0]) is dict and "role" in value[0]


def _fits(slot: str, column: _Column) -> bool:
    """Return whether the shape allows what the name says."""
    if slot in ("time", "end"):
        return column.times >= 0.9 * column.filled or bool(column.forms)
    if slot in ("account", "key", "organisation", "session", "payment", "plan", "address", "tls", "model"):
        return column.length <= 200
    return True


def _by_name(columns: list[_Column]) -> dict[str, tuple[_Column, str]]:
    """Return slot -> column and why; the best name wins, then the outermost."""
    best: dict[str, tuple[tuple[int, int, int], _Column]] = {}
    for column in columns:
        leaf = column.path.rpartition(".")[2]
        for hit in (slot_of(column.path), slot_of(leaf), text_slot_of(leaf)):
            if hit is None or hit[0] not in FIELDS or not _fits(hit[0], column):
                continue
            mark = (hit[1], column.path.count("."), column.order)
            if hit[0] not in best or mark < best[hit[0]][0]:
                best[hit[0]] = (mark, column)
    found = {slot: (column, "by its name") for slot, (_, column) in best.items()}
    if "account" not in found and "key" in found:
        found["account"] = (found["key"][0], "no user id found, so the key stands for the account")
    return found


def _by_shape(columns: list[_Column], named: dict[str, Any], rows: int) -> dict[str, tuple[_Column, str]]:
    """Return guesses for what no name told: they are written as comments, for a person to decide."""
    taken = {column.path for column, _ in named.values()}
    free = [column for column in columns if column.path not in taken]
    guesses: dict[str, tuple[_Column, str]] = {}

    def guess(slot: str, why: str, test: Callable[[_Column], bool], best: Callable[[_Column], float]) -> None:
        fitting = [column for column in free if test(column)]
        if slot not in named and fitting:
            column = max(fitting, key=best)
            guesses[slot] = (column, why)
            free.remove(column)

    guess("time", "its values are times", lambda c: _fits("time", c), lambda c: c.filled - c.order / 1e3)
    if not {"messages", "prompt", "request"} & named.keys():
        guess("messages", "its values are lists of turns", lambda c: c.chats >= 0.5 * c.filled, lambda c: c.filled)
    if not {"messages", "prompt", "request"} & (named.keys() | guesses.keys()):
        guess("prompt", "long texts, the first such column", lambda c: c.length >= 20, lambda c: -c.order)
    guess("answer", "long texts", lambda c: c.length >= 20, lambda c: c.length)
    guess(
        "account",
        "short values that come back",
        lambda c: 1 < c.distinct <= 0.8 * c.filled and c.length <= 64 and not c.times and not c.chats,
        lambda c: c.distinct if c.filled >= 0.9 * rows else 0,
    )
    return guesses


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def _written(
    name: str, named: dict[str, tuple[_Column, str]], guessed: dict[str, tuple[_Column, str]], rows: int
) -> list[str]:
    lines = [
        f"# Mapping for {' '.join(name.split())}, from its first {rows} rows. Check every line, then read the log with",
        "# --mapping THIS_FILE. A dot in a path enters an object; docs/howto/map-your-log.md explains the rest.",
        "",
        "[fields]",
    ]
    for slot, meaning in FIELDS.items():
        if slot in named:
            column, why = named[slot]
            lines.append(f"{slot} = {_quoted(column.path)}  # {why}; {_counted(column, rows)}")
        elif slot in guessed:
            column, why = guessed[slot]
            lines.append(f"# {slot} = {_quoted(column.path)}  # a guess, {why}; {_counted(column, rows)}: {meaning}")
    have = named.keys() | guessed.keys()
    texts = {"messages", "prompt", "request"}
    missing = [slot for slot in _ASKED if slot not in have and not (slot in texts and texts & have)]
    if missing:
        lines += ["", "# Not found; add a line where the log has it, or leave it out:"]
        lines += [f'# {slot} = "..."  # {FIELDS[slot]}' for slot in missing]
    lines += ["", "[time]", *_time_lines(named.get("time", guessed.get("time")))]
    return lines


def _counted(column: _Column, rows: int) -> str:
    return f"in {column.filled} of {rows} rows, {column.distinct} distinct"


def _time_lines(found: tuple[_Column, str] | None) -> list[str]:
    if found is not None and found[0].times:
        return ["# The times are understood as they stand (a time without zone is UTC). To say otherwise:"] + _TIME_HELP
    if found is not None and found[0].forms:
        forms = found[0].forms
        lines = [f"{'' if len(forms) == 1 else '# '}format = {_quoted(form)}  # reads every value" for form in forms]
        return [*lines, "# a time without zone is UTC; to say otherwise:", _TIME_HELP[-1]]
    return ["# The time's format was not understood: say it by one of these lines."] + _TIME_HELP


_TIME_HELP = [
    '# unit = "ms"                    # s, ms, us or ns since 1970',
    '# format = "%d.%m.%Y %H:%M:%S"   # as strptime reads it',
    "# hours_behind_utc = -2          # for a clock that runs at UTC+2 and writes no zone",
]
