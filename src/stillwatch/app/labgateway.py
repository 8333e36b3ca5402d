"""The product on loopback for one cell of the lab: the gateway's own application, on event time that the lab sets.

In: a settings file, an upstream, accounts, a seed. Out: a `LabGateway`: an address, a clock to set, the exchanges that
the watcher would get. Everything on the way of a request is what `stillwatch serve` runs: keys, policy, treatments,
wire; only the processes are missing, and the secrets come from the seed so that a second run gives the same answers.
Cost: 0.2 s to start; 0.8 ms a request. Left to `labwatch`: judging. Left to `lab.attacks`: asking.
"""

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import uvicorn

from stillwatch.app.control import Book, key_secret, open_control
from stillwatch.app.labclock import LabDesk, LabTreater
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.markring import new_ring
from stillwatch.app.settings import Settings
from stillwatch.app.treating import treater_of
from stillwatch.gateway.app import SERVER_OPTIONS, Gateway
from stillwatch.gateway.desk import MemoryDesk
from stillwatch.gateway.upstream import Upstream
from stillwatch.lab.traffic.identity import Caller
from stillwatch.terms.account import AccountRecord, Decision, KeyRecord, key_digest
from stillwatch.terms.served import Served
from stillwatch.treatments.marks.ring import Ring

REFRESH_SECONDS: Final = 60.0
"""Event seconds after which the desk looks for changes, as its thread does each wall second."""
DAY: Final = 86_400.0


@dataclass(slots=True)
class Recorded:
    """A recorder that keeps what the spool would carry."""

    exchanges: list[Served] = field(default_factory=list, repr=False)

    def record(self, served: Served) -> bool:
        """Keep one exchange."""
        self.exchanges.append(served)
        return True


@dataclass(slots=True, kw_only=True)
class LabGateway:
    """One running gateway."""

    url: str
    folder: LiveFolder
    settings: Settings
    book: Book
    desk: MemoryDesk
    orders: dict[str, int]
    """Kind of action -> requests that it was ordered for."""
    recorded: Recorded
    keys: dict[str, str] = field(repr=False)
    """Account -> its API key."""
    now: float
    """Event time, seconds since 1970; moves forward only."""
    _refreshed: float = float("-inf")

    def at(self, time: float) -> None:
        """Set the clock to an event time not before the last one."""
        self.now = max(self.now, time)
        if self.now - self._refreshed >= REFRESH_SECONDS:
            self.refresh()

    def refresh(self) -> None:
        """Let the desk look for changed keys, decisions and verdicts now."""
        self.desk.refresh(self.now)
        self._refreshed = self.now

    def confirm(self, accounts: Iterable[str], subject: str, days: float = 366.0) -> None:
        """Write down that a person confirmed accounts without a verdict, from this moment on."""
        held = tuple(accounts)
        self.book.add_decision(Decision(
            subject=subject, kind="campaign", accounts=held, verb="confirm", by="lab", reason="given by the plan",
            at=self.now, expires=self.now + days * DAY,
        ))  # fmt: skip
        self.refresh()


def write_secrets(state: Path, seed: int) -> None:
    """Make the master key of a state folder of the lab from the seed; it protects nothing that is real."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    (state / "master.key").write_bytes(hashlib.blake2b(b"stillwatch lab %d" % seed, digest_size=32).digest())
    (state / "master.key").chmod(0o600)


def write_ring(state: Path, settings: Settings, seed: int) -> Ring:
    """Make the keys of marks of a state folder of the lab from the seed, under the settings' `[mark]`."""
    secret = hashlib.blake2b(b"stillwatch lab marks %d" % seed, digest_size=32).digest()
    return new_ring(state, settings.mark, 0.0, secret)


def open_accounts(book: Book, secret: bytes, callers: Iterable[Caller], now: float, seed: int) -> dict[str, str]:
    """Make an account and a key for each caller; return account -> key, the same under the same seed."""
    keys = {}
    with book.changing():
        for caller in callers:
            book.put_account(AccountRecord(
                account=caller.name, organisation=caller.organisation, plan=caller.plan, payment=caller.payment,
            ))  # fmt: skip
            key = "sk-sw-" + hashlib.blake2b(f"lab {seed} {caller.name}".encode(), digest_size=24).hexdigest()
            book.put_key(KeyRecord(
                key_id="k_" + caller.key_id[:16], digest=key_digest(key, secret), account=caller.name, label="lab",
                created=now,
            ))  # fmt: skip
            keys[caller.name] = key
    return keys


@asynccontextmanager
async def gateway_before(
    upstream: str, settings: Settings, folder: LiveFolder, cast: tuple[Iterable[Caller], float, int]
) -> AsyncIterator[LabGateway]:
    """Start a gateway before an upstream, and stop it when the context ends.

    Args:
        upstream: Address of the teacher on loopback.
        settings: Of the defence.
        folder: A state folder of the lab, with its secrets written.
        cast: Callers to make accounts for, event time at which it starts, seed.
    """
    callers, start, seed = cast
    state = folder.made().state
    given = replace(settings.gateway, upstream=upstream, trusted_proxies=("127.0.0.1/32",))
    settings = replace(settings, given={**settings.given, "gateway": given})
    with open_control(state) as book:
        keys = open_accounts(book, key_secret(state), callers, start, seed)
        desk = MemoryDesk(book, folder.published, settings.policy, key_secret(state))
        recorded = Recorded()
        timed = LabDesk(desk, lambda: lab.now)
        gateway = Gateway(settings.gateway, timed, recorded, Upstream(settings.gateway, ""), lambda: lab.now)
        gateway.treat_with(LabTreater(treater_of(state, settings, "lab", desk.canaries), lambda: lab.now))
        async with _listening(gateway) as url:
            lab = LabGateway(
                url=url,
                folder=folder,
                settings=settings,
                book=book,
                desk=desk,
                orders=timed.orders,
                recorded=recorded,
                keys=keys,
                now=start,
            )
            lab.refresh()
            yield lab


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the lab's own command."""
        yield


@asynccontextmanager
async def _listening(app: Any) -> AsyncIterator[str]:
    options = {**SERVER_OPTIONS, "loop": "none"}
    server = _Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2, **options))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        # named TCP, as asyncio else leaves Nagle's delay on what it accepts: 40 ms a request
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if serving.done():
                    await serving
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
