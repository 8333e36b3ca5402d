"""Notaries on this machine for tests: honest ones over real HTTP, and ones that do harm."""

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from stillwatch.app.notary import make_notary, open_members
from stillwatch.exchange.notary.blind import NotaryKey
from stillwatch.exchange.notary.caller import NotaryAddress
from stillwatch.exchange.notary.epochs import epoch_at, series_name
from stillwatch.exchange.notary.keyroom import KeyRoom
from stillwatch.exchange.notary.series import SeriesTokeniser, oblivious_input
from stillwatch.exchange.notary.service import Notary, notary_app
from stillwatch.terms.coalition import TOKEN_BYTES, TokenInput
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.exchange import Exchange, Message
from stillwatch.terms.served import Served
from tests.served_calls import served_of


@dataclass
class RunningNotary:
    """One notary that answers on a port of this machine."""

    notary: Notary
    url: str
    keys: dict[str, str] = field(default_factory=dict)

    def address(self, member: str = "acme") -> NotaryAddress:
        return NotaryAddress(url=self.url, identity=self.notary.room.identity, key=self.keys[member])

    def join(self, member: str, budget: int = 100_000) -> NotaryAddress:
        self.keys[member] = self.notary.members.add(member, budget, time.time())
        return self.address(member)


@contextlib.contextmanager
def running_notary(
    folder: Path, *, budget: int = 100_000, clock: Callable[[], float] = time.time
) -> Iterator[RunningNotary]:
    """Serve a notary with one member, `acme`."""
    make_notary(folder, clock())
    notary = Notary(name=folder.name, room=KeyRoom.open(folder), members=open_members(folder), clock=clock)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(notary_app(notary), log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    running = RunningNotary(notary, f"http://127.0.0.1:{listener.getsockname()[1]}")
    running.join("acme", budget)
    try:
        yield running
    finally:
        server.should_exit = True
        thread.join(10)
        notary.members.close()


@contextlib.contextmanager
def answering(answer: Callable[[bytes, socket.socket], None]) -> Iterator[str]:
    """Run a server whose every connection is handed, with the head of its request, to `answer`; yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(65536)
                if not part:
                    return
                head += part
            answer(head, connection)

    def run() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


class LocalTokeniser:
    """Both notaries in this process, without blinding: tokens as the series makes them, for tests of what follows."""

    def __init__(self, number: int | None = None) -> None:
        self.number = epoch_at(time.time()) if number is None else number
        self.first, self.second = NotaryKey(secrets.token_bytes(32)), NotaryKey(secrets.token_bytes(32))
        self.asked = 0
        self.failing = ""

    @property
    def epoch(self) -> str:
        if self.failing:
            raise StillwatchError(self.failing)
        return series_name(self.number, self.first.public, self.second.public)

    def tokens(self, inputs: Sequence[TokenInput]) -> list[bytes]:
        if self.failing:
            raise StillwatchError(self.failing)
        self.asked += len(inputs)
        return [self.second.output(self.first.output(oblivious_input(one)))[:TOKEN_BYTES] for one in inputs]


def series(first: NotaryAddress, second: NotaryAddress, **more: float) -> SeriesTokeniser:
    """Return a tokeniser with a short patience."""
    return SeriesTokeniser(first, second, seconds=float(more.get("seconds", 20.0)), batch=int(more.get("batch", 512)))


def exchange(account: str, text: str, pays: str = "", address: str = "62.1.1.1") -> Served:
    """Return one chat request as the gateway records it."""
    return served_of(Exchange(
        time=1_800_000_000.0, account=account, payment=pays, address=address, endpoint="chat", model="m",
        messages=(Message(role="user", text=text),), answer="An answer.",
    ), account=account, payment=pays, address=address)  # fmt: skip
