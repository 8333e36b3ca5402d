"""What every importer is, what it is given, and how it refuses a row.

In: rows as the file had them. Out: the types that pass between reading and assembling.
Left to `read`: opening files. Left to each importer: knowing one source's shape.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stillwatch.terms.exchange import Exchange

Row = dict[str, Any]
"""One record as it was parsed: JSON object, CSV row or Parquet row."""

EARLIEST = 1420070400.0
"""2015-01-01 UTC, seconds: nothing that this project reads was sold before it."""
GRACE_SECONDS = 86400.0
"""How far after the file's modification time a row may lie: clocks and time zones differ by less."""


class BadRow(Exception):
    """A row that cannot become an exchange; the reason names the field and what was found, never its text."""


@dataclass(slots=True, kw_only=True)
class Lens:
    """How the rows of one file are looked at: set once a file, shared by its rows."""

    modified: float = float("inf")
    """When the file was last written, seconds since 1970; bounds the times that are believed."""
    account_path: tuple[str, ...] = ()
    """Where `--account-field` says that the account stands; empty means by the usual order."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The mapping file, for the importer `mapped`; empty for the others."""
    answers: Mapping[str, Row] = field(default_factory=dict, repr=False)
    """Results of a batch by their `custom_id`, where the file holds the batch's requests."""
    assumed_times: int = 0
    """Rows of batch files without any time, which took the file's; counted while reading."""


class Importer(Protocol):
    """Reads one source's rows. Entries of the catalogue `IMPORTERS` are stateless."""

    @property
    def name(self) -> str:
        """Short lower-case name, as `--importer` takes it."""
        ...

    @property
    def about(self) -> str:
        """One line for `stillwatch logs` and the reference page."""
        ...

    def claims(self, row: Row) -> bool:
        """Return whether `row` has this source's shape; must not raise for any row."""
        ...

    def split(self, row: Row) -> Iterable[Row]:
        """Return the records inside one row: a trace document holds many, most rows are one."""
        ...

    def read(self, row: Row, lens: Lens) -> Exchange | None:
        """Return the exchange in one record, or None where it is of another kind.

        Raises:
            BadRow: the record should have been an exchange, but a field is missing or of the wrong type.
        """
        ...


KINDS = {
    "str": "a text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "an object",
    "NoneType": "null",
}


def kind_of(value: object) -> str:
    """Return what sort of value this is, in words and without the value.

    >>> kind_of([1]), kind_of("secret")
    ('a list', 'a text')
    """
    return KINDS.get(type(value).__name__, type(value).__name__)
