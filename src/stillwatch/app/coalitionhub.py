"""The hub of a coalition: opened, and served until told to stop.

In: settings, a state folder. Out: a TAXII 2.1 server. Its secrets come from the folder's master key and are kept
nowhere: one under which members' keys are hashed, one under which cursors are signed. A new hub has one API root,
`coalition`, with one collection, `warnings`.
Left to `exchange.taxii.server`: answering. Left to `coalitionmembers`: who may come in.
"""

import signal
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Final

import uvicorn

from stillwatch.app.hubconfig import HubConfig
from stillwatch.app.notices import Notices
from stillwatch.app.state import master_key
from stillwatch.exchange.taxii.hub import Hub
from stillwatch.exchange.taxii.hubfile import FILE_NAME, HubFile
from stillwatch.exchange.taxii.identify import Doorkeeper
from stillwatch.exchange.taxii.limits import Limits
from stillwatch.exchange.taxii.members import Collection
from stillwatch.exchange.taxii.server import Server
from stillwatch.exchange.taxii.tls import CertifiedProtocol
from stillwatch.sketch.keys import KeyRing
from stillwatch.terms.errors import StillwatchError

ROOT: Final = "coalition"
WARNINGS: Final = "warnings"
WARNINGS_ID: Final = "8e1f8a3c-6f0b-4b0e-9d52-3c1a7d8f2b64"
_SWEEP_SECONDS: Final = 60.0
_HEAD_BYTES: Final = 65_536
_AT_ONCE: Final = 512


def member_secret(state: Path) -> bytes:
    """Return the 32-byte secret under which members' keys are hashed; the same for one master key for ever."""
    return KeyRing(master_key(state)).lasting("coalition member")


def open_hub(config: HubConfig, state: Path, *, new: bool = True) -> Hub:
    """Open the hub of a state folder, made with its root and collection where there is none.

    Args:
        config: Limits and title.
        state: The hub's own folder.
        new: Make the file where there is none; False refuses instead, for commands that only read.

    Raises:
        StillwatchError: there is none, or it cannot be read or written.
    """
    path = state / FILE_NAME
    if not new and not path.exists():
        raise StillwatchError(f"state folder {state}: has no hub yet; `stillwatch coalition members add` makes it.")
    secret = KeyRing(master_key(state)).lasting("coalition cursor")
    file = HubFile(path)
    limits = Limits(
        max_content_length=config.max_content_length, page_size=config.page, max_page_size=config.max_page,
        objects_per_post=config.objects_per_post, objects_per_day=config.objects_per_day,
        blob_bytes_per_day=config.blob_bytes_per_day, requests_per_minute=config.requests_per_minute,
    )  # fmt: skip
    hub = Hub(file, secret, limits, title=config.title)
    if not hub.register.roots():
        hub.register.put_root(ROOT, "Warnings of distillation campaigns")
    hub.register.put_collection(Collection(
        root=ROOT, id=WARNINGS_ID, alias=WARNINGS, title="Warnings",
        description="Campaigns that members confirmed, as blinded tokens.",
    ))  # fmt: skip
    return hub


def serve_hub(config: HubConfig, state: Path, *, as_json: bool = False) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        StillwatchError: the folder cannot be written, a certificate cannot be read, or the address is taken.
    """
    notices = Notices(role="hub", as_json=as_json)
    hub = open_hub(config, state)
    door = Doorkeeper(hub.register, member_secret(state), per_minute=config.requests_per_minute,
                      need_certificate=config.need_certificate)  # fmt: skip
    app = Server(hub, door, base=config.public_url, tell=notices.say).application()
    stop = threading.Event()
    with hub.file, _bound(config) as listener:
        settings = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, lifespan="off", http=CertifiedProtocol,
            h11_max_incomplete_event_size=_HEAD_BYTES, proxy_headers=False, timeout_keep_alive=15,
            limit_concurrency=_AT_ONCE, **_tls(config),
        )  # fmt: skip
        _load_tls(settings)
        sweeper = threading.Thread(target=_sweep, args=(hub, notices, stop), name="sweep", daemon=True)
        sweeper.start()
        host, port = listener.getsockname()[:2]
        notices.say("serving", host=host, port=port, tls="yes" if config.certificate else "no",
                    client_certificates=_wanted(config))  # fmt: skip
        if not config.certificate and host not in ("127.0.0.1", "::1"):
            notices.say("no TLS: keys cross the network in clear unless a proxy in front adds it")
        for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more when it has stopped
            signal.signal(number, lambda *_: None)
        try:
            uvicorn.Server(settings).run(sockets=[listener])
        finally:
            stop.set()
            sweeper.join(5.0)
    notices.say("stopped")


def _wanted(config: HubConfig) -> str:
    return "needed" if config.need_certificate else "taken" if config.client_ca else "no"


def _bound(config: HubConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=512)
    except OSError as problem:
        raise StillwatchError(
            f"address {config.host}:{config.port}: {problem.strerror}; give another with --host and --port."
        ) from None


def _tls(config: HubConfig) -> dict[str, Any]:
    if not config.certificate:
        return {}
    wants = ssl.CERT_REQUIRED if config.need_certificate else ssl.CERT_OPTIONAL if config.client_ca else ssl.CERT_NONE
    return {
        "ssl_certfile": config.certificate, "ssl_keyfile": config.certificate_key, "ssl_cert_reqs": wants,
        **({"ssl_ca_certs": config.client_ca} if config.client_ca else {}),
    }  # fmt: skip


def _load_tls(settings: uvicorn.Config) -> None:
    try:
        settings.load()
    except OSError as problem:  # ssl.SSLError is one of them
        raise StillwatchError(
            f"hub.certificate, certificate_key or client_ca: cannot be used ({problem.strerror or problem})."
        ) from None
    if settings.ssl is not None:
        settings.ssl.minimum_version = ssl.TLSVersion.TLSv1_2


def _sweep(hub: Hub, notices: Notices, stop: threading.Event) -> None:
    """Delete token sets that nothing in force names any more."""
    while not stop.wait(_SWEEP_SECONDS):
        try:
            with hub.file.writing():
                gone = hub.blobs.sweep(time.time())
        except StillwatchError as problem:
            notices.say("token sets could not be swept; trying again", problem=str(problem))
            continue
        if gone:
            notices.say("token sets deleted: revoked or expired", count=gone)
