"""Alerts: what is new that waits for a person is told to whom the settings name, once, also over restarts.

In: the console's state, looked at every few seconds. Out: alerts on each wire. What was told is kept in the control
file; what could not be sent waits there, is tried again ever more slowly for a day, and is then given up with an entry
in the trail. Left to `console.alert` and `console.alertwire`: the words and the wires.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import msgspec

from stillwatch.app.consoleconfig import AlertConfig
from stillwatch.app.consolestate import ConsoleState
from stillwatch.app.notices import Notices
from stillwatch.app.trailledger import commit_trail
from stillwatch.app.watchstatus import STATUS_NAME, WatchStatus
from stillwatch.console.alert import Alert
from stillwatch.console.alertwire import Mail, Syslog, Webhook, Wire
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.person import Actor, acting_as

LOOK_SECONDS: Final = 3.0
LEDGER_SECONDS: Final = 60.0
FIRST_RETRY, LONGEST_RETRY = 5.0, 3_600.0
GIVE_UP_SECONDS: Final = 86_400.0
MOST_WAITING: Final = 500
"""Alerts that a wire keeps waiting; beyond, the oldest are given up."""
STRONG: Final = 20.0
"""Nats from which a verdict that waits is of high severity."""
_NAME: Final = "alerts"


@dataclass(slots=True, kw_only=True)
class Told:
    """What was told, and what waits to be sent; kept over restarts."""

    verdicts: list[str] = field(default_factory=list)
    proposals: list[int] = field(default_factory=list)
    appeals: list[str] = field(default_factory=list)
    decision: int = -1
    entry: int = -1
    silent: bool = False
    waiting: dict[str, list[Alert]] = field(default_factory=dict)
    """By wire."""


class Alerts:
    """Looks and sends, in a thread of its own."""

    def __init__(self, open_state: ConsoleState, notices: Notices, wires: Sequence[Wire] | None = None) -> None:
        """Nothing is sent before `run` or `look`.

        Raises:
            StillwatchError: a secret that the settings name is not in the environment.
        """
        self._s, self._notices = open_state, notices
        self._config = open_state.settings.alerts
        self._wires = wires_of(self._config) if wires is None else tuple(wires)
        self._next = {wire.name: (0.0, FIRST_RETRY) for wire in self._wires}

    def run(self, stop: threading.Event, clock: Callable[[], float] = time.time) -> None:
        """Look and send until told to stop, and tell the ledger of the trail; what fails is said, and tried again."""
        due = 0.0
        while not stop.wait(LOOK_SECONDS):
            try:
                if self._wires:
                    self.look(clock())
                if time.monotonic() >= due:
                    due = time.monotonic() + LEDGER_SECONDS
                    commit_trail(self._s.people, self._s.state)
            except StillwatchError as problem:
                self._notices.say("alerts or trail cannot be kept", problem=str(problem).partition("\n")[0])
            except Exception as problem:  # a thread that ended here would be silence, which is what nobody notices
                self._notices.say("alerts or trail failed; trying again", problem=type(problem).__name__)

    def look(self, now: float) -> int:
        """Look for what is new, and send what waits; return how many alerts were sent."""
        told = self._read()
        before = msgspec.json.encode(told)
        for alert in self._new(told, now):
            for wire in self._wires:
                told.waiting.setdefault(wire.name, []).append(alert)
        sent = sum(self._send(wire, told, now) for wire in self._wires)
        if msgspec.json.encode(told) != before:
            self._s.people.put_mark(_NAME, msgspec.json.encode(told).decode())
        return sent

    def _read(self) -> Told:
        kept = self._s.people.mark(_NAME)
        try:
            return msgspec.json.decode(kept, type=Told) if kept else Told()
        except msgspec.MsgspecError:
            return Told()

    # ---- what is new ----

    def _new(self, told: Told, now: float) -> Iterator[Alert]:
        yield from self._verdicts(told, now)
        yield from self._decisions(told, now)
        yield from self._silence(told, now)
        yield from self._sign_ins(told, now)

    def _verdicts(self, told: Told, now: float) -> Iterator[Alert]:
        facts = self._s.facts(now)
        waiting = {f"{claim.kind} {claim.subject}": claim for claim in facts.waiting}
        for key, claim in waiting.items():
            if key not in told.verdicts:
                yield Alert(
                    id=f"verdict {key} {claim.receipt[:16]}", kind="verdict", at=now, subject=claim.subject,
                    severity="high" if claim.log_e >= STRONG else "medium",
                    link=self._link("/find?subject=", claim.subject),
                    figures={"kind": claim.kind, "accounts": len(claim.accounts) + claim.nameless,
                             "nats": round(claim.log_e, 1), "receipt": claim.receipt},
                )  # fmt: skip
        told.verdicts = sorted(waiting)
        proposals = {p.id: p for p in self._s.people.proposals()}
        for number, one in proposals.items():
            if number not in told.proposals:
                yield Alert(id=f"proposal {number}", kind="proposal", at=now, severity="medium", subject=one.subject,
                            figures={"proposal": number, "verb": one.verb, "by": one.by},
                            link=self._link("/queue"))  # fmt: skip
        told.proposals = sorted(proposals)
        appeals = {a.id: a for a in facts.appeals if a.state == "open"}
        for name, appeal in appeals.items():
            if name not in told.appeals:
                yield Alert(id=f"appeal {name}", kind="appeal", at=now, severity="medium", subject=appeal.account,
                            figures={"appeal": name}, link=self._link("/appeals#", name))  # fmt: skip
        told.appeals = sorted(appeals)

    def _decisions(self, told: Told, now: float) -> Iterator[Alert]:
        decisions = self._s.facts(now).decisions
        newest = decisions[-1].id if decisions else 0
        if told.decision >= 0:
            for one in decisions:
                if one.id > told.decision:
                    yield Alert(
                        id=f"decision {one.id}", kind="decision", at=one.at, severity="low", subject=one.subject,
                        figures={"decision": one.id, "verb": one.verb, "by": one.by, "accounts": len(one.accounts)},
                        link=self._link("/find?subject=", one.subject),
                    )  # fmt: skip
        told.decision = newest

    def _silence(self, told: Told, now: float) -> Iterator[Alert]:
        try:
            status = msgspec.json.decode((self._s.folder.run / STATUS_NAME).read_bytes(), type=WatchStatus)
        except (OSError, msgspec.MsgspecError):
            return  # none ever ran here
        silent = now - status.at > self._config.silent_minutes * 60.0
        if silent and not told.silent:
            yield Alert(id=f"silent {status.at:.0f}", kind="silent", at=now, severity="high",
                        figures={"silent_minutes": round((now - status.at) / 60.0, 1)},
                        link=self._link("/"))  # fmt: skip
        told.silent = silent

    def _sign_ins(self, told: Told, now: float) -> Iterator[Alert]:
        newest = self._s.people.trail_head()[0]
        if told.entry >= 0:
            for entry in reversed(self._s.people.trail(after=told.entry, limit=200)):
                if entry.what == "sign-in failed":
                    yield Alert(id=f"sign_in {entry.number}", kind="sign_in", at=entry.at, severity="medium",
                                subject=entry.subject, figures=msgspec.json.decode(entry.detail))  # fmt: skip
        told.entry = newest

    def _link(self, path: str, name: str = "") -> str:
        origin = self._s.settings.console.origin
        return f"{origin.rstrip('/')}{path}{quote(name, safe='')}" if origin else ""

    # ---- sending ----

    def _send(self, wire: Wire, told: Told, now: float) -> int:
        """Send what waits for one wire, in order; the first that fails makes the others wait."""
        waiting = told.waiting.get(wire.name, [])
        due, delay = self._next[wire.name]
        if not waiting or now < due:
            return 0
        sent = 0
        while waiting:
            if now - waiting[0].at > GIVE_UP_SECONDS or len(waiting) > MOST_WAITING:
                self._give_up(wire, waiting.pop(0), now)
                continue
            try:
                wire.send(waiting[0])
            except (OSError, ValueError) as problem:
                self._next[wire.name] = (now + delay, min(2.0 * delay, LONGEST_RETRY))
                self._notices.say("alert not sent; trying again", wire=wire.name, problem=type(problem).__name__)
                break
            waiting.pop(0)
            sent += 1
            self._next[wire.name] = (0.0, FIRST_RETRY)
        told.waiting[wire.name] = waiting
        return sent

    def _give_up(self, wire: Wire, alert: Alert, now: float) -> None:
        with acting_as(Actor("console", "console")):
            detail = msgspec.json.encode({"wire": wire.name, "kind": alert.kind}).decode()
            self._s.people.note("alert given up", alert.subject or alert.kind, detail, now)


def wires_of(config: AlertConfig) -> tuple[Wire, ...]:
    """Return the wires that the settings name.

    Raises:
        StillwatchError: a secret is not in the environment.
    """
    found: list[Wire] = []
    if config.webhook_url:
        found.append(
            Webhook(config.webhook_url, _secret("alerts.webhook_secret_env", config.webhook_secret_env).encode())
        )
    if config.smtp_host:
        password = _secret("alerts.smtp_password_env", config.smtp_password_env) if config.smtp_password_env else ""
        found.append(Mail(host=config.smtp_host, port=config.smtp_port, tls=config.smtp_tls, sender=config.smtp_from,
                          receivers=config.smtp_to, user=config.smtp_user, password=password))  # fmt: skip
    if config.syslog:
        found.append(Syslog(config.syslog))
    return tuple(found)


def _secret(name: str, variable: str) -> str:
    found = os.environ.get(variable, "")
    if not found:
        raise StillwatchError(f"{name}: the environment variable {variable} is not set.")
    return found
