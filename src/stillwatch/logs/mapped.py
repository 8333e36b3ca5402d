"""Importer `mapped`: any rows, read by a mapping file that says which column holds what.

In: rows and the `Lens.fields` that `mapping.load_mapping` made. Out: exchanges.
Left to `propose`: writing a first mapping file.
"""

from collections.abc import Iterable
from typing import Any

from stillwatch.logs.assemble import at, build
from stillwatch.logs.identity import _key, safe_id
from stillwatch.logs.importer import BadRow, Lens, Row, kind_of
from stillwatch.logs.mapping import FIELDS, PARAMETER_FIELDS
from stillwatch.logs.moments import as_told
from stillwatch.logs.plain import read_figures, read_texts
from stillwatch.logs.requests import Fields, read_parameters
from stillwatch.terms.exchange import Exchange

_TEXTS = ("messages", "prompt", "request", "system", "answer", "tools")


class Mapped:
    """Rows of any make, with a mapping file."""

    name = "mapped"
    about = "any CSV, JSONL or Parquet with a mapping file (`--mapping`, see `stillwatch logs map`)"

    def claims(self, row: Row) -> bool:
        """Return False: only a mapping file chooses this importer."""
        return False

    def split(self, row: Row) -> Iterable[Row]:
        """Return the row: it is one record."""
        return (row,)

    def read(self, row: Row, lens: Lens) -> Exchange | None:
        """Return the exchange in one row; see `Importer.read`."""
        paths: dict[str, tuple[str, ...]] = lens.fields.get("fields", {})
        texts: Row = {}
        found: Row = {}
        parameters: Row = {}
        for slot, path in paths.items():
            value = at(row, path)
            if value is None or value == "":
                continue
            if slot in _TEXTS:
                texts[slot] = value
            elif slot in PARAMETER_FIELDS:
                parameters[slot] = value
            elif slot == "key":
                found[slot] = _key("api_key", value) if type(value) is str else safe_id(value)
            elif slot in FIELDS:
                found[slot] = value
        _tell_time(found, lens.fields.get("time", {}), paths)
        fields: Fields = {}
        read_texts(texts, fields)
        read_figures(found, fields)
        if parameters:
            read_parameters(parameters, fields)
        return build(row, found, fields, lens)


def _tell_time(found: Row, told: Any, paths: dict[str, tuple[str, ...]]) -> None:
    """Turn the time into seconds by the mapping's unit, format and zone."""
    for slot in ("time", "end"):
        if slot not in found:
            continue
        seconds = as_told(found[slot], unit=told.get("unit", ""), form=told.get("format", ""))
        if seconds is None:
            raise BadRow(
                f"{slot}: {kind_of(found[slot])} at {'.'.join(paths[slot])}; no time as the mapping's [time] tells it"
            )
        found[slot] = seconds + 3600.0 * told.get("hours_behind_utc", 0.0)
