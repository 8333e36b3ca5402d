"""A notary's own state folder and its server: made, turned, served.

In: a folder, addresses, the clock. Out: what `stillwatch notary` prints, and a server until it is told to stop.
Left to `exchange.notary`: keys, members, what is answered.
"""

import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from stillwatch.app.notices import Notices
from stillwatch.app.statecopies import MEMBERS
from stillwatch.exchange.notary.epochs import epoch_at
from stillwatch.exchange.notary.keyroom import KeyRoom, Turned
from stillwatch.exchange.notary.members import MemberBook
from stillwatch.exchange.notary.service import Notary, notary_app
from stillwatch.terms.errors import StillwatchError

_LOOK_SECONDS: Final = 60.0
_HEAD_BYTES: Final = 16_384
_AT_ONCE: Final = 64
_IDLE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NotaryServing:
    """How a notary is served."""

    host: str = "127.0.0.1"
    port: int = 8431
    name: str = "notary"
    tls_cert: Path | None = None
    """PEM file with the certificate and its chain; None serves plain HTTP, for a proxy before it."""
    tls_key: Path | None = None
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotaryKeys:
    """What members need to know of a notary's keys; nothing of it is secret."""

    identity: str
    """Ed25519 public key, hexadecimal: to be pinned by members."""
    epoch: int
    public_key: str
    begins: float
    ends: float


def make_notary(folder: Path, now: float) -> NotaryKeys:
    """Make a notary: its identity, its first key, no members.

    Raises:
        StillwatchError: there is one already, or the folder cannot be written.
    """
    KeyRoom.make(folder, now)
    open_members(folder).close()
    return notary_keys(folder, now)


def notary_keys(folder: Path, now: float) -> NotaryKeys:
    """Return the identity and the key of the epoch in force.

    Raises:
        StillwatchError: there is no notary here, or its epoch's key is not drawn yet.
    """
    room = KeyRoom.open(folder)
    key = room.epoch_key(epoch_at(now))
    return NotaryKeys(
        identity=room.identity.hex(), epoch=key.number, public_key=key.public.hex(), begins=key.begins, ends=key.ends
    )


def turn_notary(folder: Path, now: float) -> Turned:
    """Destroy keys of epochs that ended, and draw that of the epoch in force, whole epochs later too.

    Raises:
        StillwatchError: there is no notary here, or the folder cannot be written.
    """
    return KeyRoom.open(folder).turn(now, leap=True)


def open_members(folder: Path, *, new: bool = True) -> MemberBook:
    """Open the members of a notary.

    Raises:
        StillwatchError: there is no notary here, or the file cannot be opened.
    """
    if not new:
        KeyRoom.open(folder)
    return MemberBook(folder / MEMBERS)


def serve_notary(folder: Path, serving: NotaryServing) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        StillwatchError: there is no notary here, a certificate is missing, or the address is taken.
    """
    notary = Notary(name=serving.name, room=KeyRoom.open(folder), members=open_members(folder))
    notary.epoch()
    for path in (serving.tls_cert, serving.tls_key):
        if path is not None and not path.is_file():
            raise StillwatchError(f"notary: {path} is not there; give the PEM files of --tls-cert and --tls-key.")
    if (serving.tls_cert is None) != (serving.tls_key is None):
        raise StillwatchError("notary: --tls-cert and --tls-key go together; give both or neither.")
    notices = Notices(role="notary", as_json=serving.as_json)
    server = uvicorn.Server(uvicorn.Config(
        notary_app(notary), host=serving.host, port=serving.port, log_config=None, access_log=False,
        server_header=False, limit_concurrency=_AT_ONCE, timeout_keep_alive=_IDLE_SECONDS,
        h11_max_incomplete_event_size=_HEAD_BYTES, lifespan="off",
        ssl_certfile=str(serving.tls_cert) if serving.tls_cert else None,
        ssl_keyfile=str(serving.tls_key) if serving.tls_key else None,
    ))  # fmt: skip
    stop = threading.Event()
    tending = threading.Thread(target=_tend, args=(notary, notices, stop), name="epochs", daemon=True)
    tending.start()
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more when it has stopped
        signal.signal(number, lambda *_: None)
    try:
        notices.say("serving", host=serving.host, port=serving.port, epoch=notary.epoch().number)
        server.run()
    except SystemExit:
        raise StillwatchError(
            f"notary: address {serving.host}:{serving.port} cannot be had; give another with --host and --port."
        ) from None
    finally:
        stop.set()
        notary.members.close()
    notices.say("stopped", **dict(notary.counts))


def _tend(notary: Notary, notices: Notices, stop: threading.Event) -> None:
    """Turn the keys when an epoch ends, also when nobody asks."""
    number = notary.epoch().number
    while not stop.wait(_LOOK_SECONDS):
        try:
            key = notary.epoch()
            notary.members.forget(time.time())
        except StillwatchError as problem:
            notices.say("keys cannot be turned; trying again", problem=str(problem).partition("\n")[0])
            continue
        if key.number != number:
            number = key.number
            notices.say("epoch turned; keys of earlier epochs destroyed", epoch=number)
