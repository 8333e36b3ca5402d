"""An office for tests of the desk: control records, a file of verdicts, and a desk over both."""

from pathlib import Path
from typing import Any

from stillwatch.gateway.desk import MemoryDesk
from stillwatch.gateway.ports import Caller
from stillwatch.gateway.published import Published, write_published
from stillwatch.policy.config import PolicyConfig
from stillwatch.store.controlmemory import MemoryControl
from stillwatch.terms.account import Decision, KeyRecord, key_digest
from stillwatch.terms.action import Action, Held

SECRET = b"s" * 32
NOW = 1_700_000_000.0
KEY = "sk-test-0001"


class Office:
    """A control store, a file of verdicts and a desk over both."""

    def __init__(self, folder: Path, policy: PolicyConfig, **desk: Any) -> None:
        self.control = MemoryControl()
        self.published = folder / "published.json"
        self.desk = MemoryDesk(self.control, self.published, policy, SECRET, **desk)
        self._generation = 0

    def key(self, secret: str = KEY, account: str = "acme", **more: Any) -> None:
        record = KeyRecord(
            key_id=f"k_{secret}", digest=key_digest(secret, SECRET), account=account, created=1.0, **more
        )
        self.control.put_key(record)

    def decide(self, verb: str, *accounts: str, expires: float = NOW + 1e6, at: float = NOW - 10) -> None:
        self.control.add_decision(
            Decision(subject=accounts[0], kind="account", accounts=accounts, verb=verb, by="me", reason="seen",
                     at=at, expires=expires)
        )  # fmt: skip

    def publish(self, *held: Held) -> None:
        self._generation += 1
        write_published(
            self.published,
            Published(
                generation=self._generation, made_at=NOW, judged_until=NOW, held={one.account: one for one in held}
            ),
        )

    def act(self, now: float = NOW, secret: str = KEY) -> Action:
        return self.desk.action(self.caller(now, secret), "large-1", "chat", now)

    def caller(self, now: float = NOW, secret: str = KEY) -> Caller:
        found = self.desk.caller(secret, now)
        assert found is not None
        return found


def accused(**more: Any) -> Held:
    usual: dict[str, Any] = {"account": "acme", "log_e": 20.0, "accused": True, "campaign": "c1", "since": NOW - 100,
                             "families": ("payment",), "effective": NOW - 50, "expires": NOW + 1e6}  # fmt: skip
    return Held(**{**usual, **more})
