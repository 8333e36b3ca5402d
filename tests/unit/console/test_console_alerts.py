"""Alerts: each thing that waits is told once, signed, without text; what could not be sent is sent later."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.alerts import GIVE_UP_SECONDS, Alerts, wires_of
from stillwatch.app.consoleconfig import AlertConfig
from stillwatch.app.notices import Notices
from stillwatch.console.alert import SEVERITIES, TITLES, Alert, verify
from stillwatch.console.alertwire import Mail, Syslog, Webhook
from stillwatch.terms.errors import StillwatchError
from tests.console_rig import Rig, rigged

SECRET = b"webhook secret"
CANARY = "zqcanary said the account"


class Kept:
    """A wire that keeps what it is given, or fails."""

    name = "kept"

    def __init__(self) -> None:
        self.got: list[Alert] = []
        self.fails = False

    def send(self, alert: Alert) -> None:
        if self.fails:
            raise OSError("down")
        self.got.append(alert)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def alerts(rig: Rig, wire: Kept) -> Alerts:
    return Alerts(rig.state, Notices(role="test"), [wire])


def test_each_thing_that_waits_is_told_once_also_over_restarts(rig: Rig) -> None:
    wire = Kept()
    assert alerts(rig, wire).look(rig.now) == 3, "three campaigns wait"
    assert alerts(rig, wire).look(rig.now + 5) == 0, "another process, the same file"
    analyst = rig.signed_in("analyst")
    analyst.send("/decide", subject=rig.campaign().id, verb="confirm", reason=CANARY, kind="campaign")
    analyst.send("/appeal/open", account=rig.member(), statement=CANARY)
    rig.organise(rig.member(1), "Example Labs")
    analyst.send("/decide", subject=rig.member(1), verb="confirm", reason=CANARY, kind="account")
    alerts(rig, wire).look(rig.now + 10)
    kinds = [alert.kind for alert in wire.got]
    assert kinds[:3] == ["verdict"] * 3 and sorted(kinds[3:]) == ["appeal", "decision", "proposal"]
    assert len({alert.id for alert in wire.got}) == len(wire.got)
    told = b"".join(a.webhook() + a.syslog("h") + bytes(a.mail("a@b.c", ("d@e.f",))) for a in wire.got)
    assert b"zqcanary" not in told, "what people wrote stays in the console"


def test_what_could_not_be_sent_is_sent_later_in_order_and_given_up_after_a_day(rig: Rig) -> None:
    wire = Kept()
    wire.fails = True
    looking = alerts(rig, wire)
    assert looking.look(rig.now) == 0
    wire.fails = False
    assert looking.look(rig.now + 1) == 0, "it waits before it tries again"
    assert looking.look(rig.now + 6) == 3
    wire.fails = True
    rig.signed_in("analyst").send("/appeal/open", account=rig.member())
    later = alerts(rig, wire)
    later.look(rig.now + 20)
    wire.fails = False
    later.look(rig.now + 20 + GIVE_UP_SECONDS + 60)
    assert len(wire.got) == 3
    assert any(e.what == "alert given up" for e in rig.state.people.trail(limit=5))


def test_a_silent_watcher_and_failed_sign_ins_are_told(rig: Rig) -> None:
    wire, looking = Kept(), None
    (rig.folder / "run").mkdir(exist_ok=True)
    (rig.folder / "run" / "watcher.json").write_text(json.dumps({"at": rig.now - 3_600}))
    looking = alerts(rig, wire)
    looking.look(rig.now)
    assert [a.severity for a in wire.got if a.kind == "silent"] == ["high"]
    for _ in range(5):
        rig.console.door.check("viewer", "wrong", "10.0.0.9")
    looking.look(rig.now + 5)
    assert [a.subject for a in wire.got if a.kind == "sign_in"] == ["viewer"]
    assert sum(a.kind == "silent" for a in wire.got) == 1


def test_a_webhook_is_signed_and_follows_no_redirect() -> None:
    got: list[tuple[dict[str, str], bytes]] = []
    status = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status[0])
            self.send_header("location", "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        wire = Webhook(f"http://127.0.0.1:{server.server_address[1]}/hook", SECRET)
        wire.send(_alert())
        headers, body = got[0]
        given = {name.lower(): value for name, value in headers.items()}["stillwatch-signature"]
        assert verify(body, SECRET, given, now=time.time())
        assert not verify(body + b" ", SECRET, given, now=time.time())
        assert not verify(body, SECRET, given, now=time.time() + 3_600)
        assert json.loads(body)["subject"] == "c-1" and SECRET.decode() not in repr(wire)
        for status[0] in (302, 404, 500):
            with pytest.raises(OSError):
                wire.send(_alert())
        assert len(got) == 4
    finally:
        server.shutdown()
        server.server_close()


def test_a_receiver_that_speaks_no_http_is_a_failure_that_is_tried_again() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def babble() -> None:
        with listener.accept()[0] as one:
            one.recv(65_536)
            one.sendall(b"220 ready\r\n\r\n")

    thread = threading.Thread(target=babble, daemon=True)
    thread.start()
    with listener, pytest.raises(OSError, match="BadStatusLine"):
        Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/hook", SECRET).send(_alert())
    thread.join(5.0)


def test_looking_goes_on_whatever_went_wrong_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    wire, stop = Kept(), threading.Event()
    looking = alerts(rig, wire)
    look = Alerts.look
    tries: list[float] = []

    def broken_once(self: Alerts, now: float) -> int:
        tries.append(now)
        if len(tries) == 1:
            raise RuntimeError("no case that anybody thought of")
        stop.set()
        return look(self, now)

    monkeypatch.setattr("stillwatch.app.alerts.LOOK_SECONDS", 0.01)
    monkeypatch.setattr(Alerts, "look", broken_once)
    looking.run(stop, lambda: rig.now)
    assert len(tries) == 2 and wire.got


def test_mail_goes_out_by_smtp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said: list[bytes] = []
        threading.Thread(target=_smtp, args=(listener, said), daemon=True).start()
        Mail(host="127.0.0.1", port=listener.getsockname()[1], tls="none", sender="watch@example.com",
             receivers=("ops@example.com",)).send(_alert(subject="c-1\r\nBcc: eve@example.com"))  # fmt: skip
    text = b"".join(said)
    assert b"Subject: [Stillwatch] A verdict waits for a person: c-1" in text and b"nats: 38.0" in text
    assert b"\r\nBcc:" not in text, "no name begins a header"


def test_syslog_is_one_rfc_5424_message_with_ocsf_in_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        Syslog(f"udp://127.0.0.1:{receiver.getsockname()[1]}").send(_alert())
        message = receiver.recv(65_536).decode()
    head, _, body = message.partition(" - {")
    assert head.startswith("<105>1 20") and " stillwatch - verdict" in head
    assert json.loads("{" + body)["class_uid"] == 2004
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Syslog(f"tcp://127.0.0.1:{listener.getsockname()[1]}").send(_alert())
        connection, _ = listener.accept()
        with connection:
            content = connection.makefile("rb").read()
    length, _, rest = content.partition(b" ")
    assert int(length) == len(rest)


@pytest.mark.parametrize("kind", TITLES)
def test_ocsf_events_bear_what_their_class_requires(kind: str) -> None:
    event = _alert(kind=kind).ocsf()
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["category_uid"] == event["class_uid"] // 1000 and event["severity_id"] in SEVERITIES.values()
    assert {"version", "product", "uid"} <= set(event["metadata"]) and isinstance(event["time"], int)
    needed = {2004: "finding_info", 3002: "user", 6002: "app"}[event["class_uid"]]
    assert event[needed]


def test_a_secret_that_is_not_there_is_said_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    config = AlertConfig(webhook_url="https://hooks.example.com/x", webhook_secret_env="NO_SUCH_SECRET")
    with pytest.raises(StillwatchError, match="NO_SUCH_SECRET is not set"):
        wires_of(config)
    monkeypatch.setenv("NO_SUCH_SECRET", "s")
    assert [wire.name for wire in wires_of(config)] == ["webhook"]
    for wrong in (
        {"webhook_url": "http://hooks.example.com/x", "webhook_secret_env": "S"}, {"webhook_url": "https://h.example"},
        {"smtp_host": "mail.example.com"}, {"syslog": "https://x"},
        {"smtp_host": "mail.example.com", "smtp_from": "a@b.c", "smtp_to": ("d@e.f",), "smtp_tls": "none"},
    ):  # fmt: skip
        with pytest.raises(StillwatchError):
            AlertConfig(**wrong)  # type: ignore[arg-type]


def _alert(**more: Any) -> Alert:
    return Alert(**{"id": "verdict 1", "kind": "verdict", "at": 1.8e9, "severity": "high", "subject": "c-1",
                    "figures": {"nats": 38.0}, "link": "https://watch.example.com/find", **more})  # fmt: skip


def _smtp(listener: socket.socket, said: list[bytes]) -> None:
    """Be just enough of a mail server for one message."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as wire:
        wire.write(b"220 ready\r\n")
        wire.flush()
        reading = False
        for line in wire:
            if reading:
                said.append(line)
                if line == b".\r\n":
                    reading = False
                    wire.write(b"250 kept\r\n")
                    wire.flush()
                continue
            word = line.split()[0].upper()
            reading = word == b"DATA"
            wire.write({b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(word, b"250 ok\r\n"))
            wire.flush()
            if word == b"QUIT":
                return
