"""Where alerts go: a webhook, a mail server, a log collector. Each sends one alert, or raises.

In: an alert. Out: nothing; `OSError` where it did not arrive. Left to `app`: which alerts, and trying again.
"""

import contextlib
import http.client
import smtplib
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from stillwatch import __version__
from stillwatch.console.alert import Alert, signature

SECONDS: Final = 10.0


class Wire(Protocol):
    """One place where alerts go."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def send(self, alert: Alert) -> None:
        """Send one.

        Raises:
            OSError: it did not arrive.
        """
        ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """Signed JSON by POST; a redirect is not followed."""

    url: str
    secret: bytes = field(repr=False)
    name: str = "webhook"

    def send(self, alert: Alert) -> None:
        """Send one; any status but 2xx is a failure."""
        body = alert.webhook()
        headers = {
            "content-type": "application/json", "user-agent": f"stillwatch/{__version__}",
            "stillwatch-delivery": alert.id, "stillwatch-signature": signature(body, self.secret, int(time.time())),
        }  # fmt: skip
        request = urllib.request.Request(self.url, body, headers, method="POST")
        try:
            with _OPENER.open(request, timeout=SECONDS) as answer:
                answer.read(1_000)
        except urllib.error.HTTPError as problem:
            raise OSError(f"status {problem.code}") from None
        except http.client.HTTPException as problem:  # a receiver that speaks no HTTP
            raise OSError(type(problem).__name__) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message by SMTP."""

    host: str
    port: int
    tls: str
    sender: str
    receivers: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    name: str = "mail"

    def send(self, alert: Alert) -> None:
        """Send one."""
        context = ssl.create_default_context()
        try:
            with self._connected(context) as server:
                if self.tls == "starttls":
                    server.starttls(context=context)
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(alert.mail(self.sender, self.receivers))
        except smtplib.SMTPException as problem:
            raise OSError(type(problem).__name__) from None

    def _connected(self, context: ssl.SSLContext) -> smtplib.SMTP:
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=SECONDS)


@dataclass(frozen=True, slots=True)
class Syslog:
    """One RFC 5424 message: UDP, TCP with octet counts (RFC 6587), or a socket of this machine."""

    where: str
    name: str = "syslog"

    def send(self, alert: Alert) -> None:
        """Send one."""
        message = alert.syslog(socket.gethostname() or "-")
        parts = urlsplit(self.where)
        if parts.scheme == "tcp":
            with contextlib.closing(
                socket.create_connection((parts.hostname or "", parts.port or 601), SECONDS)
            ) as one:
                one.sendall(f"{len(message)} ".encode() + message)
        elif parts.scheme == "udp":
            found = socket.getaddrinfo(parts.hostname, parts.port or 514, type=socket.SOCK_DGRAM)[0]
            with contextlib.closing(socket.socket(found[0], socket.SOCK_DGRAM)) as one:
                one.sendto(message, found[4])
        else:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as one:
                one.connect(self.where)
                one.send(message)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The secret's signature is for one receiver."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""
        return None


_OPENER: Final = urllib.request.build_opener(_NoRedirects())
