"""An alert: that something waits for a person, as signed JSON, as mail, as OCSF for a log collector.

In: ids, counts and nats. Out: bytes. No alert holds text of a request, a key, a secret or what a person wrote.
Source: OCSF 1.3.0, classes 2004 (Detection Finding), 3002 (Authentication), 6002 (Application Lifecycle);
RFC 5424 (syslog).
"""

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Final

from stillwatch import __version__

SEVERITIES: Final = {"low": 2, "medium": 3, "high": 4}
TITLES: Final = {
    "verdict": "A verdict waits for a person", "proposal": "A proposal waits for a second person",
    "appeal": "An appeal waits for an answer", "decision": "A person decided on a verdict",
    "silent": "The watcher was not heard of", "sign_in": "Sign-ins to the console failed",
}  # fmt: skip
SYSLOG_FACILITY: Final = 13
"""Log audit, RFC 5424."""
_SYSLOG_LEVEL: Final = {"low": 6, "medium": 4, "high": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert."""

    id: str
    """The same whenever it is sent again."""
    kind: str
    """One of `TITLES`."""
    at: float
    """Seconds since 1970."""
    severity: str
    """`low`, `medium` or `high`."""
    subject: str = ""
    """Account, campaign, appeal; as the provider names it."""
    figures: dict[str, float | int | str] = field(default_factory=dict)
    link: str = ""

    @property
    def title(self) -> str:
        """What it says, in one line."""
        return TITLES[self.kind]

    def webhook(self) -> bytes:
        """Return it as the webhook's body."""
        return json.dumps({"version": 1, "title": self.title, **asdict(self)}, sort_keys=True).encode()

    def mail(self, sender: str, receivers: tuple[str, ...]) -> EmailMessage:
        """Return it as a message."""
        message = EmailMessage()
        message["From"], message["To"] = sender, ", ".join(receivers)
        message["Subject"] = f"[Stillwatch] {self.title}" + (f": {_line(self.subject)[:80]}" if self.subject else "")
        message["Message-ID"] = f"<{hashlib.sha256(self.id.encode()).hexdigest()[:32]}@stillwatch>"
        message["Date"] = datetime.fromtimestamp(self.at, UTC)
        lines = [self.title + ".", ""]
        lines += [f"subject: {_line(self.subject)}"] if self.subject else []
        lines += [f"{name.replace('_', ' ')}: {value}" for name, value in self.figures.items()]
        lines += ["", self.link] if self.link else []
        message.set_content("\n".join(lines) + "\n")
        return message

    def ocsf(self) -> dict[str, Any]:
        """Return it as an OCSF event."""
        class_uid, activity = {"silent": (6002, 4), "sign_in": (3002, 1)}.get(self.kind, (2004, 1))
        if self.kind == "decision":
            activity = 2
        millis = int(self.at * 1000)
        event: dict[str, Any] = {
            "class_uid": class_uid, "category_uid": class_uid // 1000, "activity_id": activity,
            "type_uid": class_uid * 100 + activity, "severity_id": SEVERITIES[self.severity], "time": millis,
            "message": self.title,
            "metadata": {"version": "1.3.0", "uid": self.id,
                         "product": {"name": "Stillwatch", "vendor_name": "Stillwatch", "version": __version__}},
            "unmapped": {"subject": self.subject, **self.figures},
        }  # fmt: skip
        if class_uid == 2004:
            event["finding_info"] = {"uid": self.id, "title": self.title, "created_time": millis,
                                     "types": [self.kind], **({"src_url": self.link} if self.link else {})}  # fmt: skip
            event["status_id"] = 1
        elif class_uid == 3002:
            event["user"] = {"name": self.subject or "unknown"}
            event["status_id"] = 2
        else:
            event["app"] = {"name": "Stillwatch watcher", "vendor_name": "Stillwatch", "version": __version__}
        return event

    def syslog(self, host: str) -> bytes:
        """Return it as one RFC 5424 message, OCSF JSON in it."""
        level = SYSLOG_FACILITY * 8 + _SYSLOG_LEVEL[self.severity]
        when = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = json.dumps(self.ocsf(), sort_keys=True)
        return f"<{level}>1 {when} {host} stillwatch - {self.kind} - {body}".encode()


def signature(body: bytes, secret: bytes, now: int) -> str:
    """Return what proves a webhook's sender: HMAC-SHA-256 over time and body.

    >>> signature(b"{}", b"k", 1)[:8]
    't=1,v1=3'
    """
    return f"t={now},v1={hmac.digest(secret, f'{now}.'.encode() + body, 'sha256').hex()}"


def verify(body: bytes, secret: bytes, given: str, *, now: float, tolerance: float = 300.0) -> bool:
    """Return whether a signature is right and not too old; for receivers.

    >>> verify(b"{}", b"k", signature(b"{}", b"k", 1), now=2.0), verify(b"{}", b"x", signature(b"{}", b"k", 1), now=2.0)
    (True, False)
    """
    parts = dict(part.partition("=")[::2] for part in given.split(","))
    stamp = parts.get("t", "")
    if not stamp.isdecimal() or abs(now - int(stamp)) > tolerance:
        return False
    expected = signature(body, secret, int(stamp)).partition("v1=")[2]
    return hmac.compare_digest(expected.encode(), parts.get("v1", "").encode())


def _line(text: str) -> str:
    """Return text that cannot begin a line of its own."""
    return "".join(c if c.isprintable() else "?" for c in text)
