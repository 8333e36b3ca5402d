"""One change of a database: all of it, or none, and nothing left open whatever fails.

In: a connection that was opened without transactions of its own. Out: a block of statements that are kept together.
Cost: two statements. Left to the edges: files, locks and what a failure is called.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Connection(Protocol):
    """What `sqlite3.Connection` has of this."""

    @property
    def in_transaction(self) -> bool:
        """Whether a change is open."""
        ...

    def execute(self, sql: str, /) -> object:
        """Run a statement."""
        ...


@contextmanager
def one_change(db: Connection) -> Iterator[None]:
    """Keep every statement within, or none; a change that cannot be kept is taken back, so that the next one can begin.

    Raises:
        BaseException: whatever was raised within, or by keeping it.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk may have ended it already
            db.execute("ROLLBACK")
        raise
