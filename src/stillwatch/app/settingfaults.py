"""Every fault of a settings file, not only the first: a reader stops at one, so it is asked again without it.

In: tables of a settings file that some reader refused. Out: what is wrong, in the readers' own words, each once.
A setting whose absence changes what is said is at fault; with it left out the rest is read again. One rule or limit of
a list counts as one setting. Cost: a reading for each setting of a table that is at fault. Left to readers: judging.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from stillwatch.app.settingsections import SECTIONS
from stillwatch.terms.errors import StillwatchError

_LISTED: Final = frozenset({"rule", "limit"})
"""Settings that are lists of tables."""

Table = dict[str, Any]


def every_fault(tables: Mapping[str, Table]) -> tuple[str, ...]:
    """Return what is wrong with the tables of a settings file, each in words; empty where nothing is.

    Args:
        tables: Known tables by name, as `tomllib` gives them.
    """
    found: list[str] = []
    for name, table in tables.items():
        fault = _fault(name, table)
        while fault:
            found.append(fault)
            rest = _without_culprit(name, table, fault)
            table, fault = (rest, _fault(name, rest)) if rest is not None else (table, "")
    return tuple(dict.fromkeys(found))


def _fault(name: str, table: Table) -> str:
    try:
        SECTIONS[name].read(name, table)
    except StillwatchError as problem:
        return str(problem)
    return ""


def _without_culprit(name: str, table: Table, fault: str) -> Table | None:
    """Return the table without what the fault is about; None where no single setting is to blame."""
    tried = [(rest, _fault(name, rest)) for rest in _with_one_less(table)]
    cured = next((rest for rest, left in tried if not left), None)
    return cured if cured is not None else next((rest for rest, left in tried if left != fault), None)


def _with_one_less(table: Table) -> Iterator[Table]:
    """Yield the table without each setting in turn; of a list the last first, since readers count from its start."""
    for key, value in table.items():
        if key in _LISTED and isinstance(value, list) and len(value) > 1:
            for at in reversed(range(len(value))):
                yield {**table, key: value[:at] + value[at + 1 :]}
        else:
            yield {other: kept for other, kept in table.items() if other != key}
