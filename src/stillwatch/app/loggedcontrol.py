"""Control records whose every decision, appeal, grant and canary is in the ledger before it holds, where there is one.

In: what `SqliteControl` takes. Out: the same. Whoever decides, on whichever way in, is logged, since all of them write
here. An entry is on disk before the record is: a record that was not kept after all has an entry too many, and no
record has one too few. Canaries are committed to before a worker can serve them.
Left to `app.ledger`: the ledger.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stillwatch.store.control import SqliteControl
from stillwatch.terms.account import Appeal, Decision
from stillwatch.terms.canary import CanaryRecord
from stillwatch.terms.grant import GrantRecord


class LoggedControl(SqliteControl):
    """The control file of a state folder."""

    def __init__(self, path: Path, state: Path) -> None:
        """Open `path`; the ledger is looked for in `state` whenever something is to be logged."""
        super().__init__(path)
        self._state = state

    def add_decision(self, decision: Decision) -> int:
        """Log and keep a decision."""
        self._log(f"decide.{decision.verb}", _plain(decision, "id"))
        return super().add_decision(decision)

    def put_appeal(self, appeal: Appeal) -> None:
        """Log and keep an appeal; what the account said stays out of the ledger."""
        self._log(f"appeal.{appeal.state}", _plain(appeal, "statement"))
        super().put_appeal(appeal)

    def add_canary(self, record: CanaryRecord) -> None:
        """Commit to a canary, then keep it."""
        self.add_canaries((record,))

    def add_canaries(self, records: Sequence[CanaryRecord]) -> None:
        """Commit to canaries in one entry, then keep them."""
        from stillwatch.app.committed import canary_reveal
        from stillwatch.app.control import canary_secret
        from stillwatch.app.ledger import find_ledger

        ledger = find_ledger(self._state)
        if ledger is not None:
            secret = canary_secret(self._state)
            ledger.commit(canary_reveal(record, secret).item for record in records)
        for record in records:
            super().add_canary(record)

    def retire_canary(self, canary: str, at: float, by: str) -> None:
        """Log and retire a canary."""
        self._log("canary.retired", {"at": str(at), "by": by, "canary": canary})
        super().retire_canary(canary, at, by)

    def add_grant(self, record: GrantRecord) -> None:
        """Log and keep a grant."""
        self._log("grant.issued", _plain(record))
        super().add_grant(record)

    def revoke_grant(self, grant: str, at: float, by: str) -> None:
        """Log and revoke a grant."""
        self._log("grant.revoked", {"at": str(at), "by": by, "grant": grant})
        super().revoke_grant(grant, at, by)

    def _log(self, kind: str, payload: dict[str, object]) -> None:
        from stillwatch.app.ledger import note

        note(self._state, kind, payload)


def _plain(record: Decision | Appeal | GrantRecord, *without: str) -> dict[str, object]:
    """Return a record as canonical JSON takes it: times become text."""
    fields: dict[str, Any] = dataclasses.asdict(record)
    return {
        name: str(value) if isinstance(value, float) else list(value) if isinstance(value, tuple) else value
        for name, value in fields.items()
        if name not in without
    }
